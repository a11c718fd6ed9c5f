//! ICE: restarts, moves, many paths, and consent.

use sfu_core::ice::IceState;
use sfu_core::router::{RouterEvent, TransportCloseReason};
use sfu_core::transport::tuple::{Protocol, Tuple};

use simulation::{PeerOptions, World, ms, s};

fn ice_states(world: &World, peer: usize) -> Vec<IceState> {
    let transport = world.peers[peer].transport;
    let state = |event: &RouterEvent| match event {
        RouterEvent::IceState { transport_id, state } if *transport_id == transport => Some(*state),
        _ => None,
    };
    world.events.iter().filter_map(|(_, _, event)| state(event)).collect()
}

#[test]
fn peers_are_reached_over_ipv6_and_tcp_as_well() {
    let mut world = World::new(80);
    let six = world.connected_peer(PeerOptions {
        address: Some("[2001:db8::17]:50000".parse().unwrap()),
        ..PeerOptions::default()
    });
    let tcp = world.connected_peer(PeerOptions { protocol: Protocol::Tcp, ..PeerOptions::default() });
    let (source, back) = (world.produce(six, "vp8"), world.produce(tcp, "vp8"));
    let (there, here) = (world.consume(tcp, source), world.consume(six, back));
    world.run_for(s(3));
    world.assert_complete(there, source);
    world.assert_complete(here, back);
    for peer in [six, tcp] {
        assert_eq!(
            world.peers[peer].ice.mapped,
            Some(world.peers[peer].tuple.remote),
            "our view of the peer's address"
        );
        assert_eq!(ice_states(&world, peer).last(), Some(&IceState::Completed));
    }
}

/// Harm prevented: changing from Wi-Fi to a mobile network ends the call.
#[test]
fn media_goes_on_through_an_ice_restart() {
    let mut world = World::new(81);
    let (alice, bob) = (world.peer(), world.peer());
    let (source, back) = (world.produce(alice, "vp8"), world.produce(bob, "vp8"));
    let (there, here) = (world.consume(bob, source), world.consume(alice, back));
    world.run_for(s(2));
    let parameters = world.core.restart_ice(world.now, world.peers[alice].transport).unwrap();
    world.settle();
    let answered = world.peers[alice].ice.answered;
    world.run_for(s(10));
    assert!(world.peers[alice].ice.answered > answered, "the old credentials hold until the new ones are used");
    let mut old = world.peers[alice].ice.request(true);
    let now = world.now;
    world.peers[alice].ice.restart(now, parameters);
    world.peers[alice].ice.answered = 0;
    world.run_for(s(1));
    assert!(world.peers[alice].ice.answered > 0, "the new credentials work");
    let tuple = world.peers[alice].tuple;
    let strangers = world.core.stats().strangers_dropped;
    world.core.handle_datagram(world.now, tuple, &mut old);
    world.settle();
    assert_eq!(world.core.stats().strangers_dropped, strangers + 1, "the old credentials are over");
    world.run_for(s(5));
    world.assert_complete(there, source);
    world.assert_complete(here, back);
}

#[test]
fn media_follows_a_peer_to_another_address() {
    let mut world = World::new(82);
    let (alice, bob) = (world.peer(), world.peer());
    let (source, back) = (world.produce(alice, "vp8"), world.produce(bob, "vp8"));
    let (there, here) = (world.consume(bob, source), world.consume(alice, back));
    world.run_for(s(3));
    let first = world.peers[alice].tuple;
    let places = ["203.0.113.77:1234", "[2001:db8::5]:1234", "203.0.113.77:1235"];
    for (place, protocol) in places.into_iter().zip([Protocol::Udp, Protocol::Udp, Protocol::Tcp]) {
        let next = Tuple { remote: place.parse().unwrap(), protocol, ..first };
        let former = world.peers[alice].tuple;
        world.move_peer(alice, next);
        world.run_for(ms(100));
        let on_former = world.peers[alice].heard_on[&former];
        world.run_for(s(3));
        assert_eq!(world.peers[alice].heard_on[&former], on_former, "the former address still gets media");
        assert!(world.peers[alice].heard_on[&next] > 200);
    }
    world.run_for(s(1));
    // What was sent before the first check arrived at the new address is repaired like any loss.
    world.assert_complete(there, source);
    world.assert_complete(here, back);
}

