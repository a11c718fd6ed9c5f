//! What is told about transports, producers and consumers: statistics, scores, trace events.

use sfu_core::ids::{ConsumerId, ProducerId, Ssrc};
use sfu_core::router::RouterEvent;
use sfu_core::stats::{
    ConsumerScore, RtpTrace, StreamDirection, StreamStat, StreamTraceType, TraceDirection, TraceEvent, TraceInfo,
    TraceTarget, TransportStat, TransportTraceType,
};
use simulation::vectors::{capabilities, producer, without_rtx};
use simulation::{Direction, Kind, Link, PeerOptions, SinkId, SourceId, World, ms, s};

fn transport_stat(world: &World, peer: usize) -> TransportStat {
    world.core.transport_stats(world.now, world.peers[peer].transport).unwrap()
}

fn producer_stats(world: &World, source: SourceId) -> Vec<StreamStat> {
    world.core.producer_stats(world.now, world.source(source).producer).unwrap()
}

fn consumer_stats(world: &World, sink: SinkId) -> Vec<StreamStat> {
    world.core.consumer_stats(world.now, world.sink(sink).info.id).unwrap()
}

/// The scores of a producer as they were told.
fn producer_scores(world: &World, of: ProducerId) -> Vec<Vec<u8>> {
    let scores = world.events.iter().filter_map(|(_, _, event)| match event {
        RouterEvent::ProducerScore { producer_id, scores } if *producer_id == of => Some(scores),
        _ => None,
    });
    scores.map(|scores| scores.iter().map(|score| score.score).collect()).collect()
}

/// The scores of a consumer as they were told.
fn consumer_scores(world: &World, of: ConsumerId) -> Vec<ConsumerScore> {
    let scores = world.events.iter().filter_map(|(_, _, event)| match event {
        RouterEvent::ConsumerScore { consumer_id, score } if *consumer_id == of => Some(score.clone()),
        _ => None,
    });
    scores.collect()
}

fn traces(world: &World, of: TraceTarget) -> Vec<TraceEvent> {
    let traces = world.events.iter().filter_map(|(_, _, event)| match event {
        RouterEvent::Trace { target, event } if *target == of => Some((**event).clone()),
        _ => None,
    });
    traces.collect()
}

/// Harm prevented: a dashboard shows traffic that nobody had.
#[test]
fn a_clean_calls_statistics_are_what_was_sent() {
    let mut world = World::new(200);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    world.run_for(s(10));
    world.source_mut(source).stop();
    world.run_for(ms(100));

    let (published, bytes) = (world.layer(source).sent.len() as u64, 900);
    let [inbound] = &producer_stats(&world, source)[..] else { panic!("one encoding, one entry") };
    assert!(matches!(inbound.direction, StreamDirection::Inbound { .. }));
    assert_eq!((inbound.ssrc.0, inbound.mime_type.as_str()), (world.layer(source).ssrc, "video/VP8"));
    assert_eq!(inbound.rtx_ssrc.map(|ssrc| ssrc.0), world.layer(source).rtx_ssrc);
    let counts = &inbound.counts;
    assert_eq!((counts.packet_count, counts.packets_lost, counts.nack_count), (published, 0, 0));
    assert!((published * bytes..published * (bytes + 60)).contains(&counts.byte_count), "{}", counts.byte_count);
    assert_eq!(counts.pli_count, world.layer(source).heard.pli.len() as u64);
    assert_eq!(inbound.score, 10);

    let [outbound, of_producer] = &consumer_stats(&world, sink)[..] else { panic!("its own, then the producer's") };
    assert_eq!((outbound.direction.clone(), outbound.ssrc.0), (StreamDirection::Outbound, world.sink(sink).ssrc));
    assert_eq!(of_producer, inbound);
    let got = world.sink(sink).packets.len() as u64;
    assert_eq!((outbound.counts.packet_count, outbound.counts.packets_retransmitted), (got, 0));
    let rtt = outbound.round_trip_time.unwrap();
    assert!((39.0..42.0).contains(&rtt), "{rtt} ms on a path of 20 ms each way");

    let (up, down) = (transport_stat(&world, alice), transport_stat(&world, bob));
    // What SRTP adds comes on top of the packets.
    assert!((counts.byte_count + 1..counts.byte_count + published * 20).contains(&up.rtp_bytes_received));
    assert!(up.bytes_received > up.rtp_bytes_received && up.bytes_sent > 0 && up.rtp_bytes_sent == 0);
    assert!(down.rtp_bytes_sent > outbound.counts.byte_count && down.bytes_sent > down.rtp_bytes_sent);
    assert_eq!((up.rtx_bytes_received, down.rtx_bytes_sent), (0, 0));
    assert_eq!((up.rtp_packet_loss_received, down.rtp_packet_loss_sent), (Some(0.0), Some(0.0)));
    assert_eq!(up.ice_selected_tuple.map(|tuple| tuple.remote_port), Some(50_000));
    let since_1970_ms = 1_700_000_000_000 + world.elapsed().as_millis() as u64;
    assert!(up.timestamp.abs_diff(since_1970_ms) <= 1, "{} at {since_1970_ms}", up.timestamp);
}

