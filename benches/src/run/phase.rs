//! What a stretch of a run was like: the difference of two moments.

use std::collections::HashMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::cost::{GeneratorCost, ServerCost, ServerMoment};
use crate::signalling::parameters::MediaKind;
use crate::stats::{Snapshot, StreamCount, Totals, latencies};

/// All that is known of a moment.
#[derive(Debug)]
pub struct Moment {
    /// Of each generator thread.
    pub threads: Vec<Snapshot>,
    /// Of the server's process, if it is known.
    pub server: Option<ServerMoment>,
    /// Of the generator's process.
    pub generator_cpu: Duration,
}

/// A stretch of a run. Latencies are in microseconds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    /// What it is called.
    pub label: String,
    /// Its length.
    pub seconds: f64,
    /// Packets sent to the server, without repeats.
    pub packets_published: u64,
    /// Packets that came from the server, each counted once, without repeats and probes.
    pub packets_forwarded: u64,
    /// A second.
    pub packets_per_second: f64,
    /// Of a datagram from the server, reports included.
    pub mean_datagram_bytes: f64,
    /// Streams from the server.
    pub streams: usize,
    /// Streams of which nothing came, though their producers sent.
    pub silent_streams: usize,
    /// Of audio.
    pub audio: Option<KindReport>,
    /// Of video.
    pub video: Option<KindReport>,
    /// Of both: packets missing by their numbers, of all there should have been.
    pub loss_percent: f64,
    /// Of what was published for them, what came; `None` where sizes are chosen.
    pub delivered_percent: Option<f64>,
    /// Of both.
    pub latency: Latency,
    /// What the server cost, if its process is known.
    pub server: Option<ServerCost>,
    /// What the generator cost.
    pub generator: GeneratorCost,
    /// RTCP and repeats.
    pub feedback: Feedback,
}

/// Of audio or of video.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KindReport {
    /// Packets that there should have been, by their numbers.
    pub expected: u64,
    /// Packets that came.
    pub received: u64,
    /// Missing.
    pub loss_percent: f64,
    /// Of what was published for them, what came; `None` where sizes are chosen.
    pub delivered_percent: Option<f64>,
    /// One way.
    pub latency: Latency,
}

/// One way, from before a packet is sealed until the receiving socket has it, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// Half are faster.
    pub p50_us: f64,
    /// One of a hundred is slower.
    pub p99_us: f64,
    /// One of a thousand is slower.
    pub p999_us: f64,
    /// 90 of a hundred are faster.
    pub p90_us: f64,
    /// None is slower.
    pub max_us: f64,
    /// How many were looked at.
    pub samples: u64,
}

/// RTCP and repeats, as seen by the generator.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Feedback {
    /// Messages of transport-wide feedback sent.
    pub transport_feedback_sent: u64,
    /// Requests for packets sent.
    pub nacks_sent: u64,
    /// Requests for key frames sent.
    pub plis_sent: u64,
    /// Requests for key frames received.
    pub key_frames_asked: u64,
    /// Retransmissions and probes received.
    pub repeats_received: u64,
    /// Retransmissions sent to the server.
    pub repeats_sent: u64,
    /// Packets that came more than once.
    pub duplicates: u64,
    /// Packets of streams that were not announced.
    pub unknown: u64,
    /// Packets that did not open.
    pub not_opened: u64,
}

