//! What a path carries, found out and used: scenarios over the whole core. `bwe-table` measures the same for longer.

use std::time::{Duration, Instant};

use sfu_core::router::{RouterEvent, SuspendReason};
use simulation::source::video::{Audio, Video, VideoCodec};
use simulation::{BandwidthFeedback, Depth, Direction, Link, Loss, PeerOptions, Rate, SinkId, World, ms, s};

const CAPACITY_BPS: u64 = 3_000_000;

fn thin(bps: u64) -> Link {
    Link { rate: Some(Rate::new(bps, 200)), ..Link::CLEAN }
}

/// A subscriber behind a link, and what it sees and hears of so many publishers.
struct Call {
    world: World,
    bob: usize,
    seen: Vec<SinkId>,
    heard: SinkId,
    start: Instant,
}

impl Call {
    fn new(seed: u64, publishers: usize, down: Link, bandwidth: BandwidthFeedback) -> Self {
        let mut world = World::new(seed);
        let alices: Vec<_> = (0..publishers).map(|_| world.peer()).collect();
        let bob = world.connected_peer(PeerOptions { bandwidth, ..PeerOptions::default() });
        let video = Video::simulcast(VideoCodec::Vp8, 3);
        let sources: Vec<_> = alices.iter().map(|peer| world.publish(*peer, &video)).collect();
        let voice = world.publish_audio(alices[0], Audio::default());
        world.run_for(ms(500));
        *world.network.link(bob, Direction::Down) = down;
        let heard = world.consume(bob, voice);
        let seen = sources.iter().map(|source| world.consume(bob, *source)).collect();
        let start = world.now;
        Self { world, bob, seen, heard, start }
    }

    fn behind(seed: u64, publishers: usize, down: Link) -> Self {
        Self::new(seed, publishers, down, BandwidthFeedback::TransportWide)
    }

    fn estimate_bps(&self) -> f64 {
        let transport = self.world.peers[self.bob].transport;
        let stats = self.world.core.transport_stats(self.world.now, transport).unwrap();
        stats.bandwidth.available_outgoing_bitrate.expect("an estimate") as f64
    }

    /// The mean estimate of so many seconds from now on, over the capacity.
    fn utilisation(&mut self, seconds: u64) -> f64 {
        let samples = seconds * 10;
        let sum: f64 = (0..samples)
            .map(|_| {
                self.world.run_for(ms(100));
                self.estimate_bps().min(CAPACITY_BPS as f64)
            })
            .sum();
        sum / samples as f64 / CAPACITY_BPS as f64
    }

    fn queue_p95(&self) -> Duration {
        let (from, to) = (self.start, self.world.now);
        self.world.network.stats(self.bob, Direction::Down).wait_percentile(0.95, from, to)
    }

    fn assert_decodable(&self) {
        for sink in &self.seen {
            // What was lost before the first packet that came is not known to be lost.
            let playback = self.world.playback(*sink);
            let first = playback.shown.first().expect("something was decoded").at;
            let after: Vec<_> = playback.undecodable.iter().filter(|known| known.at > first).collect();
            assert!(after.is_empty(), "{after:?}");
        }
        self.world.assert_sound();
    }

    fn set_rate(&mut self, bps: u64) {
        self.world.set_capacity(self.bob, Direction::Down, Depth::Time(ms(200)), &[(s(0), bps)]);
    }

    /// How often a consumer was suspended for want of bandwidth, and how often it went on.
    fn suspensions(&self, sink: SinkId) -> (usize, usize) {
        let id = self.world.sink(sink).info.id;
        let count =
            |is: &dyn Fn(&RouterEvent) -> bool| self.world.events.iter().filter(|(_, _, event)| is(event)).count();
        (
            count(
                &|event| matches!(event, RouterEvent::ConsumerSuspended { consumer_id, reason: SuspendReason::Bandwidth } if *consumer_id == id),
            ),
            count(&|event| matches!(event, RouterEvent::ConsumerUnsuspended { consumer_id } if *consumer_id == id)),
        )
    }

    fn resumed_at(&self, sink: SinkId) -> Option<Instant> {
        let id = self.world.sink(sink).info.id;
        let events = self.world.events.iter().rev();
        let mut resumed = events.filter(
            |(_, _, event)| matches!(event, RouterEvent::ConsumerUnsuspended { consumer_id } if *consumer_id == id),
        );
        resumed.next().map(|(at, ..)| *at)
    }

    fn width(&self, sink: SinkId) -> u16 {
        self.world.verdict_since(sink, self.world.now - s(2)).size.map_or(0, |(width, _)| width)
    }
}

