//! What is told across the pipe: pauses, who speaks, layers, scores, endings.

use sfu_core::ids::Ssrc;
use sfu_core::router::{ConsumerCloseReason, RouterOptions, SuspendReason};
use sfu_core::stats::StreamStat;

use super::*;

fn closed(sink: SinkId, world: &World) -> RouterEvent {
    let consumer_id = world.sink(sink).info.id;
    RouterEvent::ConsumerClosed { consumer_id, reason: ConsumerCloseReason::ProducerClosed }
}

/// Harm prevented: who mutes the camera is still seen by half of the room, or never again.
#[test]
fn a_producer_that_pauses_and_resumes_does_so_behind_the_pipe() {
    let (mut world, alice) = room(7400);
    let source = world.produce(alice, "vp8");
    let bob = world.connected_peer(on_branch());
    let sink = world.consume(bob, source);
    world.run_for(s(2));
    let (producer, consumer_id) = (world.source(source).producer, world.sink(sink).info.id);
    let from = world.events.len();
    let now = world.now;
    world.core.pause_producer(now, producer).unwrap();
    world.settle();
    world.run_for(ms(100));
    let (media, before) = (media_to(&mut world, bob), piped(&mut world));
    world.run_for(s(2));
    assert_eq!((media.get(), piped(&mut world)), (0, before), "nothing is sent, nor piped");
    let now = world.now;
    world.core.resume_producer(now, producer).unwrap();
    world.settle();
    world.run_for(s(2));
    assert!(media.get() > 50);
    let told = news_of(&world, sink, from);
    let expected =
        [RouterEvent::ConsumerProducerPaused { consumer_id }, RouterEvent::ConsumerProducerResumed { consumer_id }];
    assert_eq!(told, expected);
    world.assert_decodable(sink);
}

/// Harm prevented: a ghost of who left stays on the screens of half of the room.
#[test]
fn a_producer_that_closes_closes_its_consumers_behind_the_pipe() {
    let (mut world, alice) = room(7410);
    let source = world.produce(alice, "vp8");
    let bob = world.connected_peer(on_branch());
    let sink = world.consume(bob, source);
    world.run_for(s(2));
    let (producer, now) = (world.source(source).producer, world.now);
    world.core.close_producer(now, producer);
    world.source_mut(source).stop();
    world.settle();
    assert_eq!(news_of(&world, sink, 0), [closed(sink, &world)]);
    assert_eq!(world.branch().core.stream_count(), 0);
}

/// Harm prevented: whoever consumes in the very moment in which a producer pauses or closes never hears of it.
#[test]
fn what_happens_while_a_shadow_is_made_is_told_all_the_same() {
    for closes in [true, false] {
        let (mut world, alice) = room(7420);
        let source = world.produce(alice, "vp8");
        let bob = world.connected_peer(on_branch());
        world.run_for(s(1));
        let (producer, now) = (world.source(source).producer, world.now);
        // The copy is on its way when it happens.
        let copy = world.core.copy_producer(world.router, producer).unwrap();
        if closes {
            world.core.close_producer(now, producer);
        } else {
            world.core.pause_producer(now, producer).unwrap();
        }
        let tail = world.branch().tail;
        world.branch().core.take_in_producer(now, tail, copy);
        let sink = world.consume(bob, source);
        world.run_for(ms(10));
        let consumer_id = world.sink(sink).info.id;
        let expected = if closes { closed(sink, &world) } else { RouterEvent::ConsumerProducerPaused { consumer_id } };
        assert_eq!(news_of(&world, sink, 0), [expected]);
    }
}

