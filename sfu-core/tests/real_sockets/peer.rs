//! A peer of the `webrtc` crate: an ICE, DTLS and SRTP stack that shares none of our state machines.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rtc::ice::network_type::NetworkType;
use rtc::peer_connection::transport::RTCDtlsRole;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use sfu_core::engine::{
    Consumer, ConsumerOptions, Producer, ProducerOptions, Router, TransportUse, WebRtcTransport, WebRtcTransportOptions,
};
use sfu_core::ids::{PayloadType, ProducerId, Ssrc};
use sfu_core::parameters::{
    DtlsParameters, DtlsRole, MediaKind, RtcpFeedback, RtpCodecParameters, RtpEncodingParameters, RtpParameters,
};
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::MediaStreamTrack;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
    RTCPeerConnectionState, RTCSessionDescription, Registry, SettingEngineBuilder, register_default_interceptors,
};

use crate::sdp::{self, Section, describe};
use crate::support::{Events, within};

/// The way of a peer's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Udp,
    Tcp,
}

/// Our side's part in the DTLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OurRole {
    Client,
    Server,
}

/// What signalling says otherwise than it is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tampered {
    /// Where the peer is told that we are.
    pub(crate) via: Option<SocketAddr>,
    /// We are told of another certificate than the peer's.
    pub(crate) fingerprint: bool,
    /// We are not told the peer's role.
    pub(crate) role: bool,
}

/// A packet as the sender gives it to its stack and as the receiver gets it from its own.
pub(crate) type Packet = rtc::rtp::Packet;

const SSRC: u32 = 0x1234_5678;
const PAYLOAD_TYPE: u8 = 96;

struct Handler {
    tracks: mpsc::UnboundedSender<Arc<dyn TrackRemote>>,
    state: watch::Sender<RTCPeerConnectionState>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let _ = self.tracks.send(track);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.state.send_replace(state);
    }
}

/// A peer as its own stack sees it.
struct Connection {
    peer: Arc<dyn PeerConnection>,
    tracks: mpsc::UnboundedReceiver<Arc<dyn TrackRemote>>,
    state: watch::Receiver<RTCPeerConnectionState>,
}

impl Connection {
    /// Waits until both sides have keys: what is sent before is lost.
    async fn connected(&mut self, events: &mut Events, transport: &WebRtcTransport) {
        events.connected(transport.id()).await;
        within("the peer is connected", self.state.wait_for(|state| *state == RTCPeerConnectionState::Connected))
            .await
            .expect("the peer lives");
    }
}

/// A peer that sends one video.
pub(crate) struct Publisher {
    pub(crate) producer: Producer,
    pub(crate) transport: WebRtcTransport,
    connection: Connection,
    track: Arc<TrackLocalStaticRTP>,
}

impl Publisher {
    /// Connects a peer and has its video produced.
    pub(crate) async fn connect(router: &Router, events: &mut Events, ip: IpAddr, way: Way, role: OurRole) -> Self {
        Self::begin(router, (ip, way, role), Tampered::default()).await.connected(events).await
    }

    /// Waits until media can flow.
    pub(crate) async fn connected(mut self, events: &mut Events) -> Self {
        self.connection.connected(events, &self.transport).await;
        self
    }

    /// A peer that begins to connect, its video produced.
    pub(crate) async fn begin(router: &Router, (ip, way, role): (IpAddr, Way, OurRole), tampered: Tampered) -> Self {
        let transport = create_transport(router, way, TransportUse::Produce).await;
        let connection = connect(ip, way, None).await;
        let track = Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
            "stream".to_owned(),
            "track".to_owned(),
            "camera".to_owned(),
            RtpCodecKind::Video,
            vec![RTCRtpEncodingParameters {
                rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(SSRC), ..Default::default() },
                codec: vp8(),
                ..Default::default()
            }],
        )));
        connection.peer.add_track(Arc::clone(&track) as Arc<dyn TrackLocal>).await.expect("the track is added");
        let offer = connection.peer.create_offer(None).await.expect("an offer");
        let offer_sdp = offer.sdp.clone();
        connection.peer.set_local_description(offer).await.expect("the offer holds");

        let (peer_role, setup) = match role {
            OurRole::Server => (DtlsRole::Client, "passive"),
            OurRole::Client => (DtlsRole::Server, "active"),
        };
        let rtp = publisher_parameters(&offer_sdp);
        let mid = rtp.mid.clone().expect("an offer has a mid");
        let section = Section { mid: &mid, direction: "recvonly", setup, rtp: &rtp };
        let answer = RTCSessionDescription::answer(describe(&transport, &section)).expect("SDP");
        transport.connect(dtls_parameters(&offer_sdp, peer_role, tampered)).await.expect("connect");
        let producer = transport
            .produce(ProducerOptions { kind: MediaKind::Video, rtp_parameters: rtp, paused: false, is_screen: false })
            .await
            .expect("produce");
        connection.peer.set_remote_description(answer).await.expect("the answer holds");
        trickle(&connection.peer, &transport, &mid, tampered.via).await;
        Self { producer, transport, connection, track }
    }

    /// Sends one packet of its stream.
    pub(crate) async fn send(&self, packet: Packet) {
        assert!(self.try_send(packet).await, "the track is bound");
    }

    /// The same when the peer may not be connected. Whether its stack took the packet.
    pub(crate) async fn try_send(&self, mut packet: Packet) -> bool {
        packet.header.version = 2;
        packet.header.ssrc = SSRC;
        packet.header.payload_type = PAYLOAD_TYPE;
        within("the peer's stack takes a packet", self.track.write_rtp(packet)).await.is_ok()
    }

    pub(crate) async fn close(&self) {
        within("the peer closes", self.connection.peer.close()).await.expect("the peer closes");
    }
}