#[test]
fn rates_are_those_of_the_last_moments() {
    let mut world = World::new(201);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    world.run_for(s(5));
    // Two packets of 900 bytes in 33 ms.
    let expected = 2.0 * 8.0 * 900.0 / 0.033;
    let rates = |world: &World| {
        let (up, down) = (transport_stat(world, alice), transport_stat(world, bob));
        let streams = consumer_stats(world, sink);
        [up.recv_bitrate, up.rtp_recv_bitrate, down.rtp_send_bitrate, streams[0].bitrate, streams[1].bitrate]
    };
    for rate in rates(&world) {
        assert!((0.95..1.15).contains(&(rate as f64 / expected)), "{rate} instead of {expected}");
    }
    world.source_mut(source).stop();
    world.run_for(s(10));
    let [all, media @ ..] = rates(&world);
    assert_eq!(media, [0; 4]);
    assert!(all < 20_000, "{all}");
    assert!(transport_stat(&world, alice).rtp_bytes_received > 250_000, "counters only grow");
}

/// Harm prevented: an owner cannot tell whose link is bad.
#[test]
fn a_lossy_uplink_shows_in_the_producers_figures_and_a_lossy_downlink_in_the_consumers() {
    for (seed, is_up) in [(202, true), (203, false)] {
        let mut world = World::new(seed);
        let link = |is_lossy| if is_lossy { Link::lossy(0.1) } else { Link::CLEAN };
        let alice = world.connected_peer(PeerOptions { up: link(is_up), ..PeerOptions::default() });
        let bob = world.connected_peer(PeerOptions { down: link(!is_up), ..PeerOptions::default() });
        let source = world.produce(alice, "vp8");
        // What the path is estimated to carry is for other tests.
        let sink = world.consume_as(bob, source, capabilities("no-bwe"), false).unwrap();
        world.run_for(s(30));
        let streams = consumer_stats(&world, sink);
        let (outbound, inbound) = (&streams[0], &streams[1]);
        let (bad, good) = if is_up { (inbound, outbound) } else { (outbound, inbound) };
        assert!((5..=9).contains(&bad.score), "{bad:?}");
        // A gap in the uplink is asked for downstream as well, and filled in time.
        assert_eq!(good.score, 10);
        let counts = &bad.counts;
        let lost = counts.packets_lost as f64 / counts.packet_count as f64;
        assert!((0.06..0.14).contains(&lost), "{lost}");
        // The last losses are not repaired yet, or not reported.
        assert!(counts.packets_repaired.abs_diff(counts.packets_lost as u64) < 30, "{counts:?}");
        assert!(counts.packets_retransmitted >= counts.packets_repaired, "{counts:?}");
        assert!(counts.nack_packet_count >= counts.packets_repaired && counts.nack_count > 50, "{counts:?}");
        assert!(counts.fraction_lost > 0);
        let (up, down) = (transport_stat(&world, alice), transport_stat(&world, bob));
        let (bad, good) = (up.rtp_packet_loss_received, down.rtp_packet_loss_sent);
        let (bad, good) = if is_up { (bad, good) } else { (good, bad) };
        assert!((0.01..0.3).contains(&bad.unwrap()), "{bad:?}");
        assert_eq!(good, Some(0.0));
        assert_eq!(up.rtx_bytes_received > 0, is_up);
        // What fills a gap of the uplink's goes out once, however soon it was asked for.
        assert_eq!(down.rtx_bytes_sent > 50_000, !is_up, "{}", down.rtx_bytes_sent);
        assert!(!is_up || down.rtx_bytes_sent == 0, "{}", down.rtx_bytes_sent);

        let told = consumer_scores(&world, world.sink(sink).info.id);
        let last = told.last().unwrap();
        // A score is told with the next regular report after it has changed.
        let is_near = |told: u8, now: u8| told.abs_diff(now) <= 1;
        assert!(is_near(last.score, outbound.score) && is_near(last.producer_score, inbound.score), "{last:?}");
        assert_eq!(last.producer_scores, [last.producer_score]);
    }
}

