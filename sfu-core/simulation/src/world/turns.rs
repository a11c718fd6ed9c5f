//! How a world's time passes: what arrives, what is due, and what the core wants done after each.

use std::time::{Duration, Instant};

use sfu_core::transport::tuple::Tuple;
use sfu_core::worker::Core;

use super::World;
use super::cpu::Cpu;
use crate::network::{Direction, Kind};
use crate::peer::Peer;

/// Something that the core is to be given.
#[derive(Debug)]
pub enum Input {
    /// A datagram that arrived.
    Datagram(Tuple, Vec<u8>),
    /// Its deadline.
    Timeout,
}

impl Input {
    /// Gives it to the core, which may write into the datagram, and lets the core do what comes of it, as far as its queue of
    /// transmits takes that.
    pub fn give(&mut self, now: Instant, core: &mut Core) {
        self.hand_over(now, core);
        go_on(now, core);
    }

    fn hand_over(&mut self, now: Instant, core: &mut Core) {
        match self {
            Self::Datagram(tuple, bytes) => core.handle_datagram(now, *tuple, bytes),
            Self::Timeout => core.handle_timeout(now),
        }
    }

    /// What kind of datagram it is, if it is one.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::Datagram(_, bytes) => Some(Kind::of(bytes)),
            Self::Timeout => None,
        }
    }
}

/// What the core does at the end of a turn. Whether there is more to forward, once what waits has been sent.
fn go_on(now: Instant, core: &mut Core) -> bool {
    shake_hands(now, core);
    core.forward_gathered(now)
}

fn shake_hands(now: Instant, core: &mut Core) {
    while core.next_handshake().is_some() {
        core.handle_handshake(now);
    }
}

/// What of the present moment is still to come, in this order.
#[derive(Debug, Clone, Copy)]
pub(super) enum Phase {
    /// Datagrams arrive.
    Arrivals { core_is_due: bool },
    /// The core has been woken, if it was due; then peers are.
    Peers { core_was_due: bool },
    /// Nothing.
    Over,
}

/// What came of one step.
enum Progress {
    Input(Input),
    /// Nothing for the core.
    Moment,
    End,
}

