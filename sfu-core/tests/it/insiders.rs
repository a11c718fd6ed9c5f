//! Peers with keys of their own who speak for others: of their packets, of what they got, of what they want.

use rtc_rtcp::packet::Packet;
use rtc_rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc_rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, RecvDelta, RunLengthChunk, StatusChunkTypeTcc, SymbolTypeTcc, TransportLayerCc,
};
use rtc_rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
use sfu_core::consumer::send_history::MAX_RESENDS;
use sfu_core::parameters::HeaderExtensionUri;
use sfu_core::router::RouterEvent;
use simulation::{Direction, SinkId, SourceId, World, ms, s};

use crate::hostile::Forger;

/// Under which SSRC they report.
const SENDER: u32 = 666;
/// Packets of each kind of theft.
const STOLEN: usize = 50;

/// Whose a forged packet says it is.
struct Claim<'a> {
    ssrc: u32,
    mid: Option<&'a str>,
    rid: Option<&'a str>,
}

impl Claim<'_> {
    /// An RTP header that makes it, with the header extension ids that `source` negotiated.
    fn header(&self, world: &World, source: SourceId, sequence: u16) -> Vec<u8> {
        let known = world.source(source);
        let mut block = Vec::new();
        for (uri, value) in [(HeaderExtensionUri::Mid, self.mid), (HeaderExtensionUri::RtpStreamId, self.rid)] {
            if let (Some(id), Some(value)) = (known.ids.get(&uri), value) {
                block.push(id << 4 | (value.len() - 1) as u8);
                block.extend(value.as_bytes());
            }
        }
        block.resize(block.len().next_multiple_of(4), 0);
        let mut header = vec![0x90, 0x80 | known.payload_type];
        header.extend(sequence.to_be_bytes());
        header.extend(u32::from(sequence).to_be_bytes());
        header.extend(self.ssrc.to_be_bytes());
        header.extend([0xbe, 0xde]);
        header.extend(((block.len() / 4) as u16).to_be_bytes());
        header.extend(block);
        header
    }
}

/// Sends packets of `peer`'s that claim to be `source`'s: its latest one with more behind it. How many of them were refused.
fn steal(world: &mut World, peer: usize, source: SourceId, claim: &Claim<'_>) -> u64 {
    let mut forger = Forger::new(world, peer, claim.ssrc);
    let refused = world.core.stats().packets_refused;
    let mut payload = world.source(source).layers[0].sent.last().expect("something was sent").payload.clone();
    payload.extend(b"stolen");
    for number in 0..STOLEN {
        let header = claim.header(world, source, number as u16);
        forger.send(world, peer, &header, &payload);
        world.run_for(ms(5));
    }
    world.run_for(ms(100));
    world.core.stats().packets_refused - refused
}

/// Harm prevented: somebody speaks in another's place, or shows something in their picture.
#[test]
fn the_numbers_and_names_of_another_peers_streams_are_of_no_use() {
    let mut world = World::new(150);
    let [alice, bob, mallory] = [(); 3].map(|()| world.peer());
    let (camera, voice) = (world.produce(alice, "vp8-simulcast3"), world.produce(alice, "opus"));
    let own = world.produce(mallory, "vp8");
    let sinks = [camera, voice, own].map(|source| world.consume(bob, source));
    world.run_for(s(3));
    for source in [camera, voice] {
        let (mid, layers) = (world.source(source).mid.clone(), world.source(source).layers.len());
        for layer in 0..layers {
            let (ssrc, rid) = (world.source(source).layers[layer].ssrc, world.source(source).layers[layer].rid.clone());
            let (mid, rid) = (Some(mid.as_str()), rid.as_deref());
            for claim in [
                Claim { ssrc, mid: None, rid: None },
                Claim { ssrc, mid, rid },
                Claim { ssrc: ssrc ^ 1, mid, rid },
                Claim { ssrc: ssrc ^ 2, mid: None, rid },
            ] {
                assert_eq!(steal(&mut world, mallory, source, &claim), STOLEN as u64);
            }
        }
    }
    world.run_for(s(1));
    // Each packet that came must be one that the source published.
    assert!(world.pairs(sinks[0], camera).len() > 500);
    world.assert_complete(sinks[1], voice);
    world.assert_complete(sinks[2], own);
}

