//! A picture's packets leave for each consumer together.

use std::time::{Duration, Instant};

use sfu_core::worker::{Joining, MAX_JOINED, TransmitClass, TransmitQueue};

use simulation::source::video::{Video, VideoCodec};
use simulation::vectors::{capabilities, producer, without_rtx};
use simulation::{Link, PeerOptions, SourceId, World, ms, s};

const WAIT: Duration = Duration::from_millis(1);
const JOINED: Joining = Joining { wait: WAIT, pads: true };

/// The next picture's packets, sealed and not yet handed over.
fn next_picture(world: &mut World, source: SourceId) -> (Instant, Vec<Vec<u8>>) {
    world.run_for(ms(33));
    world.start(source);
    let now = world.now;
    let frame = world.source_mut(source).poll_frame(now);
    let sealed = frame.into_iter().map(|packet| world.peers[source.peer].seal_rtp(now, source.index, packet).unwrap());
    let sealed: Vec<Vec<u8>> = sealed.collect();
    (now, sealed)
}

/// A call of one publisher with `consumers`, with nothing on its way, and how many packets its pictures have.
fn room(seed: u64, media: &str, packets: usize, consumers: usize) -> (World, SourceId) {
    let mut world = World::new(seed);
    world.core.set_joining(JOINED);
    let up = Link { latency: Duration::ZERO, ..Link::CLEAN };
    let alice = world.connected_peer(PeerOptions { up, ..PeerOptions::default() });
    let viewers: Vec<_> = (0..consumers).map(|_| world.peer()).collect();
    let source = world.produce(alice, media);
    if packets > 0 {
        let layer = &mut world.source_mut(source).layers[0];
        (layer.packets, layer.bytes) = (packets, 1000);
    }
    for viewer in viewers {
        world.consume(viewer, source);
    }
    world.run_for(s(2));
    (world, source)
}

/// The media runs that wait to be sent: how long each of their datagrams is.
fn runs(world: &mut World, class: TransmitClass) -> Vec<Vec<usize>> {
    let transmits = world.core.transmits();
    let runs = transmits.runs().filter(|run| run.class == class);
    let runs = runs.map(|run| run.datagrams().map(<[u8]>::len).collect()).collect();
    transmits.clear();
    runs
}

/// Harm prevented: each packet is a send of its own, which is most of what forwarding costs.
#[test]
fn a_picture_leaves_for_each_consumer_as_one_run_of_equal_datagrams() {
    let (mut world, source) = room(171, "vp8", 6, 3);
    for _ in 0..20 {
        let (now, packets) = next_picture(&mut world, source);
        let tuple = world.peers[source.peer].tuple;
        assert!((4..=MAX_JOINED).contains(&packets.len()));
        for mut packet in packets.clone() {
            world.core.handle_datagram(now, tuple, &mut packet);
        }
        assert!(!world.core.forward_gathered(now), "nothing is left");
        let runs = runs(&mut world, TransmitClass::Video);
        assert_eq!(runs.len(), 3);
        for run in runs {
            let (last, others) = run.split_last().unwrap();
            assert_eq!(run.len(), packets.len());
            assert!(others.iter().all(|len| *len == run[0] && len >= last), "{run:?}");
        }
    }
}

/// Harm prevented: a key frame of a hundred packets is gathered whole before the first of it leaves.
#[test]
fn a_large_picture_leaves_in_parts() {
    let (mut world, source) = room(172, "vp8", 40, 1);
    let (now, packets) = next_picture(&mut world, source);
    let tuple = world.peers[source.peer].tuple;
    let mut sent = 0;
    for mut packet in packets.clone() {
        world.core.handle_datagram(now, tuple, &mut packet);
        if world.core.has_batch() {
            world.core.forward_gathered(now);
            let runs = runs(&mut world, TransmitClass::Video);
            assert!(runs.iter().all(|run| run.len() <= MAX_JOINED), "{runs:?}");
            sent += runs.concat().len();
            assert!(!world.core.has_batch());
        }
    }
    assert!(sent >= MAX_JOINED, "the first left before the last had come");
    world.core.forward_gathered(now);
    sent += runs(&mut world, TransmitClass::Video).concat().len();
    // What the pacer holds back leaves later.
    assert!(sent <= packets.len());
}

