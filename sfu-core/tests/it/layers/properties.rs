//! Anything at once: whatever is wished, lost, late, paused or switched off, no viewer gets what cannot be decoded, and when all
//! is well again everybody sees what they want.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use simulation::{Direction, Link, Loss, PeerOptions, SinkId, SourceId, World, ms, s, vectors};

use super::{Form, assert_watchable, current, forms, prefer, thin, without_bandwidth_feedback};

/// Worlds of each test; more than one test, for they run at the same time.
const WORLDS: u64 = 20;
/// What happens in each.
const EVENTS: usize = 24;

/// A room and what is amiss in it.
struct Room {
    world: World,
    rng: StdRng,
    form: Form,
    source: SourceId,
    /// Each with whether its path is estimated.
    viewers: Vec<(SinkId, bool)>,
}

impl Room {
    /// With `spans` the first viewer is on another worker.
    fn new(seed: u64, spans: bool) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut world = World::new(seed);
        if spans {
            let router = world.router;
            world.span(router);
        }
        let mut forms = forms();
        let mut form = forms.swap_remove(rng.random_range(0..forms.len()));
        form.video = thin(form.video);
        if form.video.left_out > 0.0 {
            form.video.left_out = 0.1;
        }
        let alice = world.peer();
        let source = world.publish(alice, &form.video);
        let mut viewers = Vec::new();
        for _ in 0..rng.random_range(1..=3) {
            let is_estimated = rng.random_bool(0.4);
            let capabilities = if is_estimated { vectors::chromium() } else { without_bandwidth_feedback() };
            let on_branch = spans && viewers.is_empty();
            let peer = world.connected_peer(PeerOptions { on_branch, ..PeerOptions::default() });
            viewers.push((world.consume_as(peer, source, capabilities, false).unwrap(), is_estimated));
        }
        // The first picture comes whole: a viewer cannot tell what was lost before the first packet.
        world.run_for(ms(700));
        Self { world, rng, form, source, viewers }
    }

    /// Something happens.
    fn disturb(&mut self) {
        let (sink, _) = *self.viewers.choose(&mut self.rng).unwrap();
        let consumer = self.world.sink(sink).info.id;
        let producer = self.world.source(self.source).producer;
        let now = self.world.now;
        match self.rng.random_range(0..20) {
            0..9 => {
                let wish = (self.rng.random_range(0..3), self.rng.random_range(0..3));
                prefer(&mut self.world, sink, wish);
            }
            9..12 => {
                let (peer, direction) = if self.rng.random_bool(0.5) {
                    (self.source.peer, Direction::Up)
                } else {
                    (sink.peer, Direction::Down)
                };
                *self.world.network.link(peer, direction) = self.some_path();
            }
            // What is asked for may be lost, too.
            12 => *self.world.network.link(sink.peer, Direction::Up) = self.some_path(),
            13 => *self.world.network.link(self.source.peer, Direction::Down) = self.some_path(),
            14 => self.world.core_of(sink.peer).pause_consumer(now, consumer).unwrap(),
            15 => self.world.core_of(sink.peer).resume_consumer(now, consumer).unwrap(),
            16 => self.world.core.pause_producer(now, producer).unwrap(),
            17 => self.world.core.resume_producer(now, producer).unwrap(),
            _ => {
                let count = self.form.highest.0 + 1;
                let layer = self.rng.random_range(0..count);
                let is_active = self.rng.random_bool(0.5);
                if self.form.is_simulcast() {
                    self.world.set_active(self.source, usize::from(layer), is_active);
                } else {
                    self.world.source_mut(self.source).set_spatial_layers(0, layer + 1);
                }
            }
        }
        self.world.settle();
        let pause = ms(self.rng.random_range(0..400));
        self.world.run_for(pause);
    }

    fn some_path(&mut self) -> Link {
        let rng = &mut self.rng;
        Link {
            latency: ms(rng.random_range(1..60)),
            jitter: ms(*[0, 0, 10, 30].choose(rng).unwrap()),
            jitter_reorders: rng.random_bool(0.3),
            loss: *[Loss::None, Loss::Bernoulli(0.02), Loss::Bernoulli(0.1)].choose(rng).unwrap(),
            reordering: *[0.0, 0.0, 0.05].choose(rng).unwrap(),
            duplication: *[0.0, 0.0, 0.02].choose(rng).unwrap(),
            ..Link::CLEAN
        }
    }

    /// All is well from now on.
    fn heal(&mut self) {
        for peer in 0..self.world.peers.len() {
            for direction in [Direction::Up, Direction::Down] {
                *self.world.network.link(peer, direction) = Link::CLEAN;
            }
        }
        for encoding in 0..self.form.video.encodings.len() {
            self.world.set_active(self.source, encoding, true);
        }
        if !self.form.is_simulcast() {
            self.world.source_mut(self.source).set_spatial_layers(0, self.form.highest.0 + 1);
        }
        let (now, producer) = (self.world.now, self.world.source(self.source).producer);
        self.world.core.resume_producer(now, producer).unwrap();
        for (sink, _) in self.viewers.clone() {
            let consumer = self.world.sink(sink).info.id;
            self.world.core_of(sink.peer).resume_consumer(now, consumer).unwrap();
            prefer(&mut self.world, sink, self.form.highest);
        }
    }
}

fn run(seed: u64, spans: bool) {
    let mut room = Room::new(seed, spans);
    let what = format!("{}, seed {seed}", room.form.name);
    for _ in 0..EVENTS {
        room.disturb();
    }
    room.heal();
    room.world.run_for(ms(2500));
    let settled = room.world.now;
    room.world.run_for(s(1));
    for &(sink, is_estimated) in &room.viewers {
        assert_watchable(&room.world, sink, &what);
        let shown = room.world.playback(sink).between(settled, room.world.now);
        assert!(shown.len() > 6, "{what}: {} pictures in a second", shown.len());
        if !is_estimated {
            assert_eq!(current(&room.world, sink), Some(room.form.highest), "{what}");
            assert!(shown.len() >= 28, "{what}: {} pictures in a second", shown.len());
        }
    }
}

fn run_worlds(first: u64, spans: bool) {
    for seed in first..first + WORLDS {
        run(seed, spans);
    }
}

#[test]
fn no_mix_of_troubles_makes_a_picture_undecodable_1() {
    run_worlds(5000, false);
}

#[test]
fn no_mix_of_troubles_makes_a_picture_undecodable_2() {
    run_worlds(5100, false);
}

#[test]
fn no_mix_of_troubles_makes_a_picture_undecodable_3() {
    run_worlds(5200, false);
}

#[test]
fn no_mix_of_troubles_makes_a_picture_undecodable_on_another_worker_1() {
    run_worlds(5300, true);
}

#[test]
fn no_mix_of_troubles_makes_a_picture_undecodable_on_another_worker_2() {
    run_worlds(5400, true);
}
