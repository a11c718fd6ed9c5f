//! Routers and transports: making, connecting, closing.

use std::time::Instant;

use super::core::{Core, ProducerKey, RouterKey, TransportKey};
use super::errors::{ConnectError, ObjectClosed, TransportRefused};
use super::info::{LocalAddress, TransportInfo, WebRtcTransportOptions};
use super::limits::MAX_TRANSPORTS_PER_ROUTER;
use super::service::DISCONNECTED_LINGER;
use crate::dtls::{DtlsEvent, Fingerprint, Role};
use crate::ice::{IceEvent, IceState};
use crate::ids::{ProducerId, RouterId, TransportId};
use crate::negotiation::validate_dtls_parameters;
use crate::parameters::{DtlsFingerprint, DtlsParameters, DtlsRole, IceParameters};
use crate::router::{ConsumerCloseReason, Router, RouterEvent, RouterOptions, TransportCloseReason};
use crate::rtcp::outgoing::Cname;
use crate::stats::SentKind;
use crate::transport::{WebRtcTransport, candidates};

impl Core {
    /// Makes an empty router.
    pub fn create_router(&mut self, options: RouterOptions) -> RouterId {
        let id = RouterId::random(&mut self.rng);
        let key = self.routers.insert(Router::new(id, options));
        self.router_ids.insert(id, key);
        id
    }

    /// Closes a router and everything in it, without events: its owner asked for it.
    pub fn close_router(&mut self, now: Instant, id: RouterId) {
        let key = self.router_ids.get(&id).copied();
        if let Some((key, router)) = key.and_then(|key| Some((key, self.routers.get(key)?))) {
            for transport in router.transports.clone() {
                self.remove_transport(now, transport);
            }
            self.close_pipes(now, key);
            self.routers.remove(key);
            self.router_ids.remove(&id);
            self.events.retain(|(router, _)| *router != id);
            self.traces.forget_router(id);
        }
    }

    fn close_pipes(&mut self, now: Instant, key: RouterKey) {
        let Some(router) = self.routers.get_mut(key) else { return };
        let (heads, tail) = (std::mem::take(&mut router.heads), router.tail.take());
        for head in heads {
            self.close_pipe_head(now, head);
        }
        if let Some(tail) = tail {
            self.close_tail(now, tail);
        }
    }

    /// Closes everything.
    pub fn close_all(&mut self, now: Instant) {
        let ids: Vec<RouterId> = self.routers.values().map(|router| router.id).collect();
        for id in ids {
            self.close_router(now, id);
        }
    }

    /// Makes a transport on the worker's shared sockets, or on `addresses` of its own.
    ///
    /// # Errors
    /// [`TransportRefused`].
    pub fn create_transport(
        &mut self,
        now: Instant,
        router_id: RouterId,
        options: WebRtcTransportOptions,
        addresses: Option<Vec<LocalAddress>>,
    ) -> Result<TransportInfo, TransportRefused> {
        let router_key = *self.router_ids.get(&router_id).ok_or(TransportRefused::RouterClosed)?;
        let router = self.routers.get_mut(router_key).ok_or(TransportRefused::RouterClosed)?;
        if router.transports.len() >= MAX_TRANSPORTS_PER_ROUTER {
            return Err(TransportRefused::TooMany { limit: MAX_TRANSPORTS_PER_ROUTER });
        }
        let id = TransportId::random(&mut self.rng);
        // RFC 7022 section 4.2: random, so that it links nothing.
        let cname = Cname::new(&id.to_string()).map_err(|_| TransportRefused::RouterClosed)?;
        let transport = WebRtcTransport::new(now, id, router_id, &self.certificate, cname, options, &mut self.rng);
        let info = TransportInfo {
            id,
            ice_parameters: transport.ice_parameters(),
            ice_candidates: candidates(addresses.as_ref().unwrap_or(&self.addresses), options),
            dtls_parameters: DtlsParameters {
                role: DtlsRole::Auto,
                fingerprints: self.certificate.fingerprints().iter().map(DtlsFingerprint::from).collect(),
            },
        };
        let key = self.transports.insert(Box::new(transport));
        router.transports.push(key);
        self.transport_ids.insert(id, key);
        self.map_ufrag(key);
        self.rearm(now, key);
        Ok(info)
    }

