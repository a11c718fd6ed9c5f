//! The way of a router's events to its owner.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::mpsc;

use crate::router::RouterEvent;

/// Events that may wait for a router's owner: of a meeting of 150 in which each sees and hears all others, all 44 700 consumers may
/// close, or be suspended, in one moment. At the limit the router is closed: its owner is not reading, and losing a closing event
/// silently would leave it with ghosts.
pub(crate) const EVENT_QUEUE: usize = 65_536;

/// The owner's end of a router's events.
pub(crate) struct EventSink {
    pub(crate) sender: mpsc::Sender<RouterEvent>,
    /// Set before the queue ends when that is not the worker's death.
    pub(crate) ended_orderly: Arc<AtomicBool>,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// It waits for the owner, or the owner is gone.
    Done,
    /// It can be spared, and too many wait already.
    Dropped,
    /// The queue is full.
    Refused,
}

impl EventSink {
    /// Queues an event if there is room for it. The places beyond the limit, one for each part of the room, are kept for the event
    /// that says that there is none.
    pub(crate) fn offer(&self, event: RouterEvent) -> Delivery {
        let (room, places) = (self.sender.capacity(), self.sender.max_capacity());
        if event.is_droppable_behind(places - room) {
            return Delivery::Dropped;
        }
        if room <= places.saturating_sub(EVENT_QUEUE).max(1) {
            return Delivery::Refused;
        }
        match self.sender.try_send(event) {
            Err(mpsc::error::TrySendError::Full(_)) => Delivery::Refused,
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Delivery::Done,
        }
    }
}
