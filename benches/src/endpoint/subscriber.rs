//! Media from the server: counted, reported, asked for again; looked into where it is sampled.

use std::time::{Duration, Instant};

use super::feedback::FeedbackWriter;
use super::rtcp::{self, Heard, ReportBlock};
use super::tally::{Arrival, Tally};
use super::wire::Wire;
use crate::rtp::{Header, without_padding};
use crate::signalling::parameters::MediaKind;
use crate::stamp;
use crate::stats::{Recorder, StreamCount};

/// From one receiver report to the next (libwebrtc's for video).
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Key frames are asked for no more often.
const KEY_FRAME_INTERVAL: Duration = Duration::from_secs(1);
/// The first feedback, and the pace while nothing comes.
const FEEDBACK_IDLE: Duration = Duration::from_millis(250);

/// What a transport from the server receives.
#[derive(Debug)]
pub struct Subscriber {
    streams: Vec<Stream>,
    /// By SSRC, in order: the stream, and whether these are its retransmissions.
    by_ssrc: Vec<(u32, usize, bool)>,
    feedback: FeedbackWriter,
    feedback_at: Instant,
    feedback_sent_at: Instant,
    report_at: Instant,
    /// Who we are in RTCP.
    ssrc: u32,
    has_gap: bool,
    requests: Vec<u16>,
    buffer: Vec<u8>,
}

/// What is known of a stream before its packets come.
#[derive(Debug, Clone)]
pub struct StreamSetup {
    /// Unique in the run.
    pub id: u64,
    /// The producer, as the run counts them.
    pub producer: Option<u32>,
    /// Audio or video.
    pub kind: MediaKind,
    /// Its media.
    pub ssrc: u32,
    /// Its retransmissions.
    pub rtx_ssrc: Option<u32>,
    /// Where its packets are numbered for the transport.
    pub transport_cc_id: Option<u8>,
    /// Whether packets are opened, and their stamps read.
    pub is_sampled: bool,
    /// Whether what is missing is asked for.
    pub asks: bool,
    /// When its receiver began to join.
    pub joining_since: Instant,
}

/// One stream.
#[derive(Debug)]
pub struct Stream {
    setup: StreamSetup,
    tally: Tally,
    rtx_tally: Tally,
    last_report: Option<(u32, Instant)>,
    /// Expected and received at the last receiver report.
    reported: (u64, u64),
    key_frame_asked_at: Option<Instant>,
}

impl Stream {
    /// Its counters.
    pub fn count(&self) -> StreamCount {
        StreamCount {
            id: self.setup.id,
            producer: self.setup.producer,
            kind: self.setup.kind,
            expected: self.tally.expected(),
            received: self.tally.received(),
        }
    }

    fn report_block(&mut self, now: Instant) -> Option<ReportBlock> {
        let highest = self.tally.highest()?;
        let (expected, received) = (self.tally.expected(), self.tally.received());
        let (expected_now, received_now) = (expected - self.reported.0, received - self.reported.1);
        self.reported = (expected, received);
        let lost_now = expected_now.saturating_sub(received_now);
        let (last_report, delay) = self
            .last_report
            .map_or((0, 0), |(middle_ntp, at)| (middle_ntp, (now.duration_since(at).as_secs_f64() * 65536.0) as u32));
        Some(ReportBlock {
            ssrc: self.setup.ssrc,
            fraction_lost: (lost_now * 256 / expected_now.max(1)).min(255) as u8,
            total_lost: expected.saturating_sub(received) as u32,
            highest: highest as u32,
            last_report,
            delay,
        })
    }
}

impl Subscriber {
    /// Receives nothing yet. `ssrc`: who it is in RTCP.
    pub fn new(now: Instant, ssrc: u32) -> Self {
        Self {
            streams: Vec::new(),
            by_ssrc: Vec::new(),
            feedback: FeedbackWriter::new(now),
            feedback_at: now + FEEDBACK_IDLE,
            feedback_sent_at: now,
            report_at: now + REPORT_INTERVAL,
            ssrc,
            has_gap: false,
            requests: Vec::new(),
            buffer: Vec::with_capacity(2048),
        }
    }

    /// Expects a stream.
    pub fn add(&mut self, setup: StreamSetup) {
        let at = self.streams.len();
        self.by_ssrc.push((setup.ssrc, at, false));
        self.by_ssrc.extend(setup.rtx_ssrc.map(|ssrc| (ssrc, at, true)));
        self.by_ssrc.sort_unstable();
        self.streams.push(Stream {
            tally: Tally::new(setup.asks && setup.kind == MediaKind::Video),
            rtx_tally: Tally::new(false),
            last_report: None,
            reported: (0, 0),
            key_frame_asked_at: None,
            setup,
        });
    }

    /// Its streams.
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// Takes a packet.
    pub fn handle_rtp(
        &mut self,
        now: Instant,
        arrived_ns: u64,
        packet: &mut [u8],
        wire: &Wire,
        recorder: &mut Recorder,
    ) {
        let Some(header) = Header::read(packet) else { return };
        let found = self.by_ssrc.binary_search_by_key(&header.ssrc, |(ssrc, ..)| *ssrc);
        let Some(&(_, at, is_repair)) = found.ok().and_then(|at| self.by_ssrc.get(at)) else {
            recorder.totals.unknown_streams += 1;
            return;
        };
        let Some(stream) = self.streams.get_mut(at) else { return };
        if let Some(number) = stream.setup.transport_cc_id.and_then(|id| header.extension_u16(packet, id)) {
            self.feedback.handle(now, number, packet.len());
        }
        if is_repair {
            recorder.totals.repeats_in += 1;
            handle_repair(now, packet, &header, stream, wire, recorder);
            return;
        }
        let is_first = stream.tally.highest().is_none();
        let index = stream.tally.index_of(header.sequence_number);
        match stream.tally.handle(now, index) {
            Arrival::New { gap } => {
                self.has_gap |= gap > 0;
                recorder.media(now, stream.setup.kind, gap);
            }
            Arrival::Late => recorder.late(now, stream.setup.kind),
            Arrival::Duplicate => {
                recorder.totals.duplicates += 1;
                return;
            }
        }
        if is_first {
            recorder.first_media(now.duration_since(stream.setup.joining_since));
        }
        if stream.setup.is_sampled {
            match wire.keys.receive.open_rtp(packet, header.len, header.ssrc, index) {
                Ok(payload) => {
                    let stamped = without_padding(payload, header.has_padding).and_then(stamp::read);
                    if let Some(sent_ns) = stamped {
                        recorder.latency(now, stream.setup.kind, arrived_ns.saturating_sub(sent_ns));
                    }
                }
                Err(_) => recorder.totals.not_opened += 1,
            }
        }
    }

