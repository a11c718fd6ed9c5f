//! Key frames: asked for at once, once for all, and again when need be.

use simulation::source::video::{Video, VideoCodec};
use simulation::vectors::producer;
use simulation::{Direction, Link, World, ms, s};

/// Harm prevented: a viewer looks at black, or at garbage.
#[test]
fn a_subscriber_starts_on_a_key_frame_that_is_asked_for_at_once() {
    for case in ["vp8", "h264-cb"] {
        let mut world = World::new(30);
        let (alice, bob) = (world.peer(), world.peer());
        let source = world.produce(alice, case);
        world.run_for(s(3));
        assert!(world.layer(source).heard.key_frame_requests().is_empty(), "nobody watches");
        let joined = world.now;
        let sink = world.consume(bob, source);
        world.run_for(s(3));
        let requests = world.layer(source).heard.key_frame_requests();
        assert_eq!(requests.len(), 1, "{case}");
        assert_eq!(requests[0] - joined, ms(20), "one way of the path");
        let first = world.stream(sink, source)[0].got.at - joined;
        assert!(first < ms(20 + 50 + 33 + 20 + 20), "{case}: {first:?}");
    }
}

#[test]
fn a_publisher_that_knows_fir_alone_is_asked_by_fir() {
    let mut world = World::new(31);
    let (alice, bob) = (world.peer(), world.peer());
    let (kind, mut parameters) = producer("vp8");
    for codec in &mut parameters.codecs {
        codec.rtcp_feedback.retain(|feedback| !feedback.is("nack", "pli"));
    }
    let source = world.produce_with(alice, kind, parameters).unwrap();
    world.start(source);
    world.run_for(s(1));
    let sink = world.consume(bob, source);
    world.run_for(s(2));
    assert_eq!((world.layer(source).heard.pli.len(), world.layer(source).heard.fir.len()), (0, 1));
    world.assert_complete(sink, source);
}

/// Harm prevented: the picture of a viewer who joined in a moment of loss never comes.
#[test]
fn a_request_that_is_lost_is_made_again() {
    let mut world = World::new(32);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    world.run_for(s(1));
    world.network.link(alice, Direction::Down).is_partitioned = true;
    let joined = world.now;
    let sink = world.consume(bob, source);
    world.run_for(ms(500));
    world.network.link(alice, Direction::Down).is_partitioned = false;
    world.run_for(s(3));
    assert_eq!(world.layer(source).heard.key_frame_requests().len(), 1, "the retry alone arrived");
    let first = world.stream(sink, source)[0].got.at - joined;
    assert!((s(1)..ms(1200)).contains(&first), "{first:?}");
}

#[test]
fn a_key_frame_that_is_not_given_is_asked_for_again() {
    let mut world = World::new(33);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    world.run_for(s(1));
    world.source_mut(source).layers[0].gives_key_frames = false;
    let sink = world.consume(bob, source);
    world.run_for(ms(2500));
    assert!(world.sink(sink).packets.is_empty(), "nothing that cannot be decoded is sent");
    world.source_mut(source).layers[0].gives_key_frames = true;
    world.run_for(s(2));
    world.assert_complete(sink, source);
    let requests = world.layer(source).heard.key_frame_requests();
    assert_eq!(requests.len(), 4);
    assert!(requests.is_sorted_by(|a, b| *b - *a >= s(1)));
}

/// Harm prevented: each key frame takes bits from everybody's picture; a crowd that joins must not blur it.
#[test]
fn a_joining_crowd_costs_a_few_key_frames_and_then_one_a_second() {
    let mut world = World::new(34);
    let alice = world.peer();
    let source = world.produce(alice, "vp8");
    let crowd: Vec<_> = (0..40).map(|_| world.peer()).collect();
    let started = world.now;
    let sinks: Vec<_> = crowd
        .iter()
        .map(|peer| {
            world.run_for(ms(97));
            world.consume(*peer, source)
        })
        .collect();
    world.run_for(s(3));
    let requests = world.layer(source).heard.key_frame_requests();
    assert!(requests.is_sorted_by(|a, b| *b - *a >= ms(300)), "{requests:?}");
    assert!(requests.len() <= 4 + (world.now - started).as_secs() as usize);
    for sink in sinks {
        world.assert_complete(sink, source);
    }
}

/// Harm prevented: one subscriber that cannot decode makes the picture worse for all.
#[test]
fn a_subscriber_that_begs_without_end_gets_one_key_frame_a_second() {
    let mut world = World::new(35);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    world.run_for(s(2));
    let before = world.layer(source).heard.key_frame_requests().len();
    for _ in 0..100 {
        world.peers[bob].send_pli(sink.index);
        world.settle();
        world.run_for(ms(100));
    }
    world.run_for(s(2));
    let requests = world.layer(source).heard.key_frame_requests();
    assert!((9..=11).contains(&(requests.len() - before)), "{}", requests.len() - before);
    world.assert_complete(sink, source);
}

/// Harm prevented: whoever opens a picture while its sender cannot be reached sees nothing for the rest of the call.
#[test]
fn who_starts_while_the_sender_cannot_be_reached_sees_it_once_it_can() {
    for video in [Video::single(VideoCodec::H264), Video::simulcast(VideoCodec::Vp8, 3)] {
        let mut world = World::new(36);
        let (alice, bob) = (world.peer(), world.peer());
        let source = world.publish(alice, &video);
        world.run_for(s(2));
        *world.network.link(alice, Direction::Down) = Link::lossy(1.0);
        let sink = world.consume(bob, source);
        world.run_for(s(20));
        assert!(world.playback(sink).shown.is_empty(), "nobody gave a key frame");
        *world.network.link(alice, Direction::Down) = Link::CLEAN;
        // As long as a sender is left alone that does not answer.
        world.run_for(s(6));
        let rate = world.playback(sink).frame_rate(world.now - s(1), world.now);
        assert!(rate > 25.0, "{:?}: {rate} pictures a second", video.codec);
    }
}
