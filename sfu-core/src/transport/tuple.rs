//! The path between a peer and us.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// The transport protocol of a tuple, spelled as mediasoup spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Datagrams as they are.
    Udp,
    /// Datagrams in frames on a connection that the peer opened (RFC 4571, RFC 6544).
    Tcp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

/// One path of a transport: what a datagram is demultiplexed by.
///
/// Two tuples are one path if and only if they are equal, so whoever makes one from a dual-stack socket
/// uses one form of an IPv4 address throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tuple {
    /// How datagrams travel.
    pub protocol: Protocol,
    /// Our address and port.
    pub local: SocketAddr,
    /// The peer's address and port, as we see them.
    pub remote: SocketAddr,
}

/// Each datagram is looked up by its tuple: what tells tuples apart is hashed in one piece. The scope of an IPv6 address does
/// not; equality knows it.
impl Hash for Tuple {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let ports = [self.local, self.remote].map(|address| address.port().to_be_bytes());
        let [[a, b], [c, d]] = ports;
        let ports = [a, b, c, d ^ self.protocol as u8];
        match (self.local.ip(), self.remote.ip()) {
            (IpAddr::V4(local), IpAddr::V4(remote)) => {
                let mut bytes = [0; 12];
                let addresses = [ports, local.octets(), remote.octets()];
                bytes.as_chunks_mut().0.copy_from_slice(&addresses);
                state.write(&bytes);
            }
            (local, remote) => {
                let [local, remote] = [local, remote].map(|address| match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                    IpAddr::V6(address) => address.octets(),
                });
                state.write(&ports);
                state.write(&local);
                state.write(&remote);
            }
        }
    }
}

impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} <- {}", self.protocol, self.local, self.remote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_is_spelled_as_mediasoup_spells_it() {
        assert_eq!(serde_json::to_value([Protocol::Udp, Protocol::Tcp]).unwrap(), serde_json::json!(["udp", "tcp"]));
    }

    #[test]
    fn the_same_addresses_over_another_protocol_are_another_path() {
        let udp = Tuple {
            protocol: Protocol::Udp,
            local: "192.0.2.1:40000".parse().unwrap(),
            remote: "[2001:db8::1]:5000".parse().unwrap(),
        };
        assert_ne!(udp, Tuple { protocol: Protocol::Tcp, ..udp });
        assert_eq!(udp.to_string(), "udp 192.0.2.1:40000 <- [2001:db8::1]:5000");
    }
}
