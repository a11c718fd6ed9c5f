//! A worker that has more to forward than it can. Its processor is simulated: what it sends takes time.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use sfu_core::ids::ConsumerId;
use sfu_core::router::{RouterEvent, SuspendReason};
use simulation::source::video::{Audio, Video, VideoCodec};
use simulation::{PeerOptions, SinkId, SourceId, World, ms, s};

use crate::layers::without_bandwidth_feedback;

/// What a datagram costs a worker that has time, and one that has not: the latter's sound alone takes half of it, and it is asked for
/// nearly twice what it can.
const LIGHT: Duration = Duration::from_micros(40);
const HEAVY: Duration = Duration::from_micros(220);

/// What sound may take beyond the network's time.
const SOUND_LATE: Duration = ms(50);

const SPEAKERS: usize = 3;
const VIEWERS_OF_EACH: usize = 16;

/// Speakers, and viewers of one of them each.
struct Hall {
    world: World,
    sounds: Vec<(SinkId, SourceId)>,
    pictures: Vec<SinkId>,
}

impl Hall {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let (mut sounds, mut pictures) = (Vec::new(), Vec::new());
        for _ in 0..SPEAKERS {
            let speaker = world.peer();
            let sound = world.publish_audio(speaker, Audio::default());
            let picture = world.publish(speaker, &Video::single(VideoCodec::Vp8));
            for _ in 0..VIEWERS_OF_EACH {
                let viewer = world.connected_peer(PeerOptions::default());
                let mut consume =
                    |source| world.consume_as(viewer, source, without_bandwidth_feedback(), false).expect("a consumer");
                sounds.push((consume(sound), sound));
                pictures.push(consume(picture));
            }
        }
        world.set_cost(LIGHT);
        world.run_for(s(2));
        Self { world, sounds, pictures }
    }

    fn consumer(&self, sink: SinkId) -> ConsumerId {
        self.world.sink(sink).info.id
    }

    /// Who is suspended, as owners were told last.
    fn suspended(&self) -> Vec<SinkId> {
        let mut last = HashMap::new();
        for (_, _, event) in &self.world.events {
            match event {
                RouterEvent::ConsumerSuspended { consumer_id, reason } => {
                    assert_eq!(*reason, SuspendReason::Overload);
                    last.insert(*consumer_id, true);
                }
                RouterEvent::ConsumerUnsuspended { consumer_id } => {
                    last.insert(*consumer_id, false);
                }
                _ => {}
            }
        }
        let is_suspended = |sink: &SinkId| last.get(&self.consumer(*sink)).copied().unwrap_or(false);
        self.pictures.iter().copied().filter(is_suspended).collect()
    }

    /// Who was told of a change since then.
    fn told_since(&self, from: Instant) -> HashSet<ConsumerId> {
        let news = self.world.events.iter().filter(|(at, _, _)| *at >= from);
        let told = news.filter_map(|(_, _, event)| match event {
            RouterEvent::ConsumerSuspended { consumer_id, .. } | RouterEvent::ConsumerUnsuspended { consumer_id } => {
                Some(*consumer_id)
            }
            _ => None,
        });
        told.collect()
    }

    /// The longest that sound took from a source to a sink, of what was sent between two times; all of it came.
    fn slowest_sound(&self, from: Instant, to: Instant) -> Duration {
        let mut slowest = Duration::ZERO;
        for (sink, source) in &self.sounds {
            let sent = self.world.layer(*source).sent.iter().filter(|packet| (from..to).contains(&packet.at)).count();
            let pairs = self.world.pairs(*sink, *source);
            let came = pairs.iter().filter(|pair| (from..to).contains(&pair.published.at));
            let took: Vec<Duration> = came.map(|pair| pair.got.at - pair.published.at).collect();
            assert_eq!(took.len(), sent, "sound is lost");
            slowest = slowest.max(took.into_iter().max().unwrap_or_default());
        }
        slowest
    }

    /// How many pictures per second each sink has shown between two times.
    fn frame_rates(&self, from: Instant, to: Instant) -> Vec<(SinkId, f64)> {
        self.pictures.iter().map(|sink| (*sink, self.world.playback(*sink).frame_rate(from, to))).collect()
    }
}

