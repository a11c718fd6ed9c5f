//! Which layers a publisher is told to send, and what becomes of viewers when it obeys.

use std::time::{Duration, Instant};

use sfu_core::router::RouterEvent;
use simulation::{Direction, Link, SinkId, SourceId, World, ms, s};

use super::{Form, assert_watchable, forms, prefer, without_bandwidth_feedback};

/// How long a layer goes unused before its sender is told.
const UNUSED_AFTER: Duration = s(2);
/// How soon "at once" is: wishes of one moment are taken together.
const AT_ONCE: Duration = ms(10);

struct Stage {
    world: World,
    source: SourceId,
    is_simulcast: bool,
    /// Events that the publisher has heard of.
    heard: usize,
}

impl Stage {
    fn new(seed: u64, form: &Form) -> Self {
        let mut world = World::new(seed);
        let alice = world.peer();
        let source = world.publish(alice, &form.video);
        Self { world, source, is_simulcast: form.is_simulcast(), heard: 0 }
    }

    fn viewer(&mut self) -> SinkId {
        let peer = self.world.peer();
        self.world.consume_as(peer, self.source, without_bandwidth_feedback(), false).unwrap()
    }

    /// What the publisher was told since `from`.
    fn wanted(&self, from: Instant) -> Vec<(Duration, Vec<u8>)> {
        let producer = self.world.source(self.source).producer;
        self.world
            .events
            .iter()
            .filter_map(|(at, _, event)| match event {
                RouterEvent::ProducerLayersWanted { producer_id, spatial_layers } if *producer_id == producer => {
                    Some((*at, spatial_layers.clone()))
                }
                _ => None,
            })
            .filter(|(at, _)| *at >= from)
            .map(|(at, layers)| (at - from, layers))
            .collect()
    }

    /// Lets time pass, the publisher doing as it is told after 100 ms of signalling.
    fn run_obeying(&mut self, duration: Duration) {
        let end = self.world.now + duration;
        while self.world.now < end {
            self.world.run_for(ms(10));
            let all = self.wanted(self.world.origin);
            let (origin, now) = (self.world.origin, self.world.now);
            while let Some((_, layers)) = all.get(self.heard).filter(|(at, _)| origin + *at + ms(100) <= now) {
                self.heard += 1;
                if self.is_simulcast {
                    for encoding in 0..3 {
                        self.world.set_active(self.source, encoding, layers.contains(&(encoding as u8)));
                    }
                } else {
                    let count = layers.iter().max().map_or(1, |top| top + 1);
                    self.world.source_mut(self.source).set_spatial_layers(0, count);
                }
            }
        }
    }
}

fn form(name: &str) -> Form {
    forms().into_iter().find(|form| form.name == name).unwrap()
}

/// Harm prevented: a publisher in a room of thumbnails encodes and sends 720p that nobody sees, or 720p never comes back.
#[test]
fn unused_layers_are_told_after_two_seconds_and_newly_wanted_ones_at_once() {
    for name in ["VP8 simulcast", "VP9 L3T3", "AV1 L3T3_KEY"] {
        let mut stage = Stage::new(3000, &form(name));
        let sinks = [stage.viewer(), stage.viewer()];
        stage.world.run_for(s(4));
        // All layers of a stream need those below them; the encodings of a simulcast do not.
        let only = |layer: u8| if stage.is_simulcast { vec![layer] } else { (0..=layer).collect::<Vec<u8>>() };
        let told = stage.wanted(stage.world.origin);
        let before = told.last().map_or(vec![0, 1, 2], |(_, layers)| layers.clone());
        assert_eq!(before, only(2), "{name}");

        let (low, middle) = (only(0), only(1));
        let wished = stage.world.now;
        prefer(&mut stage.world, sinks[0], (0, 2));
        prefer(&mut stage.world, sinks[1], (1, 2));
        stage.world.run_for(s(4));
        let mut both: Vec<u8> = low.iter().chain(&middle).copied().collect();
        both.sort();
        both.dedup();
        let told = stage.wanted(wished);
        assert_eq!(told.last().map(|(_, layers)| layers), Some(&both), "{name}");
        assert!(told.last().unwrap().0 >= UNUSED_AFTER, "{name}: {told:?}");
        assert!(told.last().unwrap().0 <= UNUSED_AFTER + ms(1100), "{name}: {told:?}");

        let wished = stage.world.now;
        prefer(&mut stage.world, sinks[1], (2, 2));
        // A row of wishes is carried out once.
        stage.world.run_for(ms(10));
        let told = stage.wanted(wished);
        assert!(told.len() == 1 && told[0].1.contains(&2), "{name}: {told:?} at once");
        stage.world.run_for(s(5));
        assert!(stage.wanted(wished).len() <= 2, "{name}: {:?}", stage.wanted(wished));
    }
}

#[test]
fn nobody_watching_is_no_layers_and_who_paused_does_not_watch() {
    for name in ["VP8 simulcast", "AV1 L3T3"] {
        let mut stage = Stage::new(3100, &form(name));
        stage.world.run_for(s(5));
        let nobody = stage.wanted(stage.world.origin);
        assert_eq!(nobody.last().map(|(_, layers)| &layers[..]), Some(&[][..]), "{name}: without viewers");
        let sink = stage.viewer();
        stage.world.run_for(ms(10));
        let told = stage.wanted(stage.world.origin);
        assert!(told.last().unwrap().1.contains(&2), "{name}: {told:?}");
        stage.world.run_for(s(4));
        let (consumer, paused) = (stage.world.sink(sink).info.id, stage.world.now);
        stage.world.core.pause_consumer(paused, consumer).unwrap();
        stage.world.settle();
        stage.world.run_for(s(4));
        let told = stage.wanted(paused);
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        assert!(told[0].1.is_empty() && told[0].0 >= UNUSED_AFTER, "{name}: {told:?}");
        let resumed = stage.world.now;
        stage.world.core.resume_consumer(resumed, consumer).unwrap();
        stage.world.settle();
        stage.world.run_for(AT_ONCE);
        assert!(stage.wanted(resumed)[0].1.contains(&2), "{name}");
        stage.world.run_for(s(4));
        let closed = stage.world.now;
        stage.world.core.close_consumer(closed, consumer);
        stage.world.settle();
        stage.world.run_for(s(4));
        let told = stage.wanted(closed);
        assert!(told.last().unwrap().1.is_empty(), "{name}: {told:?}");
    }
}