/// Harm prevented: a room's owner drowns in scores that say the same.
#[test]
fn a_score_is_told_when_it_changes_and_only_then() {
    let mut world = World::new(204);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    let (producer, consumer) = (world.source(source).producer, world.sink(sink).info.id);
    world.run_for(s(20));
    assert_eq!(producer_scores(&world, producer), [[10]]);
    let score = |producer_score| ConsumerScore { score: 10, producer_score, producer_scores: vec![producer_score] };
    assert_eq!(consumer_scores(&world, consumer), [score(10)]);

    // The uplink is gone.
    world.network.link(alice, Direction::Up).is_partitioned = true;
    let gone = world.now;
    world.run_for(s(6));
    world.network.link(alice, Direction::Up).is_partitioned = false;
    let told =
        world.events.iter().find(|(at, _, event)| *at > gone && matches!(event, RouterEvent::ProducerScore { .. }));
    assert!((s(3)..ms(3100)).contains(&(told.unwrap().0 - gone)));
    assert_eq!(producer_scores(&world, producer), [[10], [0]]);
    assert_eq!(consumer_scores(&world, consumer)[1], score(0));
    assert_eq!(producer_stats(&world, source)[0].score, 0);

    let back = world.now;
    world.run_for(ms(200));
    let [.., (at, _, RouterEvent::ProducerScore { scores, .. })] = &world.events[..] else { panic!("not told") };
    assert!(scores[0].score == 10 && *at - back < ms(100), "{:?} after it came back", *at - back);
}

/// Harm prevented: whoever listens in silence is shown as gone.
#[test]
fn silence_by_dtx_is_no_fault_for_longer_than_silence_of_others() {
    for (seed, case, scores) in [(205, "opus", [0, 0]), (206, "opus-dtx-fec-stereo", [10, 0])] {
        let mut world = World::new(seed);
        let alice = world.peer();
        let source = world.produce(alice, case);
        world.run_for(s(5));
        world.source_mut(source).stop();
        let silent = [s(5), s(4)].map(|silence| {
            world.run_for(silence);
            producer_stats(&world, source)[0].score
        });
        assert_eq!(silent, scores, "{case}");
    }
}

/// Harm prevented: a producer that its owner paused is shown as broken, and so is it for a moment when it goes on.
#[test]
fn a_paused_producer_that_sends_nothing_keeps_its_score() {
    let mut world = World::new(207);
    let alice = world.peer();
    let source = world.produce(alice, "vp8");
    world.run_for(s(3));
    let producer = world.source(source).producer;
    world.core.pause_producer(world.now, producer).unwrap();
    world.source_mut(source).stop();
    world.run_for(s(20));
    world.core.resume_producer(world.now, producer).unwrap();
    world.settle();
    world.run_for(s(2));
    assert_eq!(producer_scores(&world, producer), [[10]]);
    world.run_for(s(2));
    assert_eq!(producer_scores(&world, producer), [[10], [0]], "it was to go on and did not");
}