/// Harm prevented: a server with too many guests fails all of them, sound and all, and each makes it worse by asking again.
#[test]
fn too_much_costs_some_their_pictures_and_nobody_the_sound() {
    let mut hall = Hall::new(300);
    let before = hall.world.now;
    hall.world.run_for(s(1));
    assert!(hall.suspended().is_empty());
    let usual = hall.slowest_sound(before, hall.world.now - ms(200));

    hall.world.set_cost(HEAVY);
    let began = hall.world.now;
    hall.world.run_for(s(4));
    let settled = began + s(2);
    let suspended = hall.suspended();
    assert!((10..=44).contains(&suspended.len()), "{} of 48 are suspended", suspended.len());
    let slowest = hall.slowest_sound(began, hall.world.now - ms(200));
    assert!(slowest < usual + SOUND_LATE, "{slowest:?} instead of {usual:?}");
    // Who is left alone sees everything, and in time.
    let (now, touched) = (hall.world.now, hall.told_since(settled));
    let mut left_alone = 0;
    for (sink, rate) in hall.frame_rates(settled, now) {
        let is_suspended = suspended.contains(&sink);
        if touched.contains(&hall.consumer(sink)) {
            continue;
        }
        if is_suspended {
            assert_eq!(rate, 0.0, "somebody who is told of none");
            continue;
        }
        let verdict = hall.world.verdict_since(sink, settled);
        assert!(verdict.delay_p95 < ms(150) && rate > 25.0, "{verdict:?}");
        left_alone += 1;
    }
    assert!(left_alone > 0, "nobody's picture stays");
    let stats = hall.world.core.stats();
    assert!(stats.overload_suspensions >= suspended.len() as u64);
    // Those who stay watched are not suspended again and again.
    assert!(stats.overload_suspensions < 300, "{} suspensions", stats.overload_suspensions);

    // One of them loses interest meanwhile.
    let (now, impatient) = (hall.world.now, hall.consumer(suspended[0]));
    hall.world.core.pause_consumer(now, impatient).unwrap();
    hall.world.settle();
    hall.world.set_cost(LIGHT);
    hall.world.run_for(s(2));
    assert!(hall.suspended().is_empty(), "{} are still suspended", hall.suspended().len());
    let now = hall.world.now;
    hall.world.core.resume_consumer(now, impatient).unwrap();
    hall.world.settle();
    hall.world.run_for(ms(500));
    let now = hall.world.now;
    hall.world.run_for(s(1));
    for (_, rate) in hall.frame_rates(now, hall.world.now) {
        assert!(rate > 25.0, "{rate} pictures/s");
    }
}

/// A call of two, and how much of a source came in a second during which all that arrives had waited so long.
fn received_with_lag(world: &mut World, sink: SinkId, lag: Duration) -> usize {
    world.core.set_lag(lag);
    // What was on its way comes first.
    world.run_for(ms(100));
    let before = world.sink(sink).packet_count;
    world.run_for(s(1));
    world.sink(sink).packet_count - before
}

/// Harm prevented: a worker that is behind with sound stays as far behind for good, and all of it is too late to be played.
#[test]
fn sound_that_nobody_would_play_any_more_gives_way_to_the_next() {
    let mut world = World::new(301);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.publish_audio(alice, Audio::default());
    let sink = world.consume(bob, source);
    world.run_for(s(1));
    assert!(received_with_lag(&mut world, sink, ms(200)) > 40);
    assert_eq!(world.core.stats().packets_late, 0);
    assert_eq!(received_with_lag(&mut world, sink, ms(201)), 0);
    assert!(world.core.stats().packets_late > 40);
    assert!(received_with_lag(&mut world, sink, Duration::ZERO) > 40);
}

/// Harm prevented: what a busy worker reads late is taken for a queue on everybody's path, or for an outage, and what remains of their
/// pictures is paced to a crawl when it has time again.
#[test]
fn feedback_that_waited_here_says_nothing_of_the_path() {
    let mut world = World::new(302);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.publish(alice, &Video::single(VideoCodec::Vp8));
    let sink = world.consume(bob, source);
    world.run_for(s(10));
    let estimate = |world: &World| {
        let stats = world.core.transport_stats(world.now, world.peers[bob].transport).unwrap();
        stats.bandwidth.available_outgoing_bitrate.unwrap()
    };
    let before = estimate(&world);
    world.core.set_lag(ms(51));
    world.run_for(s(5));
    assert_eq!(estimate(&world), before);
    assert!(received_with_lag(&mut world, sink, Duration::ZERO) > 50);
    assert!(estimate(&world) >= before);
}
