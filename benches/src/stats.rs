//! What a generator thread writes down while it runs, and what is read from it.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::signalling::parameters::MediaKind;

/// The longest latency that is told apart: a minute.
const LATENCY_MAX_NS: u64 = 60_000_000_000;
/// A latency is known to a thousandth.
const DIGITS: u8 = 3;
/// How finely the course of a run is kept.
pub const SLICE: Duration = Duration::from_millis(100);
/// Slices of a run at most: an hour and a half. What comes later is not in the course.
const SLICES_MAX: usize = 50_000;

/// Counters that only grow.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// Datagrams received, of all kinds.
    pub datagrams_in: u64,
    /// Bytes of these.
    pub bytes_in: u64,
    /// Datagrams sent, of all kinds.
    pub datagrams_out: u64,
    /// Datagrams that the kernel did not take.
    pub send_failed: u64,
    /// Packets that came more than once.
    pub duplicates: u64,
    /// Retransmissions received, probes for bandwidth included.
    pub repeats_in: u64,
    /// Retransmissions sent.
    pub repeats_out: u64,
    /// Messages of transport-wide feedback sent.
    pub feedback_out: u64,
    /// Requests for packets sent.
    pub nacks_out: u64,
    /// Requests for key frames sent.
    pub plis_out: u64,
    /// Requests for key frames received.
    pub key_frames_asked: u64,
    /// Packets of no stream that was announced.
    pub unknown_streams: u64,
    /// Packets that did not open.
    pub not_opened: u64,
    /// Frames that were left out for want of CPU.
    pub frames_left_out: u64,
}

/// One stream's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamCount {
    /// Unique in the run.
    pub id: u64,
    /// The producer, as the run counts them; `None`: somebody else's.
    pub producer: Option<u32>,
    /// Audio or video.
    pub kind: MediaKind,
    /// The packets that there should have been by their numbers.
    pub expected: u64,
    /// The packets that came.
    pub received: u64,
}

/// A tenth of a second.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slice {
    /// Packets received.
    pub received: u64,
    /// Packets of audio, and of video, found missing.
    pub missing: [u64; 2],
    /// Packets of audio, and of video, that came late.
    pub late: [u64; 2],
    /// The longest latency, nanoseconds.
    pub latency_ns_max: u64,
}

/// Where a thread writes. Arrays are by [`MediaKind`].
#[derive(Debug)]
pub struct Recorder {
    begun: Instant,
    /// Counters.
    pub totals: Totals,
    /// Packets published.
    pub published: [u64; 2],
    /// Packets received, each counted once, also of streams that are gone.
    pub received: [u64; 2],
    /// Packets that there should have been, also of streams that are gone.
    pub expected: [u64; 2],
    latency: [Histogram<u32>; 2],
    first_media: Vec<Duration>,
    slices: Vec<Slice>,
}

/// What a thread has written down since the last time.
#[derive(Debug)]
pub struct Snapshot {
    /// When it was taken.
    pub at: Instant,
    /// CPU time of the thread so far.
    pub cpu: Duration,
    /// Counters so far.
    pub totals: Totals,
    /// Packets published so far.
    pub published: [u64; 2],
    /// Packets received so far.
    pub received: [u64; 2],
    /// Packets that there should have been so far.
    pub expected: [u64; 2],
    /// Packets published so far, by producer.
    pub producers: Vec<(u32, u64)>,
    /// All streams that are there.
    pub streams: Vec<StreamCount>,
    /// Latencies since the last snapshot, nanoseconds.
    pub latency: [Histogram<u32>; 2],
    /// From the beginning of joining to the first packet, since the last snapshot.
    pub first_media: Vec<Duration>,
    /// The course since the run began.
    pub slices: Vec<Slice>,
}

impl Recorder {
    /// Nothing happened yet.
    pub fn new(begun: Instant) -> Self {
        Self {
            begun,
            totals: Totals::default(),
            published: [0; 2],
            received: [0; 2],
            expected: [0; 2],
            latency: [latencies(), latencies()],
            first_media: Vec::new(),
            slices: Vec::new(),
        }
    }

    /// A packet came, and so many before it did not.
    pub fn media(&mut self, now: Instant, kind: MediaKind, gap: u64) {
        self.received[kind as usize] += 1;
        self.expected[kind as usize] += 1 + gap;
        if let Some(slice) = self.slice(now) {
            slice.received += 1;
            slice.missing[kind as usize] += gap;
        }
    }

    /// A packet that was missing came.
    pub fn late(&mut self, now: Instant, kind: MediaKind) {
        self.received[kind as usize] += 1;
        if let Some(slice) = self.slice(now) {
            slice.received += 1;
            slice.late[kind as usize] += 1;
        }
    }