/// Harm prevented: a page that may use the camera takes the place of the one that shares the screen, on the same connection.
#[test]
fn a_stream_stays_its_producers_whatever_name_its_packets_bear() {
    let mut world = World::new(151);
    let (alice, bob) = (world.peer(), world.peer());
    let (first, second) = (world.produce(alice, "vp8"), world.produce(alice, "vp8-simulcast3"));
    let (there, here) = (world.consume(bob, first), world.consume(bob, second));
    world.run_for(s(3));
    let names = |world: &World, source: SourceId| {
        let layer = &world.source(source).layers[0];
        (layer.ssrc, world.source(source).mid.clone(), layer.rid.clone())
    };
    let ((_, first_mid, _), (second_ssrc, second_mid, rid)) = (names(&world, first), names(&world, second));
    assert!(rid.is_some());
    for (source, ssrc, mid) in [(first, 7, first_mid.as_str()), (second, 8, second_mid.as_str())] {
        let claim = Claim { ssrc, mid: Some(mid), rid: rid.as_deref() };
        assert_eq!(steal(&mut world, alice, source, &claim), STOLEN as u64, "its place is taken");
    }
    world.assert_complete(there, first);

    // Of a stream that is the second's, under the first's name.
    world.source_mut(second).stop();
    world.source_mut(first).stop();
    world.run_for(ms(100));
    let sequence = world.source(second).layers[0].next as u16;
    let mut forger = Forger::new(&world, alice, second_ssrc);
    let claim = Claim { ssrc: second_ssrc, mid: Some(&first_mid), rid: None };
    let (received, before) = (world.core.stats().packets_received, world.sink(there).packets.len());
    for number in 0..STOLEN {
        let header = claim.header(&world, second, sequence.wrapping_add(number as u16));
        forger.send(&mut world, alice, &header, b"stolen");
        world.run_for(ms(5));
    }
    world.run_for(ms(100));
    assert_eq!(world.core.stats().packets_received - received, STOLEN as u64, "they are authentic");
    assert_eq!(world.sink(there).packets.len(), before, "they came out of the first");
    world.assert_complete(there, first);
    assert!(!world.sink(here).packets.is_empty());
}

/// Alice publishes, Bob and Mallory watch.
fn watched(seed: u64) -> (World, SourceId, SinkId, SinkId) {
    let mut world = World::new(seed);
    let [alice, bob, mallory] = [(); 3].map(|()| world.peer());
    let source = world.produce(alice, "vp8");
    let sinks = [bob, mallory].map(|peer| world.consume(peer, source));
    world.run_for(s(3));
    (world, source, sinks[0], sinks[1])
}

/// What is said about a stream by who has no business with it: wants and losses.
fn complaints(media_ssrc: u32, round: u32) -> Vec<Box<dyn Packet>> {
    let numbers: Vec<u16> = (0..200).map(|back| (round as u16).wrapping_mul(50).wrapping_sub(back)).collect();
    let fir = vec![FirEntry { ssrc: media_ssrc, sequence_number: round as u8 }];
    let report =
        ReceptionReport { ssrc: media_ssrc, fraction_lost: 255, total_lost: 0x7f_ffff, ..ReceptionReport::default() };
    let nacks = nack_pairs_from_sequence_numbers(&numbers);
    vec![
        Box::new(ReceiverReport { ssrc: SENDER, reports: vec![report], ..ReceiverReport::default() }),
        Box::new(PictureLossIndication { sender_ssrc: SENDER, media_ssrc }),
        Box::new(FullIntraRequest { sender_ssrc: SENDER, media_ssrc, fir }),
        Box::new(TransportLayerNack { sender_ssrc: SENDER, media_ssrc, nacks }),
    ]
}

/// Harm prevented: somebody has everybody's camera send key frames, or everybody's picture made worse, by speaking of streams that
/// are not theirs.
#[test]
fn complaints_about_streams_of_others_are_not_heard() {
    let (mut world, source, theirs, own) = watched(152);
    let mallory = own.peer;
    let layer = world.layer(source);
    let (rtx, requests) = (layer.rtx_ssrc, layer.heard.key_frame_requests().len());
    let streams = [Some(world.sink(theirs).ssrc), world.sink(theirs).rtx_ssrc, Some(layer.ssrc), rtx, Some(0)];
    for round in 0..500 {
        for ssrc in streams.into_iter().flatten() {
            for complaint in complaints(ssrc, round) {
                world.peers[mallory].send_rtcp(&[complaint]);
            }
        }
        world.settle();
        world.run_for(ms(10));
    }
    let heard = &world.layer(source).heard;
    assert_eq!((heard.key_frame_requests().len(), heard.nacked.len()), (requests, 0));
    assert!(heard.reports.iter().all(|(_, report)| report.fraction_lost == 0));
    assert_eq!((world.sink(theirs).duplicates, world.sink(own).duplicates), (0, 0));
    world.assert_complete(theirs, source);
    world.assert_complete(own, source);
}