/// A peer that is sent one producer.
pub(crate) struct Subscriber {
    pub(crate) consumer: Consumer,
    pub(crate) transport: WebRtcTransport,
    connection: Connection,
    track: Option<Arc<dyn TrackRemote>>,
}

impl Subscriber {
    /// Connects a peer and has it consume `producer_id`.
    pub(crate) async fn connect(
        router: &Router,
        events: &mut Events,
        way: (IpAddr, Way, OurRole),
        producer_id: ProducerId,
    ) -> Self {
        Self::begin(router, way, producer_id, Tampered::default()).await.connected(events).await
    }

    /// Waits until media can flow.
    pub(crate) async fn connected(mut self, events: &mut Events) -> Self {
        self.connection.connected(events, &self.transport).await;
        self
    }

    /// A peer that begins to connect, and is to be sent `producer_id`.
    pub(crate) async fn begin(
        router: &Router,
        (ip, way, role): (IpAddr, Way, OurRole),
        producer_id: ProducerId,
        tampered: Tampered,
    ) -> Self {
        let transport = create_transport(router, way, TransportUse::Consume).await;
        let rtp_capabilities = router.rtp_capabilities().clone();
        let consumer = transport
            .consume(ConsumerOptions { producer_id, rtp_capabilities, paused: false, preferred_layers: None })
            .await
            .expect("consume");
        let connection = connect(ip, way, Some(role)).await;
        let rtp = consumer.rtp_parameters();
        let mid = rtp.mid.as_deref().unwrap_or("0");
        let section = Section { mid, direction: "sendonly", setup: "actpass", rtp };
        let offer = RTCSessionDescription::offer(describe(&transport, &section)).expect("SDP");
        connection.peer.set_remote_description(offer).await.expect("the offer holds");
        let answer = connection.peer.create_answer(None).await.expect("an answer");
        let peer_role = match sdp::attribute(&answer.sdp, "setup") {
            Some("active") => DtlsRole::Client,
            Some("passive") => DtlsRole::Server,
            other => panic!("an answer decides: {other:?}"),
        };
        let expected = if role == OurRole::Server { DtlsRole::Client } else { DtlsRole::Server };
        assert_eq!(peer_role, expected, "the peer takes the part that the test wants");
        transport.connect(dtls_parameters(&answer.sdp, peer_role, tampered)).await.expect("connect");
        connection.peer.set_local_description(answer).await.expect("the answer holds");
        trickle(&connection.peer, &transport, mid, tampered.via).await;
        Self { consumer, transport, connection, track: None }
    }

    /// The next packet that the peer's stack hands out.
    pub(crate) async fn receive(&mut self) -> Packet {
        within("a packet arrives", async {
            if self.track.is_none() {
                self.track = self.connection.tracks.recv().await;
            }
            let track = self.track.as_ref().expect("the peer lives");
            loop {
                match track.poll().await.expect("the track lives") {
                    TrackRemoteEvent::OnRtpPacket(packet) => return packet,
                    TrackRemoteEvent::OnEnded => panic!("the track ended"),
                    _ => {}
                }
            }
        })
        .await
    }

    pub(crate) async fn close(&self) {
        within("the peer closes", self.connection.peer.close()).await.expect("the peer closes");
    }
}

