//! The way of any system: a datagram is a call.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;

use super::super::transmit::{MAX_DATAGRAM_BYTES, Run};

/// Room for what is read, shared by all sockets of a worker.
pub(in super::super) struct Receiver {
    buffer: Vec<u8>,
    received: Option<(usize, SocketAddr)>,
}

impl Receiver {
    pub(in super::super) fn new() -> Self {
        // One byte more than is taken: what fills it was longer.
        Self { buffer: vec![0; MAX_DATAGRAM_BYTES + 1], received: None }
    }

    pub(super) fn enable(_: &std::net::UdpSocket) {}

    /// Reads a datagram, for [`Self::take`].
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
        self.received = Some(socket.try_recv_from(&mut self.buffer)?);
        Ok(())
    }

    /// Whether there may be more.
    pub(super) fn is_full(&self) -> bool {
        true
    }

    /// How long it had been here: not known.
    pub(in super::super) fn waited(&self) -> Duration {
        Duration::ZERO
    }

    /// Hands it on.
    pub(in super::super) fn take(&mut self, mut each: impl FnMut(SocketAddr, &mut [u8])) {
        if let Some((len, from)) = self.received.take()
            && let Some(datagram) = self.buffer.get_mut(..len)
        {
            each(from, datagram);
        }
    }
}

/// Sends a datagram a call.
pub(in super::super) struct Sender;

impl Sender {
    pub(in super::super) fn new() -> Self {
        Self
    }

    /// Whether datagrams can be joined: no.
    pub(super) fn enable(_: &std::net::UdpSocket) -> bool {
        false
    }

    /// Sends the first of some runs, which is a datagram alone. How many were sent.
    pub(super) fn send(&mut self, socket: &UdpSocket, runs: &[Run<'_>], _: Option<u16>) -> io::Result<usize> {
        let Some(run) = runs.first() else { return Ok(0) };
        socket.try_send_to(run.bytes, run.tuple.remote).map(|_| 1)
    }
}
