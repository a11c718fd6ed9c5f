//! Routers: one room's forwarding table, and the events it tells its owner.

mod events;

use std::collections::HashMap;

pub use events::{ConsumerCloseReason, RouterCloseReason, RouterEvent, TransportCloseReason};

use crate::ids::ProducerId;
use crate::worker::{ProducerKey, TransportKey};

/// What belongs to one room. Who gets whose packets is in the producers: each lists its consumers.
#[derive(Debug, Default)]
pub(crate) struct Router {
    pub(crate) transports: Vec<TransportKey>,
    /// What may be consumed here, and nowhere else.
    pub(crate) producers: HashMap<ProducerId, ProducerKey>,
}
