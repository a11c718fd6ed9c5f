//! A WebRTC peer made of other parts than the core is: `rtc-stun`, bare `rtc-dtls`, `rtc-srtp`, `rtc-rtp`, `rtc-rtcp`.

pub mod dtls;
pub mod feedback;
pub mod ice;
pub mod options;
pub mod remb;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rtc_rtcp::packet::Packet as RtcpPacket;
use rtc_rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc_rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
use rtc_shared::marshal::{Marshal, Unmarshal};
use rtc_srtp::context::Context;
use sfu_core::ids::TransportId;
use sfu_core::parameters::HeaderExtensionUri;
use sfu_core::srtp::ProtectionProfile;
use sfu_core::transport::tuple::Tuple;
use sfu_core::worker::TransportInfo;

use self::dtls::{PeerDtls, PeerKeys, srtp_context};
use self::feedback::FeedbackSender;
use self::ice::IceClient;
use self::options::{BandwidthFeedback, PeerOptions};
use self::remb::RembSender;
use crate::network::Kind;
use crate::sink::Sink;
use crate::source::{Outgoing, Source};

/// Where the core is.
pub const CORE: &str = "192.0.2.1:40000";
/// The time between two reports of a peer.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Packets that one message asks for at most.
const NACKED_MAX: usize = 200;
/// Under which SSRC a peer reports that sends nothing.
const REPORTER: u32 = 1;

/// A datagram for the core, over a path.
pub type Sent = (Tuple, Vec<u8>);

/// One peer and its transport.
pub struct Peer {
    /// The core's transport.
    pub transport: TransportId,
    /// Whether that is on the other worker.
    pub on_branch: bool,
    /// The path that it sends on.
    pub tuple: Tuple,
    /// Its checks.
    pub ice: IceClient,
    /// Its association.
    pub dtls: PeerDtls,
    /// Once the handshake is done.
    pub keys: Option<PeerKeys>,
    send: Option<Context>,
    receive: Option<Context>,
    /// What it publishes.
    pub sources: Vec<Source>,
    /// What it gets.
    pub sinks: Vec<Sink>,
    /// On its way out.
    pub outbox: Vec<Sent>,
    reports_at: Option<Instant>,
    /// What it tells about its downlink.
    pub bandwidth: BandwidthFeedback,
    feedback: FeedbackSender,
    remb_sender: RembSender,
    /// The round trip to the core, by its latest receiver report.
    pub rtt: Option<Duration>,
    origin: Instant,
    clock_ahead: Duration,
    next_wide_sequence: u16,
    /// Transport-wide numbers sent.
    pub wide_sent: Vec<u16>,
    /// What feedback said, in the order that it came: a number, and whether it was received.
    pub wide_reported: Vec<(u16, bool)>,
    /// Messages of transport-wide feedback from the core.
    pub feedback_messages: usize,
    /// Estimates from the core, bit/s.
    pub remb: Vec<(Instant, f32)>,
    /// Datagrams by the path that they came on.
    pub heard_on: HashMap<Tuple, usize>,
    /// Datagrams that did not open.
    pub unopened: usize,
    /// Media packets of SSRCs that no sink has.
    pub unexpected: usize,
    /// What no peer should see.
    pub faults: Vec<String>,
}

impl Peer {
    /// A peer that begins to connect.
    pub fn new(now: Instant, options: &PeerOptions, info: &TransportInfo, address: SocketAddr) -> Self {
        let (mut dtls, config) = PeerDtls::new(options.dtls_role, &options.profiles);
        dtls.start(now, config);
        Self {
            transport: info.id,
            on_branch: options.on_branch,
            tuple: Tuple { protocol: options.protocol, local: CORE.parse().unwrap(), remote: address },
            ice: IceClient::new(now, info.ice_parameters.clone()),
            dtls,
            keys: None,
            send: None,
            receive: None,
            sources: Vec::new(),
            sinks: Vec::new(),
            outbox: Vec::new(),
            reports_at: None,
            bandwidth: options.bandwidth,
            feedback: FeedbackSender::new(now),
            remb_sender: RembSender::new(now),
            rtt: None,
            origin: now,
            clock_ahead: Duration::from_secs(options.clock_ahead_s),
            next_wide_sequence: 65_000,
            wide_sent: Vec::new(),
            wide_reported: Vec::new(),
            feedback_messages: 0,
            remb: Vec::new(),
            heard_on: HashMap::new(),
            unopened: 0,
            unexpected: 0,
            faults: Vec::new(),
        }
    }

