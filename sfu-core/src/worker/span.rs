//! Pipes between workers: their queues, and the tasks that serve their ends.
//!
//! A few batches of each pipe are made once and go back and forth. What comes while all of them are with the other worker is
//! collected in the home's core, which has a limit: a worker that is behind is sent less, and is not waited for.
#![allow(clippy::disallowed_methods, reason = "part of the worker shell")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::Instant;

use tokio::sync::mpsc;

use super::core::Core;
use super::pipe::{PipeBatch, PipeEnd, PipeHeadKey, PipeRequest, PipeTailKey};
use super::shell::Shell;
use crate::ids::RouterId;
use crate::router::RouterEvent;

/// Batches of a pipe that the other worker may hold: one that it works on, and the next. More would only wait there, where
/// nothing can be left out any more.
const BATCHES: usize = 2;

/// Entries taken out of a batch before others on the worker get their turn.
const TURN: usize = 64;

/// Requests of a branch that may wait for its home. At the limit they stay in the branch's core, which keeps the latest of each.
const REQUESTS: usize = 1024;

/// Ends of pipes that a worker serves.
#[derive(Default)]
pub(super) struct Links {
    heads: RefCell<HashMap<PipeHeadKey, HeadLink>>,
    tails: RefCell<HashMap<PipeTailKey, TailLink>>,
    /// Used again with each turn.
    due_heads: RefCell<Vec<PipeHeadKey>>,
    due_tails: RefCell<Vec<PipeTailKey>>,
}

/// What both ends of a pipe know.
#[derive(Debug, Default)]
struct Shared {
    /// The home has something, and no batch to put it into: it is to be woken when one comes back.
    is_starved: AtomicBool,
    /// The branch lost its room's owner, and the room is over: said before the branch's end closes.
    is_room_over: AtomicBool,
}

/// A home's end of a new pipe.
pub(crate) struct HeadSide {
    link: HeadLink,
    news: mpsc::Receiver<Upward>,
}

/// A branch's end of a new pipe.
pub(crate) struct TailSide {
    link: TailLink,
    batches: mpsc::Receiver<PipeBatch>,
    spares: mpsc::Sender<PipeBatch>,
}

struct HeadLink {
    batches: mpsc::Sender<PipeBatch>,
    spares: mpsc::Receiver<PipeBatch>,
    shared: Arc<Shared>,
}

struct TailLink {
    news: mpsc::Sender<Upward>,
    shared: Arc<Shared>,
}

/// What a branch tells its home.
enum Upward {
    Request(PipeRequest),
    /// A batch came back.
    Room,
}

/// The two ends of a new pipe.
pub(crate) fn pipe() -> (HeadSide, TailSide) {
    let (batches, taken_batches) = mpsc::channel(BATCHES);
    let (returned, spares) = mpsc::channel(BATCHES);
    let (news, heard_news) = mpsc::channel(REQUESTS);
    for _ in 0..BATCHES {
        // There is room for each.
        let _ = returned.try_send(PipeBatch::default());
    }
    let shared = Arc::<Shared>::default();
    let head = HeadLink { batches, spares, shared: Arc::clone(&shared) };
    let tail = TailLink { news, shared };
    (HeadSide { link: head, news: heard_news }, TailSide { link: tail, batches: taken_batches, spares: returned })
}

impl HeadLink {
    /// A batch that the other worker is done with.
    fn spare(&mut self) -> Option<PipeBatch> {
        if let Ok(batch) = self.spares.try_recv() {
            return Some(batch);
        }
        self.shared.is_starved.store(true, Ordering::Relaxed);
        // Either we see the batch that comes back now, or who returns it sees that we wait.
        fence(Ordering::SeqCst);
        self.spares.try_recv().ok()
    }
}

impl TailLink {
    fn give_back(&self, batch: PipeBatch, spares: &mpsc::Sender<PipeBatch>) {
        // Never full, and the home may be gone.
        let _ = spares.try_send(batch);
        fence(Ordering::SeqCst);
        if self.shared.is_starved.swap(false, Ordering::Relaxed) {
            // If it is full, the home has yet to read it, and looks at its batches then.
            let _ = self.news.try_send(Upward::Room);
        }
    }
}

impl Shell {
    /// Serves the home's end of a pipe until the other end closes.
    pub(crate) fn serve_head(self: &Rc<Self>, key: PipeHeadKey, side: HeadSide) {
        self.links.heads.borrow_mut().insert(key, side.link);
        self.spawn(serve_head(Rc::clone(self), key, side.news));
    }

    /// Serves a branch's end of a pipe until the other end closes, and the branch with it.
    pub(crate) fn serve_tail(self: &Rc<Self>, router: RouterId, key: PipeTailKey, side: TailSide) {
        let TailSide { link, batches, spares } = side;
        self.links.tails.borrow_mut().insert(key, link);
        self.spawn(serve_tail(Rc::clone(self), (router, key), batches, spares));
    }

    /// Hands what has been collected to the other workers, and wakes each once.
    pub(super) fn hand_over(&self, core: &mut Core) {
        let mut heads = self.links.heads.borrow_mut();
        let mut due = self.links.due_heads.borrow_mut();
        core.take_due_heads(&mut due);
        for key in due.drain(..) {
            let Some(link) = heads.get_mut(&key) else { continue };
            match link.spare() {
                Some(mut batch) => {
                    if core.take_batch(Instant::now(), key, &mut batch) {
                        // As many as there are find room; the branch may be gone.
                        let _ = link.batches.try_send(batch);
                    }
                }
                None => core.defer_head(key),
            }
        }
        drop((heads, due));
        self.hand_over_requests(core);
    }

