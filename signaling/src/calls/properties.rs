//! Whatever happens in whichever order, users and calls fit together, and every client can tell from what it did and was
//! told where it stands.

use std::collections::{BTreeMap, HashSet};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::*;

/// What must hold after every step. `timers` are those that were started and not stopped.
pub(super) fn check(state: &CallsState, timers: &[CallId]) {
    let mut busy = HashSet::new();
    for (id, call) in &state.calls {
        assert_ne!(call.caller_id, call.callee_id, "nobody calls themselves");
        for user in [&call.caller_id, &call.callee_id] {
            assert!(busy.insert(&**user), "{user} is in two calls");
            assert_eq!(state.registered.call_of(user), Some(*id), "{user} is in a call and not busy");
        }
        assert!(state.registered.sockets_of(&call.caller_id).contains(&call.placed_by), "the caller is there");
        assert!(!call.called().is_empty(), "a call rings nowhere");
        let distinct: HashSet<_> = call.called().iter().collect();
        assert_eq!(distinct.len(), call.called().len(), "a call rings twice on a socket");
        for socket in call.called() {
            assert!(state.registered.sockets_of(&call.callee_id).contains(socket), "the callee is there");
        }
        if let Phase::Ringing { held, .. } = &call.phase {
            assert!(held.iter().all(|(from, _)| call.has_part(from)), "what is held is of somebody who has a part");
        }
    }
    for (user, call) in state.registered.users() {
        assert_eq!(call.is_some(), busy.contains(user), "{user} is busy without a call");
    }
    let ringing: HashSet<_> = state.calls.iter().filter(|(_, call)| call.is_ringing()).map(|(id, _)| *id).collect();
    assert_eq!(ringing.len(), state.ringing);
    assert_eq!(
        ringing,
        timers.iter().copied().collect::<HashSet<_>>(),
        "every call that rings has a timer, and no other"
    );
    assert_eq!(ringing.len(), timers.len());
}

/// Where a client believes that it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum View {
    Calls(String),
    RungBy(String),
    Talks(String),
}

impl View {
    fn partner(&self) -> &str {
        match self {
            Self::Calls(partner) | Self::RungBy(partner) | Self::Talks(partner) => partner,
        }
    }
}

/// A world of clients which know only what they did and were told.
struct World {
    state: CallsState,
    timers: Vec<CallId>,
    /// Without an entry: in no call.
    views: BTreeMap<PeerId, View>,
}

impl World {
    fn take(&mut self, Step { deliveries, timer }: Step) {
        for (socket, notice) in deliveries {
            self.hear(&socket, &notice);
        }
        match timer {
            Some(Timer::Start(id)) => {
                assert!(!self.timers.contains(&id), "a timer is started twice");
                self.timers.push(id);
            }
            Some(Timer::Stop(id)) => {
                assert!(self.timers.contains(&id), "a timer is stopped twice");
                self.timers.retain(|other| *other != id);
            }
            None => {}
        }
    }

    fn hear(&mut self, socket: &PeerId, notice: &Notice) {
        let Notice::Call(notice) = notice else { panic!("{notice:?}") };
        let view = self.views.remove(socket);
        let next = match (notice, view) {
            (CallNotice::Incoming { caller_id, .. }, None) => Some(View::RungBy(caller_id.clone())),
            (CallNotice::Accepted { .. }, Some(View::Calls(callee))) => Some(View::Talks(callee)),
            (CallNotice::Rejected | CallNotice::Unanswered, Some(View::Calls(_)))
            | (CallNotice::Cancelled, Some(View::RungBy(_)))
            | (CallNotice::Ended, Some(_)) => None,
            (CallNotice::Candidate { user_id, .. }, Some(View::Talks(partner))) => {
                assert_eq!(*user_id, partner, "a candidate is the partner's");
                Some(View::Talks(partner))
            }
            (notice, view) => panic!("{socket}, who was {view:?}, is told {notice:?}"),
        };
        self.views.extend(next.map(|next| (socket.clone(), next)));
    }

