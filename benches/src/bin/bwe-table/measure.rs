//! Runs a scenario and takes its figures.

use std::time::{Duration, Instant};

use simulation::sink::playback::Playback;
use simulation::source::video::{Audio, Video, VideoCodec};
use simulation::{Direction, SinkId, SourceId, World, ms, s};

use crate::scenarios::Scenario;

/// Publishers of sound and of a simulcast of three sizes and three frame rates each: 28 steps in all, of which the topmost
/// cost more than any path of the scenarios carries.
const PUBLISHERS: usize = 4;

/// Those of them that are heard.
const SPEAKERS: usize = 2;

/// How often the estimate is looked at.
const SAMPLE: Duration = Duration::from_millis(50);

/// Reaching this share of the capacity is what is timed.
const REACHED: f64 = 0.8;

/// What came of a scenario. Shares are of the capacity.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    /// The estimates together, settled, what is beyond the capacity not counted.
    pub(crate) estimated: f64,
    /// What left through the thin place, settled: media, repeats and probes.
    pub(crate) carried: f64,
    /// From the scenario's moment on; none if it never came.
    pub(crate) to_80_percent: Option<Duration>,
    /// Until the estimate was no more than the smaller capacity.
    pub(crate) step_down: Option<Duration>,
    /// Waiting in the queue, over all the time.
    pub(crate) queue_p95: Duration,
    pub(crate) queue_worst: Duration,
    /// Datagrams that the queue had no room for, of all sent.
    pub(crate) overflowed: u64,
    pub(crate) sent: u64,
    /// Over all videos, beside those of an outage.
    pub(crate) freezes: usize,
    pub(crate) frozen: Duration,
    pub(crate) undecodable: usize,
    /// The smaller share of two receivers.
    pub(crate) fairness: Option<f64>,
}

struct Run<'a> {
    scenario: &'a Scenario,
    world: World,
    videos: Vec<SourceId>,
    sounds: Vec<SourceId>,
    receivers: Vec<usize>,
    sinks: Vec<SinkId>,
    start: Instant,
    /// When, and each receiver's estimate in bits per second.
    samples: Vec<(Duration, Vec<f64>)>,
}

/// What comes of the scenario with this seed.
pub(crate) fn measure(scenario: &Scenario, seed: u64) -> Figures {
    let mut run = Run::new(scenario, seed);
    run.play();
    run.figures()
}

impl<'a> Run<'a> {
    /// Everybody is connected over clean paths, which then become what the scenario has: handshakes differ from run to run by
    /// some bytes, and must not decide anything.
    fn new(scenario: &'a Scenario, seed: u64) -> Self {
        let mut world = World::new(seed);
        world.forget_packets();
        let publishers: Vec<usize> = (0..PUBLISHERS).map(|_| world.peer()).collect();
        let receivers: Vec<usize> = scenario.receivers.iter().map(|_| world.peer()).collect();
        let video = Video::simulcast(VideoCodec::Vp8, 3);
        let videos = publishers.iter().map(|peer| world.publish(*peer, &video)).collect();
        let sounds =
            publishers.iter().take(SPEAKERS).map(|peer| world.publish_audio(*peer, Audio::default())).collect();
        world.run_for(s(1));
        let start = world.now;
        for peer in &receivers {
            *world.network.link(*peer, Direction::Down) = scenario.path;
        }
        let steps: Vec<_> = scenario.steps.iter().map(|(after, bps)| (start + *after, *bps)).collect();
        if let ([peer], Some(rate)) = (receivers.as_slice(), scenario.path.rate) {
            world.set_capacity(*peer, Direction::Down, rate.depth, &scenario.steps);
        } else if let Some(rate) = scenario.path.rate {
            let links: Vec<_> = receivers.iter().map(|peer| (*peer, Direction::Down)).collect();
            let shared = world.network.share(rate, &links);
            world.network.schedule_shared(shared, &steps);
        }
        Self { scenario, world, videos, sounds, receivers, sinks: Vec::new(), start, samples: Vec::new() }
    }

