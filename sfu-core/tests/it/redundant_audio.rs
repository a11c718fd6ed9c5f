//! Opus with earlier packets repeated in each (RFC 2198), for those who take it and those who do not.

use simulation::source::video::Audio;
use simulation::{Link, PeerOptions, SinkId, SourceId, World, s, vectors};

/// A publisher with redundancy, one subscriber that takes it and one that does not.
fn scene(seed: u64, down: Link) -> (World, SourceId, SinkId, SinkId) {
    let mut world = World::new(seed);
    let alice = world.peer();
    let source = world.publish_audio(alice, Audio { is_red: true, ..Audio::default() });
    let mut subscribe = |capabilities| {
        let peer = world.connected_peer(PeerOptions { down, ..PeerOptions::default() });
        world.consume_as(peer, source, capabilities, false).unwrap()
    };
    let plain = vectors::capabilities("chromium-156");
    let (with, without) = (subscribe(vectors::with_red(plain.clone())), subscribe(plain));
    (world, source, with, without)
}

/// The codecs' names and payload types as a consumer was told them.
fn codecs(world: &World, sink: SinkId) -> Vec<(String, u8)> {
    let codecs = &world.sink(sink).info.rtp_parameters.codecs;
    codecs.iter().map(|codec| (codec.mime_type.to_string(), codec.payload_type.0)).collect()
}

/// Harm prevented: a receiver drops what comes under a payload type that was not negotiated with it, and hears nothing.
#[test]
fn who_takes_redundancy_gets_it_and_who_does_not_gets_plain_opus() {
    let (mut world, source, with, without) = scene(1, Link::CLEAN);
    world.run_for(s(12));
    let opus = ("audio/opus".to_owned(), 100);
    assert_eq!(codecs(&world, with), [("audio/red".to_owned(), 127), opus.clone()]);
    assert_eq!(codecs(&world, without), [opus]);
    for sink in [with, without] {
        world.assert_complete(sink, source);
    }
    let octets = |sink| world.sink(sink).reports.last().unwrap().1.octet_count;
    // Their last reports were not sent at the same moment.
    assert!(octets(with) > octets(without) * 3 / 2, "{} {}", octets(with), octets(without));
}

/// Harm prevented: a packet is repeated with other bytes under the same number, which breaks the cipher.
#[test]
fn what_is_lost_is_repeated_as_it_was() {
    let (mut world, source, with, without) = scene(2, Link::lossy(0.1));
    world.run_for(s(5));
    for sink in [with, without] {
        world.assert_complete_before(sink, source, world.now - s(2));
        assert!(world.sink(sink).packets.values().any(|got| got.is_repair));
    }
}

/// Harm prevented: one publisher's broken packets are passed on to break decoders, or leave a gap that everybody asks for.
#[test]
fn malformed_redundancy_is_left_out_without_a_gap() {
    let (mut world, source, with, without) = scene(3, Link::CLEAN);
    world.run_for(s(1));
    let before = [with, without].map(|sink| world.sink(sink).packet_count);
    // Blocks of a codec that was not negotiated.
    let opus = world.source_mut(source).inner_payload_type.replace(13);
    world.run_for(s(1));
    world.source_mut(source).inner_payload_type = opus;
    world.run_for(s(1));
    world.assert_sound();
    for (sink, before) in [with, without].into_iter().zip(before) {
        let sink = world.sink(sink);
        assert!((48..=53).contains(&(sink.packet_count - before)), "{}", sink.packet_count - before);
        assert_eq!((sink.holes(), sink.nacks_sent), (Vec::new(), 0));
    }
}