impl Phase {
    /// What happened between two moments. `has_sizes`: the server may choose among sizes, so that what it was sent says
    /// nothing of what it should send.
    pub fn between(label: &str, before: &Moment, after: &Moment, has_sizes: bool) -> Self {
        let at = |moment: &Moment| moment.threads.iter().map(|thread| thread.at).max();
        let seconds = at(before).zip(at(after)).map_or(0.0, |(from, to)| (to - from).as_secs_f64());
        let sum = |of: fn(&Snapshot) -> [u64; 2]| {
            let total = |moment: &Moment| {
                moment.threads.iter().map(of).fold([0, 0], |sum, part| [sum[0] + part[0], sum[1] + part[1]])
            };
            let (before, after) = (total(before), total(after));
            [after[0].saturating_sub(before[0]), after[1].saturating_sub(before[1])]
        };
        let published = sum(|snapshot| snapshot.published);
        let received = sum(|snapshot| snapshot.received);
        let expected = sum(|snapshot| snapshot.expected);
        let mut latency = [latencies(), latencies()];
        for thread in &after.threads {
            for (sum, part) in latency.iter_mut().zip(&thread.latency) {
                // Both have the same bounds.
                let _ = sum.add(part);
            }
        }
        let delivery = Delivery::between(before, after);
        let kind = |kind: MediaKind| {
            let is_chosen = has_sizes && kind == MediaKind::Video;
            let (expected, received) = (expected[kind as usize], received[kind as usize]);
            (expected > 0).then(|| KindReport {
                expected,
                received,
                loss_percent: loss_percent(expected, received),
                delivered_percent: delivery.percent(&[kind as usize]).filter(|_| !is_chosen),
                latency: Latency::of(&latency[kind as usize]),
            })
        };
        let (audio, video) = (kind(MediaKind::Audio), kind(MediaKind::Video));
        let mut both = latencies();
        for part in &latency {
            let _ = both.add(part);
        }
        let forwarded: u64 = received.iter().sum();
        let totals = totals(after).since(&totals(before));
        Self {
            label: label.to_owned(),
            seconds,
            packets_published: published.iter().sum(),
            packets_forwarded: forwarded,
            packets_per_second: forwarded as f64 / seconds.max(1e-9),
            mean_datagram_bytes: totals.bytes_in as f64 / totals.datagrams_in.max(1) as f64,
            streams: delivery.streams,
            silent_streams: delivery.silent,
            audio,
            video,
            loss_percent: loss_percent(expected.iter().sum(), forwarded),
            delivered_percent: delivery.percent(&[0, 1]).filter(|_| !has_sizes),
            latency: Latency::of(&both),
            server: before
                .server
                .as_ref()
                .zip(after.server.as_ref())
                .map(|(before, after)| ServerCost::between(before, after, seconds, forwarded)),
            generator: GeneratorCost::between(before, after, &totals, seconds, forwarded),
            feedback: Feedback::of(&totals),
        }
    }
}

impl KindReport {
    /// What did not come, whether by the numbers or because the server left it out.
    pub fn missed_percent(&self) -> f64 {
        self.loss_percent.max(100.0 - self.delivered_percent.unwrap_or(100.0))
    }
}

impl Latency {
    fn of(histogram: &Histogram<u32>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: histogram.max() as f64 / 1e3,
            samples: histogram.len(),
        }
    }
}

impl Feedback {
    fn of(totals: &Totals) -> Self {
        Self {
            transport_feedback_sent: totals.feedback_out,
            nacks_sent: totals.nacks_out,
            plis_sent: totals.plis_out,
            key_frames_asked: totals.key_frames_asked,
            repeats_received: totals.repeats_in,
            repeats_sent: totals.repeats_out,
            duplicates: totals.duplicates,
            unknown: totals.unknown_streams,
            not_opened: totals.not_opened,
        }
    }
}

fn totals(moment: &Moment) -> Totals {
    moment.threads.iter().fold(Totals::default(), |sum, thread| sum.plus(&thread.totals))
}

fn loss_percent(expected: u64, received: u64) -> f64 {
    expected.saturating_sub(received) as f64 * 100.0 / expected.max(1) as f64
}

/// What became of what was published for the streams that were there all the time. What is on its way at either moment counts
/// for one or the other.
#[derive(Debug, Default)]
struct Delivery {
    /// At the end, newcomers too.
    streams: usize,
    /// Of which nothing came, though their producers sent.
    silent: usize,
    /// By [`MediaKind`]: what producers sent for them, and what came.
    sent: [u64; 2],
    came: [u64; 2],
}

