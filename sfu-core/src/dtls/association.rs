//! One transport's DTLS association.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Instant;

use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error as CrateError;
use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::client_hello::{CLIENT_HELLO, offered_srtp_profiles};
use super::error::{DtlsError, RemoteFingerprintsError, StartError};
use super::fingerprint::{self, Fingerprint};
use super::inbound::{Inbound, Item, Message, Received, Stage};
use super::limits::{HANDSHAKE_TIMEOUT, MAX_DATAGRAM_BYTES, MAX_FINGERPRINTS};
use super::outbound::Outbound;
use super::srtp_keys::{EXPORTER_LABEL, SrtpKeys};
use super::srtp_profiles;
use super::types::{DtlsEvent, DtlsState, DtlsStats, Reason, Role};

/// The address that the crate believes the peer to have, whatever the ICE path: the crate takes another address for
/// another peer. From the documentation range (RFC 5737).
const PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 9));
/// The address that the crate believes us to have.
const LOCAL: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 2), 9));

/// The alert `insufficient_security` (RFC 5246 section 7.2.2).
const INSUFFICIENT_SECURITY: u8 = 71;

/// One transport's DTLS 1.2 association (RFC 6347, RFC 5764).
///
/// Feed it datagrams from ICE-validated tuples only, whichever the tuple: the path may change at any time. After each
/// call, drain [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event), and re-arm the timer from
/// [`poll_timeout`](Self::poll_timeout).
pub struct Dtls {
    certificate: Certificate,
    state: DtlsState,
    role: Option<Role>,
    /// None until the handshake begins: as a server the first ClientHello decides its configuration.
    endpoint: Option<Endpoint>,
    inbound: Inbound,
    outbound: Outbound,
    deadline: Option<Instant>,
    remote_fingerprints: Vec<Fingerprint>,
    /// The handshake is done and the peer's fingerprint is awaited.
    unverified: Option<Unverified>,
    handshake_complete: bool,
    events: VecDeque<DtlsEvent>,
    stats: DtlsStats,
}

struct Unverified {
    peer_certificate: Vec<u8>,
    keys: SrtpKeys,
}

impl Dtls {
    /// An association that has not started.
    pub fn new(certificate: Certificate) -> Self {
        Self {
            certificate,
            state: DtlsState::New,
            role: None,
            endpoint: None,
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            deadline: None,
            remote_fingerprints: Vec::new(),
            unverified: None,
            handshake_complete: false,
            events: VecDeque::new(),
            stats: DtlsStats::default(),
        }
    }

    /// Starts in `role`: a client sends its ClientHello, a server listens for one. Starting again in the same role
    /// does nothing.
    ///
    /// A server may start before signalling has told the peer's role and fingerprint, as soon as ICE has a
    /// path: this saves the peer a repeat of its ClientHello. When signalling then says that we are the client, call
    /// again with [`Role::Client`], which holds as long as no ClientHello has come.
    ///
    /// # Errors
    /// The handshake has begun in the other role, or the association is over.
    pub fn start(&mut self, now: Instant, role: Role) -> Result<(), StartError> {
        match self.state {
            DtlsState::Failed | DtlsState::Closed => return Err(StartError::Over),
            DtlsState::New => {
                self.state = DtlsState::Connecting;
                self.events.push_back(DtlsEvent::Connecting);
            }
            DtlsState::Connecting | DtlsState::Connected if self.role == Some(role) => return Ok(()),
            DtlsState::Connecting | DtlsState::Connected => {
                if self.endpoint.is_some() {
                    return Err(StartError::RoleSettled);
                }
                self.inbound.restart();
            }
        }
        self.role = Some(role);
        if role == Role::Client {
            self.connect(now);
        }
        Ok(())
    }

