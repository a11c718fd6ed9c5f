//! What is refused, and by which name.

use sfu_core::negotiation::InvalidParameters;
use sfu_core::negotiation::limits::MAX_ENCODINGS;
use sfu_core::parameters::RtpEncodingParameters;
use sfu_core::router::RouterOptions;
use sfu_core::worker::limits::{
    MAX_CONSUMERS_PER_TRANSPORT, MAX_ENCODINGS_PER_TRANSPORT, MAX_PRODUCERS_PER_TRANSPORT, MAX_TRANSPORTS_PER_ROUTER,
};
use sfu_core::worker::{ConsumeError, ProduceError, ProducerOptions, TransportRefused, WebRtcTransportOptions};

use simulation::vectors::{capabilities, producer};
use simulation::{PeerOptions, World, s};

#[test]
fn a_transport_takes_so_many_producers_and_no_more() {
    let mut world = World::new(120);
    let (peer, other) = (world.peer(), world.peer());
    let (kind, parameters) = producer("opus");
    let first = world.produce_with(peer, kind, parameters.clone()).unwrap();
    for _ in 1..MAX_PRODUCERS_PER_TRANSPORT {
        world.produce_with(peer, kind, parameters.clone()).unwrap();
    }
    let refused = world.produce_with(peer, kind, parameters.clone());
    assert_eq!(refused, Err(ProduceError::TooMany { limit: MAX_PRODUCERS_PER_TRANSPORT }));
    assert_eq!(world.core.stats().producers, MAX_PRODUCERS_PER_TRANSPORT);
    world.start(first);
    let sink = world.consume(other, first);
    world.run_for(s(1));
    world.assert_complete(sink, first);
    world.core.close_producer(world.now, world.peers[peer].sources[0].producer);
    world.settle();
    assert!(world.produce_with(peer, kind, parameters).is_ok(), "room was made");
}

#[test]
fn a_transport_takes_so_many_consumers_and_no_more() {
    let mut world = World::new(121);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "opus");
    for _ in 0..MAX_CONSUMERS_PER_TRANSPORT {
        world.consume(bob, source);
    }
    let refused = world.consume_as(bob, source, capabilities("chromium-156"), false);
    assert_eq!(refused, Err(ConsumeError::TooMany { limit: MAX_CONSUMERS_PER_TRANSPORT }));
    world.run_for(s(1));
    for index in [0, MAX_CONSUMERS_PER_TRANSPORT - 1] {
        world.assert_complete(simulation::SinkId { peer: bob, index }, source);
    }
}

#[test]
fn a_router_takes_so_many_transports_and_no_more() {
    let mut world = World::new(122);
    let (router, now, options) = (world.router, world.now, WebRtcTransportOptions::default());
    for _ in 0..MAX_TRANSPORTS_PER_ROUTER {
        world.core.create_transport(now, router, options, None).unwrap();
    }
    let refused = world.core.create_transport(now, router, options, None).map(|info| info.id);
    assert_eq!(refused, Err(TransportRefused::TooMany { limit: MAX_TRANSPORTS_PER_ROUTER }));
    let another = world.core.create_router(RouterOptions::default());
    assert!(world.core.create_transport(now, another, options, None).is_ok());
}

#[test]
fn a_producer_has_so_many_encodings_and_no_more() {
    let mut world = World::new(123);
    let peer = world.peer();
    let (kind, mut parameters) = producer("vp8");
    let encoding =
        |number: usize| RtpEncodingParameters { rid: Some(format!("r{number}")), ..RtpEncodingParameters::default() };
    parameters.encodings = (0..MAX_ENCODINGS).map(encoding).collect();
    assert!(world.produce_with(peer, kind, parameters.clone()).is_ok());
    parameters.encodings.push(encoding(99));
    let refused = world.produce_with(peer, kind, parameters);
    let too_many =
        InvalidParameters::TooMany { field: "encodings".into(), count: MAX_ENCODINGS + 1, limit: MAX_ENCODINGS };
    assert_eq!(refused, Err(ProduceError::RtpParameters(too_many.into())));
}

