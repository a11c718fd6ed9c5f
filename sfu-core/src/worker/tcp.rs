//! ICE over TCP, passive side (RFC 6544): RFC 4571 frames on accepted connections.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "part of the worker shell")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::shell::Shell;
use crate::transport::framing::{Deframer, frame_header};
use crate::transport::tuple::{Protocol, Tuple};

/// Connections that a worker serves at once. At the limit a new one is closed as soon as it is accepted.
const MAX_CONNECTIONS: usize = 4096;
/// A connection on which ICE validated nothing by then is closed: a stranger may not hold it open.
const VALIDATION_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes that may wait for a slow receiver. At the limit whole packets are dropped, newest first, and counted: about a
/// second of video at 2 Mbit/s; more would only be late.
const MAX_BACKLOG_BYTES: usize = 256 * 1024;
/// So often is it said that connections are refused: strangers must not fill the log.
const REFUSAL_WARNING_INTERVAL: Duration = Duration::from_secs(10);
/// Pause after a failed accept (file descriptors ran out): long enough not to spin, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The sending half of one connection.
#[derive(Debug)]
pub(crate) struct TcpWriter {
    stream: Rc<TcpStream>,
    /// What the kernel would not take yet; always whole frames but for the first, which may be partly sent.
    backlog: RefCell<VecDeque<u8>>,
    wake: Notify,
    closed: Cell<bool>,
}

impl TcpWriter {
    /// Sends a frame now, or queues what the kernel does not take. `false`: dropped, the queue is full.
    pub(crate) fn send(&self, datagram: &[u8]) -> bool {
        let Some(header) = frame_header(datagram.len()) else { return false };
        let mut backlog = self.backlog.borrow_mut();
        let mut written = 0;
        if backlog.is_empty() {
            match self.stream.try_write_vectored(&[IoSlice::new(&header), IoSlice::new(datagram)]) {
                Ok(count) => written = count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return false, // the reading half notices and cleans up
            }
        } else if backlog.len() + header.len() + datagram.len() > MAX_BACKLOG_BYTES {
            return false;
        }
        if written < header.len() + datagram.len() {
            backlog.extend(header.iter().chain(datagram).skip(written));
            self.wake.notify_one();
        }
        true
    }