    /// Takes what the server says.
    pub fn handle_rtcp(&mut self, now: Instant, compound: &[u8]) {
        let (by_ssrc, streams) = (&self.by_ssrc, &mut self.streams);
        rtcp::read(compound, |heard| {
            if let Heard::SenderReport { ssrc, middle_ntp } = heard
                && let Ok(found) = by_ssrc.binary_search_by_key(&ssrc, |(ssrc, ..)| *ssrc)
                && let Some(&(_, at, false)) = by_ssrc.get(found)
                && let Some(stream) = streams.get_mut(at)
            {
                stream.last_report = Some((middle_ntp, now));
            }
        });
    }

    /// Asks for what turned out to be missing.
    pub fn handle_turn_end(&mut self, now: Instant, wire: &mut Wire, recorder: &mut Recorder) {
        if std::mem::take(&mut self.has_gap) {
            self.ask(now, wire, recorder);
        }
    }

    /// Sends the feedback and the reports that are due.
    pub fn handle_timeout(&mut self, now: Instant, wire: &mut Wire, recorder: &mut Recorder) {
        if self.feedback_at <= now {
            let media_ssrc = self.streams.first().map_or(0, |stream| stream.setup.ssrc);
            while self.feedback.write(&mut self.buffer, self.ssrc, media_ssrc) {
                recorder.totals.feedback_out += 1;
                wire.send_rtcp(&mut self.buffer, recorder);
            }
            let elapsed = now.duration_since(self.feedback_sent_at);
            self.feedback_sent_at = now;
            self.feedback_at = now + self.feedback.interval(elapsed);
            self.ask(now, wire, recorder);
        }
        if self.report_at <= now {
            self.report_at = now + REPORT_INTERVAL;
            self.report(now, wire, recorder);
        }
    }

    /// When something is due.
    pub fn poll_timeout(&self) -> Instant {
        self.feedback_at.min(self.report_at)
    }

    fn ask(&mut self, now: Instant, wire: &mut Wire, recorder: &mut Recorder) {
        for stream in self.streams.iter_mut().filter(|stream| stream.tally.is_waiting()) {
            self.requests.clear();
            stream.tally.poll_nacks(now, &mut self.requests);
            if !self.requests.is_empty() {
                recorder.totals.nacks_out += 1;
                rtcp::write_nack(&mut self.buffer, self.ssrc, stream.setup.ssrc, &self.requests);
                wire.send_rtcp(&mut self.buffer, recorder);
            }
            // What was given up is a picture that no decoder has: as a browser does, ask for one that needs no other.
            if stream.tally.poll_gave_up()
                && stream.key_frame_asked_at.is_none_or(|at| now.duration_since(at) >= KEY_FRAME_INTERVAL)
            {
                stream.key_frame_asked_at = Some(now);
                recorder.totals.plis_out += 1;
                rtcp::write_pli(&mut self.buffer, self.ssrc, stream.setup.ssrc);
                wire.send_rtcp(&mut self.buffer, recorder);
            }
        }
    }

    fn report(&mut self, now: Instant, wire: &mut Wire, recorder: &mut Recorder) {
        let mut has_blocks = false;
        for stream in &mut self.streams {
            let Some(block) = stream.report_block(now) else { continue };
            if !has_blocks {
                rtcp::begin_receiver_report(&mut self.buffer, self.ssrc);
                has_blocks = true;
            }
            if !rtcp::add_report_block(&mut self.buffer, &block) {
                wire.send_rtcp(&mut self.buffer, recorder);
                rtcp::begin_receiver_report(&mut self.buffer, self.ssrc);
                rtcp::add_report_block(&mut self.buffer, &block);
            }
        }
        if has_blocks {
            wire.send_rtcp(&mut self.buffer, recorder);
        }
    }
}

/// A retransmission says in its payload which packet it is (RFC 4588): looked into while something is missing. Probes for
/// bandwidth come this way too.
fn handle_repair(
    now: Instant,
    packet: &mut [u8],
    header: &Header,
    stream: &mut Stream,
    wire: &Wire,
    recorder: &mut Recorder,
) {
    let index = stream.rtx_tally.index_of(header.sequence_number);
    stream.rtx_tally.handle(now, index);
    if !stream.tally.is_waiting() {
        return;
    }
    let Ok(payload) = wire.keys.receive.open_rtp(packet, header.len, header.ssrc, index) else {
        recorder.totals.not_opened += 1;
        return;
    };
    if let Some(&[high, low, ..]) = without_padding(payload, header.has_padding) {
        let index = stream.tally.index_of(u16::from_be_bytes([high, low]));
        if stream.tally.highest().is_some_and(|highest| index < highest)
            && stream.tally.handle(now, index) == Arrival::Late
        {
            recorder.late(now, stream.setup.kind);
        }
    }
}
