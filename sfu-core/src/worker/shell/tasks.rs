//! What a worker does all the time, each a task: reading its sockets, sending what waits, forwarding, handshakes, timers. Each gives the
//! others their turn after its own.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Shell, contain};
use crate::transport::tuple::{Protocol, Tuple};
use crate::worker::transmit::MAX_DATAGRAM_BYTES;
use crate::worker::udp::UdpPort;

/// Batches of datagrams taken from one socket before the others get their turn.
const RECEIVE_BATCHES: usize = 4;
/// The same while there is more to forward than a turn takes: sound is to be found among what came, and pictures have to wait anyway.
/// What it reads takes about as long as a queueful takes to send.
const RECEIVE_BATCHES_BEHIND: usize = 16;
/// Queuefuls that are forwarded, while there is more than that, for each datagram of a handshake: such a datagram takes about as long
/// as one of them.
const FORWARDING_TURNS_PER_HANDSHAKE: u64 = 4;

/// Reads one UDP socket for as long as it lives.
pub(super) async fn serve_udp(shell: Rc<Shell>, port: Rc<UdpPort>, local: SocketAddr) {
    loop {
        if let Err(error) = port.readable().await {
            tracing::error!(%local, %error, "a UDP socket failed");
            return;
        }
        let began = shell.begin_turn();
        let batches = if shell.is_behind.get() { RECEIVE_BATCHES_BEHIND } else { RECEIVE_BATCHES };
        for _ in 0..batches {
            let mut receiver = shell.receiver.borrow_mut();
            if !port.receive(&mut receiver) {
                break;
            }
            let now = Instant::now();
            shell.core.borrow_mut().set_lag(receiver.waited());
            receiver.take(|remote, datagram| {
                // A longer one is no media packet of a browser.
                if datagram.len() <= MAX_DATAGRAM_BYTES {
                    shell.handle_datagram(now, Tuple { protocol: Protocol::Udp, local, remote }, datagram);
                }
            });
            if !shell.is_behind.get() && shell.core.borrow().has_batch() {
                break;
            }
        }
        // What comes by other ways has not waited.
        shell.core.borrow_mut().set_lag(Duration::ZERO);
        shell.settle();
        shell.end_turn(began);
        tokio::task::yield_now().await;
    }
}

/// Sends what waits for one UDP socket, whenever it takes more.
pub(super) async fn send_waiting(shell: Rc<Shell>, port: Rc<UdpPort>) {
    loop {
        port.backlogged().await;
        if port.writable().await.is_err() {
            return;
        }
        let outcome = port.send_waiting(&mut shell.sender.borrow_mut());
        if outcome.unsent > 0 {
            shell.core.borrow_mut().count_unsent(outcome.unsent);
        }
    }
}

/// Goes on with what there is to forward, a queueful at a time: sockets and timers have their turn between any two.
pub(super) async fn run_forwarding(shell: Rc<Shell>) {
    loop {
        shell.forwarding.notified().await;
        let began = shell.begin_turn();
        shell.is_behind.set(false);
        shell.forwarding_turn.set(shell.forwarding_turn.get() + 1);
        shell.settle();
        shell.end_turn(began);
        tokio::task::yield_now().await;
    }
}

/// Goes on with handshakes, by one datagram at a time: sockets and timers have their turn between any two.
pub(super) async fn run_handshakes(shell: Rc<Shell>) {
    loop {
        shell.handshakes.notified().await;
        loop {
            let began = shell.begin_turn();
            {
                let mut core = shell.core.borrow_mut();
                let Some(tuple) = core.next_handshake() else { break };
                contain(&mut core, began, tuple, |core| core.handle_handshake(began));
            }
            shell.settle();
            shell.end_turn(began);
            // Who is in a call goes before who is about to join one, and does not keep them out.
            let turn = shell.forwarding_turn.get() + FORWARDING_TURNS_PER_HANDSHAKE;
            tokio::task::yield_now().await;
            while shell.is_behind.get() && shell.forwarding_turn.get() < turn {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Fires the core's timers.
pub(super) async fn run_timer(shell: Rc<Shell>) {
    loop {
        let next = shell.core.borrow_mut().poll_timeout().map(|(at, _)| at);
        shell.armed.set(next);
        match next {
            None => shell.rearm.notified().await,
            Some(at) => {
                tokio::select! {
                    () = tokio::time::sleep_until(at.into()) => {
                        let began = shell.begin_turn();
                        shell.core.borrow_mut().handle_timeout(began);
                        shell.settle();
                        shell.end_turn(began);
                    }
                    () = shell.rearm.notified() => {}
                }
            }
        }
    }
}
