//! Routers: one room's forwarding table, and the events it tells its owner.

mod events;
mod observers;
mod options;

pub use events::{
    AudioLevel, ConsumerCloseReason, RouterCloseReason, RouterEvent, SuspendReason, TransportCloseReason,
};

pub use options::RouterOptions;

use std::time::Instant;

use observers::Observers;

use crate::ids::RouterId;
use crate::worker::{PipeHeadKey, PipeTailKey, TransportKey};

/// What belongs to one room. Who gets whose packets is in the producers: each lists its consumers, and says whose room it is
/// in.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) id: RouterId,
    pub(crate) options: RouterOptions,
    pub(crate) transports: Vec<TransportKey>,
    pub(crate) observers: Observers,
    /// The pipes to its branches on other workers.
    pub(crate) heads: Vec<PipeHeadKey>,
    /// The pipe from its home, if it is a branch.
    pub(crate) tail: Option<PipeTailKey>,
    /// When the worker serves this router next.
    pub(crate) armed: Option<Instant>,
}

impl Router {
    pub(crate) fn new(id: RouterId, options: RouterOptions) -> Self {
        let observers = Observers::new(&options);
        Self { id, observers, options, transports: Vec::new(), heads: Vec::new(), tail: None, armed: None }
    }
}
