//! What forwarding cannot do without: sealing a packet for each receiver and giving it to the kernel.
//!
//! One thread seals the same bytes under the keys of so many receivers and sends them with `sendmmsg` to as many sockets,
//! which another thread drains. On loopback the sender pays for the receiver's half of the kernel's work too, as a server on
//! loopback does.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use nix::sched::{sched_getaffinity, sched_setaffinity};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg, setsockopt, sockopt};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use serde::Serialize;

use crate::srtp::{KEY_BYTES, Keys, SALT_BYTES};

/// Messages of one system call.
const BATCH: usize = 64;
/// Packets that one receiver gets at a time: a picture at 1 Mbit/s and 30 pictures a second.
const PACKETS_AT_A_TIME: usize = 4;
/// Packets sent between two looks at whether they were drained.
const BURST: usize = 1600;
/// Of a packet, what is not encrypted: a header with a transport-wide number and a MID.
const HEADER_BYTES: usize = 28;
/// Holds a burst.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;
/// When what did not arrive counts as lost: longer than others may keep the drainer from its core.
const DRAIN_MAX: Duration = Duration::from_secs(1);
const DRAIN_POLL: Duration = Duration::from_micros(200);
/// As the generator's threads.
const RECEIVE_BATCH: usize = 8;
const MESSAGE_BYTES: usize = 65_536;

/// What is sent to whom.
#[derive(Debug, Clone, Copy)]
pub struct FloorOptions {
    /// Receivers.
    pub sockets: usize,
    /// Length of a datagram, tag included.
    pub datagram_bytes: usize,
    /// Datagrams given to the kernel as one (UDP GSO); 1: none.
    pub joined: usize,
    /// Whether what was joined arrives joined (UDP GRO).
    pub gro: bool,
    /// How long, at least.
    pub duration: Duration,
    /// Send from the cores of this process.
    pub beside: Option<u32>,
}

/// What it cost.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Floor {
    /// Datagrams given to the kernel as one.
    pub joined: usize,
    /// CPU of the sending thread for each datagram, microseconds.
    pub cpu_us_per_packet: f64,
    /// Datagrams sent.
    pub packets: u64,
    /// Of these, what the sockets got.
    pub delivered_percent: f64,
}

/// Measures.
///
/// # Errors
/// The kernel's: no sockets, or no joining.
pub fn measure(options: FloorOptions) -> io::Result<Floor> {
    let drain = Drain::start(options.sockets, options.gro)?;
    let sender = thread::scope(|scope| {
        let thread = thread::Builder::new().name("bench-floor".to_owned());
        thread.spawn_scoped(scope, || Sender::new(options, &drain)?.run(&drain)).map(|thread| thread.join())
    })?;
    let Sent { packets, cpu, drained } = sender.map_err(|_| io::Error::other("the sending thread died"))??;
    Ok(Floor {
        joined: options.joined,
        cpu_us_per_packet: cpu.as_secs_f64() * 1e6 / packets.max(1) as f64,
        packets,
        delivered_percent: drained as f64 * 100.0 / packets.max(1) as f64,
    })
}