    fn play(&mut self) {
        let (mut outage, mut is_heard, mut is_seen) =
            (self.scenario.outage, vec![false; self.receivers.len()], vec![false; self.receivers.len()]);
        loop {
            let elapsed = self.world.now - self.start;
            if elapsed >= self.scenario.settled.1 {
                return;
            }
            for (index, (peer, from)) in self.receivers.iter().zip(&self.scenario.receivers).enumerate() {
                if elapsed >= *from && !std::mem::replace(&mut is_heard[index], true) {
                    for source in &self.sounds {
                        self.world.consume(*peer, *source);
                    }
                }
                if elapsed >= *from + self.scenario.video_from && !std::mem::replace(&mut is_seen[index], true) {
                    for source in &self.videos {
                        self.sinks.push(self.world.consume(*peer, *source));
                    }
                }
            }
            if let Some((_, duration)) = outage.take_if(|(from, _)| elapsed >= *from) {
                for peer in &self.receivers {
                    self.world.cut_off(*peer, duration);
                }
            }
            self.world.run_for(SAMPLE);
            let (world, now) = (&self.world, self.world.now);
            let estimates = self.receivers.iter().map(|peer| {
                let stats = world.core.transport_stats(now, world.peers[*peer].transport);
                stats.ok().and_then(|stats| stats.bandwidth.available_outgoing_bitrate).unwrap_or(0) as f64
            });
            self.samples.push((now - self.start, estimates.collect()));
        }
    }

    fn figures(&self) -> Figures {
        let (world, scenario) = (&self.world, self.scenario);
        let (from, to) = (self.start + scenario.settled.0, self.start + scenario.settled.1);
        let link = |peer: &usize| world.network.stats(*peer, Direction::Down);
        let capacity = self.capacity_at(scenario.settled.0);
        let carried: Vec<f64> = self.receivers.iter().map(|peer| link(peer).delivered_bps(from, to)).collect();
        let total: f64 = carried.iter().sum();
        let worst = |part| {
            let waits = self.receivers.iter().map(|peer| link(peer).wait_percentile(part, self.start, to));
            waits.max().unwrap_or_default()
        };
        let outage = scenario.outage.map(|(from, duration)| (self.start + from, self.start + from + duration));
        let freezes: Vec<_> = self
            .sinks
            .iter()
            .flat_map(|sink| world.playback(*sink).freezes(world.now))
            .filter(|freeze| outage.is_none_or(|(from, until)| freeze.until <= from || freeze.from >= until))
            .collect();
        Figures {
            estimated: self.mean_estimated(capacity),
            carried: total / capacity,
            to_80_percent: self.to_80_percent(),
            step_down: self.step_down_followed(),
            queue_p95: worst(0.95),
            queue_worst: worst(1.0),
            overflowed: self.receivers.iter().map(|peer| link(peer).lost_in_queue.packets).sum(),
            sent: self.receivers.iter().map(|peer| link(peer).offered.packets).sum(),
            freezes: freezes.len(),
            frozen: freezes.iter().map(|freeze| freeze.duration()).sum(),
            undecodable: self.sinks.iter().map(|sink| undecodable(world.playback(*sink))).sum(),
            fairness: (carried.len() > 1).then(|| carried.iter().copied().fold(f64::INFINITY, f64::min) / total),
        }
    }

    fn capacity_at(&self, elapsed: Duration) -> f64 {
        let step = self.scenario.steps.iter().rev().find(|(from, _)| *from <= elapsed);
        step.map_or(f64::INFINITY, |(_, bps)| *bps as f64)
    }

    fn mean_estimated(&self, capacity: f64) -> f64 {
        let (from, to) = self.scenario.settled;
        let settled: Vec<f64> = self
            .samples
            .iter()
            .filter(|(at, _)| (from..to).contains(at))
            .map(|(_, estimates)| estimates.iter().sum::<f64>() / capacity)
            .collect();
        let count = settled.len().max(1) as f64;
        settled.into_iter().map(|share| share.min(1.0)).sum::<f64>() / count
    }

    /// When the estimates together were enough for the first time.
    fn to_80_percent(&self) -> Option<Duration> {
        let from = self.scenario.timed_from;
        let enough = REACHED * self.capacity_at(from);
        self.samples
            .iter()
            .find(|(at, estimates)| *at > from && estimates.iter().sum::<f64>() >= enough)
            .map(|(at, _)| *at - from)
    }

    fn step_down_followed(&self) -> Option<Duration> {
        let from = self.scenario.step_down?;
        let capacity = self.capacity_at(from + ms(1));
        self.samples
            .iter()
            .find(|(at, estimates)| *at > from && estimates.iter().sum::<f64>() <= capacity)
            .map(|(at, _)| *at - from)
    }
}

/// Pictures that came whole and could not be decoded, after the first that could: what was lost before the first packet that
/// came is not known to be lost.
fn undecodable(playback: &Playback) -> usize {
    let first = playback.shown.first().map(|shown| shown.at);
    playback.undecodable.iter().filter(|known| first.is_some_and(|first| known.at > first)).count()
}