impl Delivery {
    fn between(before: &Moment, after: &Moment) -> Self {
        let producers = |moment: &Moment| -> HashMap<u32, u64> {
            moment.threads.iter().flat_map(|thread| thread.producers.iter().copied()).collect()
        };
        let (published_then, published_now) = (producers(before), producers(after));
        let earlier: HashMap<u64, &StreamCount> =
            before.threads.iter().flat_map(|thread| &thread.streams).map(|stream| (stream.id, stream)).collect();
        let mut delivery = Self::default();
        for stream in after.threads.iter().flat_map(|thread| &thread.streams) {
            delivery.streams += 1;
            let Some(then) = earlier.get(&stream.id) else { continue };
            let Some(producer) = stream.producer else { continue };
            let Some(now) = published_now.get(&producer) else { continue };
            let sent = now.saturating_sub(published_then.get(&producer).copied().unwrap_or(0));
            let came = stream.received - then.received;
            delivery.sent[stream.kind as usize] += sent;
            delivery.came[stream.kind as usize] += came;
            delivery.silent += usize::from(came == 0 && sent > 0);
        }
        delivery
    }

    /// Of what was sent for kinds of these numbers, what came.
    fn percent(&self, kinds: &[usize]) -> Option<f64> {
        let sum = |counts: &[u64; 2]| kinds.iter().map(|kind| counts[*kind]).sum::<u64>();
        let (sent, came) = (sum(&self.sent), sum(&self.came));
        (sent > 0).then(|| came as f64 * 100.0 / sent as f64)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::process::{CpuTime, Memory};
    use crate::stats::Recorder;

    fn moment(at: Instant, recorder: &mut Recorder, cpu_ms: u64, published: u64, streams: Vec<StreamCount>) -> Moment {
        let snapshot = recorder.snapshot(at, Duration::from_millis(cpu_ms), vec![(3, published)], streams);
        let server = ServerMoment {
            cpu: CpuTime { total: Duration::from_millis(2 * cpu_ms), ..CpuTime::default() },
            threads: vec![("worker".to_owned(), Duration::from_millis(cpu_ms))],
            memory: Memory { resident_bytes: 7, ..Memory::default() },
        };
        Moment { threads: vec![snapshot], server: Some(server), generator_cpu: Duration::from_millis(cpu_ms) }
    }

    fn stream(id: u64, received: u64) -> StreamCount {
        StreamCount { id, producer: Some(3), kind: MediaKind::Video, expected: received, received }
    }

    /// One second in which two streams of one producer of 100 packets were there: one got 90, of which it should have had 92,
    /// and one nothing.
    fn phase(has_sizes: bool) -> Phase {
        let begun = Instant::now();
        let mut recorder = Recorder::new(begun);
        let before = moment(begun, &mut recorder, 0, 1000, vec![stream(1, 50), stream(2, 0)]);
        for _ in 0..89 {
            recorder.media(begun, MediaKind::Video, 0);
        }
        recorder.media(begun, MediaKind::Video, 2);
        recorder.latency(begun, MediaKind::Video, 1_000_000);
        let streams = vec![stream(1, 140), stream(2, 0), stream(9, 4)];
        let after = moment(begun + Duration::from_secs(1), &mut recorder, 950, 1100, streams);
        Phase::between("test", &before, &after, has_sizes)
    }

    #[test]
    fn a_phase_is_the_difference_of_two_moments() {
        let phase = phase(false);
        assert_eq!((phase.packets_forwarded, phase.streams, phase.silent_streams), (90, 3, 1));
        let video = phase.video.as_ref().unwrap();
        assert_eq!((video.expected, video.received), (92, 90));
        assert!(phase.audio.is_none());
        assert!((video.loss_percent - 200.0 / 92.0).abs() < 1e-9);
        assert!((video.missed_percent() - 55.0).abs() < 1e-9, "the server left more out than was lost");
        assert!((phase.delivered_percent.unwrap() - 45.0).abs() < 1e-9, "90 of 200, the newcomer aside");
        assert!((phase.latency.p50_us - 1000.0).abs() < 2.0);
        let server = phase.server.unwrap();
        assert!((server.cpu_percent - 190.0).abs() < 1e-6);
        assert!((server.cpu_us_per_packet - 1.9e6 / 90.0).abs() < 1e-6);
        assert_eq!(server.threads.len(), 1);
    }

    #[test]
    fn a_generator_at_its_end_says_so() {
        assert!(phase(false).generator.is_saturated, "950 ms of a second");
    }

    #[test]
    fn what_a_server_chooses_among_is_not_what_it_should_send() {
        assert_eq!(phase(true).delivered_percent, None);
    }
}