/// Harm prevented: a good path shows small pictures; a lossy one is taken for a full one; a queue makes a call of a delay.
#[test]
fn paths_are_filled_without_a_queue_whatever_they_lose() {
    let bursts = Loss::GilbertElliott { to_bad: 0.008, to_good: 0.3, in_good: 0.0, in_bad: 0.8 };
    let rows = [
        ("clean", Loss::None, 0.85),
        ("5 % random loss", Loss::Bernoulli(0.05), 0.75),
        ("20 % random loss", Loss::Bernoulli(0.2), 0.55),
        ("burst loss", bursts, 0.6),
    ];
    for (name, loss, least) in rows {
        for seed in [300, 301] {
            let mut call = Call::behind(seed, 4, Link { loss, ..thin(CAPACITY_BPS) });
            call.world.run_for(s(10));
            let utilisation = call.utilisation(10);
            assert!(utilisation >= least, "{name}, seed {seed}: {utilisation:.2}");
            assert!(call.queue_p95() < ms(150), "{name}, seed {seed}: {:?}", call.queue_p95());
            call.assert_decodable();
        }
    }
}

#[test]
fn a_clean_path_is_found_within_three_seconds() {
    for seed in [310, 311, 312] {
        let mut call = Call::behind(seed, 4, thin(CAPACITY_BPS));
        let mut steps = 0;
        while call.estimate_bps() < 0.8 * CAPACITY_BPS as f64 {
            call.world.run_for(ms(50));
            steps += 1;
            assert!(steps < 60, "seed {seed}: {}", call.estimate_bps());
        }
    }
}

/// Harm prevented: a path that gets thinner freezes everything, and does not recover when it is wide again.
#[test]
fn a_step_down_is_followed_within_a_second_and_one_up_by_itself() {
    for seed in [320, 321] {
        let mut call = Call::behind(seed, 3, thin(CAPACITY_BPS));
        call.world.run_for(s(8));
        call.set_rate(600_000);
        call.world.run_for(s(1));
        assert!(call.estimate_bps() <= 600_000.0, "seed {seed}: {}", call.estimate_bps());
        call.world.run_for(s(9));
        for sink in call.seen.clone() {
            assert!(call.world.verdict_since(sink, call.world.now - s(2)).frame_rate > 5.0, "seed {seed}");
        }
        call.set_rate(CAPACITY_BPS);
        call.world.run_for(s(15));
        assert!(call.estimate_bps() > 0.8 * CAPACITY_BPS as f64, "seed {seed}: {}", call.estimate_bps());
        call.assert_decodable();
    }
}

/// Harm prevented: nobody knows why a picture stands still, or it stands still for ever.
#[test]
fn what_does_not_fit_is_paused_with_an_event_and_resumes_by_itself() {
    let mut call = Call::behind(330, 4, thin(CAPACITY_BPS));
    call.world.run_for(s(5));
    call.set_rate(120_000);
    call.world.run_for(s(12));
    let flows = |call: &Call, sink| call.world.verdict_since(sink, call.world.now - s(3)).decoded > 0;
    let starved: Vec<_> = call.seen.iter().copied().filter(|sink| !flows(&call, *sink)).collect();
    assert!(!starved.is_empty(), "four pictures and a voice in 120 kbit/s");
    let mut suspended = 0;
    for sink in &starved {
        let (paused, resumed) = call.suspensions(*sink);
        suspended += paused - resumed;
        // Whose turn has just come again is still waiting for a picture.
        let is_told = paused == resumed + 1 || call.resumed_at(*sink) > Some(call.world.now - s(3));
        assert!(is_told, "nobody is starved silently: paused {paused} times, resumed {resumed} times");
    }
    assert!(suspended > 0);
    call.set_rate(CAPACITY_BPS);
    call.world.run_for(s(15));
    for sink in call.seen.clone() {
        assert!(flows(&call, sink));
        let (paused, resumed) = call.suspensions(sink);
        assert_eq!(paused, resumed);
    }
    call.assert_decodable();
}

/// Harm prevented: voices break up because pictures take their place.
#[test]
fn a_voice_loses_nothing_while_pictures_are_squeezed() {
    let mut call = Call::behind(340, 4, thin(1_000_000));
    call.world.run_for(s(5));
    let before = call.world.sink(call.heard).packet_count;
    let from = call.world.now;
    call.world.run_for(s(10));
    let heard = call.world.sink(call.heard).packet_count - before;
    assert!((498..=502).contains(&heard), "{heard} of 500");
    let waited = call.world.network.stats(call.bob, Direction::Down).wait_percentile(0.95, from, call.world.now);
    assert!(waited < ms(150), "{waited:?}");
}