/// Harm prevented: a peer's forgotten paths pile up, or a flood of new ones cuts the one in use.
#[test]
fn a_ninth_path_replaces_the_one_that_was_silent_longest_and_not_the_one_in_use() {
    let mut world = World::new(83);
    let peer = world.peer();
    let used = world.peers[peer].tuple;
    let others: Vec<Tuple> =
        (0..20).map(|n| Tuple { remote: format!("203.0.113.9:{}", 2000 + n).parse().unwrap(), ..used }).collect();
    for (count, tuple) in others.iter().enumerate() {
        world.network.set_home(tuple.remote, peer);
        let check = world.peers[peer].ice.request(false);
        let now = world.now;
        world.network.send_up(now, peer, *tuple, check);
        world.run_for(ms(100));
        assert!(world.core.knows(tuple) && world.core.knows(&used));
        let known = others.iter().filter(|tuple| world.core.knows(tuple)).count();
        assert_eq!(known, (count + 1).min(7));
    }
    assert_eq!(world.closed_tuples, others[..13]);
    let strangers = world.core.stats().strangers_dropped;
    world.core.handle_datagram(world.now, others[0], &mut [0x80; 40]);
    assert_eq!(world.core.stats().strangers_dropped, strangers + 1);
}

/// Harm prevented: somebody whose battery died stays in the room for ever.
#[test]
fn a_peer_that_falls_silent_is_disconnected_after_30_s_and_closed_after_30_more() {
    let mut world = World::new(84);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "opus");
    let sink = world.consume(bob, source);
    world.run_for(s(3));
    world.peers[alice].ice.check_now(world.now);
    world.run_for(ms(50));
    let silent_from = world.now;
    world.peers[alice].ice.is_checking = false;
    world.run_for(ms(29_900));
    assert_eq!(ice_states(&world, alice), [IceState::Completed]);
    world.run_for(ms(200));
    assert_eq!(ice_states(&world, alice), [IceState::Completed, IceState::Disconnected]);
    let before = world.sink(sink).packets.len();
    world.run_for(ms(29_800));
    assert!(world.sink(sink).packets.len() <= before + 2, "media without consent");
    assert_eq!(world.core.stats().transports, 2);
    world.run_for(ms(200));
    let closed: Vec<_> =
        world.events.iter().filter(|(_, _, event)| matches!(event, RouterEvent::TransportClosed { .. })).collect();
    let [(at, _, RouterEvent::TransportClosed { transport_id, reason })] = closed[..] else { panic!("{closed:?}") };
    assert_eq!((*transport_id, reason), (world.peers[alice].transport, &TransportCloseReason::ConsentExpired));
    assert!((s(59)..s(61)).contains(&(*at - silent_from)), "{:?}", *at - silent_from);
    assert_eq!(world.core.stats().consumers, 0);
}

#[test]
fn a_peer_that_comes_back_within_the_linger_goes_on() {
    let mut world = World::new(85);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    world.run_for(s(3));
    world.peers[alice].ice.is_checking = false;
    world.source_mut(source).stop();
    world.run_for(s(45));
    assert_eq!(ice_states(&world, alice).last(), Some(&IceState::Disconnected));
    world.peers[alice].ice.is_checking = true;
    world.peers[alice].ice.check_now(world.now);
    world.start(source);
    let back = world.now;
    world.run_for(s(60));
    assert_eq!(ice_states(&world, alice).last(), Some(&IceState::Completed));
    let fresh = world.pairs(sink, source).iter().filter(|pair| pair.published.at > back + s(2)).count();
    assert!(fresh > 2000, "{fresh}");
}

/// Harm prevented: a client makes its receiving transport when it joins, and uses it when somebody else comes, an hour later.
#[test]
fn a_transport_waits_for_its_peers_first_check() {
    let mut world = World::new(86);
    let (alice, bob) = (world.peer(), world.add_peer(PeerOptions::default()));
    world.peers[bob].ice.is_checking = false;
    world.run_for(s(3600));
    assert_eq!(world.core.stats().transports, 2);
    world.peers[bob].ice.is_checking = true;
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    world.run_for(s(3));
    world.assert_complete(sink, source);
}