/// Harm prevented: a producer of another room is heard across a pipe by whoever knows its id.
#[test]
fn a_producer_of_another_room_gives_no_copy_and_is_not_opened() {
    let (mut world, _) = room(7430);
    let other = world.core.create_router(RouterOptions::default());
    let stranger = world.connected_peer(PeerOptions { router: Some(other), ..PeerOptions::default() });
    let source = world.produce(stranger, "opus");
    let producer = world.source(source).producer;
    assert!(world.core.copy_producer(world.router, producer).is_none());
    // Even if a branch asks for it.
    let copy = world.core.copy_producer(other, producer).unwrap();
    let (tail, now) = (world.branch().tail, world.now);
    world.branch().core.take_in_producer(now, tail, copy);
    world.settle();
    world.run_for(s(1));
    assert_eq!(piped(&mut world), (0, 0));
    assert_eq!(world.branch().core.stream_count(), 0, "it is told that there is none");
}

/// Harm prevented: who speaks is seen by half of the room, and by the other half who spoke before.
#[test]
fn whom_the_room_forwards_is_whom_it_forwards_behind_the_pipe() {
    let mut world = World::new(7440);
    let options = RouterOptions { last_n: Some(1), loudest_n: Some(1), ..RouterOptions::default() };
    let router = world.core.create_router(options);
    world.router = router;
    world.span(router);
    let mut video = Video::single(VideoCodec::Vp8);
    video.encodings[0].bitrates = vec![200_000];
    let people: Vec<_> = (0..2)
        .map(|_| {
            let peer = world.peer();
            let voice = world.publish_audio(peer, Audio { level: 127, is_voice: false, ..Audio::default() });
            (voice, world.publish(peer, &video))
        })
        .collect();
    let bob = world.connected_peer(on_branch());
    let sinks: Vec<_> =
        people.iter().map(|(voice, camera)| [*voice, *camera].map(|source| world.consume(bob, source))).collect();
    for speaker in [0, 1, 0] {
        for (index, (voice, _)) in people.iter().enumerate() {
            let audio = &mut world.source_mut(*voice).audio;
            (audio.level, audio.is_voice) = if index == speaker { (30, true) } else { (127, false) };
        }
        world.run_for(s(5));
        for (index, [voice, camera]) in sinks.iter().enumerate() {
            let since = world.now - s(1);
            let flows = |sink: &SinkId| world.sink(*sink).packets.values().any(|got| got.at >= since);
            let flowing = (flows(voice), flows(camera));
            assert_eq!(flowing, (index == speaker, index == speaker), "{index} while {speaker} speaks");
        }
    }
    let consumer_id = world.sink(sinks[1][1]).info.id;
    let reason = SuspendReason::NotSpeaking;
    let (off, on) =
        (RouterEvent::ConsumerSuspended { consumer_id, reason }, RouterEvent::ConsumerUnsuspended { consumer_id });
    assert_eq!(news_of(&world, sinks[1][1], 0), [off.clone(), on, off]);
    world.assert_decodable(sinks[0][1]);
}

/// Harm prevented: a publisher stops a layer that half of the room watches, or sends one that nobody does.
#[test]
fn a_publisher_is_told_of_the_layers_that_anybody_uses_on_either_worker() {
    let (mut world, alice) = room(7450);
    let source = world.publish(alice, &Video::simulcast(VideoCodec::Vp8, 3));
    let viewers = [world.connected_peer(on_branch()), world.peer()];
    let sinks = viewers.map(|viewer| world.consume_as(viewer, source, without_bandwidth_feedback(), false).unwrap());
    world.run_for(s(4));
    let cases: [((u8, u8), &[u8]); 4] = [((0, 1), &[0, 1]), ((2, 1), &[1, 2]), ((2, 2), &[2]), ((1, 0), &[0, 1])];
    for ((there, here), expected) in cases {
        prefer(&mut world, sinks[0], (there, 2));
        prefer(&mut world, sinks[1], (here, 2));
        world.run_for(s(5));
        assert_eq!(wanted(&world, source).as_deref(), Some(expected), "{there} there, {here} here");
    }
    // Who is behind the pipe goes: what was watched there alone is not wanted any more, and by the end nothing is.
    let (now, transports) = (world.now, viewers.map(|viewer| world.peers[viewer].transport));
    world.branch().core.close_transport(now, transports[0]);
    world.settle();
    world.run_for(s(5));
    assert_eq!(wanted(&world, source), Some(vec![0]));
    let now = world.now;
    world.core.close_transport(now, transports[1]);
    world.settle();
    world.run_for(s(5));
    assert_eq!(wanted(&world, source), Some(vec![]));
}