/// Harm prevented: one viewer's bad link makes everybody's picture small.
#[test]
fn only_who_is_squeezed_gets_less() {
    let mut world = World::new(350);
    let (alice, bob, carol) = (world.peer(), world.peer(), world.peer());
    let source = world.publish(alice, &Video::simulcast(VideoCodec::Vp8, 3));
    world.run_for(ms(500));
    let [squeezed, free] = [bob, carol].map(|peer| world.consume(peer, source));
    world.run_for(s(6));
    let width = |world: &World, sink| world.verdict_since(sink, world.now - s(2)).size.map(|(width, _)| width);
    assert_eq!((width(&world, squeezed), width(&world, free)), (Some(1280), Some(1280)));
    // Less than the middle size costs at its lowest frame rate, more than the smallest at its highest.
    *world.network.link(bob, Direction::Down) = thin(200_000);
    world.run_for(s(8));
    assert_eq!((width(&world, squeezed), width(&world, free)), (Some(320), Some(1280)));
    *world.network.link(bob, Direction::Down) = Link::CLEAN;
    world.run_for(s(12));
    assert_eq!((width(&world, squeezed), width(&world, free)), (Some(1280), Some(1280)));
    for sink in [squeezed, free] {
        world.assert_decodable(sink);
    }
    assert_eq!(world.verdict_since(free, world.now - s(24)).freezes, 0);
}

/// Harm prevented: what is lost on the way to us is taken for loss on the way from us.
#[test]
fn a_publishers_lossy_uplink_lowers_nobodys_downlink() {
    // One call's key frames and steps fall this way or that: the mean of some says what the loss does.
    let seeds = [360, 361, 362, 363, 364];
    let estimates = [0.0, 0.15].map(|loss| {
        let calls = seeds.iter().map(|seed| {
            let mut call = Call::behind(*seed, 3, thin(CAPACITY_BPS));
            *call.world.network.link(0, Direction::Up) = Link::lossy(loss);
            call.world.run_for(s(8));
            call.utilisation(5)
        });
        calls.sum::<f64>() / seeds.len() as f64
    });
    let [clean, lossy] = estimates;
    assert!(lossy > 0.9 * clean, "{lossy} against {clean}");
}

/// Harm prevented: the owner's limit is a suggestion.
#[test]
fn neither_media_nor_probes_exceed_the_configured_maximum() {
    let max_bps = 1_000_000;
    let mut call = Call::behind(370, 4, Link::CLEAN);
    let (transport, now) = (call.world.peers[call.bob].transport, call.world.now);
    call.world.core.set_max_outgoing_bps(now, transport, Some(max_bps)).unwrap();
    for _ in 0..10 {
        call.world.run_for(s(1));
        assert!(call.estimate_bps() <= max_bps as f64);
    }
    let (from, to) = (call.start + s(2), call.world.now);
    let sent = call.world.network.stats(call.bob, Direction::Down).delivered_bps(from, to);
    assert!((0.6..=1.0).contains(&(sent / max_bps as f64)), "{sent}");
}

#[test]
fn a_peer_that_reports_nothing_is_sent_everything() {
    let mut call = Call::new(380, 2, Link::CLEAN, BandwidthFeedback::Nothing);
    call.world.run_for(s(5));
    for sink in call.seen.clone() {
        assert_eq!(call.width(sink), 1280);
        assert_eq!(call.suspensions(sink), (0, 0));
    }
}

#[test]
fn a_peers_own_estimate_is_followed() {
    let mut call = Call::new(381, 2, thin(1_000_000), BandwidthFeedback::Remb);
    call.world.run_for(s(15));
    let sent = call.world.network.stats(call.bob, Direction::Down).delivered_bps(call.start + s(8), call.world.now);
    // Such an estimate is a multiple of what comes: it does not reach over a step that costs more.
    assert!((200_000.0..=1_000_000.0).contains(&sent), "{sent}");
    for sink in call.seen.clone() {
        assert!(call.width(sink) < 1280);
        assert!(call.world.verdict_since(sink, call.world.now - s(3)).frame_rate > 5.0);
    }
    call.assert_decodable();
}