/// Harm prevented: one viewer asks for everything, all the time, and what is repeated for them takes the publisher's uplink, the
/// server's, or the time of all others.
#[test]
fn a_flood_of_nacks_and_key_frame_requests_costs_the_others_nothing() {
    let (mut world, source, theirs, own) = watched(153);
    let requests = world.layer(source).heard.key_frame_requests().len();
    let down = |world: &World, peer| world.network.stats(peer, Direction::Down).offered.packets;
    let before = [theirs.peer, own.peer].map(|peer| down(&world, peer));
    for round in 0..1000 {
        let ssrc = world.sink(own).ssrc;
        let numbers: Vec<u16> = world.sink(own).packets.keys().rev().take(800).map(|number| *number as u16).collect();
        for numbers in numbers.chunks(200) {
            world.peers[own.peer].send_nack(ssrc, numbers);
        }
        world.peers[own.peer].send_pli(own.index);
        world.peers[own.peer].send_fir(own.index, round as u8);
        world.settle();
        world.run_for(ms(10));
    }
    let [theirs_got, own_got] = [theirs.peer, own.peer].map(|peer| down(&world, peer));
    let (theirs_got, own_got) = (theirs_got - before[0], own_got - before[1]);
    println!("{own_got} packets for who floods, {theirs_got} for the other");
    assert!(world.sink(own).duplicates > 100, "some of it is answered");
    assert!(own_got <= theirs_got * (1 + u64::from(MAX_RESENDS)), "{own_got} packets, {theirs_got} for the other");
    let heard = &world.layer(source).heard;
    assert_eq!(heard.nacked.len(), 0, "the publisher is asked");
    let requests = &heard.key_frame_requests()[requests..];
    assert!((1..=11).contains(&requests.len()) && requests.is_sorted_by(|a, b| *b - *a >= s(1)), "{}", requests.len());
    world.assert_complete(theirs, source);
    world.assert_complete(own, source);
}

/// Feedback that says that all of these arrived at once.
fn all_arrived(media_ssrc: u32, base_sequence_number: u16, count: u16) -> TransportLayerCc {
    let symbol = SymbolTypeTcc::PacketReceivedSmallDelta;
    let run = RunLengthChunk {
        type_tcc: StatusChunkTypeTcc::RunLengthChunk,
        packet_status_symbol: symbol,
        run_length: count,
    };
    TransportLayerCc {
        sender_ssrc: SENDER,
        media_ssrc,
        base_sequence_number,
        packet_status_count: count,
        reference_time: u32::from(base_sequence_number),
        fb_pkt_count: 0,
        packet_chunks: vec![PacketStatusChunk::RunLengthChunk(run)],
        recv_deltas: vec![RecvDelta { type_tcc_packet: symbol, delta: 0 }; usize::from(count)],
    }
}

/// Harm prevented: a viewer who says that nothing arrives, or everything and more, changes what the others see, or what the
/// publisher sends.
#[test]
fn false_feedback_concerns_nobody_but_who_gives_it() {
    let (mut world, source, theirs, own) = watched(154);
    let own_ssrc = world.sink(own).ssrc;
    let ssrcs = [theirs, own].map(|sink| world.sink(sink).ssrc);
    let estimates = world.peers[0].remb.len();
    for round in 0..1000_u32 {
        let bitrate = [0.0, 1.0, 1e18, f32::MAX][round as usize % 4];
        let remb = ReceiverEstimatedMaximumBitrate { sender_ssrc: SENDER, bitrate, ssrcs: ssrcs.to_vec() };
        let report = ReceptionReport {
            ssrc: own_ssrc,
            fraction_lost: 255,
            total_lost: 0x7f_ffff,
            delay: round,
            ..Default::default()
        };
        let report = ReceiverReport { ssrc: SENDER, reports: vec![report], ..ReceiverReport::default() };
        let base = (round as u16).wrapping_mul(977);
        world.peers[own.peer].send_rtcp(&[Box::new(remb)]);
        world.peers[own.peer].send_rtcp(&[Box::new(report)]);
        world.peers[own.peer].send_rtcp(&[Box::new(all_arrived(own_ssrc, base, 300))]);
        world.settle();
        world.run_for(ms(10));
    }
    assert!(world.layer(source).heard.reports.iter().all(|(_, report)| report.fraction_lost == 0));
    assert_eq!(world.peers[0].remb.len(), estimates, "the publisher is told of another's path");
    let consumer = world.sink(theirs).info.id;
    let is_about_theirs = |event: &RouterEvent| match event {
        RouterEvent::ConsumerSuspended { consumer_id, .. } | RouterEvent::ConsumerClosed { consumer_id, .. } => {
            *consumer_id == consumer
        }
        RouterEvent::TransportClosed { .. } => true,
        _ => false,
    };
    assert!(!world.events.iter().any(|(_, _, event)| is_about_theirs(event)), "{:?}", world.events);
    world.assert_complete(theirs, source);
}