/// Harm prevented: a branch that died goes on wanting what its viewers wanted.
#[test]
fn a_pipe_that_closes_leaves_nothing_behind_at_home() {
    let (mut world, alice) = room(7460);
    let source = world.publish(alice, &Video::simulcast(VideoCodec::Vp8, 3));
    let bob = world.connected_peer(on_branch());
    world.consume_as(bob, source, without_bandwidth_feedback(), false).unwrap();
    world.run_for(s(5));
    let (now, head, before) = (world.now, world.branch().head, piped(&mut world).0);
    world.core.close_pipe_head(now, head);
    world.core.close_pipe_head(now, head);
    assert!(world.core.poll_closed_pipe().is_some() && world.core.poll_closed_pipe().is_none());
    world.settle();
    world.run_for(s(5));
    assert_eq!(world.core.stats().packets_piped_out, before);
    assert_eq!(wanted(&world, source), Some(vec![]));
}

#[test]
fn a_branch_that_closes_takes_everything_of_it_along() {
    let (mut world, alice) = room(7470);
    let source = world.produce(alice, "vp8");
    let bob = world.connected_peer(on_branch());
    world.consume(bob, source);
    world.run_for(s(2));
    let (now, router) = (world.now, world.branch().router);
    let core = &mut world.branch().core;
    core.close_router(now, router);
    assert_eq!((core.stream_count(), core.transport_count(), core.router_count()), (0, 0, 0));
    assert!(core.poll_closed_pipe().is_some());
    let stats = core.stats();
    assert_eq!((stats.routers, stats.branches, stats.producers), (0, 0, 0));
}

/// Harm prevented: an owner who asks behind the pipe is told that the publisher is fine while its link is bad.
#[test]
fn a_producers_figures_behind_the_pipe_are_those_of_its_home() {
    let mut world = World::new(7480);
    let router = world.router;
    world.span(router);
    let alice = world.connected_peer(PeerOptions { up: Link::lossy(0.2), ..PeerOptions::default() });
    let source = world.produce(alice, "vp8");
    let bob = world.connected_peer(on_branch());
    let sink = world.consume(bob, source);
    world.run_for(s(20));
    world.source_mut(source).stop();
    // Longer than between two reports, and shorter than until a stream is taken for dead.
    world.run_for(ms(1500));
    let (now, producer, consumer) = (world.now, world.source(source).producer, world.sink(sink).info.id);
    let at_home = world.core.producer_stats(now, producer).unwrap();
    let there = world.branch().core.consumer_stats(now, consumer).unwrap();
    let [outbound, inbound] = &there[..] else { panic!("{there:?}") };
    let StreamStat { counts, score, ssrc, rtx_ssrc, .. } = &at_home[0];
    assert!(counts.packets_lost > 100 && *score < 10, "{counts:?}");
    assert_eq!((inbound.counts, inbound.score), (*counts, *score));
    assert_eq!((inbound.ssrc, inbound.rtx_ssrc), (*ssrc, *rtx_ssrc));
    assert_eq!(outbound.ssrc, Ssrc(world.sink(sink).ssrc));
    assert!(outbound.counts.packet_count > 1000);
    let told = world.events.iter().rev().find_map(|(_, _, event)| match event {
        RouterEvent::ConsumerScore { consumer_id, score } if *consumer_id == consumer => Some(score.clone()),
        _ => None,
    });
    assert!(told.is_some_and(|told| told.producer_score < 10), "and so is what is told of it");
}
