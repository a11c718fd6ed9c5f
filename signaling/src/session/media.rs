//! Transports, producers and consumers of one socket.
//!
//! Order matters where the room and the engine both change. A new object is in the engine first, and what closes is out of
//! the room first: whoever finds it in the room can count on the engine having had it.

use serde_json::Value;
use sfu_core::engine::{ConsumeError, ConsumerOptions, ObjectClosed, ProducerOptions, WebRtcTransportOptions};
use sfu_core::ids::{ConsumerId, ProducerId, TransportId};

use super::{Membership, OwnConsumer, OwnProducer, OwnTransport, Session};
use crate::error::SignalError;
use crate::limits::TRANSPORTS_PER_PEER_MAX;
use crate::vocabulary::Vocabulary;
use crate::wire::decode;
use crate::wire::reply::Reply;
use crate::wire::request::{
    ConnectTransport, Consume, CreateTransport, MadeWith, OfConsumer, OfProducer, OfTransport, Produce,
};

impl Session {
    /// `createTransport`, `createWebRtcTransport`.
    pub(super) async fn create_transport(
        &mut self,
        room: Option<String>,
        payload: Value,
    ) -> Result<Reply, SignalError> {
        let used_for = decode::<CreateTransport>(payload)?.transport_use()?;
        let peer = self.peer.clone();
        let options = WebRtcTransportOptions { used_for: used_for.for_engine(), ..self.shared.transport };
        let membership = self.enter(room).await?;
        if membership.transports.len() >= TRANSPORTS_PER_PEER_MAX {
            return Err(SignalError::TooManyTransports);
        }
        let handle = membership.router.create_webrtc_transport(options).await?;
        let id = handle.id();
        membership.room.change(|state| (state.add_transport(id, &peer), Vec::new()));
        tracing::info!(transport = %id, sends = used_for.sends, receives = used_for.receives, "transport created");
        let reply = Reply::transport(&handle);
        membership.transports_made += 1;
        let number = membership.transports_made;
        membership.transports.insert(id, OwnTransport { handle, used_for, number });
        Ok(reply)
    }

    /// `connectTransport`, `connectWebRtcTransport`.
    pub(super) async fn connect_transport(
        &mut self,
        room: Option<String>,
        payload: Value,
    ) -> Result<Reply, SignalError> {
        let request: ConnectTransport = decode(payload)?;
        let transport = self.membership_in(room)?.transport(&request.transport_id)?;
        transport.handle.connect(request.dtls_parameters).await?;
        Ok(match transport.used_for.made_with {
            MadeWith::Direction => Reply::DoneNull,
            MadeWith::Flags => Reply::Done,
        })
    }

    /// `restartIce`.
    pub(super) async fn restart_ice(&mut self, room: Option<String>, payload: Value) -> Result<Reply, SignalError> {
        let request: OfTransport = decode(payload)?;
        let transport = self.membership_in(room)?.transport(&request.transport_id)?;
        let parameters = transport.handle.restart_ice().await?;
        Ok(Reply::ice_parameters(&parameters))
    }

    /// `produce`, `startScreenShare`.
    pub(super) async fn produce(
        &mut self,
        room: Option<String>,
        payload: Value,
        screen: bool,
    ) -> Result<Reply, SignalError> {
        let mut request: Produce = decode(payload)?;
        let app_data = request.take_app_data(screen)?;
        let Produce { transport_id, kind, rtp_parameters, .. } = request;
        let (peer, allowed) = (self.peer.clone(), self.grants.clone());
        let membership = self.membership_in(room)?;
        let transport = membership.transport(&transport_id)?;
        if !transport.used_for.sends {
            return Err(SignalError::NotASendTransport(transport_id));
        }
        let source = app_data.source(kind);
        if !allowed.allows_publishing(source) {
            return Err(SignalError::SourceNotGranted {
                event: if screen { "startScreenShare" } else { "produce" },
                what: source,
            });
        }
        let options = ProducerOptions { kind, rtp_parameters, paused: false, is_screen: app_data.is_screen() };
        let room = &membership.room;
        room.change(|state| (state.expect_producer(), Vec::new()));
        let made = transport.handle.produce(options).await;
        let handle = made.inspect_err(|_| room.change(|state| (state.producer_not_made(), Vec::new())))?;
        let id = handle.id();
        room.announce(|state| state.add_producer(id, &peer, kind, app_data.0));
        membership.producers.insert(id, OwnProducer { handle, transport: transport_id, source });
        tracing::info!(producer = %id, transport = %transport_id, ?kind, "producer created");
        Ok(Reply::Producer(id))
    }