    /// Gives a transport its peer's fingerprints and role. A handshake that the peer has begun meanwhile goes on; keys are
    /// used once both it and the fingerprint are there.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect_transport(
        &mut self,
        now: Instant,
        id: TransportId,
        parameters: &DtlsParameters,
    ) -> Result<(), ConnectError> {
        let (key, transport) = self.transport_mut(id).map_err(|_| ConnectError::Closed)?;
        if transport.connected_by_owner {
            return Err(ConnectError::AlreadyConnected);
        }
        validate_dtls_parameters(parameters)?;
        let fingerprints: Vec<Fingerprint> = parameters
            .fingerprints
            .iter()
            .map(Fingerprint::try_from)
            .collect::<Result<_, _>>()
            .map_err(ConnectError::Fingerprint)?;
        transport.dtls.set_remote_fingerprints(now, fingerprints)?;
        transport.connected_by_owner = true;
        transport.dtls_role = match parameters.role {
            DtlsRole::Server => Role::Client,
            // RFC 8842: who may choose, lets the other begin.
            DtlsRole::Auto | DtlsRole::Client => Role::Server,
        };
        transport.start_dtls(now);
        self.after_dtls(now, key);
        Ok(())
    }

    /// Draws new ICE credentials for a transport.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn restart_ice(&mut self, now: Instant, id: TransportId) -> Result<IceParameters, ObjectClosed> {
        let key = *self.transport_ids.get(&id).ok_or(ObjectClosed)?;
        let transport = self.transports.get_mut(key).ok_or(ObjectClosed)?;
        transport.ice.restart(&mut self.rng);
        let parameters = transport.ice_parameters();
        self.map_ufrag(key);
        self.after_ice(now, key);
        Ok(parameters)
    }

    /// Closes a transport with what hangs on it. Idempotent.
    pub fn close_transport(&mut self, now: Instant, id: TransportId) {
        if let Some(&key) = self.transport_ids.get(&id) {
            self.remove_transport(now, key);
        }
    }

    /// A transport closes by itself: its owner is told.
    pub(super) fn fail_transport(&mut self, now: Instant, key: TransportKey, reason: TransportCloseReason) {
        if let Some((router, transport_id)) = self.remove_transport(now, key) {
            tracing::info!(%router, transport = %transport_id, %reason, "a transport closed");
            self.tell(router, RouterEvent::TransportClosed { transport_id, reason });
        }
    }

    fn remove_transport(&mut self, now: Instant, key: TransportKey) -> Option<(RouterId, TransportId)> {
        let transport = self.transports.get_mut(key)?;
        // Sealed and queued while the tuple is known.
        transport.dtls.close(now);
        self.flush_dtls(key);
        let mut transport = self.transports.remove(key)?;
        let router_id = transport.router;
        for consumer in std::mem::take(&mut transport.consumers) {
            let producer = self.consumers.get(consumer).map(|consumer| consumer.producer);
            if let Some(consumer_id) = self.remove_consumer(consumer) {
                let reason = ConsumerCloseReason::TransportClosed;
                self.tell(router_id, RouterEvent::ConsumerClosed { consumer_id, reason });
            }
            if let Some(producer) = producer {
                self.update_wanted(now, producer);
            }
        }
        for producer in std::mem::take(&mut transport.producers) {
            if let Some(producer_id) = self.remove_producer(now, router_id, producer) {
                self.tell(router_id, RouterEvent::ProducerClosed { producer_id });
            }
        }
        self.transport_ids.remove(&transport.id);
        for ufrag in &transport.ufrags {
            self.ufrags.remove(ufrag);
        }
        for tuple in &transport.tuples {
            // Unless the tuple's peer has moved on to another transport.
            if self.tuples.get(tuple) == Some(&key) {
                self.tuples.remove(tuple);
                self.closed_tuples.push_back(*tuple);
            }
        }
        self.closed_transports.push_back(transport.id);
        if let Some(router) = self.router_ids.get(&router_id).and_then(|key| self.routers.get_mut(*key)) {
            router.transports.retain(|other| *other != key);
        }
        Some((router_id, transport.id))
    }

    /// Takes a producer out, and its consumers with it, each with an event.
    pub(super) fn remove_producer(&mut self, now: Instant, router: RouterId, key: ProducerKey) -> Option<ProducerId> {
        let producer = self.producers.remove(key)?;
        self.producer_ids.remove(&producer.id);
        if let Some(transport) = self.transports.get_mut(producer.transport) {
            transport.forget_producer(key);
        }
        self.forget_observed(now, key, &producer);
        self.pipe_closing(&producer);
        for consumer in producer.consumers {
            if let Some(consumer_id) = self.remove_consumer(consumer) {
                let reason = ConsumerCloseReason::ProducerClosed;
                self.tell(router, RouterEvent::ConsumerClosed { consumer_id, reason });
            }
        }
        Some(producer.id)
    }

    pub(super) fn transport_mut(
        &mut self,
        id: TransportId,
    ) -> Result<(TransportKey, &mut WebRtcTransport), ObjectClosed> {
        let key = *self.transport_ids.get(&id).ok_or(ObjectClosed)?;
        Ok((key, self.transports.get_mut(key).ok_or(ObjectClosed)?))
    }

    /// Carries out what ICE has to say.
    pub(super) fn after_ice(&mut self, now: Instant, key: TransportKey) {
        while let Some(transport) = self.transports.get_mut(key) {
            let (router, transport_id) = (transport.router, transport.id);
            match transport.ice.poll_event() {
                None => break,
                Some(IceEvent::TupleValidated(tuple)) => {
                    // A tuple that another transport had: its peer has moved on to this one.
                    if let Some(former) = self.tuples.insert(tuple, key)
                        && former != key
                        && let Some(former_transport) = self.transports.get_mut(former)
                    {
                        former_transport.ice.handle_tuple_closed(now, tuple);
                        // The tuple is no longer its own, so this ends here.
                        self.after_ice(now, former);
                    }
                    if let Some(transport) = self.transports.get_mut(key) {
                        transport.tuples.push(tuple);
                        transport.start_dtls(now);
                    }
                    self.after_dtls(now, key);
                }
                Some(IceEvent::TupleRemoved(tuple)) => {
                    transport.tuples.retain(|known| *known != tuple);
                    if self.tuples.get(&tuple) == Some(&key) {
                        self.tuples.remove(&tuple);
                        self.closed_tuples.push_back(tuple);
                    }
                }
                Some(IceEvent::UfragRetired(ufrag)) => {
                    transport.ufrags.retain(|known| *known != ufrag);
                    self.ufrags.remove(&ufrag);
                }
                // DTLS may have had something to send before there was a way; it sends it again by itself.
                Some(IceEvent::TupleSelected(_)) => {}
                Some(IceEvent::StateChanged { state, .. }) => {
                    transport.close_at = (state == IceState::Disconnected).then(|| now + DISCONNECTED_LINGER);
                    self.tell(router, RouterEvent::IceState { transport_id, state });
                }
            }
        }
        self.rearm(now, key);
    }

    /// Carries out what DTLS has to say, and sends what it wants sent.
    pub(super) fn after_dtls(&mut self, now: Instant, key: TransportKey) {
        self.flush_dtls(key);
        while let Some(transport) = self.transports.get_mut(key) {
            let (router, transport_id) = (transport.router, transport.id);
            let Some(event) = transport.dtls.poll_event() else { break };
            let state = transport.dtls.state();
            self.tell(router, RouterEvent::DtlsState { transport_id, state });
            match event {
                DtlsEvent::Connecting => {}
                DtlsEvent::Connected(keys) => {
                    let installed = self.transports.get_mut(key).map(|transport| transport.install_keys(&keys));
                    match installed {
                        Some(Err(error)) => {
                            tracing::error!(transport = %transport_id, %error, "SRTP keys of ours");
                            self.fail_transport(now, key, TransportCloseReason::Fault);
                        }
                        Some(Ok(())) => self.handle_media_ready(now, key),
                        None => {}
                    }
                }
                DtlsEvent::Failed(error) => {
                    self.fail_transport(now, key, TransportCloseReason::DtlsFailed(error.to_string()));
                }
                DtlsEvent::Closed { .. } => self.fail_transport(now, key, TransportCloseReason::DtlsClosedByPeer),
            }
        }
        self.rearm(now, key);
    }

    fn flush_dtls(&mut self, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        while let Some(datagram) = transport.dtls.poll_transmit() {
            // Without a path yet it is lost, as on any path; DTLS sends it again.
            if let Some(tuple) = transport.ice.selected() {
                transport.counters.handle_sent(datagram.len(), SentKind::Other);
                self.transmits.push(tuple, &datagram);
            }
        }
    }

    /// Makes checks with a transport's current credentials find it.
    fn map_ufrag(&mut self, key: TransportKey) {
        if let Some(transport) = self.transports.get_mut(key) {
            let ufrag = transport.ice.local_parameters().0.to_owned();
            transport.ufrags.push(ufrag.clone());
            self.ufrags.insert(ufrag, key);
        }
    }
}
