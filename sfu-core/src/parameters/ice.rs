//! ICE parameters and candidates (RFC 8445), as a client gets them.

use serde::{Deserialize, Serialize};

/// The server's ICE credentials of one transport (RFC 8445 section 5.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceParameters {
    /// The ufrag.
    pub username_fragment: String,
    /// The password.
    pub password: String,
    /// Whether the agent is ICE-lite (RFC 8445 section 2.5). The server always is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ice_lite: Option<bool>,
}

/// One address at which a transport can be reached (RFC 8445 section 5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// Equal for candidates of one kind, base and protocol (RFC 8445 section 5.1.1.3).
    pub foundation: String,
    /// Higher is better (RFC 8445 section 5.1.2).
    pub priority: u32,
    /// The address, under the name older clients read: an IP address or, where that is what is announced, a host name
    /// (RFC 8839 section 5.1).
    pub ip: String,
    /// The same, under the name newer clients read.
    pub address: String,
    /// The transport protocol.
    pub protocol: IceProtocol,
    /// The port.
    pub port: u16,
    /// How the address was found.
    #[serde(rename = "type")]
    pub candidate_type: IceCandidateType,
    /// Who opens the connection; only with TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_type: Option<IceTcpCandidateType>,
}

/// The transport protocol of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceProtocol {
    /// Datagrams.
    Udp,
    /// RFC 6544, framed by RFC 4571.
    Tcp,
}

/// How a candidate's address was found. An ICE-lite agent has host candidates only (RFC 8445 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceCandidateType {
    /// An address of the machine itself, or the announced one in its place.
    Host,
}

/// Who opens a TCP candidate's connection (RFC 6544 section 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceTcpCandidateType {
    /// The other side does; the server listens.
    Passive,
}