/// Harm prevented: a picture whose last packet is lost waits for the next picture.
#[test]
fn what_is_missing_is_waited_for_no_longer_than_agreed() {
    let (mut world, source) = room(173, "vp8", 6, 2);
    let (now, mut packets) = next_picture(&mut world, source);
    let tuple = world.peers[source.peer].tuple;
    packets.pop();
    for packet in &mut packets {
        world.core.handle_datagram(now, tuple, packet);
    }
    world.core.forward_gathered(now);
    assert!(runs(&mut world, TransmitClass::Video).is_empty(), "it waits for the last");
    let at = world.core.poll_timeout().map(|(at, _)| at).unwrap();
    assert!(at <= now + WAIT);
    world.core.handle_timeout(now + WAIT);
    world.core.forward_gathered(now + WAIT);
    assert_eq!(runs(&mut world, TransmitClass::Video).concat().len(), 2 * packets.len());
}

/// Harm prevented: a receiver's jitter buffer grows by what sound waits for.
#[test]
fn sound_waits_for_nothing() {
    let (mut world, source) = room(174, "opus", 0, 3);
    let (now, packets) = next_picture(&mut world, source);
    let tuple = world.peers[source.peer].tuple;
    assert!(!packets.is_empty());
    for mut packet in packets.clone() {
        world.core.handle_datagram(now, tuple, &mut packet);
    }
    assert_eq!(runs(&mut world, TransmitClass::Audio).len(), 3 * packets.len());
}

/// Harm prevented: a worker waits for a queue to be drained that it alone drains, and everybody on it hears and sees nothing more.
#[test]
fn sound_waits_for_no_room_in_the_queue_either() {
    let (mut world, source) = room(174, "opus", 0, 3);
    let (now, packets) = next_picture(&mut world, source);
    let tuple = world.peers[source.peer].tuple;
    for _ in 0..=TransmitQueue::DRAIN_BYTES / 1000 {
        world.core.transmits().push(tuple, &[0; 1000]);
    }
    assert!(world.core.transmits().is_full());
    for mut packet in packets.clone() {
        world.core.handle_datagram(now, tuple, &mut packet);
    }
    assert_eq!(runs(&mut world, TransmitClass::Audio).len(), 3 * packets.len());
}

/// Harm prevented: packets of a picture that overtook each other or came again are lost between gathering and giving out.
#[test]
fn over_paths_that_lose_and_reorder_everything_is_decoded() {
    let videos = [
        Video::single(VideoCodec::H264),
        Video::simulcast(VideoCodec::Vp8, 3),
        Video::svc(VideoCodec::Vp9, "L3T3"),
        Video::svc(VideoCodec::Av1, "L3T3_KEY"),
    ];
    for (seed, video) in (175..).zip(videos) {
        let mut world = World::new(seed);
        world.core.set_joining(JOINED);
        let up = Link { reordering: 0.05, jitter: ms(3), ..Link::lossy(0.03) };
        let alice = world.connected_peer(PeerOptions { up, ..PeerOptions::default() });
        let viewers =
            [(); 3].map(|()| world.connected_peer(PeerOptions { down: Link::lossy(0.02), ..PeerOptions::default() }));
        let source = world.publish(alice, &video);
        let sinks = viewers.map(|viewer| world.consume(viewer, source));
        let began = world.now;
        world.run_for(s(30));
        for sink in sinks {
            let verdict = world.verdict_since(sink, began);
            assert_eq!(verdict.undecodable, 0, "{video:?}");
            assert!(verdict.frame_rate > 10.0, "{video:?}: {verdict:?}");
        }
    }
}

/// Harm prevented: other bytes under a number that was sealed before give an eavesdropper the key stream.
#[test]
fn what_is_repeated_without_rtx_has_the_padding_that_it_had() {
    let mut world = World::new(179);
    world.core.set_joining(JOINED);
    let alice = world.connected_peer(PeerOptions { up: Link::lossy(0.05), ..PeerOptions::default() });
    let bob = world.connected_peer(PeerOptions { down: Link::lossy(0.05), ..PeerOptions::default() });
    let (kind, parameters) = producer("vp8");
    let source = world.produce_with(alice, kind, without_rtx(parameters)).unwrap();
    world.start(source);
    let sink = world.consume_as(bob, source, capabilities("no-rtx"), false).unwrap();
    world.run_for(s(20));
    world.assert_complete_before(sink, source, world.now - s(3));
    assert!(world.network.repeated > 20, "{}", world.network.repeated);
}