    /// `closeProducer`, `producerClosed`, `stopScreenShare`.
    pub(super) async fn close_producer(&mut self, room: Option<String>, payload: Value) -> Result<Reply, SignalError> {
        let id = decode::<OfProducer>(payload)?.producer_id;
        let membership = self.membership_in(room)?;
        let producer = membership.producers.remove(&id).ok_or(SignalError::ProducerNotFound(id))?;
        membership.room.announce(|state| state.close_producer(&id));
        producer.handle.close().await;
        tracing::info!(producer = %id, "producer closed");
        Ok(Reply::Done)
    }

    /// `pauseProducer`, `resumeProducer`.
    pub(super) async fn set_producer_paused(
        &mut self,
        room: Option<String>,
        payload: Value,
        paused: bool,
    ) -> Result<Reply, SignalError> {
        let id = decode::<OfProducer>(payload)?.producer_id;
        let membership = self.membership_in(room)?;
        let producer = membership.producer(&id)?;
        let done = if paused { producer.handle.pause().await } else { producer.handle.resume().await };
        done.map_err(|source| closed("producerId", id, source))?;
        membership.room.announce(|state| state.set_producer_paused(&id, paused));
        Ok(Reply::Done)
    }

    /// `consume`.
    pub(super) async fn consume(&mut self, room: Option<String>, payload: Value) -> Result<Reply, SignalError> {
        let Consume { producer_id, rtp_capabilities, transport_id, preferred_layers, .. } =
            decode::<Consume>(payload)?.checked()?;
        if !self.grants.can_subscribe {
            return Err(SignalError::NotGranted("consume"));
        }
        let peer = self.peer.clone();
        let call = self.vocabulary == Some(Vocabulary::Call);
        let membership = self.enter(room).await?;
        let transport = match transport_id {
            Some(id) => membership.transport(&id)?,
            None => membership.receive_transport()?,
        };
        let transport_id = transport.handle.id();
        if !transport.used_for.receives {
            return Err(SignalError::NotAReceiveTransport(transport_id));
        }
        let producer = membership
            .room
            .read(|state| state.producer(&producer_id))
            .ok_or(SignalError::ProducerNotFound(producer_id))?;
        let paused = call || transport.used_for.made_with == MadeWith::Direction;
        let options = ConsumerOptions { producer_id, rtp_capabilities, paused, preferred_layers };
        let room = &membership.room;
        room.change(|state| (state.expect_consumer(), Vec::new()));
        let made = transport.handle.consume(options).await;
        let handle =
            made.inspect_err(|_| room.change(|state| (state.consumer_not_made(), Vec::new()))).map_err(|error| {
                match error {
                    ConsumeError::ProducerNotFound(id) => SignalError::ProducerNotFound(id),
                    error => error.into(),
                }
            })?;
        let id = handle.id();
        let Some(producer_paused) = room.change(|state| state.add_consumer(id, &peer, producer_id)) else {
            // Its producer closed meanwhile, and with it this consumer.
            return Err(SignalError::ProducerNotFound(producer_id));
        };
        tracing::info!(consumer = %id, producer = %producer_id, transport = %transport_id, paused, "consumer created");
        let reply = Reply::consumer(&handle, &producer, producer_paused);
        membership.consumers.insert(id, OwnConsumer { handle, transport: transport_id });
        Ok(reply)
    }