#[test]
fn each_encoding_of_a_simulcast_has_figures_and_a_score_of_its_own() {
    let mut world = World::new(208);
    let alice = world.peer();
    let source = world.produce(alice, "vp8-simulcast3");
    world.run_for(s(5));
    world.source_mut(source).layers[2].is_active = false;
    world.run_for(s(5));
    let stats = producer_stats(&world, source);
    let rids: Vec<_> = stats.iter().map(|stat| stat.rid.clone()).collect();
    let expected: Vec<_> = world.source(source).layers.iter().map(|layer| layer.rid.clone()).collect();
    assert_eq!(rids, expected);
    assert_eq!(stats.iter().map(|stat| stat.score).collect::<Vec<_>>(), [10, 10, 0]);
    assert!(stats[1].bitrate > stats[0].bitrate && stats[2].bitrate == 0);
    assert_eq!(producer_scores(&world, world.source(source).producer).last().unwrap(), &[10, 10, 0]);
}

/// Harm prevented: a thousand events a second that nobody asked for.
#[test]
fn nothing_is_traced_unless_asked_for() {
    let mut world = World::new(209);
    let alice = world.connected_peer(PeerOptions { up: Link::lossy(0.05), ..PeerOptions::default() });
    let bob = world.peer();
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    world.run_for(s(3));
    let is_trace = |(_, _, event): &&(_, _, RouterEvent)| matches!(event, RouterEvent::Trace { .. });
    assert_eq!(world.events.iter().filter(is_trace).count(), 0);

    world.core.trace_producer(world.source(source).producer, &[StreamTraceType::Rtp]).unwrap();
    world.core.trace_consumer(world.sink(sink).info.id, &[StreamTraceType::Rtp]).unwrap();
    world.run_for(s(1));
    assert!(world.events.iter().filter(is_trace).count() > 100);

    world.core.trace_producer(world.source(source).producer, &[]).unwrap();
    world.core.trace_consumer(world.sink(sink).info.id, &[]).unwrap();
    world.events.clear();
    world.run_for(s(1));
    assert_eq!(world.events.iter().filter(is_trace).count(), 0);
}

#[test]
fn traced_packets_are_those_of_the_wire() {
    let mut world = World::new(210);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    let (producer, consumer) = (world.source(source).producer, world.sink(sink).info.id);
    let packets = [StreamTraceType::Rtp, StreamTraceType::Keyframe];
    world.core.trace_producer(producer, &packets).unwrap();
    world.core.trace_consumer(consumer, &packets).unwrap();
    world.run_for(s(3));
    world.network.drop_nth(bob, Direction::Down, Kind::Rtp, &[2]);
    world.run_for(s(1));

    let told = |target| {
        traces(&world, target).into_iter().map(|event| match event.info {
            TraceInfo::Rtp { rtp_packet, is_rtx } => (event.direction, rtp_packet, is_rtx, false),
            TraceInfo::Keyframe { rtp_packet, is_rtx } => (event.direction, rtp_packet, is_rtx, true),
            other => panic!("{other:?}"),
        })
    };
    let sent = world.layer(source).sent.iter();
    let came: Vec<_> = told(TraceTarget::Producer(producer)).collect();
    assert!(came.len() > 200 && came.len().abs_diff(sent.len()) < 5);
    for ((direction, packet, is_rtx, is_key), published) in came.iter().zip(sent) {
        assert_eq!((*direction, *is_rtx), (TraceDirection::In, false));
        assert_eq!((packet.sequence_number, packet.timestamp), (published.extended as u16, published.timestamp));
        assert_eq!((packet.marker, packet.payload_size), (published.marker, published.payload.len()));
        assert_eq!((*is_key, packet.is_key_frame), (published.starts_key_frame, published.starts_key_frame));
        assert_eq!(packet.ssrc, Ssrc(world.layer(source).ssrc));
        assert_eq!(packet.mid.as_deref(), Some(world.source(source).mid.as_str()));
        assert!(packet.wide_sequence_number.is_some());
    }
    let left: Vec<_> = told(TraceTarget::Consumer(consumer)).collect();
    let (again, first): (Vec<_>, Vec<_>) = left.into_iter().partition(|(_, _, is_rtx, _)| *is_rtx);
    assert_eq!(again.len(), 1, "the one that was lost");
    let numbers = |packet: &RtpTrace| (packet.sequence_number, packet.timestamp, packet.marker, packet.payload_size);
    assert!(first.iter().any(|(_, packet, ..)| numbers(packet) == numbers(&again[0].1)), "it was sent before");
    assert!(first.len() > 200 && first[0].3, "a consumer begins with a key frame");
    for (direction, packet, ..) in &first {
        assert_eq!((*direction, packet.ssrc), (TraceDirection::Out, Ssrc(world.sink(sink).ssrc)));
        let got = world.sink(sink).packets.iter().find(|(number, _)| **number as u16 == packet.sequence_number);
        if let Some((_, got)) = got {
            assert_eq!((got.timestamp, got.marker), (packet.timestamp, packet.marker));
        }
    }
}

