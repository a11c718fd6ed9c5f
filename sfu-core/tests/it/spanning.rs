//! A room on two workers: those behind the pipe get what those at home get.

mod news;
mod overload;

use sfu_core::router::RouterEvent;
use simulation::source::video::{Audio, Video, VideoCodec};
use simulation::vectors::without_rtx;
use simulation::{Direction, Kind, Link, PeerOptions, SinkId, SourceId, World, ms, s, vectors};

use crate::layers::{Form, assert_watchable, current, forms, prefer, without_bandwidth_feedback};

/// A room with a publisher at home, and another worker.
fn room(seed: u64) -> (World, usize) {
    let mut world = World::new(seed);
    let router = world.router;
    world.span(router);
    let alice = world.peer();
    (world, alice)
}

fn on_branch() -> PeerOptions {
    PeerOptions { on_branch: true, ..PeerOptions::default() }
}

/// Packets that went through the pipe so far, and those that were dropped before.
fn piped(world: &mut World) -> (u64, u64) {
    let home = world.core.stats();
    assert_eq!(home.packets_piped_out - home.packets_piped_dropped, world.branch().core.stats().packets_piped_in);
    (home.packets_piped_out, home.packets_piped_dropped)
}

/// Harm prevented: people in a large meeting see what the others see only if they came early.
#[test]
fn every_kind_of_stream_is_watchable_behind_the_pipe_and_changes_its_layers_there() {
    for (seed, Form { name, video, highest, .. }) in (7000..).zip(forms()) {
        let (mut world, alice) = room(seed);
        let source = world.publish(alice, &video);
        let viewers = [world.connected_peer(on_branch()), world.peer()];
        let sinks =
            viewers.map(|viewer| world.consume_as(viewer, source, without_bandwidth_feedback(), false).unwrap());
        world.run_for(s(3));
        let wishes = [(0, 0), (highest.0, highest.1), (highest.0.min(1), 0), (0, highest.1), highest];
        for wish in wishes {
            for sink in sinks {
                prefer(&mut world, sink, wish);
            }
            world.run_for(s(3));
            for (sink, place) in sinks.iter().zip(["behind the pipe", "at home"]) {
                assert_eq!(current(&world, *sink), Some(wish), "{name}, {place}");
            }
        }
        for (sink, place) in sinks.into_iter().zip(["behind the pipe", "at home"]) {
            assert_watchable(&world, sink, &format!("{name}, {place}"));
            assert!(world.playback(sink).freezes(world.now).is_empty(), "{name}, {place}");
        }
    }
}

/// Harm prevented: a pipe that carries a copy for each viewer costs what it was to save.
#[test]
fn each_packet_goes_through_once_however_many_consume_it_there() {
    let (mut world, alice) = room(7100);
    let source = world.produce(alice, "vp8");
    let viewers: Vec<_> = (0..5).map(|_| world.connected_peer(on_branch())).collect();
    world.run_for(s(1));
    assert_eq!(piped(&mut world), (0, 0), "nobody consumes it there");
    let sinks: Vec<_> = viewers.iter().map(|viewer| world.consume(*viewer, source)).collect();
    let before = world.core.stats().packets_received;
    world.run_for(s(5));
    assert_eq!(piped(&mut world).0, world.core.stats().packets_received - before);
    for sink in sinks {
        world.assert_complete(sink, source);
    }
}

/// Harm prevented: a viewer behind the pipe with a bad link sees frozen pictures, or makes the publisher repeat what is there.
#[test]
fn what_a_viewer_loses_is_repeated_from_the_branchs_memory() {
    for (seed, has_rtx) in [(7200, true), (7201, false)] {
        let (mut world, alice) = room(seed);
        let (kind, parameters) = vectors::producer("vp8");
        let parameters = if has_rtx { parameters } else { without_rtx(parameters) };
        let source = world.produce_with(alice, kind, parameters).unwrap();
        world.start(source);
        let bob = world.connected_peer(PeerOptions { down: Link::lossy(0.05), ..on_branch() });
        let sink = world.consume(bob, source);
        world.run_for(s(20));
        world.assert_complete_before(sink, source, world.now - s(3));
        assert!(world.sink(sink).nacks_sent > 20);
        assert!(world.layer(source).heard.nacked.is_empty(), "the publisher is not bothered");
    }
}

/// Harm prevented: what the publisher repeats, as RTX, does not get through the pipe as what it is.
#[test]
fn what_the_publisher_loses_and_repeats_arrives_behind_the_pipe() {
    let mut world = World::new(7210);
    let router = world.router;
    world.span(router);
    let alice = world.connected_peer(PeerOptions { up: Link::lossy(0.05), ..PeerOptions::default() });
    let source = world.produce(alice, "vp8");
    let viewers = [world.connected_peer(on_branch()), world.peer()];
    let sinks = viewers.map(|viewer| world.consume(viewer, source));
    world.run_for(s(20));
    let mut asked: Vec<u16> = world.layer(source).heard.nacked.iter().map(|(_, sequence)| *sequence).collect();
    let count = asked.len();
    asked.sort_unstable();
    asked.dedup();
    assert!(count > 20, "nothing was lost");
    // A repeat may be lost as well, and is asked for again then.
    assert!(count - asked.len() <= count / 5, "asked for once for both workers: {count}, {}", asked.len());
    for sink in sinks {
        world.assert_complete_before(sink, source, world.now - s(3));
    }
}

