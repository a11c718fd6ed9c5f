//! A worker's UDP sockets: many datagrams to a system call, both ways, where the kernel can do that.
//!
//! On Linux a batch is read by `recvmmsg`, with what the kernel has joined (UDP GRO), and runs of datagrams are sent by
//! `sendmmsg`, each run as one (UDP GSO). Elsewhere, and where the kernel refuses to join, a datagram is a call.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "part of the worker shell")]

mod backlog;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

use std::cell::{Cell, RefCell};
use std::io;

use arrayvec::ArrayVec;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::Notify;

use self::backlog::Backlog;
#[cfg(target_os = "linux")]
pub(super) use self::linux::{Receiver, Sender};
#[cfg(not(target_os = "linux"))]
pub(super) use self::portable::{Receiver, Sender};
use super::transmit::Run;

/// Messages given to the kernel in one call at most: beyond it the call's own cost is nothing any more.
const SEND_BATCH: usize = 64;

/// After so many refusals of joined datagrams without one success the kernel, or the network card, is taken not to join at all.
const REFUSALS_MAX: u32 = 8;

/// Errors in a row after which a socket is left until its next turn: a peer's ICMP errors come one by one, and a socket that is broken
/// for good must not keep its worker from the others.
const RECEIVE_ERRORS_MAX: usize = 64;

/// One socket.
pub(super) struct UdpPort {
    socket: UdpSocket,
    joins: Cell<bool>,
    /// Refusals to join since the last success.
    refusals: Cell<u32>,
    backlog: RefCell<Backlog>,
    /// Told when something waits.
    backlogged: Notify,
}

/// What became of runs that were to be sent, in datagrams.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Refused by the kernel, or dropped because too many wait for it.
    pub(super) unsent: u64,
}

impl UdpPort {
    /// Takes over a socket that does not block. At most `backlog_bytes` wait for it when it takes no more.
    pub(super) fn new(socket: std::net::UdpSocket, backlog_bytes: usize) -> io::Result<Self> {
        let joins = Sender::enable(&socket);
        Receiver::enable(&socket);
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            joins: Cell::new(joins),
            refusals: Cell::new(0),
            backlog: RefCell::new(Backlog::new(backlog_bytes)),
            backlogged: Notify::new(),
        })
    }

    /// Whether the kernel takes equally long datagrams of one destination as one.
    pub(super) fn joins(&self) -> bool {
        self.joins.get()
    }

    /// Resolves when there may be something to receive.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Resolves when something waits: [`Self::send_waiting`] is to be called once the socket takes more.
    pub(super) async fn backlogged(&self) {
        while self.backlog.borrow().is_empty() {
            self.backlogged.notified().await;
        }
    }

    /// Resolves when the socket may take more.
    pub(super) async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    /// Reads what came, as far as one call gives it, for [`Receiver::take`]. Whether anything was there.
    pub(super) fn receive(&self, receiver: &mut Receiver) -> bool {
        for _ in 0..RECEIVE_ERRORS_MAX {
            let mut is_read = false;
            let outcome = self.socket.try_io(Interest::READABLE, || {
                receiver.receive(&self.socket)?;
                is_read = true;
                // Nothing is left: another call would only say so. What comes from now on makes it readable again.
                if receiver.is_full() { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
            });
            match outcome {
                Ok(()) => return true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return is_read,
                // An ICMP error for something sent earlier: says nothing about this socket.
                Err(_) => {}
            }
        }
        false
    }

    /// Sends runs, in order.
    pub(super) fn send<'a>(&self, sender: &mut Sender, runs: impl Iterator<Item = Run<'a>>) -> Outcome {
        let mut outcome = Outcome::default();
        let mut batch = ArrayVec::<Run<'a>, SEND_BATCH>::new();
        for run in runs {
            if run.len() > 1 && !self.joins() {
                for bytes in run.datagrams() {
                    self.put(sender, &mut batch, Run { bytes, segment_len: bytes.len(), ..run }, &mut outcome);
                }
            } else {
                self.put(sender, &mut batch, run, &mut outcome);
            }
        }
        self.flush(sender, &batch, &mut outcome);
        outcome
    }

    /// Sends what waited. To be called when the socket is writable.
    pub(super) fn send_waiting(&self, sender: &mut Sender) -> Outcome {
        let mut waiting = std::mem::take(&mut *self.backlog.borrow_mut());
        // What is not taken now goes back in the same order.
        *self.backlog.borrow_mut() = waiting.empty();
        let outcome = self.send(sender, waiting.runs());
        waiting.clear();
        outcome
    }

    /// Adds a run to a batch. What goes in one call is either single datagrams, or runs of one length of segment.
    fn put<'a>(
        &self,
        sender: &mut Sender,
        batch: &mut ArrayVec<Run<'a>, SEND_BATCH>,
        run: Run<'a>,
        outcome: &mut Outcome,
    ) {
        if batch.is_full() || batch.first().is_some_and(|first| segment_of(first) != segment_of(&run)) {
            self.flush(sender, batch, outcome);
            batch.clear();
        }
        batch.push(run);
    }

    fn flush(&self, sender: &mut Sender, batch: &[Run<'_>], outcome: &mut Outcome) {
        let mut rest = batch;
        while let Some((first, others)) = rest.split_first() {
            if !self.backlog.borrow().is_empty() {
                return self.keep(rest, outcome);
            }
            let sent = self.socket.try_io(Interest::WRITABLE, || sender.send(&self.socket, rest, segment_of(first)));
            match sent {
                Ok(count) => {
                    if first.len() > 1 {
                        self.refusals.set(0);
                    }
                    rest = rest.get(count.max(1)..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.keep(rest, outcome),
                Err(error) => {
                    if first.len() > 1 {
                        self.count_refusal(&error);
                        let single = |bytes| Run { bytes, segment_len: first.segment_len, ..*first };
                        first.datagrams().for_each(|datagram| self.flush(sender, &[single(datagram)], outcome));
                    } else {
                        outcome.unsent += 1;
                    }
                    rest = others;
                }
            }
        }
    }

    /// Keeps runs until the socket takes more.
    fn keep(&self, runs: &[Run<'_>], outcome: &mut Outcome) {
        let mut backlog = self.backlog.borrow_mut();
        outcome.unsent += runs.iter().map(|run| backlog.push(*run)).sum::<u64>();
        self.backlogged.notify_one();
    }

    /// A path that takes only smaller datagrams refuses to join as well, so one refusal says little.
    fn count_refusal(&self, error: &io::Error) {
        self.refusals.set(self.refusals.get() + 1);
        if self.refusals.get() >= REFUSALS_MAX && self.joins.replace(false) {
            tracing::warn!(%error, "joined datagrams are refused; each is sent by itself from now on");
        }
    }
}

/// The length of the segments that the kernel is to cut a run into; none for a datagram alone.
fn segment_of(run: &Run<'_>) -> Option<u16> {
    (run.len() > 1).then(|| u16::try_from(run.segment_len).ok()).flatten()
}

#[cfg(test)]
mod tests;
