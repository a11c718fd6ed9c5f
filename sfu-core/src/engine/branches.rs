//! A room on several workers: where its transports go, and what is done on whose worker.
//!
//! Producers are at home. Who only consumes goes home too while the home's worker has time left, and then to a branch: rather to
//! one that the room has, for each takes a copy of what is consumed there. A transport stays where it was placed: its peer's path
//! leads there. So nothing goes to and fro, however close to the limit a worker is.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

use tokio::sync::{Mutex, mpsc};

use super::slot::WorkerClient;
use super::{ConsumeError, ConsumerOptions, Inner, WorkerGone};
use crate::ids::{RouterId, TransportId};
use crate::router::RouterEvent;
use crate::worker::{ConsumerInfo, EventSink, PipeTailKey, TransportUse, Weight, pipe};

/// A room's parts.
#[derive(Debug)]
pub(super) struct Span {
    engine: Weak<Inner>,
    home: Part,
    events: mpsc::WeakSender<RouterEvent>,
    ended_orderly: Arc<AtomicBool>,
    branches: Mutex<Branches>,
}

#[derive(Debug, Default)]
struct Branches {
    is_closed: bool,
    parts: Vec<Part>,
}

/// A part of a room: its home, or a branch.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) worker: WorkerClient,
    pub(super) router: RouterId,
    /// The worker's number.
    pub(super) slot: usize,
    pub(super) branch: Option<Branch>,
}

/// What makes a part a branch.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    tail: PipeTailKey,
    home: WorkerClient,
    home_router: RouterId,
}

impl Span {
    /// A room that is on one worker, the one with this number.
    pub(super) fn new(
        engine: Weak<Inner>,
        (slot, worker, router): (usize, WorkerClient, RouterId),
        events: mpsc::WeakSender<RouterEvent>,
        ended_orderly: Arc<AtomicBool>,
    ) -> Self {
        let home = Part { worker, router, slot, branch: None };
        Self { engine, home, events, ended_orderly, branches: Mutex::default() }
    }

    pub(super) fn home(&self) -> &Part {
        &self.home
    }

    /// Where the next transport goes, which is expected there from now on.
    pub(super) async fn place(&self, used_for: TransportUse) -> Part {
        let Some(engine) = self.engine.upgrade() else { return self.home.clone() };
        let part = match used_for {
            TransportUse::Both | TransportUse::Produce => self.home.clone(),
            TransportUse::Consume => self.place_consumer(&engine).await.unwrap_or_else(|WorkerGone| self.home.clone()),
        };
        if let Some(slot) = engine.slots.get(part.slot) {
            slot.load().expect_transport();
        }
        part
    }

    async fn place_consumer(&self, engine: &Arc<Inner>) -> Result<Part, WorkerGone> {
        let is_within_share = |slot: usize| {
            let load = engine.slots.get(slot).map(|slot| slot.load());
            load.is_some_and(|load| load.share() < engine.span_from)
        };
        if engine.slots.len() < 2 || engine.span_from >= 1.0 || is_within_share(self.home.slot) {
            return Ok(self.home.clone());
        }
        let mut branches = self.branches.lock().await;
        if branches.is_closed {
            return Err(WorkerGone);
        }
        branches.parts.retain(|part| !part.worker.is_gone());
        let candidates = engine.slots.iter().enumerate().map(|(slot, worker)| Candidate {
            slot,
            is_of_room: slot == self.home.slot || branches.parts.iter().any(|part| part.slot == slot),
            is_within_share: is_within_share(slot),
            weight: worker.load().weight(),
        });
        let slot = choose(candidates).unwrap_or(self.home.slot);
        if slot == self.home.slot {
            return Ok(self.home.clone());
        }
        if let Some(part) = branches.parts.iter().find(|part| part.slot == slot) {
            return Ok(part.clone());
        }
        let part = self.open_branch(engine, slot).await?;
        branches.parts.push(part.clone());
        Ok(part)
    }

