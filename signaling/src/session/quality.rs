//! What a socket asks of the quality of its media, and what it is told of it on request.

use serde_json::{Value, json};

use super::Session;
use super::media::closed;
use crate::error::SignalError;
use crate::wire::decode;
use crate::wire::reply::Reply;
use crate::wire::request::{
    Object, OfObject, SetMaxBitrate, SetPreferredLayers, SetPriority, StreamTraces, TransportTraces,
};

impl Session {
    /// `setPreferredLayers`.
    pub(super) async fn set_preferred_layers(
        &mut self,
        room: Option<String>,
        payload: Value,
    ) -> Result<Reply, SignalError> {
        let request: SetPreferredLayers = decode(payload)?;
        let id = request.consumer_id;
        let consumer = self.membership_in(room)?.consumer(&id)?;
        let layers = consumer.handle.set_preferred_layers(request.layers()).await;
        Ok(Reply::PreferredLayers(layers.map_err(|source| closed("consumerId", id, source))?))
    }

    /// `setPriority`.
    pub(super) async fn set_priority(&mut self, room: Option<String>, payload: Value) -> Result<Reply, SignalError> {
        let SetPriority { consumer_id: id, priority } = decode(payload)?;
        let consumer = self.membership_in(room)?.consumer(&id)?;
        consumer.handle.set_priority(priority.get()).await.map_err(|source| closed("consumerId", id, source))?;
        Ok(Reply::Done)
    }

    /// `setMaxIncomingBitrate`: what the client shall send at most on a transport.
    pub(super) async fn set_max_incoming_bitrate(
        &mut self,
        room: Option<String>,
        payload: Value,
    ) -> Result<Reply, SignalError> {
        let request: SetMaxBitrate = decode(payload)?;
        let limit = request.limit_bps(self.shared.transport.max_incoming_bps);
        let transport = self.membership_in(room)?.transport(&request.transport_id)?;
        transport.handle.set_max_incoming_bps(limit).await?;
        Ok(Reply::Done)
    }

    /// `setMaxOutgoingBitrate`: what the client shall be sent at most on a transport.
    pub(super) async fn set_max_outgoing_bitrate(
        &mut self,
        room: Option<String>,
        payload: Value,
    ) -> Result<Reply, SignalError> {
        let request: SetMaxBitrate = decode(payload)?;
        let limit = request.limit_bps(self.shared.transport.max_outgoing_bps);
        let transport = self.membership_in(room)?.transport(&request.transport_id)?;
        transport.handle.set_max_outgoing_bps(limit).await?;
        Ok(Reply::Done)
    }

    /// `getStats` of what is the socket's own.
    pub(super) async fn stats(&mut self, room: Option<String>, payload: Value) -> Result<Reply, SignalError> {
        let object = decode::<OfObject>(payload)?.object()?;
        let membership = self.membership_in(room)?;
        let stats = match object {
            Object::Transport(id) => json!([membership.transport(&id)?.handle.get_stats().await?]),
            Object::Producer(id) => {
                let stats = membership.producer(&id)?.handle.get_stats().await;
                json!(stats.map_err(|source| closed("producerId", id, source))?)
            }
            Object::Consumer(id) => {
                let stats = membership.consumer(&id)?.handle.get_stats().await;
                json!(stats.map_err(|source| closed("consumerId", id, source))?)
            }
        };
        Ok(Reply::Stats(stats))
    }

    /// `enableTraceEvent` of what is the socket's own: these types from now on, and no others.
    pub(super) async fn enable_trace_event(
        &mut self,
        room: Option<String>,
        payload: Value,
    ) -> Result<Reply, SignalError> {
        let object = decode::<OfObject>(payload.clone())?.object()?;
        let membership = self.membership_in(room)?;
        match object {
            Object::Transport(id) => {
                let types = decode::<TransportTraces>(payload)?.types;
                membership.transport(&id)?.handle.enable_trace_event(types).await?;
            }
            Object::Producer(id) => {
                let types = decode::<StreamTraces>(payload)?.types;
                let enabled = membership.producer(&id)?.handle.enable_trace_event(types).await;
                enabled.map_err(|source| closed("producerId", id, source))?;
            }
            Object::Consumer(id) => {
                let types = decode::<StreamTraces>(payload)?.types;
                let enabled = membership.consumer(&id)?.handle.enable_trace_event(types).await;
                enabled.map_err(|source| closed("consumerId", id, source))?;
            }
        }
        Ok(Reply::Done)
    }
}