/// Harm prevented: who sees one or two others sees them small for ever, for such an estimate follows what comes in.
#[test]
fn a_peers_own_estimate_reaches_the_largest_picture() {
    for (publishers, within) in [(1, s(20)), (2, s(28))] {
        let mut call = Call::new(382, publishers, thin(CAPACITY_BPS), BandwidthFeedback::Remb);
        call.world.run_for(within);
        for sink in call.seen.clone() {
            assert_eq!(call.width(sink), 1280, "of {publishers}");
        }
        assert!(call.queue_p95() < ms(60), "{:?}", call.queue_p95());
        call.assert_decodable();
    }
}

/// Harm prevented: filling up what is sent makes a queue of a path that is full.
#[test]
fn a_full_path_is_left_alone_though_more_is_wanted() {
    let mut call = Call::new(383, 4, thin(CAPACITY_BPS), BandwidthFeedback::Remb);
    call.world.run_for(s(40));
    let utilisation = call.utilisation(10);
    assert!(utilisation > 0.7, "{utilisation}");
    assert!(call.queue_p95() < ms(120), "{:?}", call.queue_p95());
    let frozen: Duration = call.seen.iter().map(|sink| call.world.verdict_since(*sink, call.start).frozen).sum();
    assert!(frozen < ms(500), "{frozen:?}");
    call.assert_decodable();
}

#[test]
fn who_has_priority_is_seen_best() {
    let mut call = Call::behind(390, 3, thin(1_800_000));
    let (last, now) = (call.seen[2], call.world.now);
    let id = call.world.sink(last).info.id;
    call.world.core.set_consumer_priority(now, id, 10).unwrap();
    call.world.run_for(s(15));
    let widths: Vec<_> = call.seen.iter().map(|sink| call.width(*sink)).collect();
    assert!(widths[2] == 1280 && widths[0] < 1280 && widths[1] < 1280, "{widths:?}");
}

/// Harm prevented: each key frame makes everything else late, sound included; or everything is late though the path is wide.
#[test]
fn a_key_frame_is_no_burst_on_a_thin_link_and_no_delay_on_a_wide_one() {
    let mut world = World::new(400);
    let (alice, bob, carol) = (world.peer(), world.peer(), world.peer());
    let source = world.publish(alice, &Video::single(VideoCodec::Vp8));
    world.run_for(ms(500));
    *world.network.link(bob, Direction::Down) = thin(2_000_000);
    let [behind_thin, behind_wide] = [bob, carol].map(|peer| world.consume(peer, source));
    world.run_for(s(5));
    let from = world.now;
    for _ in 0..8 {
        world.peers[carol].send_pli(behind_wide.index);
        world.settle();
        world.run_for(s(1));
    }
    let stats = world.network.stats(bob, Direction::Down);
    let verdict = world.verdict_since(behind_thin, from);
    assert!(verdict.key_frames >= 6, "{verdict:?}");
    assert_eq!((stats.overflows(from, world.now), verdict.freezes), (0, 0));
    assert!(stats.wait_percentile(1.0, from, world.now) < ms(120), "{:?}", stats.wait_percentile(1.0, from, world.now));
    let wide = world.verdict_since(behind_wide, from);
    assert!(wide.delay_p95 < ms(55), "{:?}", wide.delay_p95);
}

/// Harm prevented: in a room of ten the one with the thin link sees nothing, and nobody knows.
#[test]
fn in_a_room_of_ten_on_mixed_links_nobody_freezes_or_starves_silently() {
    let mut world = World::new(410);
    let peers: Vec<_> = (0..10).map(|_| world.peer()).collect();
    let video = Video::simulcast(VideoCodec::Vp8, 3);
    let sources: Vec<_> = peers.iter().map(|peer| world.publish(*peer, &video)).collect();
    world.run_for(ms(500));
    let links = [
        Link::CLEAN,
        thin(6_000_000),
        thin(2_500_000),
        thin(1_200_000),
        Link { loss: Loss::Bernoulli(0.02), ..thin(4_000_000) },
    ];
    let mut seen = Vec::new();
    for (peer, link) in peers.iter().zip(links) {
        *world.network.link(*peer, Direction::Down) = link;
        for source in sources.iter().filter(|source| source.peer != *peer) {
            seen.push(world.consume(*peer, *source));
        }
    }
    world.run_for(s(10));
    let from = world.now;
    world.run_for(s(6));
    for sink in seen {
        let verdict = world.verdict_since(sink, from);
        assert!(verdict.frame_rate > 5.0, "{sink:?}: {verdict:?}");
        assert!(verdict.frozen < s(1), "{sink:?}: {verdict:?}");
        assert_eq!(verdict.undecodable, 0, "{sink:?}");
    }
    world.assert_sound();
}