    /// Makes a branch. What is made of it by the time that one of the two workers turns out to be gone closes with its pipe.
    async fn open_branch(&self, engine: &Inner, slot: usize) -> Result<Part, WorkerGone> {
        let worker = engine.slots.get(slot).ok_or(WorkerGone)?.client();
        let (head_side, tail_side) = pipe();
        let sender = self.events.upgrade().ok_or(WorkerGone)?;
        let sink = EventSink { sender, ended_orderly: Arc::clone(&self.ended_orderly) };
        let (router, tail) = worker
            .call(move |shell, _| {
                let (router, tail) = shell.core.borrow_mut().open_pipe_tail();
                shell.add_sink(router, sink);
                shell.serve_tail(router, tail, tail_side);
                (router, tail)
            })
            .await?;
        let home_router = self.home.router;
        let opened = self.home.worker.call(move |shell, _| {
            let head = shell.core.borrow_mut().open_pipe_head(home_router);
            head.map(|head| shell.serve_head(head, head_side))
        });
        opened.await?.map_err(|_| WorkerGone)?;
        tracing::info!(router = %home_router, worker = slot, "the room spans another worker");
        let branch = Branch { tail, home: self.home.worker.clone(), home_router };
        Ok(Part { worker, router, slot, branch: Some(branch) })
    }

    /// The branches, of which there will be no more.
    pub(super) async fn close(&self) -> Vec<Part> {
        let mut branches = self.branches.lock().await;
        branches.is_closed = true;
        std::mem::take(&mut branches.parts)
    }
}

impl Branch {
    /// Sends a producer of the room to a transport of this branch.
    pub(super) async fn consume(
        &self,
        worker: &WorkerClient,
        transport: TransportId,
        options: ConsumerOptions,
    ) -> Result<ConsumerInfo, ConsumeError> {
        let gone = |WorkerGone| ConsumeError::Closed;
        let (tail, router, id) = (self.tail, self.home_router, options.producer_id);
        let consumed = worker.call(move |shell, now| {
            let mut core = shell.core.borrow_mut();
            if core.has_shadow(tail, id) { Ok(core.consume(now, transport, options)) } else { Err(options) }
        });
        let options = match consumed.await.map_err(gone)? {
            Ok(consumed) => return consumed,
            Err(options) => options,
        };
        let copied = self.home.call(move |shell, _| shell.core.borrow().copy_producer(router, id));
        let copy = copied.await.map_err(gone)?.ok_or(ConsumeError::ProducerNotFound(id))?;
        let consumed = worker.call(move |shell, now| {
            let mut core = shell.core.borrow_mut();
            core.take_in_producer(now, tail, copy);
            core.consume(now, transport, options)
        });
        consumed.await.map_err(gone)?
    }
}

/// A worker that a transport may go to.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    slot: usize,
    /// Whether the room's home or one of its branches is there.
    is_of_room: bool,
    /// Whether it is below the share up to which rooms stay on it.
    is_within_share: bool,
    weight: Weight,
}

/// The worker for who only consumes, the home being beyond its share: the least busy where the room is and there is time left,
/// else where there is time left, else of all.
fn choose(candidates: impl Iterator<Item = Candidate>) -> Option<usize> {
    let rank = |candidate: &Candidate| match (candidate.is_within_share, candidate.is_of_room) {
        (true, true) => 0,
        (true, false) => 1,
        (false, _) => 2,
    };
    candidates.min_by_key(|candidate| (rank(candidate), candidate.weight)).map(|candidate| candidate.slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Harm prevented: a large room has a branch on every worker, and each of them carries all of its streams.
    #[test]
    fn a_branch_is_filled_before_another_is_opened() {
        // Whether the room is there, whether it is within its share, how busy it is.
        type Case = (&'static str, &'static [(bool, bool, u32)], usize);
        let cases: &[Case] = &[
            ("the first branch", &[(true, false, 9), (false, true, 3), (false, true, 2)], 2),
            ("a branch that has time left", &[(true, false, 9), (true, true, 8), (false, true, 0)], 1),
            ("the less busy of two", &[(true, false, 9), (true, true, 5), (true, true, 4)], 2),
            ("a second branch", &[(true, false, 9), (true, false, 9), (false, true, 5)], 2),
            ("nobody has time left", &[(true, false, 9), (true, false, 8), (false, false, 7)], 2),
        ];
        for (name, workers, expected) in cases {
            let candidates = workers.iter().enumerate().map(|(slot, &(is_of_room, is_within_share, busy))| Candidate {
                slot,
                is_of_room,
                is_within_share,
                weight: (busy, 0, 0),
            });
            assert_eq!(choose(candidates), Some(*expected), "{name}");
        }
    }
}