    /// Ends the connection: its task stops at the next wake-up.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        self.wake.notify_one();
    }

    /// Sends what waits, as far as the kernel takes it.
    fn flush(&self) -> std::io::Result<()> {
        let mut backlog = self.backlog.borrow_mut();
        while !backlog.is_empty() {
            match self.stream.try_write(backlog.as_slices().0) {
                Ok(count) => drop(backlog.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn has_backlog(&self) -> bool {
        !self.backlog.borrow().is_empty()
    }
}

/// Accepts connections for as long as the listener lives.
pub(crate) async fn serve(shell: Rc<Shell>, listener: TcpListener, local: SocketAddr) {
    let mut warned_at: Option<Instant> = None;
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                if shell.tcp.borrow().len() >= MAX_CONNECTIONS {
                    if warned_at.is_none_or(|at| at.elapsed() >= REFUSAL_WARNING_INTERVAL) {
                        tracing::warn!(%local, limit = MAX_CONNECTIONS, "too many TCP connections; new ones are refused");
                        warned_at = Some(Instant::now());
                    }
                    continue;
                }
                // Media must not wait for more of it.
                let _ = stream.set_nodelay(true);
                let tuple = Tuple { protocol: Protocol::Tcp, local, remote };
                shell.spawn(serve_connection(Rc::clone(&shell), stream, tuple));
            }
            Err(error) => {
                tracing::warn!(%local, %error, "accepting a TCP connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_connection(shell: Rc<Shell>, stream: TcpStream, tuple: Tuple) {
    let stream = Rc::new(stream);
    let writer = Rc::new(TcpWriter {
        stream: Rc::clone(&stream),
        backlog: RefCell::default(),
        wake: Notify::new(),
        closed: Cell::new(false),
    });
    shell.tcp.borrow_mut().insert(tuple, Rc::clone(&writer));
    let why = exchange(&shell, &stream, &writer, tuple).await;
    tracing::debug!(%tuple, why, "a TCP connection ended");
    shell.tcp.borrow_mut().remove(&tuple);
    shell.core.borrow_mut().handle_tuple_closed(Instant::now(), tuple);
    shell.settle();
}

/// Moves frames until the connection ends, and says why it did.
async fn exchange(shell: &Shell, stream: &TcpStream, writer: &TcpWriter, tuple: Tuple) -> &'static str {
    let mut deframer = Deframer::default();
    let validation = tokio::time::sleep(VALIDATION_TIMEOUT);
    tokio::pin!(validation);
    let mut validation_due = true;
    loop {
        tokio::select! {
            ready = stream.readable() => {
                if ready.is_err() {
                    return "reading failed";
                }
                match stream.try_read(deframer.space()) {
                    Ok(0) => return "closed by the peer",
                    Ok(count) => {
                        deframer.commit(count);
                        let began = shell.begin_turn();
                        loop {
                            match deframer.next_frame() {
                                Ok(Some(frame)) => shell.handle_datagram(Instant::now(), tuple, frame),
                                Ok(None) => break,
                                Err(_) => return "not RFC 4571 frames of ours",
                            }
                        }
                        shell.settle();
                        shell.end_turn(began);
                        tokio::task::yield_now().await;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => return "reading failed",
                }
            }
            ready = stream.writable(), if writer.has_backlog() => {
                if ready.is_err() || writer.flush().is_err() {
                    return "writing failed";
                }
            }
            () = writer.wake.notified() => {
                if writer.closed.get() {
                    let _ = writer.flush();
                    return "closed by us";
                }
            }
            () = &mut validation, if validation_due => {
                validation_due = false;
                if !shell.core.borrow().knows(&tuple) {
                    return "nothing was validated on it";
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::transport::framing::FRAME_HEADER_LEN;

    const DATAGRAM: [u8; 1200] = [7; 1200];

    /// A writer and the peer's end of its connection.
    async fn connection() -> (TcpWriter, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let stream = Rc::new(listener.accept().await.unwrap().0);
        (TcpWriter { stream, backlog: RefCell::default(), wake: Notify::new(), closed: Cell::new(false) }, peer)
    }

    /// A peer that reads nothing must not make the worker hold what is sent to it, and one that reads again must find
    /// whole frames: after half of one everything would be noise.
    #[tokio::test]
    async fn a_slow_readers_backlog_is_bounded_and_holds_whole_frames() {
        let (writer, mut peer) = connection().await;
        let mut sent = 0;
        while writer.send(&DATAGRAM) {
            sent += 1;
            assert!(writer.backlog.borrow().len() <= MAX_BACKLOG_BYTES);
        }
        assert!(writer.backlog.borrow().len() > MAX_BACKLOG_BYTES - FRAME_HEADER_LEN - DATAGRAM.len());
        assert!(!writer.send(&DATAGRAM), "the queue is full until the peer reads");

        let drain = async {
            while writer.has_backlog() {
                writer.stream.writable().await.unwrap();
                writer.flush().unwrap();
            }
        };
        let read = async {
            let mut frame = [0; FRAME_HEADER_LEN + DATAGRAM.len()];
            for number in 0..sent {
                peer.read_exact(&mut frame).await.unwrap();
                assert_eq!(frame[..FRAME_HEADER_LEN], [0x04, 0xb0], "frame {number}");
                assert_eq!(frame[FRAME_HEADER_LEN..], DATAGRAM, "frame {number}");
            }
        };
        tokio::join!(drain, read);
        assert!(writer.send(&DATAGRAM), "a peer that has caught up is sent to again");
    }
}