async fn create_transport(router: &Router, way: Way, used_for: TransportUse) -> WebRtcTransport {
    let options = WebRtcTransportOptions {
        used_for,
        enable_udp: way == Way::Udp,
        enable_tcp: way == Way::Tcp,
        ..WebRtcTransportOptions::default()
    };
    router.create_webrtc_transport(options).await.expect("a transport")
}

async fn connect(ip: IpAddr, way: Way, our_role: Option<OurRole>) -> Connection {
    let mut media = MediaEngine::default();
    media
        .register_codec(RTCRtpCodecParameters { rtp_codec: vp8(), payload_type: PAYLOAD_TYPE }, RtpCodecKind::Video)
        .expect("VP8");
    let interceptors = register_default_interceptors(Registry::new(), &mut media).expect("interceptors");
    let network = match (way, ip.is_ipv4()) {
        (Way::Udp, true) => NetworkType::Udp4,
        (Way::Udp, false) => NetworkType::Udp6,
        (Way::Tcp, true) => NetworkType::Tcp4,
        (Way::Tcp, false) => NetworkType::Tcp6,
    };
    let mut settings =
        SettingEngineBuilder::new().with_include_loopback_candidate(true).with_network_types(vec![network]);
    if let Some(role) = our_role {
        settings = settings.with_answering_dtls_role(match role {
            OurRole::Server => RTCDtlsRole::Client,
            OurRole::Client => RTCDtlsRole::Server,
        });
    }
    let local = vec![std::net::SocketAddr::new(ip, 0)];
    let (udp, tcp) = if way == Way::Udp { (local, Vec::new()) } else { (Vec::new(), local) };
    let (track_sender, tracks) = mpsc::unbounded_channel();
    let (state_sender, state) = watch::channel(RTCPeerConnectionState::New);
    let peer = PeerConnectionBuilder::new()
        .with_media_engine(media)
        .with_interceptor_registry(interceptors)
        .with_setting_engine(settings.build())
        .with_handler(Arc::new(Handler { tracks: track_sender, state: state_sender }))
        .with_udp_addrs(udp)
        .with_tcp_addrs(tcp)
        .build()
        .await
        .expect("a peer");
    Connection { peer: Arc::new(peer), tracks, state }
}

async fn trickle(
    connection: &Arc<dyn PeerConnection>,
    transport: &WebRtcTransport,
    mid: &str,
    via: Option<SocketAddr>,
) {
    for candidate in sdp::candidates(transport, via) {
        let candidate = RTCIceCandidateInit { candidate, sdp_mid: Some(mid.to_owned()), ..Default::default() };
        connection.add_ice_candidate(candidate).await.expect("our candidates are well-formed");
    }
}

fn vp8() -> RTCRtpCodec {
    let feedback = |kind: &str, parameter: &str| RTCPFeedback { typ: kind.to_owned(), parameter: parameter.to_owned() };
    RTCRtpCodec {
        mime_type: "video/VP8".to_owned(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: String::new(),
        rtcp_feedback: vec![feedback("nack", ""), feedback("nack", "pli"), feedback("transport-cc", "")],
    }
}

/// What the peer's offer says that it will send.
fn publisher_parameters(offer: &str) -> RtpParameters {
    RtpParameters {
        mid: sdp::attribute(offer, "mid").map(str::to_owned),
        codecs: vec![RtpCodecParameters {
            mime_type: "video/VP8".parse().expect("a MIME type"),
            payload_type: PayloadType(PAYLOAD_TYPE),
            clock_rate: 90_000,
            channels: None,
            parameters: Default::default(),
            rtcp_feedback: vec![
                RtcpFeedback::new("nack", ""),
                RtcpFeedback::new("nack", "pli"),
                RtcpFeedback::new("transport-cc", ""),
            ],
        }],
        header_extensions: sdp::header_extensions(offer),
        encodings: vec![RtpEncodingParameters { ssrc: Some(Ssrc(SSRC)), ..Default::default() }],
        ..Default::default()
    }
}

fn dtls_parameters(sdp: &str, role: DtlsRole, tampered: Tampered) -> DtlsParameters {
    let (algorithm, value) =
        sdp::attribute(sdp, "fingerprint").and_then(|text| text.split_once(' ')).expect("a fingerprint");
    let wrong = ["AB"; 32].join(":");
    let value = if tampered.fingerprint { &wrong } else { value };
    let role = if tampered.role { DtlsRole::Auto } else { role };
    let json = serde_json::json!({ "role": role, "fingerprints": [{ "algorithm": algorithm, "value": value }] });
    serde_json::from_value(json).expect("DTLS parameters")
}
