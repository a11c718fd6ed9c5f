//! What is said about streams: sender and receiver reports, transport-wide feedback, REMB.

use std::collections::HashMap;

use sfu_core::parameters::HeaderExtensionUri;

use simulation::vectors::producer;
use simulation::{Link, PeerOptions, SinkId, SourceId, World, s};

/// When something was captured, by the consumer's latest sender report, in seconds of the core's wall clock, and in the
/// publisher's time. The difference is the same for streams in step.
fn offset_s(world: &World, sink: SinkId, source: SourceId) -> f64 {
    let (_, report) = world.sink(sink).reports.last().expect("no sender report came");
    let pairs = world.pairs(sink, source);
    let last = pairs.last().unwrap();
    let ticks = f64::from(last.got.timestamp.wrapping_sub(report.rtp_time) as i32);
    let said = (report.ntp_time - (3_900_000_000 << 32)) as f64 / 4_294_967_296.0
        + ticks / f64::from(world.sink(sink).clock_rate());
    said - (last.published.at - world.origin).as_secs_f64()
}

/// Harm prevented: lips and voice drift apart.
#[test]
fn sound_and_picture_stay_in_step_to_a_millisecond() {
    for seed in 100..105 {
        let mut world = World::new(seed);
        let (alice, bob) = (world.peer(), world.peer());
        let (audio, video) = (world.produce(alice, "opus"), world.produce(alice, "vp8"));
        world.run_for(s(3));
        let (heard, seen) = (world.consume(bob, audio), world.consume(bob, video));
        world.run_for(s(12));
        let apart = offset_s(&world, heard, audio) - offset_s(&world, seen, video);
        assert!(apart.abs() < 0.001, "seed {seed}: {} ms", apart * 1000.0);
    }
}

#[test]
fn sender_reports_count_what_was_sent() {
    let mut world = World::new(106);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    world.run_for(s(10));
    let reports = &world.sink(sink).reports;
    assert!((7..=21).contains(&reports.len()), "{}", reports.len());
    let (at, last) = reports.last().unwrap();
    let sent = world.sink(sink).packets.values().filter(|got| got.at <= *at).count();
    assert!(sent.abs_diff(last.packet_count as usize) <= 6, "{sent}, said {}", last.packet_count);
    assert!(reports.is_sorted_by_key(|(_, report)| report.ntp_time));
}

/// Harm prevented: a publisher does not know that its uplink loses.
#[test]
fn receiver_reports_tell_the_publisher_its_loss() {
    let mut world = World::new(107);
    let alice = world.connected_peer(PeerOptions { up: Link::lossy(0.2), ..PeerOptions::default() });
    let source = world.produce(alice, "vp8");
    world.run_for(s(30));
    let reports = &world.layer(source).heard.reports;
    assert!((20..=61).contains(&reports.len()), "{}", reports.len());
    let mean: f64 = reports.iter().map(|(_, r)| f64::from(r.fraction_lost) / 256.0).sum::<f64>() / reports.len() as f64;
    assert!((0.1..0.3).contains(&mean), "{mean}");
    let (_, last) = reports.last().unwrap();
    assert!(last.last_sender_report != 0, "a publisher measures its round trip by this");
    let newest = world.layer(source).next - 1;
    assert!((newest as u32).wrapping_sub(last.last_sequence_number) & 0xffff < 400);
}

/// Harm prevented: without feedback a browser stays at 300 kbit/s.
#[test]
fn transport_wide_feedback_covers_every_packet() {
    for loss in [0.0, 0.1] {
        let mut world = World::new(108);
        let alice = world.connected_peer(PeerOptions { up: Link::lossy(loss), ..PeerOptions::default() });
        let (_, video) = (world.produce(alice, "opus"), world.produce(alice, "vp8"));
        world.run_for(s(10));
        world.source_mut(video).stop();
        let sent = world.peers[alice].wide_sent.clone();
        world.run_for(s(1));
        let reported: HashMap<u16, bool> = world.peers[alice].wide_reported.iter().copied().collect();
        // A loss at the very end is not known to be one.
        let covered = &sent[..sent.len() - 20];
        let missing: Vec<_> = covered.iter().filter(|number| !reported.contains_key(number)).collect();
        assert!(missing.is_empty(), "{missing:?} of {}", sent.len());
        let lost = covered.iter().filter(|number| !reported[number]).count() as f64 / covered.len() as f64;
        assert!((lost - loss).abs() < 0.04, "{lost}, and {loss} were lost");
        let messages = world.peers[alice].feedback_messages;
        assert!((150..=260).contains(&messages), "{messages} messages in 11 s");
        assert!(world.peers[alice].remb.is_empty(), "two opinions would fight");
    }
}

/// Harm prevented: a client without transport-wide feedback stays at its starting rate.
#[test]
fn a_publisher_that_knows_remb_alone_gets_remb_that_grows() {
    let mut world = World::new(109);
    let alice = world.peer();
    let (kind, mut parameters) = producer("vp8");
    parameters.header_extensions.retain(|known| known.uri != HeaderExtensionUri::TransportWideCc);
    for codec in &mut parameters.codecs {
        codec.rtcp_feedback.retain(|feedback| !feedback.is("transport-cc", ""));
    }
    let source = world.produce_with(alice, kind, parameters).unwrap();
    world.source_mut(source).layers[0].packets = 6;
    world.start(source);
    world.run_for(s(20));
    let remb = &world.peers[alice].remb;
    assert!(remb.len() >= 15, "{}", remb.len());
    let (first, last) = (remb[0].1, remb[remb.len() - 1].1);
    assert!(last > first && last > 1_200_000.0, "{first} to {last} bit/s");
    assert_eq!(world.peers[alice].feedback_messages, 0);
}

#[test]
fn remb_falls_when_the_path_loses() {
    let mut world = World::new(110);
    let alice = world.peer();
    let (kind, mut parameters) = producer("vp8");
    parameters.header_extensions.retain(|known| known.uri != HeaderExtensionUri::TransportWideCc);
    let source = world.produce_with(alice, kind, parameters).unwrap();
    world.start(source);
    world.run_for(s(10));
    let before = world.peers[alice].remb.last().unwrap().1;
    *world.network.link(alice, simulation::Direction::Up) = Link::lossy(0.3);
    world.run_for(s(10));
    let after = world.peers[alice].remb.last().unwrap().1;
    assert!(after < before / 2.0, "{before} to {after} bit/s");
}