    /// Whether checks are answered and keys are there.
    pub fn is_connected(&self) -> bool {
        self.keys.is_some() && self.ice.answered > 0
    }

    /// What protects its media.
    ///
    /// # Panics
    /// It is not connected.
    pub fn profile(&self) -> ProtectionProfile {
        self.keys.as_ref().unwrap().profile
    }

    /// Takes a datagram of the core.
    pub fn handle_datagram(&mut self, now: Instant, tuple: Tuple, bytes: &[u8]) {
        *self.heard_on.entry(tuple).or_default() += 1;
        match Kind::of(bytes) {
            Kind::Stun => self.ice.handle(bytes),
            Kind::Dtls => self.dtls.handle(now, bytes),
            Kind::Rtp => self.handle_rtp(now, bytes),
            Kind::Rtcp => self.handle_rtcp(now, bytes),
            Kind::Other => self.faults.push("a datagram of no protocol".to_owned()),
        }
        self.after(now);
    }

    /// When there is something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let sources = self.sources.iter().filter_map(Source::poll_timeout);
        let sinks = self.sinks.iter().filter_map(Sink::poll_timeout);
        let feedback = match self.bandwidth {
            BandwidthFeedback::TransportWide => self.feedback.poll_timeout(),
            BandwidthFeedback::Remb => self.remb_sender.poll_timeout(),
            BandwidthFeedback::Nothing => None,
        };
        let others = [self.ice.poll_timeout(), self.dtls.poll_timeout(), self.reports_at, feedback];
        sources.chain(sinks).chain(others.into_iter().flatten()).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(check) = self.ice.poll_check(now) {
            self.outbox.push((self.tuple, check));
        }
        self.dtls.handle_timeout(now);
        for index in 0..self.sources.len() {
            for packet in self.sources[index].poll_frame(now) {
                self.send_rtp(now, index, packet);
            }
        }
        for index in 0..self.sinks.len() {
            let sequences = self.sinks[index].poll_nack(now);
            for sequences in sequences.chunks(NACKED_MAX) {
                self.send_nack(self.sinks[index].ssrc, sequences);
            }
            if self.sinks[index].poll_key_frame_request(now) {
                self.send_pli(index);
            }
        }
        self.send_feedback(now);
        if self.reports_at.is_some_and(|at| at <= now) {
            self.reports_at = Some(now + REPORT_INTERVAL);
            self.send_reports(now);
        }
        self.after(now);
    }

    /// Our wall clock as NTP time.
    pub fn ntp(&self, now: Instant) -> u64 {
        let elapsed = now - self.origin + self.clock_ahead;
        (elapsed.as_secs() << 32) | ((u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000)
    }

    fn after(&mut self, now: Instant) {
        if self.keys.is_none()
            && let Some(keys) = self.dtls.keys()
        {
            self.send = Some(srtp_context(keys.profile, &keys.send));
            self.receive = Some(srtp_context(keys.profile, &keys.receive));
            self.keys = Some(keys);
            self.reports_at = Some(now + REPORT_INTERVAL);
        }
        // A client has something to say before the core has answered a check; it waits for that.
        if self.ice.answered > 0 {
            while let Some(datagram) = self.dtls.poll_transmit() {
                self.outbox.push((self.tuple, datagram));
            }
        }
    }

    // --- sending

    fn send_rtp(&mut self, now: Instant, source: usize, packet: Outgoing) {
        let datagram = self.seal_rtp(now, source, packet);
        self.outbox.extend(datagram.map(|datagram| (self.tuple, datagram)));
    }

    /// A packet as it goes out: stamped and sealed.
    pub fn seal_rtp(&mut self, now: Instant, source: usize, mut packet: Outgoing) -> Option<Vec<u8>> {
        let ids = &self.sources[source].ids;
        if let Some(id) = ids.get(&HeaderExtensionUri::TransportWideCc) {
            let stamp = self.next_wide_sequence.to_be_bytes();
            packet.header.set_extension(*id, Bytes::copy_from_slice(&stamp)).unwrap();
            self.wide_sent.push(self.next_wide_sequence);
            self.next_wide_sequence = self.next_wide_sequence.wrapping_add(1);
        }
        if let Some(id) = ids.get(&HeaderExtensionUri::AbsSendTime) {
            let stamp = (self.ntp(now) >> 14) as u32 & 0x00ff_ffff;
            packet.header.set_extension(*id, Bytes::copy_from_slice(&stamp.to_be_bytes()[1..])).unwrap();
        }
        let plain = rtc_rtp::packet::Packet { header: packet.header, payload: packet.payload }.marshal().unwrap();
        Some(self.send.as_mut()?.encrypt_rtp(&plain).unwrap().to_vec())
    }

    /// Sends RTCP, if there are keys.
    pub fn send_rtcp(&mut self, packets: &[Box<dyn RtcpPacket>]) {
        let Some(send) = &mut self.send else { return };
        let plain = rtc_rtcp::packet::marshal(packets).unwrap();
        let datagram = send.encrypt_rtcp(&plain).unwrap().to_vec();
        self.outbox.push((self.tuple, datagram));
    }

    /// Asks the core for a key frame.
    pub fn send_pli(&mut self, sink: usize) {
        let media_ssrc = self.sinks[sink].ssrc;
        self.send_rtcp(&[Box::new(PictureLossIndication { sender_ssrc: REPORTER, media_ssrc })]);
    }

    /// Asks the core for a key frame in the other way (RFC 5104), under this command number.
    pub fn send_fir(&mut self, sink: usize, sequence_number: u8) {
        let fir = vec![FirEntry { ssrc: self.sinks[sink].ssrc, sequence_number }];
        let media_ssrc = self.sinks[sink].ssrc;
        self.send_rtcp(&[Box::new(FullIntraRequest { sender_ssrc: REPORTER, media_ssrc, fir })]);
    }

    /// Asks the core for packets again.
    pub fn send_nack(&mut self, media_ssrc: u32, sequences: &[u16]) {
        let nacks = nack_pairs_from_sequence_numbers(sequences);
        self.send_rtcp(&[Box::new(TransportLayerNack { sender_ssrc: REPORTER, media_ssrc, nacks })]);
    }

    fn send_feedback(&mut self, now: Instant) {
        let Some(media_ssrc) = self.sinks.first().map(|sink| sink.ssrc) else { return };
        match self.bandwidth {
            BandwidthFeedback::TransportWide => {
                for message in self.feedback.poll(now, REPORTER, media_ssrc) {
                    self.send_rtcp(&[Box::new(message)]);
                }
            }
            BandwidthFeedback::Remb => {
                if let Some(bitrate) = self.remb_sender.poll(now) {
                    let ssrcs = self.sinks.iter().map(|sink| sink.ssrc).collect();
                    let remb = ReceiverEstimatedMaximumBitrate { sender_ssrc: REPORTER, bitrate, ssrcs };
                    self.send_rtcp(&[Box::new(remb)]);
                }
            }
            BandwidthFeedback::Nothing => {}
        }
    }

    fn send_reports(&mut self, now: Instant) {
        let reports: Vec<_> = self.sinks.iter_mut().filter_map(|sink| sink.reception_report(now)).collect();
        let mut packets: Vec<Box<dyn RtcpPacket>> = Vec::new();
        for source in self.sources.iter().filter(|source| source.is_running()) {
            for layer in source.layers.iter().filter(|layer| layer.is_active) {
                let (packet_count, octet_count) = layer.totals();
                packets.push(Box::new(SenderReport {
                    ssrc: layer.ssrc,
                    ntp_time: self.ntp(now),
                    rtp_time: source.timestamp(layer, now),
                    packet_count,
                    octet_count,
                    ..SenderReport::default()
                }));
            }
        }
        for reports in reports.chunks(30) {
            let reports = reports.to_vec();
            packets.push(Box::new(ReceiverReport { ssrc: REPORTER, reports, ..ReceiverReport::default() }));
        }
        for packets in packets.chunks(1) {
            self.send_rtcp(packets);
        }
    }

    // --- receiving

    fn handle_rtp(&mut self, now: Instant, datagram: &[u8]) {
        let Some(context) = &mut self.receive else {
            return self.faults.push("media before the handshake was done".to_owned());
        };
        let ssrc = u32::from_be_bytes(datagram[8..12].try_into().unwrap());
        let Ok(plain) = context.decrypt_rtp(datagram) else {
            self.unopened += 1;
            return;
        };
        let packet = rtc_rtp::packet::Packet::unmarshal(&mut plain.freeze()).unwrap();
        let sink = self.sinks.iter_mut().find(|sink| sink.ssrc == ssrc || sink.rtx_ssrc == Some(ssrc));
        let Some(sink) = sink else {
            self.unexpected += 1;
            return;
        };
        let header = &packet.header;
        let value = |uri| sink.id(&uri).and_then(|id| header.extensions.iter().find(|known| known.id == id));
        if let Some(number) = value(HeaderExtensionUri::TransportWideCc).and_then(|known| known.payload.first_chunk()) {
            self.feedback.handle(now, u16::from_be_bytes(*number), datagram.len());
        }
        if let Some(&[high, middle, low]) =
            value(HeaderExtensionUri::AbsSendTime).and_then(|known| known.payload.first_chunk())
        {
            self.remb_sender.handle(now, u32::from_be_bytes([0, high, middle, low]), datagram.len());
        }
        sink.handle(now, &packet.header, packet.payload);
    }

    fn handle_rtcp(&mut self, now: Instant, datagram: &[u8]) {
        let Some(context) = &mut self.receive else {
            return self.faults.push("reports before the handshake was done".to_owned());
        };
        let Ok(plain) = context.decrypt_rtcp(datagram) else {
            self.unopened += 1;
            return;
        };
        for packet in rtc_rtcp::packet::unmarshal(&mut BytesMut::from(&plain[..])).unwrap() {
            self.handle_report(now, &*packet);
        }
    }

    fn handle_report(&mut self, now: Instant, packet: &dyn RtcpPacket) {
        let packet = packet.as_any();
        if let Some(report) = packet.downcast_ref::<SenderReport>() {
            match self.sinks.iter_mut().find(|sink| sink.ssrc == report.ssrc) {
                Some(sink) => sink.reports.push((now, report.clone())),
                None => self.unexpected += 1,
            }
        } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
            let now_middle = (self.ntp(now) >> 16) as u32;
            for block in &report.reports {
                if block.last_sender_report != 0 {
                    let ticks = now_middle.wrapping_sub(block.last_sender_report).wrapping_sub(block.delay);
                    self.rtt = Some(Duration::from_secs_f64(f64::from(ticks) / 65_536.0));
                }
                if let Some(layer) = self.sources.iter_mut().find_map(|source| source.layer_mut(block.ssrc)) {
                    layer.heard.reports.push((now, block.clone()));
                }
            }
        } else if let Some(pli) = packet.downcast_ref::<PictureLossIndication>() {
            if let Some(layer) = self.sources.iter_mut().find_map(|source| source.layer_mut(pli.media_ssrc)) {
                layer.heard.pli.push(now);
                layer.want_key_frame(now);
            }
        } else if let Some(request) = packet.downcast_ref::<FullIntraRequest>() {
            for entry in &request.fir {
                if let Some(layer) = self.sources.iter_mut().find_map(|source| source.layer_mut(entry.ssrc)) {
                    // RFC 5104 section 4.3.1.2: the same number again is a repetition.
                    if layer.heard.fir.last().is_none_or(|(_, last)| *last != entry.sequence_number) {
                        layer.want_key_frame(now);
                    }
                    layer.heard.fir.push((now, entry.sequence_number));
                }
            }
        } else if let Some(nack) = packet.downcast_ref::<TransportLayerNack>() {
            self.answer_nack(now, nack);
        } else if let Some(feedback) = packet.downcast_ref::<TransportLayerCc>() {
            self.feedback_messages += 1;
            self.note_feedback(feedback);
        } else if let Some(remb) = packet.downcast_ref::<ReceiverEstimatedMaximumBitrate>() {
            self.remb.push((now, remb.bitrate));
        }
    }

    fn answer_nack(&mut self, now: Instant, nack: &TransportLayerNack) {
        for sequence in nack.nacks.iter().flat_map(|pair| pair.packet_list()) {
            for index in 0..self.sources.len() {
                if let Some(layer) = self.sources[index].layer_mut(nack.media_ssrc) {
                    layer.heard.nacked.push((now, sequence));
                    if let Some(packet) = self.sources[index].retransmission(now, nack.media_ssrc, sequence) {
                        self.send_rtp(now, index, packet);
                    }
                }
            }
        }
    }

    fn note_feedback(&mut self, feedback: &TransportLayerCc) {
        use rtc_rtcp::transport_feedbacks::transport_layer_cc::{PacketStatusChunk, SymbolTypeTcc};
        let symbols = feedback.packet_chunks.iter().flat_map(|chunk| match chunk {
            PacketStatusChunk::RunLengthChunk(run) => vec![run.packet_status_symbol; usize::from(run.run_length)],
            PacketStatusChunk::StatusVectorChunk(vector) => vector.symbol_list.clone(),
        });
        let numbered = symbols.take(usize::from(feedback.packet_status_count)).zip(0..);
        for (symbol, offset) in numbered {
            let number = feedback.base_sequence_number.wrapping_add(offset);
            self.wide_reported.push((number, symbol != SymbolTypeTcc::PacketNotReceived));
        }
    }
}