impl World {
    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(input) = self.next_input(end) {
            self.give(input);
        }
    }

    /// Lets time pass until `is_done`, which must be within `limit`.
    pub fn run_until(&mut self, what: &str, limit: Duration, is_done: impl Fn(&Self) -> bool) {
        let end = self.now + limit;
        while !(matches!(self.phase, Phase::Over) && is_done(self)) {
            match self.advance(end) {
                Progress::Input(input) => self.give(input),
                Progress::Moment => {}
                Progress::End => panic!("not within {limit:?}: {what}"),
            }
        }
    }

    fn give(&mut self, mut input: Input) {
        input.hand_over(self.now, &mut self.core);
        self.settle();
    }

    /// How long ago the world began.
    pub fn elapsed(&self) -> Duration {
        self.now - self.origin
    }

    /// Carries out what the core wants after a call from outside.
    pub fn settle(&mut self) {
        let (network, now) = (&mut self.network, self.now);
        if let Some(branch) = &mut self.branch {
            branch.carry(now, &mut self.core, |tuple, bytes| network.send_down(now, tuple, bytes));
        }
        let home = (&mut self.core, self.cpu.as_mut());
        for (core, mut cpu) in std::iter::once(home).chain(self.branch.as_mut().map(|branch| (&mut branch.core, None)))
        {
            if let Some(percent) = cpu.as_mut().and_then(|cpu| cpu.poll_load(now)) {
                core.handle_load(now, percent);
            }
            loop {
                let is_free = cpu.as_ref().is_none_or(|cpu| cpu.is_free(now));
                shake_hands(now, core);
                let is_more = !is_free || core.forward_gathered(now);
                let mut datagrams = 0;
                core.transmits().drain(|tuple, bytes| {
                    datagrams += 1;
                    network.send_down(now, tuple, bytes);
                });
                if let Some(cpu) = &mut cpu {
                    cpu.spend(now, datagrams, is_more);
                }
                if !is_more || cpu.as_ref().is_some_and(|cpu| !cpu.is_free(now)) {
                    break;
                }
            }
            while let Some((router, event)) = core.poll_event() {
                self.events.push((now, router, event));
            }
            self.closed_tuples.extend(std::iter::from_fn(|| core.poll_closed_tuple()));
            self.closed_transports.extend(std::iter::from_fn(|| core.poll_closed_transport()));
        }
        for (index, peer) in self.peers.iter_mut().enumerate() {
            for (tuple, bytes) in peer.outbox.drain(..) {
                self.network.send_up(now, index, tuple, bytes);
            }
        }
    }

    /// Lets time pass until the core is to be given something, for a caller that measures what that costs: it calls
    /// [`Input::give`] and then [`Self::settle`]. `None` once `end` is reached.
    ///
    /// # Panics
    /// The core is due again at the moment that it was last woken at.
    pub fn next_input(&mut self, end: Instant) -> Option<Input> {
        loop {
            match self.advance(end) {
                Progress::Input(input) => return Some(input),
                Progress::Moment => {}
                Progress::End => return None,
            }
        }
    }

    fn wake_branch(&mut self) {
        let now = self.now;
        let Some(branch) = &mut self.branch else { return };
        if branch.core.poll_timeout().is_some_and(|(at, _)| at <= now) {
            branch.core.handle_timeout(now);
            let next = branch.core.poll_timeout().map(|(at, _)| at);
            assert!(next.is_none_or(|at| at > now), "the branch's timer does not move on");
            self.settle();
        }
    }

    fn advance(&mut self, end: Instant) -> Progress {
        match self.phase {
            Phase::Over => {
                let core = self.core.poll_timeout().map(|(at, _)| at);
                let branch = self.branch.as_ref().and_then(|branch| branch.core.poll_timeout()).map(|(at, _)| at);
                let peers = self.peers.iter().filter_map(Peer::poll_timeout).min();
                let cpu = self.cpu.as_ref().and_then(Cpu::poll_timeout);
                let next = [core, branch, peers, self.network.poll_timeout(), cpu].into_iter().flatten().min();
                let Some(next) = next.filter(|next| *next <= end) else {
                    self.now = self.now.max(end);
                    return Progress::End;
                };
                self.now = self.now.max(next);
                self.phase = Phase::Arrivals { core_is_due: core.is_some_and(|at| at <= self.now) };
                Progress::Moment
            }
            Phase::Arrivals { core_is_due } => {
                let Some(mut datagram) = self.network.poll_arrival(self.now) else {
                    self.wake_branch();
                    self.phase = Phase::Peers { core_was_due: core_is_due };
                    return if core_is_due { Progress::Input(Input::Timeout) } else { Progress::Moment };
                };
                match datagram.direction {
                    Direction::Up if self.peers[datagram.peer].on_branch => {
                        let (now, tuple) = (self.now, datagram.tuple);
                        self.core_of(datagram.peer).handle_datagram(now, tuple, &mut datagram.bytes);
                        self.settle();
                        Progress::Moment
                    }
                    Direction::Up => Progress::Input(Input::Datagram(datagram.tuple, datagram.bytes)),
                    Direction::Down => {
                        self.peers[datagram.peer].handle_datagram(self.now, datagram.tuple, &datagram.bytes);
                        self.settle();
                        Progress::Moment
                    }
                }
            }
            Phase::Peers { core_was_due } => {
                let (now, next) = (self.now, self.core.poll_timeout().map(|(at, _)| at));
                assert!(!core_was_due || next.is_none_or(|at| at > now), "the core's timer does not move on");
                for peer in &mut self.peers {
                    if peer.poll_timeout().is_some_and(|at| at <= now) {
                        peer.handle_timeout(now);
                    }
                }
                self.settle();
                self.phase = Phase::Over;
                Progress::Moment
            }
        }
    }
}
