//! Routers: one room's forwarding table, and the events it tells its owner.

mod events;
mod options;

pub use events::{
    AudioLevel, ConsumerCloseReason, RouterCloseReason, RouterEvent, SuspendReason, TransportCloseReason,
};

pub use options::RouterOptions;

use crate::worker::TransportKey;

/// What belongs to one room. Who gets whose packets is in the producers: each lists its consumers, and says whose room it is
/// in.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) options: RouterOptions,
    pub(crate) transports: Vec<TransportKey>,
}

impl Router {
    pub(crate) fn new(options: RouterOptions) -> Self {
        Self { options, transports: Vec::new() }
    }
}