/// The thread that drains the receivers' sockets.
struct Drain {
    addresses: Vec<SocketAddr>,
    drained: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drain {
    fn start(count: usize, gro: bool) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut addresses = Vec::with_capacity(count);
        let mut sockets = Vec::with_capacity(count);
        for number in 0..count {
            let socket = UdpSocket::bind(("127.0.0.1", 0))?;
            if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_BYTES).is_err() {
                setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES)?;
            }
            addresses.push(socket.local_addr()?);
            let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
            if !gro {
                setsockopt(&socket, sockopt::UdpGroSegment, &false)?;
            }
            let mut socket = mio::net::UdpSocket::from_std(socket);
            poll.registry().register(&mut socket, Token(number), Interest::READABLE)?;
            sockets.push((socket, state));
        }
        let (drained, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, until) = (Arc::clone(&drained), Arc::clone(&stop));
        let thread = thread::Builder::new()
            .name("bench-drain".to_owned())
            .spawn(move || drain(poll, &sockets, &count, &until))?;
        Ok(Self { addresses, drained, stop, thread: Some(thread) })
    }

    fn count(&self) -> u64 {
        self.drained.load(Ordering::Relaxed)
    }

    /// Waits until so many packets were drained, or the rest must be lost.
    fn wait_for(&self, count: u64) {
        let until = Instant::now() + DRAIN_MAX;
        while self.count() < count && Instant::now() < until {
            thread::sleep(DRAIN_POLL);
        }
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn drain(mut poll: Poll, sockets: &[(mio::net::UdpSocket, UdpSocketState)], drained: &AtomicU64, stop: &AtomicBool) {
    let mut events = Events::with_capacity(64);
    let mut buffer = vec![0; RECEIVE_BATCH * MESSAGE_BYTES];
    while !stop.load(Ordering::Relaxed) {
        // Now and then it looks whether it is to stop. An interruption is no reason to.
        drop(poll.poll(&mut events, Some(Duration::from_millis(20))));
        for event in &events {
            let Some((socket, state)) = sockets.get(event.token().0) else { continue };
            loop {
                let mut metas = [RecvMeta::default(); RECEIVE_BATCH];
                let mut messages = buffer.chunks_exact_mut(MESSAGE_BYTES);
                let mut slices: [IoSliceMut<'_>; RECEIVE_BATCH] =
                    std::array::from_fn(|_| IoSliceMut::new(messages.next().unwrap_or_default()));
                let Ok(count) = state.recv(UdpSockRef::from(socket), &mut slices, &mut metas) else { break };
                let packets = metas.iter().take(count).map(|meta| meta.len.div_ceil(meta.stride.max(1)) as u64).sum();
                drained.fetch_add(packets, Ordering::Relaxed);
                if count < RECEIVE_BATCH {
                    break;
                }
            }
        }
    }
}

/// What was sent, at what cost, and what of it arrived.
struct Sent {
    packets: u64,
    cpu: Duration,
    drained: u64,
}

struct Sender {
    options: FloorOptions,
    socket: UdpSocket,
    destinations: Vec<(Keys, SockaddrStorage)>,
    headers: MultiHeaders<SockaddrStorage>,
    /// Messages of a batch, one after the other.
    slab: Vec<u8>,
    addresses: Vec<Option<SockaddrStorage>>,
    /// What everybody is sent.
    packet: Vec<u8>,
    index: u64,
}

impl Sender {
    fn new(options: FloorOptions, drain: &Drain) -> io::Result<Self> {
        if let Some(pid) = options.beside {
            let cores = sched_getaffinity(Pid::from_raw(pid as i32))?;
            sched_setaffinity(Pid::from_raw(0), &cores)?;
        }
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        if options.joined > 1 {
            setsockopt(&socket, sockopt::UdpGsoSegment, &(options.datagram_bytes as i32))?;
        }
        let destination = |(number, address): (usize, &SocketAddr)| {
            let mut key = [7; KEY_BYTES];
            key[..8].copy_from_slice(&(number as u64).to_be_bytes());
            (Keys::derive(&key, &[3; SALT_BYTES]), SockaddrStorage::from(*address))
        };
        Ok(Self {
            options,
            socket,
            destinations: drain.addresses.iter().enumerate().map(destination).collect(),
            headers: MultiHeaders::preallocate(BATCH, None),
            slab: Vec::with_capacity(BATCH * options.joined * options.datagram_bytes),
            addresses: Vec::with_capacity(BATCH),
            packet: vec![0xa5; options.datagram_bytes],
            index: 0,
        })
    }

    /// Sends bursts until it is time, one at least; packets sent, and the CPU time that took.
    fn run(mut self, drain: &Drain) -> io::Result<Sent> {
        // The first burst meets cold caches and routes: it does not count.
        self.burst()?;
        drain.wait_for(BURST as u64);
        let begun = Instant::now();
        let (before, mut packets, mut cpu) = (drain.count(), 0, Duration::ZERO);
        while packets == 0 || begun.elapsed() < self.options.duration {
            let (burst, time) = self.burst()?;
            packets += burst;
            cpu += time;
            drain.wait_for(before + packets);
        }
        Ok(Sent { packets, cpu, drained: drain.count() - before })
    }

    /// Packets sent, and the CPU time that took.
    fn burst(&mut self) -> io::Result<(u64, Duration)> {
        let before = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?);
        let mut packets = 0;
        while packets < BURST {
            packets += self.send_to_all()?;
        }
        let after = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?);
        Ok((packets as u64, after - before))
    }

    /// A picture for each receiver.
    fn send_to_all(&mut self) -> io::Result<usize> {
        let packets = PACKETS_AT_A_TIME.max(self.options.joined);
        for destination in 0..self.destinations.len() {
            for number in 0..packets {
                if number % self.options.joined == 0 && self.addresses.len() == BATCH {
                    self.flush()?;
                }
                self.seal(destination, number % self.options.joined == 0);
            }
        }
        self.flush()?;
        Ok(packets * self.destinations.len())
    }

    /// Writes a packet once, and seals it in place.
    fn seal(&mut self, destination: usize, begins_message: bool) {
        let Some((keys, address)) = self.destinations.get(destination) else { return };
        if begins_message {
            self.addresses.push(Some(*address));
        }
        let start = self.slab.len();
        self.slab.extend_from_slice(&self.packet);
        let packet = self.slab.get_mut(start..).unwrap_or_default();
        keys.seal_rtp_in_place(packet, HEADER_BYTES, destination as u32, self.index);
        self.index += 1;
    }

    fn flush(&mut self) -> io::Result<()> {
        let message_bytes = self.options.joined * self.options.datagram_bytes;
        let messages: Vec<[IoSlice<'_>; 1]> =
            self.slab.chunks(message_bytes).map(|message| [IoSlice::new(message)]).collect();
        let mut at = 0;
        while at < messages.len() {
            let rest = messages.iter().skip(at);
            let addresses = self.addresses.get(at..).unwrap_or_default();
            let sent = sendmmsg(self.socket.as_raw_fd(), &mut self.headers, rest, addresses, [], MsgFlags::empty())?;
            at += sent.count().max(1);
        }
        self.slab.clear();
        self.addresses.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_datagram_reaches_a_socket_joined_or_not() {
        for joined in [1, 4] {
            let floor = measure(FloorOptions {
                sockets: 50,
                datagram_bytes: 600,
                joined,
                gro: true,
                duration: Duration::from_millis(50),
                beside: None,
            });
            let floor = floor.expect("loopback is there, and joins");
            assert!(floor.packets > 0 && floor.cpu_us_per_packet > 0.0, "{floor:?}");
            assert!((floor.delivered_percent - 100.0).abs() < 1e-9, "{floor:?}");
        }
    }
}
