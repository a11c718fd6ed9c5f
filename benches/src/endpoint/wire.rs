//! A socket with keys: what every transport does.

use std::io;
use std::time::Instant;

use mio::net::UdpSocket;
use nix::sys::socket::{setsockopt, sockopt};
use quinn_udp::{UdpSockRef, UdpSocketState};

use crate::association::Association;
use crate::dtls::SrtpKeys;
use crate::ice::CONSENT_INTERVAL;
use crate::source::Outgoing;
use crate::stats::Recorder;

/// What the kernel is asked for with what arrives.
#[derive(Debug, Clone, Copy)]
pub struct Reception {
    /// Datagrams that were joined may arrive joined.
    pub gro: bool,
    /// Each says when it arrived.
    pub time_stamps: bool,
}

/// The way to the server.
#[derive(Debug)]
pub struct Wire {
    /// Connected, not blocking.
    pub socket: UdpSocket,
    /// What the kernel can do for this socket.
    pub state: UdpSocketState,
    /// Of both directions.
    pub keys: SrtpKeys,
    check: Vec<u8>,
    consent_at: Instant,
    rtcp_index: u32,
}

impl Wire {
    /// Takes over a connected transport.
    ///
    /// # Errors
    /// The kernel refuses what it must support, like telling addresses.
    pub fn new(now: Instant, association: Association, reception: Reception) -> io::Result<Self> {
        let socket = UdpSocket::from_std(association.socket);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // What is not needed costs nothing. A kernel that does not know it does not do it.
        let _ = setsockopt(&socket, sockopt::Ipv4PacketInfo, &false);
        if !reception.gro {
            let _ = setsockopt(&socket, sockopt::UdpGroSegment, &false);
        }
        if !reception.time_stamps {
            let _ = setsockopt(&socket, sockopt::ReceiveTimestampns, &false);
        }
        Ok(Self {
            socket,
            state,
            keys: association.keys,
            check: association.check,
            consent_at: now + CONSENT_INTERVAL,
            rtcp_index: 0,
        })
    }

    /// Seals and sends a packet.
    pub fn send_rtp(&self, outgoing: Outgoing<'_>, recorder: &mut Recorder) {
        self.keys.send.seal_rtp(outgoing.packet, outgoing.header_len, outgoing.ssrc, outgoing.index);
        self.send(outgoing.packet, recorder);
    }

    /// Seals and sends a compound.
    pub fn send_rtcp(&mut self, compound: &mut Vec<u8>, recorder: &mut Recorder) {
        self.keys.send.seal_rtcp(compound, self.rtcp_index);
        self.rtcp_index += 1;
        self.send(compound, recorder);
    }

    /// Refreshes consent if it is time.
    pub fn handle_timeout(&mut self, now: Instant, recorder: &mut Recorder) {
        if self.consent_at <= now {
            self.consent_at = now + CONSENT_INTERVAL;
            self.send(&self.check, recorder);
        }
    }

    /// When consent is to be refreshed.
    pub fn poll_timeout(&self) -> Instant {
        self.consent_at
    }

    /// A full buffer loses the datagram, as a full queue on the way would.
    fn send(&self, datagram: &[u8], recorder: &mut Recorder) {
        match self.socket.send(datagram) {
            Ok(_) => recorder.totals.datagrams_out += 1,
            Err(_) => recorder.totals.send_failed += 1,
        }
    }
}