    /// Compares what clients believe with what the state has.
    fn check(&self) {
        check(&self.state, &self.timers);
        let mut parts = 0;
        for call in self.state.calls.values() {
            let (caller, callee) = (call.caller_id.clone(), call.callee_id.clone());
            let (placed, called) = if call.is_ringing() {
                (View::Calls(callee), View::RungBy(caller))
            } else {
                (View::Talks(callee), View::Talks(caller))
            };
            assert_eq!(self.views.get(&call.placed_by), Some(&placed));
            for socket in call.called() {
                assert_eq!(self.views.get(socket), Some(&called));
            }
            parts += 1 + call.called().len();
        }
        assert_eq!(self.views.len(), parts, "somebody believes in a call that is over");
    }

    fn step(&mut self, rng: &mut StdRng) {
        const SOCKETS: usize = 9;
        const USERS: usize = 4;
        let socket = PeerId::new(&format!("s{}", rng.random_range(0..SOCKETS)));
        let someone = format!("u{}", rng.random_range(0..USERS));
        // Often those who have to do with each other: else hardly anything but refusals would happen.
        let partner = match self.views.get(&socket) {
            Some(view) if rng.random_ratio(3, 4) => view.partner().to_owned(),
            _ => someone,
        };
        let target = Target { field: "to", user_id: partner.clone() };
        match rng.random_range(0..20) {
            0..=2 => {
                let is_other = self.state.registered.user_of(&socket).is_some_and(|user| user != partner);
                if let Ok(step) = self.state.register(&socket, &partner, None) {
                    if is_other {
                        self.views.remove(&socket);
                    }
                    self.take(step);
                }
            }
            3 => {
                self.views.remove(&socket);
                let step = self.state.go(&socket);
                self.take(step);
            }
            4..=8 => {
                if let Ok(step) = self.state.place(&socket, &target, json!({})) {
                    self.take(step);
                    assert_eq!(self.views.insert(socket, View::Calls(partner)), None);
                }
            }
            9..=11 => {
                if let Ok(step) = self.state.accept(&socket, &target, json!({})) {
                    // What is handed over comes after the answer, to somebody who talks.
                    let was = self.views.insert(socket, View::Talks(partner.clone()));
                    assert_eq!(was, Some(View::RungBy(partner)));
                    self.take(step);
                }
            }
            12..=13 => {
                let how = [Leaving::Cancel, Leaving::Reject, Leaving::End][rng.random_range(0..3)];
                let has_call = self.views.get(&socket).is_some_and(|view| view.partner() == partner);
                match self.state.leave(&socket, &target, how, "call-ended") {
                    Ok(step) if has_call => {
                        self.views.remove(&socket);
                        self.take(step);
                    }
                    // It had one, which is over.
                    Ok(step) => assert!(step.deliveries.is_empty() && step.timer.is_none()),
                    Err(error) => assert!(!has_call, "nobody is kept in a call: {error}"),
                }
            }
            14..=18 => {
                if let Ok(step) = self.state.candidate(&socket, &target, json!({})) {
                    assert!(step.deliveries.len() <= 1);
                    self.take(step);
                }
            }
            _ => {
                // One that is due, or any that was ever started: a timer may fire while its call is answered.
                let due = self.timers.first().copied().filter(|_| rng.random::<bool>());
                let id = due.unwrap_or_else(|| CallId(rng.random_range(0..=self.state.placed)));
                let step = self.state.time_out(id);
                self.take(step);
            }
        }
    }
}

#[test]
fn whatever_happens_everybody_knows_which_call_they_are_in_and_is_told_once_that_it_is_over() {
    let (mut answered, mut rang) = (0, 0);
    for seed in 0..300 {
        let rng = &mut StdRng::seed_from_u64(seed);
        // Tight limits: they are met often.
        let mut world = World { state: CallsState::new(7, 1), timers: Vec::new(), views: BTreeMap::new() };
        for _ in 0..400 {
            world.step(rng);
            world.check();
            answered += world.state.running();
            rang += usize::from(world.state.ringing > 0);
        }
        for number in 0..9 {
            let socket = PeerId::new(&format!("s{number}"));
            world.views.remove(&socket);
            let step = world.state.go(&socket);
            world.take(step);
            world.check();
        }
        assert!(
            world.state.registered.is_empty() && world.state.calls.is_empty(),
            "nothing is kept of those who are gone"
        );
    }
    // Else nothing was looked at.
    assert!(answered > 10_000 && rang > 10_000, "{answered} {rang}");
}