    /// Tells which certificates signalling vouches for, before, during or after the handshake. Of several
    /// fingerprints those of the strongest hash algorithm count, and one of them must match (RFC 8122 section 5).
    ///
    /// # Errors
    /// The list is empty, too long, or was set before.
    pub fn set_remote_fingerprints(
        &mut self,
        now: Instant,
        fingerprints: Vec<Fingerprint>,
    ) -> Result<(), RemoteFingerprintsError> {
        if !self.remote_fingerprints.is_empty() {
            return Err(RemoteFingerprintsError::AlreadySet);
        }
        if fingerprints.is_empty() {
            return Err(RemoteFingerprintsError::Empty);
        }
        if fingerprints.len() > MAX_FINGERPRINTS {
            return Err(RemoteFingerprintsError::TooMany(fingerprints.len()));
        }
        self.remote_fingerprints = fingerprints;
        self.verify(now);
        Ok(())
    }

    /// Takes a datagram from an ICE-validated tuple. Junk is ignored and counted.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        let running = matches!(self.state, DtlsState::Connecting | DtlsState::Connected);
        let Some(role) = self.role.filter(|_| running && datagram.len() <= MAX_DATAGRAM_BYTES) else {
            self.stats.ignored_datagrams += 1;
            return;
        };
        let stage = if self.handshake_complete { Stage::Complete(role) } else { Stage::Handshaking };
        let received = self.inbound.accept(datagram, stage);
        self.stats.application_data += u64::from(received.application_data);
        if received.items.is_empty() && !received.progress && !received.repeat && received.application_data == 0 {
            self.stats.ignored_datagrams += 1;
        }
        if stage == Stage::Complete(Role::Server) && !self.outbound.may_answer_repeat(now) {
            // The client's repeats come in several datagrams, and each would cost a whole flight.
            self.forward_alerts_only(now, received);
            return;
        }
        let (repeat, progress) = (received.repeat, received.progress);
        let answered = self.act_on(now, received);
        if repeat && !progress && !answered && self.is_running() && self.outbound.may_answer_repeat(now) {
            self.resend(now);
        }
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        if !self.is_running() {
            return;
        }
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            let error =
                if self.handshake_complete { DtlsError::FingerprintTimeout } else { DtlsError::HandshakeTimeout };
            self.fail(now, error);
        } else if self.outbound.resend_at().is_some_and(|at| now >= at) {
            self.resend(now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let resend = self.outbound.resend_at().map(|at| (at, Reason::Resend));
        let deadline = self.deadline.map(|at| (at, Reason::HandshakeTimeout));
        [resend, deadline].into_iter().flatten().filter(|_| self.is_running()).min_by_key(|(at, _)| *at)
    }

    /// The next datagram for the peer, at most about [`limits::MTU_BYTES`](super::limits::MTU_BYTES) long.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outbound.poll()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<DtlsEvent> {
        self.events.pop_front()
    }

    /// The state now.
    pub fn state(&self) -> DtlsState {
        self.state
    }

    /// The role, once started.
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// What was dropped and repeated so far.
    pub fn stats(&self) -> DtlsStats {
        self.stats
    }

    /// Ends the association with a close_notify, which is still to be drained from
    /// [`poll_transmit`](Self::poll_transmit). Does nothing when it is over.
    pub fn close(&mut self, now: Instant) {
        if !matches!(self.state, DtlsState::Failed | DtlsState::Closed) {
            self.stop_endpoint(now);
            self.end(DtlsState::Closed, DtlsEvent::Closed { by_peer: false });
        }
    }

    fn is_running(&self) -> bool {
        matches!(self.state, DtlsState::Connecting | DtlsState::Connected)
    }

    fn connect(&mut self, now: Instant) {
        let mut endpoint = Endpoint::new(LOCAL, TransportProtocol::UDP, None);
        let connected = endpoint.connect(now, PEER, self.certificate.client_config(), None);
        self.endpoint = Some(endpoint);
        self.deadline = Some(now + HANDSHAKE_TIMEOUT);
        match connected {
            Ok(()) => {
                let flight = self.drain_endpoint();
                self.outbound.send(now, flight);
            }
            Err(error) => self.fail(now, DtlsError::Internal(error.to_string())),
        }
    }

    /// Gives the crate what it may see. Whether it answered.
    fn act_on(&mut self, now: Instant, received: Received) -> bool {
        let mut forward: Vec<u8> = Vec::new();
        for item in received.items {
            match item {
                Item::Message(message) => {
                    if self.endpoint.is_none() && !self.accept_client_hello(now, &message) {
                        return false;
                    }
                    self.inbound.write_message(&mut forward, &message);
                }
                Item::Record(record) => forward.extend(record),
                // Nobody can refuse or leave a handshake that has not begun.
                Item::PlainClose | Item::PlainFatal(_) if self.endpoint.is_none() => {}
                // What came before the alert cannot matter any more.
                Item::PlainClose => {
                    self.end(DtlsState::Closed, DtlsEvent::Closed { by_peer: true });
                    return false;
                }
                Item::PlainFatal(description) => {
                    self.fail_silently(DtlsError::PeerAlert { description: Some(description) });
                    return false;
                }
            }
        }
        !forward.is_empty() && self.read(now, &forward)
    }

    fn forward_alerts_only(&mut self, now: Instant, mut received: Received) {
        received.items.retain(|item| match item {
            Item::Record(record) => record.first() == Some(&super::record::content::ALERT),
            Item::Message(_) | Item::PlainClose | Item::PlainFatal(_) => false,
        });
        self.act_on(now, received);
    }

    /// As a server, decides the configuration on the first ClientHello: with the crate's own choice the client's
    /// order of SRTP profiles would win. Whether the handshake goes on.
    fn accept_client_hello(&mut self, now: Instant, message: &Message) -> bool {
        let offered = if message.kind == CLIENT_HELLO { offered_srtp_profiles(&message.body) } else { None };
        let Some(offered) = offered else {
            // Junk in its place: the true one shall not be taken for its repeat.
            self.inbound.restart();
            return false;
        };
        let Some(profile) = srtp_profiles::best_of(&offered) else {
            self.outbound.send_plain_alert(INSUFFICIENT_SECURITY);
            let offered = offered.into_iter().take(DtlsError::OFFERED_SHOWN).collect();
            self.fail_silently(DtlsError::NoCommonSrtpProfile { offered });
            return false;
        };
        let config = self.certificate.server_config(profile);
        self.endpoint = Some(Endpoint::new(LOCAL, TransportProtocol::UDP, Some(config)));
        self.deadline = Some(now + HANDSHAKE_TIMEOUT);
        true
    }

    fn read(&mut self, now: Instant, records: &[u8]) -> bool {
        let Some(endpoint) = &mut self.endpoint else { return false };
        let was_complete = self.handshake_complete;
        let result = endpoint.read(now, PEER, None, records.into());
        let answer = self.drain_endpoint();
        match result {
            Ok(events) => {
                let answered = !answer.is_empty();
                if was_complete {
                    self.stats.resent_flights += u64::from(self.outbound.send_repeat(now, answer));
                } else {
                    self.outbound.send(now, answer);
                }
                for event in events {
                    self.handle_endpoint_event(now, &event);
                }
                answered
            }
            Err(CrateError::ErrAlertFatalOrClose) => {
                self.fail_silently(DtlsError::PeerAlert { description: None });
                false
            }
            // A warning: the crate would send it back, and two such peers would never stop.
            Err(_) if was_complete => false,
            Err(error) => {
                // The crate's answer, if any, is the alert that says why.
                self.outbound.send(now, answer);
                self.fail_silently(DtlsError::PeerMisbehaved(error.to_string()));
                false
            }
        }
    }

    fn handle_endpoint_event(&mut self, now: Instant, event: &EndpointEvent) {
        match event {
            EndpointEvent::HandshakeComplete => {
                self.handshake_complete = true;
                self.outbound.stop_timer();
                match self.harvest() {
                    Ok(unverified) => {
                        self.unverified = Some(unverified);
                        self.verify(now);
                    }
                    Err(error) => self.fail(now, error),
                }
            }
            EndpointEvent::PeerClosed => self.end(DtlsState::Closed, DtlsEvent::Closed { by_peer: true }),
            // No data channels: application data does not reach the crate, and of other events there are none.
            _ => {}
        }
    }

    /// Takes certificate and keys out of the completed handshake.
    fn harvest(&self) -> Result<Unverified, DtlsError> {
        let internal = |text: &str| DtlsError::Internal(text.to_owned());
        let role = self.role.ok_or_else(|| internal("no role"))?;
        let state = self
            .endpoint
            .as_ref()
            .and_then(|endpoint| endpoint.get_connection_state(PEER))
            .ok_or_else(|| internal("no connection"))?;
        let peer_certificate = state
            .peer_certificates
            .first()
            .cloned()
            .ok_or_else(|| DtlsError::PeerMisbehaved("it presented no certificate".to_owned()))?;
        let profile = srtp_profiles::from_crate(state.srtp_protection_profile())
            .ok_or_else(|| DtlsError::NoCommonSrtpProfile { offered: Vec::new() })?;
        let material = state
            .export_keying_material(EXPORTER_LABEL, &[], profile.keying_material_len())
            .map_err(|error| DtlsError::Internal(error.to_string()))?;
        let keys = SrtpKeys::new(profile, role, Zeroizing::new(material.as_ref().to_vec()))
            .map_err(|error| DtlsError::Internal(error.to_string()))?;
        Ok(Unverified { peer_certificate, keys })
    }

    /// Gives out the keys if the handshake is done and the peer is the one signalled.
    fn verify(&mut self, now: Instant) {
        if self.remote_fingerprints.is_empty() {
            return;
        }
        let Some(Unverified { peer_certificate, keys }) = self.unverified.take() else { return };
        match fingerprint::verify(&self.remote_fingerprints, &peer_certificate) {
            Ok(()) => {
                self.deadline = None;
                self.state = DtlsState::Connected;
                self.events.push_back(DtlsEvent::Connected(keys));
            }
            Err(actual) => self.fail(now, DtlsError::FingerprintMismatch { actual }),
        }
    }

    fn resend(&mut self, now: Instant) {
        let mut renewed = Vec::new();
        // The crate writes a flight anew only when its own timer is set, which datagrams of the peer clear; and it
        // knows the time only from us.
        if let Some(endpoint) = &mut self.endpoint
            && !self.handshake_complete
            && self.outbound.may_renew()
            && let Some(at) = endpoint.poll_timeout(&PEER)
            && endpoint.handle_timeout(PEER, at.max(now)).is_ok()
        {
            renewed = self.drain_endpoint();
        }
        self.stats.resent_flights += u64::from(self.outbound.resend(now, renewed));
    }

    fn drain_endpoint(&mut self) -> Vec<Vec<u8>> {
        let Some(endpoint) = &mut self.endpoint else { return Vec::new() };
        std::iter::from_fn(|| endpoint.poll_transmit()).map(|transmit| transmit.message.to_vec()).collect()
    }

    /// Fails and tells the peer by close_notify.
    fn fail(&mut self, now: Instant, error: DtlsError) {
        self.stop_endpoint(now);
        self.fail_silently(error);
    }

    fn fail_silently(&mut self, error: DtlsError) {
        self.end(DtlsState::Failed, DtlsEvent::Failed(error));
    }

    fn stop_endpoint(&mut self, now: Instant) {
        if let Some(endpoint) = &mut self.endpoint {
            // The connection comes back; it has sent all that it will.
            drop(endpoint.stop(now, PEER));
            let close = self.drain_endpoint();
            self.outbound.send(now, close);
        }
    }

    fn end(&mut self, state: DtlsState, event: DtlsEvent) {
        self.state = state;
        self.endpoint = None;
        self.unverified = None;
        self.deadline = None;
        self.inbound = Inbound::default();
        self.outbound.forget_flight();
        self.events.push_back(event);
    }
}