    /// `pauseConsumer`.
    pub(super) async fn pause_consumer(&mut self, room: Option<String>, payload: Value) -> Result<Reply, SignalError> {
        let (id, consumer) = self.consumer(room, payload)?;
        consumer.handle.pause().await.map_err(|source| closed("consumerId", id, source))?;
        Ok(Reply::Done)
    }

    /// `resumeConsumer`.
    pub(super) async fn resume_consumer(&mut self, room: Option<String>, payload: Value) -> Result<Reply, SignalError> {
        let (id, consumer) = self.consumer(room, payload)?;
        consumer.handle.resume().await.map_err(|source| closed("consumerId", id, source))?;
        Ok(Reply::DoneNull)
    }

    /// `requestKeyFrame`.
    pub(super) async fn request_key_frame(
        &mut self,
        room: Option<String>,
        payload: Value,
    ) -> Result<Reply, SignalError> {
        let (id, consumer) = self.consumer(room, payload)?;
        consumer.handle.request_key_frame().await.map_err(|source| closed("consumerId", id, source))?;
        Ok(Reply::Done)
    }

    /// `closeConsumer`.
    pub(super) async fn close_consumer(&mut self, room: Option<String>, payload: Value) -> Result<Reply, SignalError> {
        let id = decode::<OfConsumer>(payload)?.consumer_id;
        let membership = self.membership_in(room)?;
        let consumer = membership.consumers.remove(&id).ok_or(SignalError::ConsumerNotFound(id))?;
        membership.room.change(|state| (state.remove_consumer(&id), Vec::new()));
        consumer.handle.close().await;
        tracing::info!(consumer = %id, "consumer closed");
        Ok(Reply::Done)
    }

    /// A transport closed by itself, and in the engine everything on it: forgets it all, and tells whom it concerns.
    pub(super) fn forget_transport(&mut self, id: &TransportId) {
        let Some(membership) = &mut self.membership else {
            return;
        };
        if membership.transports.remove(id).is_none() {
            return;
        }
        let room = &membership.room;
        membership.producers.retain(|producer_id, producer| {
            let stays = producer.transport != *id;
            if !stays {
                room.announce(|state| state.close_producer(producer_id));
            }
            stays
        });
        membership.consumers.retain(|consumer_id, consumer| {
            let stays = consumer.transport != *id;
            if !stays {
                room.announce(|state| state.consumer_closed(consumer_id));
            }
            stays
        });
    }

    fn consumer(&mut self, room: Option<String>, payload: Value) -> Result<(ConsumerId, &OwnConsumer), SignalError> {
        let id = decode::<OfConsumer>(payload)?.consumer_id;
        Ok((id, self.membership_in(room)?.consumer(&id)?))
    }
}

impl Membership {
    pub(super) fn transport(&self, id: &TransportId) -> Result<&OwnTransport, SignalError> {
        self.transports.get(id).ok_or(SignalError::TransportNotFound(*id))
    }

    pub(super) fn producer(&self, id: &ProducerId) -> Result<&OwnProducer, SignalError> {
        self.producers.get(id).ok_or(SignalError::ProducerNotFound(*id))
    }

    pub(super) fn consumer(&self, id: &ConsumerId) -> Result<&OwnConsumer, SignalError> {
        self.consumers.get(id).ok_or(SignalError::ConsumerNotFound(*id))
    }

    /// The transport to consume on where the client does not say: the latest made to receive.
    fn receive_transport(&self) -> Result<&OwnTransport, SignalError> {
        self.transports
            .values()
            .filter(|transport| transport.used_for.receives)
            .max_by_key(|transport| transport.number)
            .ok_or(SignalError::NoReceiveTransport)
    }
}

pub(super) fn closed(field: &str, id: impl std::fmt::Display, source: ObjectClosed) -> SignalError {
    SignalError::Closed { id: format!("{field} {id}"), source }
}
