//! Routers: one room's forwarding table, and the events it tells its owner.

mod events;

pub use events::{
    AudioLevel, ConsumerCloseReason, RouterCloseReason, RouterEvent, SuspendReason, TransportCloseReason,
};

use crate::worker::TransportKey;

/// What belongs to one room. Who gets whose packets is in the producers: each lists its consumers, and says whose room it is
/// in.
#[derive(Debug, Default)]
pub(crate) struct Router {
    pub(crate) transports: Vec<TransportKey>,
}