    /// Lets go of the pipes whose routers closed: their other ends see it.
    pub(super) fn drop_closed_pipes(&self, core: &mut Core) {
        while let Some(closed) = core.poll_closed_pipe() {
            match closed {
                PipeEnd::Head(key) => drop(self.links.heads.borrow_mut().remove(&key)),
                PipeEnd::Tail(key) => drop(self.links.tails.borrow_mut().remove(&key)),
            }
        }
    }

    fn hand_over_requests(&self, core: &mut Core) {
        let tails = self.links.tails.borrow();
        let mut due = self.links.due_tails.borrow_mut();
        core.take_due_tails(&mut due);
        for key in due.drain(..) {
            let Some(link) = tails.get(&key) else { continue };
            while let Ok(place) = link.news.try_reserve() {
                match core.poll_pipe_request(key) {
                    Some(request) => place.send(Upward::Request(request)),
                    None => break,
                }
            }
            if link.news.capacity() == 0 {
                core.defer_tail(key);
            }
        }
    }

    /// The room that a branch is of is over: its home is to close, its owner was told.
    pub(super) fn end_room_of(&self, core: &Core, router: RouterId) {
        if let Some(link) = core.tail_of(router).and_then(|key| self.links.tails.borrow_mut().remove(&key)) {
            link.shared.is_room_over.store(true, Ordering::Release);
        }
    }

    /// Takes packets out of a batch, a turn's worth. Whether there are more.
    fn take_in(&self, key: PipeTailKey, batch: &mut PipeBatch) -> bool {
        for _ in 0..TURN {
            let mut core = self.core.borrow_mut();
            let now = Instant::now();
            match catch_unwind(AssertUnwindSafe(|| core.handle_piped(now, key, batch))) {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => {
                    tracing::error!("a piped packet's handling panicked; its producer's consumers here are closed");
                    core.handle_pipe_fault(now, batch);
                }
            }
            if core.transmits().is_full() {
                self.flush(&mut core);
            }
        }
        true
    }
}

/// Does what a branch asks for, until it is gone.
async fn serve_head(shell: Rc<Shell>, key: PipeHeadKey, mut news: mpsc::Receiver<Upward>) {
    while let Some(first) = news.recv().await {
        let began = shell.begin_turn();
        let rest = std::iter::from_fn(|| news.try_recv().ok());
        for upward in std::iter::once(first).chain(rest).take(REQUESTS) {
            // That there is room again is seen when the turn is over.
            if let Upward::Request(request) = upward {
                shell.core.borrow_mut().handle_pipe_request(Instant::now(), key, request);
            }
        }
        shell.core.borrow_mut().defer_head(key);
        shell.settle();
        shell.end_turn(began);
    }
    // The room goes on without the branch, unless it is over.
    let link = shell.links.heads.borrow_mut().remove(&key);
    let is_over = link.is_some_and(|link| link.shared.is_room_over.load(Ordering::Acquire));
    let mut core = shell.core.borrow_mut();
    let now = Instant::now();
    match core.home_of(key).filter(|_| is_over) {
        Some(router) => {
            shell.end_sink(router);
            core.close_router(now, router);
        }
        None => core.close_pipe_head(now, key),
    }
    drop(core);
    shell.settle();
}

/// Takes in what comes from a branch's home, until that is gone, and closes the branch then.
async fn serve_tail(
    shell: Rc<Shell>,
    (router, key): (RouterId, PipeTailKey),
    mut batches: mpsc::Receiver<PipeBatch>,
    spares: mpsc::Sender<PipeBatch>,
) {
    while let Some(mut batch) = batches.recv().await {
        let mut began = shell.begin_turn();
        while shell.take_in(key, &mut batch) {
            shell.settle();
            shell.end_turn(began);
            tokio::task::yield_now().await;
            began = shell.begin_turn();
        }
        if let Some(link) = shell.links.tails.borrow().get(&key) {
            link.give_back(batch, &spares);
        }
        shell.settle();
        shell.end_turn(began);
        tokio::task::yield_now().await;
    }
    // Whether orderly is the home's to say.
    shell.drop_sink(router);
    shell.core.borrow_mut().close_router(Instant::now(), router);
    shell.settle();
}

/// Tells the owners of rooms that have branches here what is lost with a worker that dies.
pub(super) struct LastWords(pub(super) Rc<Shell>);

impl Drop for LastWords {
    fn drop(&mut self) {
        // Without the core's state nothing can be told; a worker that ends orderly has no branches left.
        let Ok(mut core) = self.0.core.try_borrow_mut() else { return };
        let mut routers: Vec<RouterId> = core.branches().collect();
        routers.sort();
        for router in routers {
            let events: Vec<RouterEvent> = core.last_events(router);
            for event in events {
                self.0.deliver(&mut core, router, event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Harm prevented: a home is woken for each batch that comes back, or, having run out of them, never again.
    #[test]
    fn a_home_is_woken_by_a_batch_that_comes_back_only_if_it_has_none() {
        let (mut head, mut tail) = pipe();
        let mut wakes = || std::iter::from_fn(|| head.news.try_recv().ok()).count();
        for _ in 0..3 {
            let batch = head.link.spare().expect("one of two");
            tail.link.give_back(batch, &tail.spares);
        }
        assert_eq!(wakes(), 0);
        for _ in 0..BATCHES {
            let batch = head.link.spare().expect("there are so many");
            head.link.batches.try_send(batch).expect("there is room for all");
        }
        assert!(head.link.spare().is_none());
        while let Ok(batch) = tail.batches.try_recv() {
            tail.link.give_back(batch, &tail.spares);
        }
        assert_eq!(wakes(), 1);
        assert!(head.link.spare().is_some());
    }
}
