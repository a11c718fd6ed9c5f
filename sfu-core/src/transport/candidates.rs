//! What a peer is told of where we are.

use crate::parameters::{IceCandidate, IceCandidateType, IceProtocol, IceTcpCandidateType};
use crate::worker::{LocalAddress, WebRtcTransportOptions};

/// Type preference of host candidates (RFC 8445 section 5.1.2.2).
const HOST_TYPE_PREFERENCE: u32 = 126;
/// What each step down the list of addresses takes from the local preference.
const ADDRESS_STEP: u32 = 64;
/// TCP stands behind every UDP address: it delays what follows a lost packet.
const TCP_STEP: u32 = 32 * 1024;

/// The host candidates for sockets on `addresses`, most wanted first. Component 1 alone: RTCP is multiplexed (RFC 5761).
pub(crate) fn candidates(addresses: &[LocalAddress], options: WebRtcTransportOptions) -> Vec<IceCandidate> {
    let announced = || {
        addresses.iter().flat_map(|address| address.announced.iter().map(|announced| (announced, address.bound.port())))
    };
    let make = |protocol: IceProtocol| {
        announced().zip(0..).map(move |((address, port), index)| IceCandidate {
            foundation: match protocol {
                IceProtocol::Udp => "udpcandidate".to_owned(),
                IceProtocol::Tcp => "tcpcandidate".to_owned(),
            },
            priority: priority(protocol, index),
            ip: address.clone(),
            address: address.clone(),
            protocol,
            port,
            candidate_type: IceCandidateType::Host,
            tcp_type: (protocol == IceProtocol::Tcp).then_some(IceTcpCandidateType::Passive),
        })
    };
    let udp = options.enable_udp.then(|| make(IceProtocol::Udp));
    let tcp = options.enable_tcp.then(|| make(IceProtocol::Tcp));
    udp.into_iter().flatten().chain(tcp.into_iter().flatten()).collect()
}

/// RFC 8445 section 5.1.2.1, for component 1.
fn priority(protocol: IceProtocol, index: u32) -> u32 {
    let step = match protocol {
        IceProtocol::Udp => 0,
        IceProtocol::Tcp => TCP_STEP,
    };
    let local_preference = 65_535_u32.saturating_sub(step).saturating_sub(index.saturating_mul(ADDRESS_STEP));
    HOST_TYPE_PREFERENCE << 24 | local_preference << 8 | (256 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(bound: &str, announced: &[&str]) -> LocalAddress {
        LocalAddress {
            bound: bound.parse().unwrap(),
            announced: announced.iter().map(|&text| text.to_owned()).collect(),
        }
    }

    #[test]
    fn every_udp_candidate_stands_before_every_tcp_candidate() {
        let addresses =
            [address("0.0.0.0:40000", &["203.0.113.7", "sfu.example"]), address("[::]:40000", &["2001:db8::7"])];
        let list = candidates(&addresses, WebRtcTransportOptions::default());
        let said: Vec<_> = list.iter().map(|c| (c.protocol, c.address.as_str(), c.port)).collect();
        assert_eq!(
            said,
            [
                (IceProtocol::Udp, "203.0.113.7", 40_000),
                (IceProtocol::Udp, "sfu.example", 40_000),
                (IceProtocol::Udp, "2001:db8::7", 40_000),
                (IceProtocol::Tcp, "203.0.113.7", 40_000),
                (IceProtocol::Tcp, "sfu.example", 40_000),
                (IceProtocol::Tcp, "2001:db8::7", 40_000),
            ]
        );
        assert!(list.is_sorted_by(|a, b| a.priority > b.priority), "the order is the priority");
        assert!(list.iter().all(|c| c.tcp_type.is_some() == (c.protocol == IceProtocol::Tcp)));
    }

    #[test]
    fn a_protocol_that_is_not_enabled_is_not_offered() {
        let addresses = [address("127.0.0.1:1", &["127.0.0.1"])];
        let only_tcp =
            WebRtcTransportOptions { enable_udp: false, enable_tcp: true, ..WebRtcTransportOptions::default() };
        assert!(candidates(&addresses, only_tcp).iter().all(|c| c.protocol == IceProtocol::Tcp));
    }
}
