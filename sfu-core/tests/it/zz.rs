use simulation::*;
#[test]
fn zz() {
    let mut world = World::new(1);
    let alice = world.peer();
    let bob = world.connected_peer(PeerOptions { down: Link::lossy(0.1), ..PeerOptions::default() });
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    for _ in 0..60 {
        world.run_for(ms(200));
        let t = world.peers[bob].transport;
        let st = world.core.transport_stats(world.now, t).unwrap();
        let ev: Vec<_> = world.events.drain(..).map(|(_, _, e)| format!("{e:?}")).collect();
        println!(
            "{:?} got {} est {:?} rate {} prob {} {} ",
            world.elapsed(),
            world.sink(sink).packets.len(),
            st.bandwidth.available_outgoing_bitrate,
            st.rtp_send_bitrate,
            st.probation_send_bitrate,
            world.core.debug_downlink(t)
        );
        for e in ev {
            println!("   {e}");
        }
    }
    panic!();
}