/// Harm prevented: of a key frame whose beginning came late, behind the pipe the rest is missing.
#[test]
fn on_a_path_that_loses_and_reorders_both_workers_viewers_see_the_same_pictures() {
    for (seed, form) in (7220..).zip(forms()) {
        let mut world = World::new(seed);
        let router = world.router;
        world.span(router);
        let alice = world.peer();
        let source = world.publish(alice, &form.video);
        let viewers = [world.connected_peer(on_branch()), world.peer()];
        let sinks =
            viewers.map(|viewer| world.consume_as(viewer, source, without_bandwidth_feedback(), false).unwrap());
        world.run_for(s(2));
        *world.network.link(alice, Direction::Up) = Link { reordering: 0.1, jitter: ms(3), ..Link::lossy(0.05) };
        let from = world.now;
        for _ in 0..20 {
            world.run_for(ms(500));
            let now = world.now;
            for layer in &mut world.source_mut(source).layers {
                layer.want_key_frame(now);
            }
        }
        let [there, here] = sinks.map(|sink| {
            let shown = world.playback(sink).between(from, world.now);
            shown.iter().map(|shown| (shown.captured, shown.layers)).collect::<Vec<_>>()
        });
        assert!(here.len() > 200, "{}: {} pictures", form.name, here.len());
        assert_eq!(there, here, "{}", form.name);
    }
}

/// Harm prevented: whoever is behind the pipe asks in vain for what the publisher's path was probed with.
#[test]
fn padding_leaves_no_gap_behind_the_pipe() {
    let (mut world, alice) = room(7230);
    let source = world.produce(alice, "vp8");
    let bob = world.connected_peer(on_branch());
    let sink = world.consume(bob, source);
    world.run_for(s(1));
    for _ in 0..20 {
        world.run_for(ms(100));
        let now = world.now;
        let mut padding = world.layer(source).sent.last().expect("packets").clone();
        padding.extended = world.layer(source).next;
        padding.payload.clear();
        world.source_mut(source).layers[0].next += 1;
        let packet = world.source(source).packet(world.layer(source), &padding);
        let datagram = world.peers[alice].seal_rtp(now, source.index, packet).unwrap();
        let tuple = world.peers[alice].tuple;
        world.network.send_up(now, alice, tuple, datagram);
    }
    world.run_for(s(1));
    assert!(world.sink(sink).holes().is_empty() && world.sink(sink).nacks_sent == 0);
    world.assert_decodable(sink);
}

/// Harm prevented: each worker asks for itself, and every picture gets worse with each worker that the room is on.
#[test]
fn a_crowd_on_both_workers_costs_the_publisher_one_key_frame() {
    let (mut world, alice) = room(7300);
    let source = world.produce(alice, "vp8");
    let crowd: Vec<_> = (0..20)
        .map(|number| world.connected_peer(PeerOptions { on_branch: number % 2 == 0, ..PeerOptions::default() }))
        .collect();
    let sinks: Vec<_> = crowd.iter().map(|peer| world.consume(*peer, source)).collect();
    world.run_for(s(3));
    assert_eq!(world.layer(source).heard.key_frame_requests().len(), 1);
    let requests = world.branch().requests;
    for sink in &sinks {
        world.peers[sink.peer].send_pli(sink.index);
    }
    world.settle();
    world.run_for(s(3));
    assert_eq!(world.layer(source).heard.key_frame_requests().len(), 2);
    assert_eq!(world.branch().requests - requests, 1, "the home is asked once for all");
    for sink in sinks {
        world.assert_complete(sink, source);
    }
}

/// Harm prevented: whoever joins behind the pipe waits for a key frame that the publisher gives when it likes.
#[test]
fn who_starts_behind_the_pipe_sees_a_picture_as_soon_as_who_starts_at_home() {
    for is_there in [true, false] {
        let (mut world, alice) = room(7310);
        let source = world.produce(alice, "h264-cb");
        let bob = world.connected_peer(PeerOptions { on_branch: is_there, ..PeerOptions::default() });
        world.run_for(s(2));
        let joined = world.now;
        let sink = world.consume(bob, source);
        world.run_for(s(1));
        let first = world.stream(sink, source)[0].got.at - joined;
        assert!(first < ms(20 + 50 + 33 + 20 + 20), "behind the pipe: {is_there}, {first:?}");
    }
}

