//! Somebody on the path of one peer: what passes is passed on, and what else they like comes out of the same socket, so that to the
//! engine it is of the peer's own address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::RwLock;
use tokio::task::JoinHandle;

use crate::support::LOOPBACK_V4;

/// Longer than any datagram of a peer.
const MAX_DATAGRAM_BYTES: usize = 4096;

/// What else to send when a datagram of the peer's passes: from the path, and from elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Meddling {
    pub(crate) on_path: Vec<Vec<u8>>,
    pub(crate) from_elsewhere: Vec<Vec<u8>>,
}

/// Says what to send beside a datagram of the peer's.
pub(crate) type Meddle = Box<dyn FnMut(&[u8]) -> Meddling + Send>;

/// A path between a peer and the engine; it ends when this is dropped.
pub(crate) struct Relay {
    /// Where the peer is told that the engine is.
    pub(crate) address: SocketAddr,
    /// Where what is sent "from elsewhere" comes from.
    pub(crate) elsewhere: Arc<UdpSocket>,
    tasks: [JoinHandle<()>; 2],
}

impl Relay {
    pub(crate) async fn start(engine: SocketAddr, mut meddle: Meddle) -> Self {
        let [to_peer, to_engine, elsewhere] = [bind().await, bind().await, bind().await];
        for socket in [&to_engine, &elsewhere] {
            socket.connect(engine).await.expect("an address of this machine");
        }
        let address = to_peer.local_addr().expect("it is bound");
        let peer = Arc::new(RwLock::new(None::<SocketAddr>));

        let (from_peer, engine_bound, stranger, latest) =
            (Arc::clone(&to_peer), Arc::clone(&to_engine), Arc::clone(&elsewhere), Arc::clone(&peer));
        let up = tokio::spawn(async move {
            let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
            while let Ok((len, from)) = from_peer.recv_from(&mut buffer).await {
                *latest.write().await = Some(from);
                let datagram = &buffer[..len];
                let Meddling { on_path, from_elsewhere } = meddle(datagram);
                // Before the peer's own: what it does must be done by then.
                for more in &from_elsewhere {
                    let _ = stranger.send(more).await;
                }
                let _ = engine_bound.send(datagram).await;
                for more in &on_path {
                    let _ = engine_bound.send(more).await;
                }
            }
        });
        let down = tokio::spawn(async move {
            let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
            loop {
                // An error is about what was sent before.
                let Ok(len) = to_engine.recv(&mut buffer).await else { continue };
                if let Some(peer) = *peer.read().await {
                    let _ = to_peer.send_to(&buffer[..len], peer).await;
                }
            }
        });
        Self { address, elsewhere, tasks: [up, down] }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn bind() -> Arc<UdpSocket> {
    let address: (IpAddr, u16) = (LOOPBACK_V4, 0);
    Arc::new(UdpSocket::bind(address).await.expect("a port is free"))
}