#[test]
fn reports_and_requests_are_traced_where_they_come_and_where_they_leave() {
    use StreamTraceType::{Fir, Nack, Pli, Sr};
    let mut world = World::new(211);
    let alice = world.connected_peer(PeerOptions { up: Link::lossy(0.1), ..PeerOptions::default() });
    let bob = world.connected_peer(PeerOptions { down: Link::lossy(0.1), ..PeerOptions::default() });
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    let (producer, consumer) = (world.source(source).producer, world.sink(sink).info.id);
    world.core.trace_producer(producer, &[Nack, Pli, Fir, Sr]).unwrap();
    world.core.trace_consumer(consumer, &[Nack, Pli, Fir, Sr]).unwrap();
    for _ in 0..5 {
        world.run_for(s(2));
        world.peers[bob].send_pli(sink.index);
        world.settle();
    }
    world.run_for(s(1));
    let (of_producer, of_consumer) =
        (traces(&world, TraceTarget::Producer(producer)), traces(&world, TraceTarget::Consumer(consumer)));
    let count = |events: &[TraceEvent], direction, is: fn(&TraceInfo) -> bool| {
        events.iter().filter(|event| event.direction == direction && is(&event.info)).count()
    };
    let nack = |info: &TraceInfo| matches!(info, TraceInfo::Nack { packets: 1.., .. });
    let pli = |info: &TraceInfo| matches!(info, TraceInfo::Pli { .. });
    let sr = |info: &TraceInfo| matches!(info, TraceInfo::Sr { packet_count: 1.., octet_count: 1.., .. });
    use TraceDirection::{In, Out};
    assert!(count(&of_producer, Out, nack) > 20 && count(&of_consumer, In, nack) > 20);
    assert!(count(&of_producer, Out, pli) >= 5 && count(&of_consumer, In, pli) >= 5);
    assert!(count(&of_producer, In, sr) >= 7 && count(&of_consumer, Out, sr) >= 7);
    let others = |events: &[TraceEvent], both: [fn(&TraceInfo) -> bool; 3]| {
        events.iter().filter(|event| !both.iter().any(|is| is(&event.info))).count()
    };
    assert_eq!(others(&of_producer, [nack, pli, sr]) + others(&of_consumer, [nack, pli, sr]), 0);
    let stats = &producer_stats(&world, source)[0].counts;
    assert_eq!(stats.nack_count, count(&of_producer, Out, nack) as u64);
}

