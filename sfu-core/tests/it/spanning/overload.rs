//! A worker that is behind, and what a pipe costs.

use sfu_core::parameters::ConsumerLayers;
use sfu_core::worker::{PIPE_PACKETS_MAX, PipeBatch};

use super::*;
use crate::allocations::count;

/// Harm prevented: a worker that is behind makes memory grow without bound, and then shows what was long ago.
#[test]
fn for_a_worker_that_is_behind_video_is_dropped_first_and_a_key_frame_asked_for_when_it_is_back() {
    let (mut world, alice) = room(7500);
    let source = world.produce(alice, "vp8");
    world.source_mut(source).layers[0].packets = 12;
    let voice = world.publish_audio(alice, Audio::default());
    let bob = world.connected_peer(on_branch());
    let (sink, heard) = (world.consume(bob, source), world.consume(bob, voice));
    world.run_for(s(3));
    assert_eq!(piped(&mut world).1, 0);
    let asked = world.layer(source).heard.key_frame_requests().len();
    world.branch().is_stalled = true;
    // 360 packets of video a second, and 50 of sound.
    world.run_for(s(20));
    let dropped = world.core.stats().packets_piped_dropped;
    assert!(dropped > 4000, "{dropped}");
    world.branch().is_stalled = false;
    let back = world.now;
    world.settle();
    world.run_for(s(3));
    assert_eq!(piped(&mut world).1, dropped);
    assert_eq!(world.layer(source).heard.key_frame_requests().len(), asked + 1, "asked for once");
    assert!(world.sink(heard).holes().is_empty(), "no sound was dropped");
    assert!(world.sink(heard).given_up.is_empty());
    let rate = world.playback(sink).frame_rate(back + s(1), world.now);
    assert!(rate > 25.0, "{rate} pictures a second a second later");
}

#[test]
fn what_waits_for_a_worker_that_is_gone_for_good_is_bounded() {
    let (mut world, alice) = room(7510);
    let voices: Vec<_> = (0..8).map(|_| world.publish_audio(alice, Audio::default())).collect();
    let bob = world.connected_peer(on_branch());
    for voice in voices {
        world.consume(bob, voice);
    }
    world.run_for(s(1));
    world.branch().is_stalled = true;
    world.run_for(s(30));
    let (now, head) = (world.now, world.branch().head);
    let mut batch = PipeBatch::default();
    assert!(world.core.take_batch(now, head, &mut batch));
    assert!((PIPE_PACKETS_MAX / 2..=PIPE_PACKETS_MAX).contains(&batch.packet_count()), "{}", batch.packet_count());
    assert!(!world.core.take_batch(now, head, &mut batch));
}

/// Harm prevented: what viewers wish and miss fills the memory of their worker while the home's is behind.
#[test]
fn what_waits_for_a_home_that_is_behind_is_kept_once() {
    let (mut world, alice) = room(7515);
    let source = world.publish(alice, &Video::simulcast(VideoCodec::Vp8, 3));
    let bob = world.connected_peer(on_branch());
    let sink = world.consume_as(bob, source, without_bandwidth_feedback(), false).unwrap();
    world.run_for(s(4));
    let consumer = world.sink(sink).info.id;
    let mut now = world.now;
    let tail = world.branch().tail;
    let core = &mut world.branch().core;
    for round in 0..100 {
        now += s(1);
        let layers = ConsumerLayers { spatial_layer: round % 3, temporal_layer: None };
        core.set_preferred_layers(now, consumer, layers).unwrap();
        core.request_key_frame(now, consumer).unwrap();
    }
    let waiting = std::iter::from_fn(|| core.poll_pipe_request(tail)).count();
    assert!((2..=10).contains(&waiting), "{waiting}");
}

/// Harm prevented: each branch keeps the pictures of whoever has stopped sending.
#[test]
fn the_memory_of_a_source_that_is_silent_is_freed_in_the_branch() {
    let (mut world, alice) = room(7516);
    let source = world.produce(alice, "vp8");
    let bob = world.connected_peer(on_branch());
    world.consume(bob, source);
    world.run_for(s(10));
    world.source_mut(source).stop();
    world.run_for(s(1));
    let later = world.now + s(5);
    let core = &mut world.branch().core;
    let freed = -count(|| core.handle_timeout(later)).live_bytes;
    // Two seconds of packets, which is what a store keeps.
    assert!(freed > 100_000, "{freed} bytes");
}

/// Harm prevented: each packet that goes to another worker costs an allocation on both.
#[test]
fn in_steady_state_a_piped_packet_allocates_nothing_on_either_side() {
    let mut world = World::new(7520);
    let router = world.router;
    world.span(router);
    let up = Link { latency: std::time::Duration::ZERO, ..Link::CLEAN };
    let alice = world.connected_peer(PeerOptions { up, ..PeerOptions::default() });
    let viewers: Vec<_> = (0..20).map(|_| world.connected_peer(on_branch())).collect();
    let source = world.produce(alice, "vp8");
    let layer = &mut world.source_mut(source).layers[0];
    (layer.packets, layer.bytes) = (10, 120);
    for viewer in viewers {
        world.consume(viewer, source);
    }
    world.run_for(s(5));
    let (tuple, head, tail) = (world.peers[alice].tuple, world.branch().head, world.branch().tail);
    let (mut batch, mut due) = (PipeBatch::default(), Vec::new());
    let (mut packets, mut calls) = (0, 0);
    for frame in 0..30 {
        world.run_for(ms(33));
        let now = world.now;
        world.start(source);
        for packet in world.source_mut(source).poll_frame(now) {
            let mut datagram = world.peers[alice].seal_rtp(now, source.index, packet).unwrap();
            let World { core, branch, .. } = &mut world;
            let other = &mut branch.as_mut().unwrap().core;
            let sent_before = other.stats().packets_sent;
            let counted = count(|| {
                core.handle_datagram(now, tuple, &mut datagram);
                core.take_due_heads(&mut due);
                due.clear();
                assert!(core.take_batch(now, head, &mut batch));
                while other.handle_piped(now, tail, &mut batch) {}
                assert!(!other.forward_gathered(now), "all leave at once");
            });
            assert_eq!(other.stats().packets_sent - sent_before, 20);
            world.settle();
            // Until the batch that the test has in hand is as large as the other.
            if frame >= 10 {
                (packets, calls) = (packets + 1, calls + counted.calls);
            }
        }
    }
    assert!(packets >= 200);
    assert!(calls <= 3, "{calls} allocations for {packets} packets to 20 consumers");
}