/// Harm prevented: a source that starts anew (a reload, another device) leaves those behind the pipe with a frozen picture.
#[test]
fn a_source_whose_numbers_start_anew_goes_on_behind_the_pipe() {
    let (mut world, alice) = room(7330);
    let source = world.produce(alice, "vp8");
    let bob = world.connected_peer(on_branch());
    let sink = world.consume(bob, source);
    world.run_for(s(3));
    let now = world.now;
    let layer = &mut world.source_mut(source).layers[0];
    layer.next += 30_000;
    layer.timestamp_base = layer.timestamp_base.wrapping_add(1_234_567_890);
    layer.want_key_frame(now);
    world.run_for(s(5));
    let pairs = world.pairs(sink, source);
    let after = pairs.iter().filter(|pair| pair.published.at > now + s(1)).count();
    let published = world.layer(source).sent.iter().filter(|packet| packet.at > now + s(1)).count();
    assert!(after + 10 > published, "{after} of {published}");
    assert!(world.sink(sink).holes().len() < 1000);
}

/// Harm prevented: voices behind the pipe come without their redundancy, or not at all.
#[test]
fn sound_comes_through_whole() {
    for (seed, audio) in [(7340, Audio::default()), (7341, Audio { is_red: true, ..Audio::default() })] {
        let (mut world, alice) = room(seed);
        let voice = world.publish_audio(alice, audio);
        let bob = world.connected_peer(on_branch());
        let sink = world.consume(bob, voice);
        world.run_for(s(5));
        assert!(world.sink(sink).packet_count >= 240, "{}", world.sink(sink).packet_count);
        assert!(world.sink(sink).holes().is_empty());
        world.assert_sound();
    }
}

/// Harm prevented: a path that is thin behind the pipe is not noticed, or the layers that fit are not known there.
#[test]
fn a_thin_path_behind_the_pipe_gets_the_layers_that_fit() {
    let (mut world, alice) = room(7350);
    let source = world.publish(alice, &Video::simulcast(VideoCodec::Vp8, 3));
    let thin = Link::thin(700_000, 200);
    let bob = world.connected_peer(PeerOptions { down: thin, ..on_branch() });
    let sink = world.consume(bob, source);
    world.run_for(s(20));
    let (spatial, _) = current(&world, sink).expect("something flows");
    assert!(spatial < 2, "the largest has more than the path");
    assert!(world.verdict_since(sink, world.now - s(5)).frame_rate > 10.0);
    assert_watchable(&world, sink, "a thin path");
}

/// Harm prevented: who hangs up behind the pipe is paid for for the rest of the call.
#[test]
fn what_nobody_consumes_there_any_more_is_no_longer_piped_after_a_moment() {
    let (mut world, alice) = room(7360);
    let source = world.publish(alice, &Video::simulcast(VideoCodec::Vp8, 3));
    let bob = world.connected_peer(on_branch());
    let sink = world.consume(bob, source);
    world.run_for(s(5));
    let (now, consumer) = (world.now, world.sink(sink).info.id);
    world.branch().core.close_consumer(now, consumer);
    world.settle();
    world.run_for(s(5));
    let (before, _) = piped(&mut world);
    world.run_for(s(2));
    assert_eq!(piped(&mut world).0, before);
    assert_eq!(world.branch().core.stream_count(), 0, "nothing is left of it");
    // And it comes back.
    let again = world.consume(bob, source);
    world.run_for(s(3));
    assert_watchable(&world, again, "again");
    assert!(world.playback(again).shown.len() > 60);
}

/// The events about a consumer since a number of them.
fn news_of(world: &World, sink: SinkId, from: usize) -> Vec<RouterEvent> {
    let id = world.sink(sink).info.id;
    let is_of = |event: &RouterEvent| match event {
        RouterEvent::ConsumerClosed { consumer_id, .. }
        | RouterEvent::ConsumerProducerPaused { consumer_id }
        | RouterEvent::ConsumerProducerResumed { consumer_id }
        | RouterEvent::ConsumerSuspended { consumer_id, .. }
        | RouterEvent::ConsumerUnsuspended { consumer_id } => *consumer_id == id,
        _ => false,
    };
    world.events[from..].iter().map(|(_, _, event)| event.clone()).filter(is_of).collect()
}

/// Which layers a publisher was told last that anybody wants.
fn wanted(world: &World, source: SourceId) -> Option<Vec<u8>> {
    let producer = world.source(source).producer;
    world.events.iter().rev().find_map(|(_, _, event)| match event {
        RouterEvent::ProducerLayersWanted { producer_id, spatial_layers } if *producer_id == producer => {
            Some(spatial_layers.clone())
        }
        _ => None,
    })
}

/// Media packets that the core sent to a peer.
fn media_to(world: &mut World, peer: usize) -> std::rc::Rc<std::cell::Cell<usize>> {
    let count = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = std::rc::Rc::clone(&count);
    world.network.drop_if(move |datagram| {
        if datagram.peer == peer && datagram.direction == Direction::Down && datagram.kind() == Kind::Rtp {
            counted.set(counted.get() + 1);
        }
        false
    });
    count
}