/// Harm prevented: an owner cannot see why a picture became small.
#[test]
fn the_estimate_of_a_path_is_told_with_what_bounds_it() {
    let mut world = World::new(214);
    let alice = world.peer();
    let bob = world.connected_peer(PeerOptions { down: Link::thin(400_000, 400), ..PeerOptions::default() });
    let source = world.produce(alice, "vp8");
    world.consume(bob, source);
    let transport = world.peers[bob].transport;
    world.core.trace_transport(transport, &[TransportTraceType::Bwe]).unwrap();
    world.run_for(s(10));
    let available = transport_stat(&world, bob).bandwidth.available_outgoing_bitrate.unwrap();
    assert!((100_000..600_000).contains(&available), "{available}");
    let mut told = traces(&world, TraceTarget::Transport(transport)).into_iter().map(|event| match event.info {
        TraceInfo::Bwe(bwe) => bwe,
        other => panic!("{other:?}"),
    });
    let last = told.next_back().unwrap();
    assert_eq!(last.available_bitrate, available);
    assert!(last.min_bitrate < available && available < last.max_bitrate && last.desired_bitrate > 0, "{last:?}");

    world.core.set_max_outgoing_bps(world.now, transport, Some(150_000)).unwrap();
    let bandwidth = transport_stat(&world, bob).bandwidth;
    assert_eq!(bandwidth.max_outgoing_bitrate, Some(150_000));
    assert!(bandwidth.available_outgoing_bitrate.unwrap() <= 150_000);
}

#[test]
fn probes_of_a_path_are_told_and_counted_apart_from_media() {
    let mut world = World::new(215);
    let (alice, bob) = (world.peer(), world.peer());
    // More than a path is assumed to carry at first.
    let source = world.produce(alice, "vp8-simulcast3");
    let transport = world.peers[bob].transport;
    world.core.trace_transport(transport, &[TransportTraceType::Probation]).unwrap();
    let sink = world.consume(bob, source);
    world.run_for(s(5));
    let told = traces(&world, TraceTarget::Transport(transport));
    assert!(!told.is_empty());
    for event in told {
        assert!(matches!(event.info, TraceInfo::Probation { target_bitrate: 1.. }), "{:?}", event.info);
        assert_eq!(event.direction, TraceDirection::Out);
    }
    let stat = transport_stat(&world, bob);
    assert!(stat.probation_bytes_sent > 0);
    assert_eq!(stat.rtx_bytes_sent, 0, "nobody asked for anything again");
    assert_eq!(consumer_stats(&world, sink)[0].counts.packets_retransmitted, 0);
}

/// A peer without RTX gets the same packet again, which is no retransmission stream's.
#[test]
fn repeats_to_a_peer_without_rtx_count_as_retransmissions_too() {
    let mut world = World::new(212);
    let alice = world.peer();
    let bob = world.connected_peer(PeerOptions { down: Link::lossy(0.1), ..PeerOptions::default() });
    let (kind, parameters) = producer("vp8");
    let source = world.produce_with(alice, kind, without_rtx(parameters)).unwrap();
    world.start(source);
    let sink = world.consume_as(bob, source, capabilities("no-rtx"), false).unwrap();
    world.run_for(s(10));
    let outbound = &consumer_stats(&world, sink)[0];
    assert!(outbound.rtx_ssrc.is_none() && outbound.counts.packets_repaired > 20, "{:?}", outbound.counts);
    let stat = transport_stat(&world, bob);
    assert_eq!(stat.rtx_bytes_sent, 0);
    assert!(stat.rtp_bytes_sent > outbound.counts.byte_count + outbound.counts.packets_retransmitted * 900);
}

#[test]
fn closed_objects_have_no_statistics() {
    let mut world = World::new(213);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    let (producer, consumer) = (world.source(source).producer, world.sink(sink).info.id);
    assert_eq!(producer_stats(&world, source), [], "nothing has come yet");
    assert_eq!(consumer_stats(&world, sink).len(), 1);
    world.core.close_transport(world.now, world.peers[alice].transport);
    assert!(world.core.transport_stats(world.now, world.peers[alice].transport).is_err());
    assert!(world.core.producer_stats(world.now, producer).is_err());
    assert!(world.core.consumer_stats(world.now, consumer).is_err());
    assert!(world.core.trace_producer(producer, &[]).is_err() && world.core.trace_consumer(consumer, &[]).is_err());
    assert!(world.core.trace_transport(world.peers[alice].transport, &[]).is_err());
}
