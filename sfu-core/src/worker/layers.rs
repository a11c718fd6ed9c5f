//! Which layers flow to whom.

use std::time::Instant;

use super::core::Core;
use super::errors::ObjectClosed;
use crate::ids::{ConsumerId, TransportId};
use crate::parameters::ConsumerLayers;

impl Core {
    /// Sets the highest layers that a consumer's owner wants. Returns what holds now; `None`: the stream has no layers.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn set_preferred_layers(
        &mut self,
        _now: Instant,
        id: ConsumerId,
        layers: ConsumerLayers,
    ) -> Result<Option<ConsumerLayers>, ObjectClosed> {
        self.consumer_ids.get(&id).ok_or(ObjectClosed)?;
        Ok(Some(layers))
    }

    /// Sets how important a consumer is when not everything fits.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn set_consumer_priority(&mut self, _now: Instant, id: ConsumerId, _priority: u8) -> Result<(), ObjectClosed> {
        self.consumer_ids.get(&id).map(|_| ()).ok_or(ObjectClosed)
    }

    /// Sets what a transport's peer is told to send at most.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn set_max_incoming_bps(
        &mut self,
        _now: Instant,
        id: TransportId,
        _bps: Option<u64>,
    ) -> Result<(), ObjectClosed> {
        self.transport_ids.get(&id).map(|_| ()).ok_or(ObjectClosed)
    }

    /// Sets what a transport's peer is sent at most.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn set_max_outgoing_bps(
        &mut self,
        _now: Instant,
        id: TransportId,
        _bps: Option<u64>,
    ) -> Result<(), ObjectClosed> {
        self.transport_ids.get(&id).map(|_| ()).ok_or(ObjectClosed)
    }
}