    /// A packet was so long on its way.
    pub fn latency(&mut self, now: Instant, kind: MediaKind, latency_ns: u64) {
        // Values beyond the histogram's end count as its end.
        self.latency[kind as usize].saturating_record(latency_ns);
        if let Some(slice) = self.slice(now) {
            slice.latency_ns_max = slice.latency_ns_max.max(latency_ns);
        }
    }

    /// A subscriber got its first packet so long after it began to join.
    pub fn first_media(&mut self, after: Duration) {
        self.first_media.push(after);
    }

    /// Hands over what was written.
    pub fn snapshot(
        &mut self,
        at: Instant,
        cpu: Duration,
        producers: Vec<(u32, u64)>,
        streams: Vec<StreamCount>,
    ) -> Snapshot {
        Snapshot {
            at,
            cpu,
            totals: self.totals,
            published: self.published,
            received: self.received,
            expected: self.expected,
            producers,
            streams,
            latency: std::mem::replace(&mut self.latency, [latencies(), latencies()]),
            first_media: std::mem::take(&mut self.first_media),
            slices: self.slices.clone(),
        }
    }

    fn slice(&mut self, now: Instant) -> Option<&mut Slice> {
        let at = (now.saturating_duration_since(self.begun).as_millis() / SLICE.as_millis()) as usize;
        if at >= self.slices.len() && at < SLICES_MAX {
            self.slices.resize(at + 1, Slice::default());
        }
        self.slices.get_mut(at)
    }
}

impl Slice {
    /// Adds what another thread saw in the same tenth of a second.
    pub fn merge(&mut self, other: &Self) {
        self.received += other.received;
        for kind in 0..2 {
            self.missing[kind] += other.missing[kind];
            self.late[kind] += other.late[kind];
        }
        self.latency_ns_max = self.latency_ns_max.max(other.latency_ns_max);
    }
}

impl Totals {
    /// What happened between `earlier` and this.
    pub fn since(&self, earlier: &Self) -> Self {
        self.combine(earlier, |now, then| now.saturating_sub(then))
    }

    /// What two threads did.
    pub fn plus(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a + b)
    }

    fn combine(&self, other: &Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            datagrams_in: of(self.datagrams_in, other.datagrams_in),
            bytes_in: of(self.bytes_in, other.bytes_in),
            datagrams_out: of(self.datagrams_out, other.datagrams_out),
            send_failed: of(self.send_failed, other.send_failed),
            duplicates: of(self.duplicates, other.duplicates),
            repeats_in: of(self.repeats_in, other.repeats_in),
            repeats_out: of(self.repeats_out, other.repeats_out),
            feedback_out: of(self.feedback_out, other.feedback_out),
            nacks_out: of(self.nacks_out, other.nacks_out),
            plis_out: of(self.plis_out, other.plis_out),
            key_frames_asked: of(self.key_frames_asked, other.key_frames_asked),
            unknown_streams: of(self.unknown_streams, other.unknown_streams),
            not_opened: of(self.not_opened, other.not_opened),
            frames_left_out: of(self.frames_left_out, other.frames_left_out),
        }
    }
}

/// Latencies in nanoseconds.
pub fn latencies() -> Histogram<u32> {
    Histogram::new_with_bounds(1, LATENCY_MAX_NS, DIGITS).expect("the bounds are in order")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_handed_over_once_and_counters_go_on() {
        let begun = Instant::now();
        let mut recorder = Recorder::new(begun);
        recorder.media(begun, MediaKind::Video, 3);
        recorder.late(begun + SLICE, MediaKind::Video);
        recorder.latency(begun + SLICE, MediaKind::Video, 1_000_000);
        recorder.first_media(SLICE);
        let first = recorder.snapshot(begun, Duration::ZERO, Vec::new(), Vec::new());
        assert_eq!((first.received, first.expected), ([0, 2], [0, 4]));
        assert_eq!((first.latency[1].len(), first.first_media.len(), first.slices.len()), (1, 1, 2));
        assert_eq!((first.slices[0].missing[1], first.slices[1].late[1]), (3, 1));
        let second = recorder.snapshot(begun, Duration::ZERO, Vec::new(), Vec::new());
        assert_eq!((second.received, second.latency[1].len(), second.first_media.len()), ([0, 2], 0, 0));
    }

    #[test]
    fn a_run_that_does_not_end_keeps_a_course_of_limited_length() {
        let begun = Instant::now();
        let mut recorder = Recorder::new(begun);
        recorder.media(begun + SLICE * (SLICES_MAX as u32 + 5), MediaKind::Audio, 0);
        assert!(recorder.slices.is_empty());
        assert_eq!(recorder.received, [1, 0]);
    }
}