/// Harm prevented: producers are answered with an id, and the packets of the last of them are refused.
#[test]
fn a_transport_takes_so_many_encodings_and_no_more() {
    let mut world = World::new(126);
    let peer = world.peer();
    let (kind, mut parameters) = producer("vp8");
    let encoding =
        |number: usize| RtpEncodingParameters { rid: Some(format!("r{number}")), ..RtpEncodingParameters::default() };
    parameters.encodings = (0..MAX_ENCODINGS).map(encoding).collect();
    for number in 0..MAX_ENCODINGS_PER_TRANSPORT / MAX_ENCODINGS {
        parameters.mid = Some(number.to_string());
        world.produce_with(peer, kind, parameters.clone()).unwrap();
    }
    parameters.mid = Some("last".to_owned());
    parameters.encodings.truncate(1);
    let refused = world.produce_with(peer, kind, parameters);
    assert_eq!(refused, Err(ProduceError::TooManyEncodings { limit: MAX_ENCODINGS_PER_TRANSPORT }));
}

/// Harm prevented: two rooms on one worker hear each other.
#[test]
fn a_producer_of_another_router_cannot_be_consumed() {
    let mut world = World::new(124);
    let alice = world.peer();
    let source = world.produce(alice, "opus");
    let router = Some(world.core.create_router(RouterOptions::default()));
    let stranger = world.connected_peer(PeerOptions { router, ..PeerOptions::default() });
    let refused = world.consume_as(stranger, source, capabilities("chromium-156"), false);
    assert_eq!(refused, Err(ConsumeError::ProducerNotFound(world.source(source).producer)));
}

#[test]
fn a_client_without_the_codec_is_refused() {
    let mut world = World::new(125);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    let refused = world.consume_as(bob, source, capabilities("audio-only"), false);
    assert!(matches!(refused, Err(ConsumeError::RtpCapabilities(_))), "{refused:?}");
    assert_eq!(world.core.stats().consumers, 0);
}

/// Harm prevented: packets of two producers that cannot be told apart end in the wrong one.
#[test]
fn a_mid_or_ssrc_that_is_in_use_on_the_transport_is_refused() {
    let mut world = World::new(126);
    let (alice, bob) = (world.peer(), world.peer());
    let (kind, first) = producer("vp8");
    let (_, second) = producer("vp9");
    let produce = |world: &mut World, peer: usize, rtp_parameters: &sfu_core::parameters::RtpParameters| {
        let options = ProducerOptions { kind, rtp_parameters: rtp_parameters.clone(), paused: false, is_screen: false };
        world.core.produce(world.now, world.peers[peer].transport, options).map(|info| info.id)
    };
    let id = produce(&mut world, alice, &first).unwrap();
    assert_eq!(produce(&mut world, alice, &second), Err(ProduceError::MidInUse("0".to_owned())));
    let mut same_ssrc = second.clone();
    same_ssrc.mid = Some("1".to_owned());
    let taken = first.encodings[0].rtx.unwrap().ssrc;
    same_ssrc.encodings[0].ssrc = Some(taken);
    assert_eq!(produce(&mut world, alice, &same_ssrc), Err(ProduceError::SsrcInUse(taken)));
    same_ssrc.encodings[0].ssrc = same_ssrc.encodings[0].rtx.map(|rtx| rtx.ssrc);
    let refused = produce(&mut world, alice, &same_ssrc);
    assert!(matches!(refused, Err(ProduceError::RtpParameters(_))), "one SSRC for two streams: {refused:?}");
    assert_eq!(world.core.stats().producers, 1, "nothing has changed");
    assert!(produce(&mut world, bob, &first).is_ok(), "another transport has numbers of its own");
    world.core.close_producer(world.now, id);
    assert!(produce(&mut world, alice, &first).is_ok(), "they are free again");
}
