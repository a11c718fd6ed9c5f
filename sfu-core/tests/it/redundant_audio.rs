//! Opus with earlier packets repeated in each (RFC 2198), for those who take it and those who do not.

use sfu_core::ids::PayloadType;
use simulation::network::Link;
use simulation::peer::PeerOptions;
use simulation::peer::payloads::{Media, OPUS};
use simulation::{SinkId, SourceId, World, s, vectors};

/// Bytes of the block headers of what the source sends.
const HEADERS_LEN: usize = 5;

/// The bytes of the primary block: the latter half of the blocks.
fn primary(payload: &[u8]) -> &[u8] {
    let blocks = &payload[HEADERS_LEN..];
    &blocks[blocks.len() / 2..]
}

/// The payload as its receiver must get it: with the router's payload type of Opus for each block.
fn renumbered(payload: &[u8]) -> Vec<u8> {
    let mut payload = payload.to_vec();
    (payload[0], payload[4]) = (0x80 | 100, 100);
    payload
}

/// All packets of a sink are these payloads of the source, in order and without a gap; how many there are.
fn check(world: &World, sink: SinkId, source: SourceId, as_taken: impl Fn(&[u8]) -> Vec<u8>) -> usize {
    let got: Vec<_> = world.sink(sink).packets.values().map(|got| got.payload.to_vec()).collect();
    let sent: Vec<_> = world.layer(source).sent.iter().map(|published| as_taken(&published.payload)).collect();
    let start = sent.iter().position(|payload| *payload == got[0]).expect("a packet that was sent");
    assert_eq!(got, sent[start..start + got.len()]);
    assert_eq!(world.sink(sink).faults, [""; 0]);
    assert_eq!(world.sink(sink).holes(), [0; 0]);
    got.len()
}

/// A publisher with redundancy, one subscriber that takes it and one that does not.
fn scene(seed: u64, down: Link) -> (World, SourceId, SinkId, SinkId) {
    let mut world = World::new(seed);
    let alice = world.peer();
    let (kind, parameters) = vectors::redundant_microphone();
    let source = world.produce_with(alice, kind, parameters).unwrap();
    let mut subscribe = |capabilities| {
        let peer = world.connected_peer(PeerOptions { down, ..PeerOptions::default() });
        world.consume_as(peer, source, capabilities, false).unwrap()
    };
    let plain = vectors::capabilities("chromium-156");
    let (with, without) = (subscribe(vectors::with_red(plain.clone())), subscribe(plain));
    world.start(source);
    (world, source, with, without)
}

/// Harm prevented: a receiver drops what comes under a payload type that was not negotiated with it, and hears nothing.
#[test]
fn who_takes_redundancy_gets_it_and_who_does_not_gets_plain_opus() {
    let (mut world, source, with, without) = scene(1, Link::CLEAN);
    world.run_for(s(5));
    assert_eq!(world.layer(source).sent[0].payload[0], 0x80 | OPUS);
    assert!(check(&world, with, source, renumbered) > 240);
    assert!(check(&world, without, source, |payload| primary(payload).to_vec()) > 240);
    let names = |sink| {
        let codecs = &world.sink(sink).info.rtp_parameters.codecs;
        codecs.iter().map(|codec| (codec.mime_type.to_string(), codec.payload_type)).collect::<Vec<_>>()
    };
    let opus = ("audio/opus".to_owned(), PayloadType(100));
    assert_eq!(names(with), [("audio/red".to_owned(), PayloadType(127)), opus.clone()]);
    assert_eq!(names(without), [opus]);
}

/// Harm prevented: a packet is repeated with other bytes under the same number, which breaks the cipher.
#[test]
fn what_is_lost_is_repeated_as_it_was() {
    let (mut world, source, with, without) = scene(2, Link::lossy(0.1));
    world.run_for(s(5));
    world.source_mut(source).stop();
    world.run_for(s(1));
    check(&world, with, source, renumbered);
    check(&world, without, source, |payload| primary(payload).to_vec());
    for sink in [with, without] {
        assert!(world.sink(sink).packets.values().any(|got| got.is_repair));
    }
}

/// Harm prevented: one publisher's broken packets stop everybody's sound, or are passed on to break decoders.
#[test]
fn malformed_redundancy_is_left_out_without_a_gap() {
    let (mut world, source, with, without) = scene(3, Link::CLEAN);
    world.run_for(s(1));
    let before = [with, without].map(|sink| world.sink(sink).packets.len());
    // What a video encoder sends is no row of blocks.
    world.source_mut(source).layers[0].bytes = 0;
    world.source_mut(source).media = Media::Vp8;
    world.run_for(s(1));
    world.source_mut(source).layers[0].bytes = 90;
    world.source_mut(source).media = Media::Red;
    world.run_for(s(1));
    for (sink, before) in [with, without].into_iter().zip(before) {
        let after = world.sink(sink).packets.len() - before;
        assert!((48..=56).contains(&after), "{after}");
        assert_eq!(world.sink(sink).faults, [""; 0]);
        assert_eq!(world.sink(sink).holes(), [0; 0]);
    }
}
