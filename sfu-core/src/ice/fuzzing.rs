//! What a fuzzer feeds to the agent: compiled with everything else, so that it cannot rot.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{IceLite, IceState, local_ufrag};
use crate::transport::tuple::{Protocol, Tuple};

/// Hands `data` to an agent as a datagram of somebody who does not know the password.
///
/// # Panics
/// When such a datagram changes anything.
pub fn fuzz_ice(now: Instant, data: &[u8]) {
    let mut agent = IceLite::new(&mut StdRng::seed_from_u64(0));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let tuple = Tuple { protocol: Protocol::Udp, local: address, remote: address };
    let _ = local_ufrag(data);
    let _ = agent.handle_stun(now, tuple, data);
    assert_eq!(agent.state(), IceState::New, "a stranger changed the state");
    assert!(!agent.is_validated(&tuple) && agent.poll_event().is_none(), "a stranger validated a tuple");
}