/// Harm prevented: a picture is switched off while it is the only one that its viewer has, for the next one is late.
#[test]
fn what_is_still_seen_is_wanted_until_the_next_layer_has_taken_over() {
    let mut stage = Stage::new(3150, &form("VP8 simulcast"));
    let sink = stage.viewer();
    stage.world.run_for(s(4));
    // The publisher hears of nothing for a while: no key frame of the smaller picture comes.
    *stage.world.network.link(stage.source.peer, Direction::Down) = Link::lossy(1.0);
    prefer(&mut stage.world, sink, (0, 2));
    stage.world.run_for(UNUSED_AFTER * 2);
    assert_eq!(stage.wanted(stage.world.origin).last().map(|(_, layers)| &layers[..]), Some(&[0, 2][..]));
    *stage.world.network.link(stage.source.peer, Direction::Down) = Link::CLEAN;
    stage.world.run_for(UNUSED_AFTER * 3);
    assert_eq!(stage.wanted(stage.world.origin).last().map(|(_, layers)| &layers[..]), Some(&[0][..]));
    assert_watchable(&stage.world, sink, "late to change");
}

/// Harm prevented: who mutes the camera for a while finds its layers switched off, and is seen late; or sends them to nobody
/// for the rest of the call.
#[test]
fn what_is_wanted_of_a_source_that_pauses_is_told_when_it_resumes() {
    for is_watched in [true, false] {
        let mut stage = Stage::new(3160, &form("VP8 simulcast"));
        let sink = stage.viewer();
        stage.world.run_for(s(4));
        let (producer, paused) = (stage.world.source(stage.source).producer, stage.world.now);
        stage.world.core.pause_producer(paused, producer).unwrap();
        let consumer = stage.world.sink(sink).info.id;
        stage.world.core.close_consumer(paused, consumer);
        if is_watched {
            stage.viewer();
        }
        stage.world.run_for(UNUSED_AFTER * 3);
        assert_eq!(stage.wanted(paused), [], "while it is paused");
        let resumed = stage.world.now;
        stage.world.core.resume_producer(resumed, producer).unwrap();
        stage.world.settle();
        stage.world.run_for(UNUSED_AFTER * 3);
        let told: Vec<_> = stage.wanted(resumed).into_iter().map(|(_, layers)| layers).collect();
        assert_eq!(told, if is_watched { vec![] } else { vec![Vec::<u8>::new()] }, "watched: {is_watched}");
    }
}

/// Harm prevented: a tile that is made large stays blurred, or dark, for its layer was switched off.
#[test]
fn a_publisher_that_obeys_is_seen_in_a_newly_wanted_size_within_a_second() {
    for name in ["VP8 simulcast", "H264 simulcast", "VP9 simulcast", "AV1 simulcast", "VP9 L3T3", "AV1 L3T3_KEY"] {
        let form = form(name);
        let mut stage = Stage::new(3200, &form);
        let sink = stage.viewer();
        stage.run_obeying(s(2));
        for wish in [0, 2, 1, 0, 2] {
            prefer(&mut stage.world, sink, (wish, 2));
            let wished = stage.world.now;
            stage.run_obeying(s(1));
            let last = stage.world.playback(sink).shown.last().copied().unwrap();
            assert_eq!(last.size, form.size(wish), "{name}: a second after {wish} was wished");
            stage.run_obeying(s(4));
            let active: Vec<bool> =
                stage.world.source(stage.source).layers.iter().map(|layer| layer.is_active).collect();
            if stage.is_simulcast {
                let expected: Vec<bool> = (0..3).map(|layer| layer == wish).collect();
                assert_eq!(active, expected, "{name}: what is sent for {wish}");
            } else {
                assert_eq!(stage.world.source(stage.source).only().spatial_layers(), wish + 1, "{name}");
            }
            let shown = stage.world.playback(sink).frame_rate(wished + s(1), stage.world.now);
            assert!(shown >= 28.0, "{name}: {shown} pictures a second of {wish}");
        }
        assert_watchable(&stage.world, sink, name);
    }
}

/// Harm prevented: whoever watched closes the page, and the camera is sent to nobody for the rest of the call.
#[test]
fn who_goes_away_without_closing_anything_does_not_watch_any_more() {
    let mut stage = Stage::new(3300, &form("VP8 simulcast"));
    let viewer = stage.world.peer();
    stage.world.consume_as(viewer, stage.source, without_bandwidth_feedback(), false).unwrap();
    stage.world.run_for(s(6));
    let gone = stage.world.now;
    let transport = stage.world.peers[viewer].transport;
    stage.world.core.close_transport(gone, transport);
    stage.world.settle();
    stage.world.run_for(s(4));
    let told = stage.wanted(gone);
    assert_eq!(told.last().map(|(_, layers)| &layers[..]), Some(&[][..]), "{told:?}");
}
