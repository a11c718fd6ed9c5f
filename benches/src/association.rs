//! From a transport's parameters to a connected socket with keys: the path, then the handshake.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::dtls::{DtlsError, Handshake, Identity, RESEND_INTERVAL, SrtpKeys};
use crate::ice;
use crate::rtp::Datagram;
use crate::signalling::parameters::TransportParameters;

/// How long a peer may take to connect, waiting for its turn in a crowd included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Holds the datagrams of half a second of a large meeting while the generator is busy elsewhere.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
/// Longer than any datagram of a handshake.
const MAX_DATAGRAM_BYTES: usize = 2048;

/// Why a peer has no association.
#[derive(Debug, thiserror::Error)]
pub enum AssociationError {
    /// The server offers nothing to connect to.
    #[error("the server's transport has no UDP candidate with an IP address")]
    NoCandidate,
    /// Our own sockets.
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
    /// The server's ICE parameters.
    #[error("ICE: {0}")]
    Ice(String),
    /// The handshake.
    #[error("DTLS: {0}")]
    Dtls(#[from] DtlsError),
    /// The server did not answer.
    #[error("{stage}: the server at {remote} did not answer within {CONNECT_TIMEOUT:?}")]
    TimedOut {
        /// What was waited for.
        stage: &'static str,
        /// Its candidate.
        remote: SocketAddr,
    },
}

/// A connected transport.
#[derive(Debug)]
pub struct Association {
    /// Connected to the server's candidate, not blocking.
    pub socket: std::net::UdpSocket,
    /// Of both directions.
    pub keys: SrtpKeys,
    /// Refreshes consent when sent.
    pub check: Vec<u8>,
}

impl Association {
    /// Connects to a transport. The server must know our fingerprint already, or learn it meanwhile. `seed` tells this peer's
    /// checks from others'.
    ///
    /// # Errors
    /// [`AssociationError`].
    pub async fn connect(
        transport: &TransportParameters,
        identity: &Identity,
        seed: u64,
    ) -> Result<Self, AssociationError> {
        let remote = transport.udp_candidate().ok_or(AssociationError::NoCandidate)?;
        let socket = bind(remote)?;
        socket.connect(remote).await?;
        let mut transaction_id = [7; 12];
        transaction_id[..8].copy_from_slice(&seed.to_be_bytes());
        let ice = &transport.ice_parameters;
        let check = ice::check(&ice.username_fragment, &ice.password, transaction_id)
            .map_err(|error| AssociationError::Ice(error.to_string()))?;
        let timed_out = |stage| move |_| AssociationError::TimedOut { stage, remote };
        let path = find_path(&socket, &check, transaction_id);
        timeout(CONNECT_TIMEOUT, path).await.map_err(timed_out("connectivity check"))??;
        let handshake = shake_hands(&socket, identity, remote);
        let keys = timeout(CONNECT_TIMEOUT, handshake).await.map_err(timed_out("DTLS handshake"))??;
        Ok(Self { socket: socket.into_std()?, keys, check })
    }
}

/// A socket of its own for each transport, as browsers have: the server tells peers apart by their addresses.
fn bind(remote: SocketAddr) -> std::io::Result<UdpSocket> {
    let unspecified: SocketAddr = if remote.is_ipv4() { ([0; 4], 0).into() } else { ([0; 16], 0).into() };
    let socket = std::net::UdpSocket::bind(unspecified)?;
    socket.set_nonblocking(true)?;
    // Beyond the kernel's limit for root, up to the limit for others.
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_BYTES).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES)?;
    }
    UdpSocket::from_std(socket)
}

/// The server looks at nothing before a check.
async fn find_path(socket: &UdpSocket, check: &[u8], transaction_id: [u8; 12]) -> Result<(), AssociationError> {
    let mut buffer = [0; MAX_DATAGRAM_BYTES];
    loop {
        socket.send(check).await?;
        if let Ok(received) = timeout(RESEND_INTERVAL, socket.recv(&mut buffer)).await
            && buffer.get(..received?).is_some_and(|answer| ice::is_success(answer, transaction_id))
        {
            return Ok(());
        }
    }
}

async fn shake_hands(
    socket: &UdpSocket,
    identity: &Identity,
    remote: SocketAddr,
) -> Result<SrtpKeys, AssociationError> {
    let mut handshake = Handshake::begin(Instant::now(), identity, socket.local_addr()?, remote)?;
    let mut buffer = [0; MAX_DATAGRAM_BYTES];
    loop {
        for datagram in handshake.drain_outbox() {
            socket.send(&datagram).await?;
        }
        if let Some(keys) = handshake.keys()? {
            return Ok(keys);
        }
        match timeout(RESEND_INTERVAL, socket.recv(&mut buffer)).await {
            Ok(received) => {
                let datagram = buffer.get(..received?).unwrap_or_default();
                if Datagram::of(datagram) == Datagram::Dtls {
                    handshake.handle(Instant::now(), datagram)?;
                }
            }
            Err(_) => handshake.handle_silence(),
        }
    }
}
