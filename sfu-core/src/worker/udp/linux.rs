//! The Linux way: `recvmmsg` with UDP GRO, `sendmmsg` with UDP GSO.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrayvec::ArrayVec;
use nix::cmsg_space;
use nix::sys::socket::sockopt::{ReceiveTimestampns, UdpGroSegment, UdpGsoSegment};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrLike, SockaddrStorage, getsockopt, recvmmsg,
    sendmmsg, setsockopt,
};

use nix::sys::time::TimeSpec;

use super::super::transmit::Run;
use super::SEND_BATCH;

/// Messages read in one call at most. Each may be as many datagrams as the kernel has joined.
const RECEIVE_BATCH: usize = 16;

/// The most that the kernel joins: an IP packet's length.
const RECEIVE_BYTES: usize = 64 * 1024;

/// What a message's datagrams are and where they came from.
#[derive(Debug, Clone, Copy)]
struct Message {
    index: usize,
    len: usize,
    /// The length of each datagram but the last.
    segment_len: usize,
    from: SocketAddr,
}

/// Room for what is read, shared by all sockets of a worker.
pub(in super::super) struct Receiver {
    buffer: Vec<u8>,
    messages: ArrayVec<Message, RECEIVE_BATCH>,
    waited: Duration,
    is_full: bool,
}

impl Receiver {
    pub(in super::super) fn new() -> Self {
        Self {
            buffer: vec![0; RECEIVE_BATCH * RECEIVE_BYTES],
            messages: ArrayVec::new(),
            waited: Duration::ZERO,
            is_full: false,
        }
    }

    /// Asks the kernel to join datagrams of one source, and to tell when they came. It may not know how to.
    pub(super) fn enable(socket: &impl AsFd) {
        let _ = setsockopt(socket, UdpGroSegment, &true);
        let _ = setsockopt(socket, ReceiveTimestampns, &true);
    }

    /// Whether the last batch was as large as one may be: there may be more. Otherwise the kernel had no more.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Reads a batch, for [`Self::take`].
    pub(super) fn receive(&mut self, socket: &impl AsRawFd) -> io::Result<()> {
        let Self { buffer, messages, waited, is_full } = self;
        messages.clear();
        (*waited, *is_full) = (Duration::ZERO, false);
        let mut buffers = buffer.chunks_exact_mut(RECEIVE_BYTES);
        let mut slices: [[IoSliceMut<'_>; 1]; RECEIVE_BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(buffers.next().unwrap_or_default())]);
        // Made anew for each call: the kernel writes into it how much room it has used, and that is not set back.
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(RECEIVE_BATCH, Some(cmsg_space!(i32, TimeSpec)));
        let received = recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
        for (index, message) in received.enumerate() {
            *is_full = index + 1 == RECEIVE_BATCH;
            let mut joined = None;
            for control in message.cmsgs().ok().into_iter().flatten() {
                match control {
                    ControlMessageOwned::UdpGroSegments(len) => joined = usize::try_from(len).ok(),
                    // They come in order: the first has waited longest.
                    ControlMessageOwned::ScmTimestampns(came) if index == 0 => *waited = since(came),
                    _ => {}
                }
            }
            let Some(from) = message.address.as_ref().and_then(address) else { continue };
            let len = message.bytes;
            messages.push(Message { index, len, segment_len: joined.unwrap_or(len).max(1), from });
        }
        Ok(())
    }

    /// How long the first of what was read had been here; zero where the kernel does not tell.
    pub(in super::super) fn waited(&self) -> Duration {
        self.waited
    }

    /// Hands on each datagram that was read.
    pub(in super::super) fn take(&mut self, mut each: impl FnMut(SocketAddr, &mut [u8])) {
        for message in self.messages.drain(..) {
            let Message { index, len, segment_len, from } = message;
            let start = index * RECEIVE_BYTES;
            let Some(bytes) = self.buffer.get_mut(start..start + len) else { continue };
            bytes.chunks_mut(segment_len).for_each(|datagram| each(from, datagram));
        }
    }
}

/// The kernel tells it on the wall's clock. If that was set back meanwhile, nothing is known.
fn since(came: TimeSpec) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from(came))
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = || storage.as_sockaddr_in().map(|address| SocketAddr::V4(SocketAddrV4::from(*address)));
    // Neither a flow nor a scope tells one peer from another.
    let v6 = || storage.as_sockaddr_in6().map(|address| SocketAddr::V6(SocketAddrV6::from(*address)));
    v4().or_else(v6)
}

/// What the kernel is told of a batch, shared by all sockets of a worker.
pub(in super::super) struct Sender {
    single: MultiHeaders<SockaddrStorage>,
    joined: MultiHeaders<SockaddrStorage>,
    addresses: ArrayVec<Option<SockaddrStorage>, SEND_BATCH>,
}

impl Sender {
    pub(in super::super) fn new() -> Self {
        Self {
            single: MultiHeaders::preallocate(SEND_BATCH, None),
            joined: MultiHeaders::preallocate(SEND_BATCH, Some(cmsg_space!(u16))),
            addresses: ArrayVec::new(),
        }
    }

    /// Whether the kernel knows how to cut what is sent into datagrams.
    pub(super) fn enable(socket: &impl AsFd) -> bool {
        getsockopt(socket, UdpGsoSegment).is_ok()
    }

    /// Sends runs in one call, each cut into datagrams of `segment_len` if that is said. How many of them were sent, at least one;
    /// an error is the first one's.
    pub(super) fn send(
        &mut self,
        socket: &impl AsRawFd,
        runs: &[Run<'_>],
        segment_len: Option<u16>,
    ) -> io::Result<usize> {
        let Self { single, joined, addresses } = self;
        addresses.clear();
        addresses.extend(runs.iter().take(SEND_BATCH).map(|run| Some(SockaddrStorage::from(run.tuple.remote))));
        let slices: [[IoSlice<'_>; 1]; SEND_BATCH] =
            std::array::from_fn(|index| [IoSlice::new(runs.get(index).map_or(&[], |run| run.bytes))]);
        let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let sent = match &segment_len {
            None => count(sendmmsg(fd, single, slices.iter(), addresses.as_slice(), [], flags)?),
            Some(segment_len) => {
                let control = [ControlMessage::UdpGsoSegments(segment_len)];
                count(sendmmsg(fd, joined, slices.iter(), addresses.as_slice(), control, flags)?)
            }
        };
        Ok(sent)
    }
}

fn count<S: SockaddrLike + Copy>(results: nix::sys::socket::MultiResults<'_, S>) -> usize {
    results.count()
}
