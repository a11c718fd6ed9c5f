//! What an audience asks for all at once, and what of it reaches the publisher.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use simulation::{Direction, Kind, SinkId, SourceId, World, ms, s};

/// Subscribers of a large room.
const MANY: usize = 250;

/// A publisher of small frames, and so many who get them.
fn room(seed: u64, audience: usize) -> (World, SourceId, Vec<SinkId>) {
    let mut world = World::new(seed);
    let alice = world.peer();
    let source = world.produce(alice, "vp8");
    let peers: Vec<usize> = (0..audience).map(|_| world.add_peer(Default::default())).collect();
    world.run_for(s(1));
    let sinks = peers.into_iter().map(|peer| world.consume(peer, source)).collect();
    world.run_for(s(2));
    (world, source, sinks)
}

fn sequence(datagram: &[u8]) -> u16 {
    u16::from_be_bytes([datagram[2], datagram[3]])
}

fn ssrc(datagram: &[u8]) -> u32 {
    u32::from_be_bytes(datagram[8..12].try_into().unwrap())
}

/// Loses every fiftieth media packet of the publisher; what was lost. Its repeats pass, or are lost as well.
fn lose(world: &mut World, source: SourceId, loses_repeats: bool) -> Rc<RefCell<BTreeSet<u16>>> {
    let media = world.layer(source).ssrc;
    let lost = Rc::new(RefCell::new(BTreeSet::new()));
    let (noted, mut count) = (Rc::clone(&lost), 0);
    world.network.drop_if(move |datagram| {
        if datagram.direction != Direction::Up || datagram.peer != 0 || datagram.kind() != Kind::Rtp {
            return false;
        }
        if ssrc(&datagram.bytes) != media {
            return loses_repeats;
        }
        count += 1;
        let is_lost = count % 50 == 0;
        if is_lost {
            noted.borrow_mut().insert(sequence(&datagram.bytes));
        }
        is_lost
    });
    lost
}

/// Datagrams that the core has sent to the publisher.
fn told(world: &World) -> u64 {
    world.network.stats(0, Direction::Down).offered.packets
}

/// Harm prevented: in overload one lost packet makes everybody ask, and everybody's question goes to the publisher.
#[test]
fn what_a_whole_audience_misses_is_asked_for_once_and_reaches_each_once() {
    let (mut world, source, sinks) = room(400, MANY);
    let lost = lose(&mut world, source, false);
    world.run_for(s(4));
    world.network.clear_rules();
    world.run_for(s(1));
    let mut asked: Vec<u16> = world.layer(source).heard.nacked.iter().map(|(_, sequence)| *sequence).collect();
    asked.sort_unstable();
    assert_eq!(asked, lost.borrow().iter().copied().collect::<Vec<_>>());
    assert!(asked.len() > 3, "{} were lost", asked.len());
    for sink in sinks {
        assert!(world.sink(sink).nacks_sent >= asked.len(), "everybody asks");
        assert_eq!(world.sink(sink).duplicates, 0, "nobody gets anything twice");
        world.assert_complete(sink, source);
    }
}

/// Harm prevented: what cannot be had is asked for by everybody until they give up.
#[test]
fn what_never_comes_is_asked_for_as_often_for_many_as_for_few() {
    let asked = [5, MANY].map(|audience| {
        let (mut world, source, sinks) = room(401, audience);
        let lost = lose(&mut world, source, true);
        world.run_for(s(3));
        world.network.clear_rules();
        world.run_for(s(1));
        let nacks: usize = sinks.iter().map(|sink| world.sink(*sink).nacks_sent).sum();
        assert!(nacks >= audience * lost.borrow().len(), "{nacks} messages of {audience}");
        world.layer(source).heard.nacked.len()
    });
    assert_eq!(asked[0], asked[1]);
}

/// Harm prevented: a thousand viewers who cannot decode ask a thousand times, and the publisher sends nothing but key frames.
#[test]
fn key_frames_are_asked_for_as_often_for_many_as_for_few() {
    let (mut world, source, sinks) = room(402, MANY);
    let before = world.layer(source).heard.pli.len();
    for sink in &sinks {
        world.peers[sink.peer].send_pli(sink.index);
    }
    world.run_for(ms(900));
    assert_eq!(world.layer(source).heard.pli.len() - before, 1, "all ask at once");

    let (start, plis) = (world.now, world.layer(source).heard.pli.len());
    for round in 0..20 {
        for sink in &sinks {
            if round % 2 == 0 {
                world.peers[sink.peer].send_pli(sink.index);
            } else {
                world.peers[sink.peer].send_fir(sink.index, round);
            }
        }
        world.run_for(ms(200));
    }
    let seconds = (world.now - start).as_secs() as usize;
    let asked = world.layer(source).heard.pli.len() - plis;
    assert!((1..=seconds + 1).contains(&asked), "{asked} times in {seconds} s");
}

/// Harm prevented: something else than those, which nobody has thought of, grows with the audience.
#[test]
fn a_publisher_is_told_as_much_for_many_as_for_few() {
    let told = [5, MANY].map(|audience| {
        let (mut world, source, sinks) = room(403, audience);
        let before = told(&world);
        let _lost = lose(&mut world, source, false);
        for _ in 0..4 {
            world.run_for(ms(990));
            for sink in &sinks {
                world.peers[sink.peer].send_pli(sink.index);
            }
            world.run_for(ms(10));
        }
        told(&world) - before
    });
    let [few, many] = told;
    assert!(many <= few + few / 10, "{few} datagrams for 5 subscribers, {many} for {MANY}");
}
