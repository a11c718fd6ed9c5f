//! A generator thread: one event loop for many transports. Nothing here waits for signalling.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::{self, ErrorKind, IoSliceMut};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use nix::time::{ClockId, clock_gettime};
use quinn_udp::{RecvMeta, UdpSockRef};
use tokio::sync::oneshot;

use crate::association::Association;
use crate::endpoint::subscriber::StreamSetup;
use crate::endpoint::{Endpoint, Publisher, Reception, Role, Subscriber, Wire};
use crate::signalling::parameters::MediaKind;
use crate::stamp;
use crate::stats::{Recorder, Snapshot};

/// Messages of one system call. With joined datagrams each holds several.
const BATCH: usize = 8;
/// The longest message: 64 joined datagrams of 1 000 bytes, as long as IP allows.
const MESSAGE_BYTES: usize = 65_536;
/// Batches of one socket before the others have their turn.
const BATCHES_PER_TURN: usize = 4;
/// Sockets looked at in one turn; then timers have theirs.
const EVENTS_PER_TURN: usize = 64;
/// The waker's token; sockets count from 0.
const WAKER: Token = Token(usize::MAX);

/// A transport, as the run counts them.
pub type EndpointId = u64;

/// What a thread is told.
#[derive(Debug)]
enum Command {
    Publish { id: EndpointId, producer: Producers, association: Box<Association>, publisher: Box<Publisher> },
    Subscribe { id: EndpointId, association: Box<Association>, ssrc: u32, reception: Reception },
    AddStream { id: EndpointId, stream: StreamSetup },
    SetActive { id: EndpointId, is_active: bool },
    Remove { id: EndpointId },
    Snapshot { answer: oneshot::Sender<Snapshot> },
}

/// What a transport's producers are called in the run, by kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Producers {
    /// The microphone.
    pub audio: Option<u32>,
    /// The camera.
    pub video: Option<u32>,
}

/// A running thread. Dropping it ends the thread, and closes its sockets.
#[derive(Debug)]
pub struct MediaThread {
    commands: Option<mpsc::Sender<Command>>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

/// The thread is gone: it panicked.
#[derive(Debug, thiserror::Error)]
#[error("a generator thread has died")]
pub struct ThreadDied;

impl MediaThread {
    /// Starts thread `number`; the run's time begins at `begun`.
    ///
    /// # Errors
    /// No thread or no poll is to be had.
    pub fn start(number: usize, begun: Instant) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (commands, incoming) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(format!("bench-media-{number}"))
            .spawn(move || Loop::new(poll, incoming, begun).run())?;
        Ok(Self { commands: Some(commands), waker, thread: Some(thread) })
    }

    /// Hands over a transport to the server, with what it sends.
    pub fn publish(&self, id: EndpointId, producer: Producers, association: Association, publisher: Publisher) {
        self.tell(Command::Publish {
            id,
            producer,
            association: Box::new(association),
            publisher: Box::new(publisher),
        });
    }

    /// Hands over a transport from the server. `ssrc`: who it is in RTCP.
    pub fn subscribe(&self, id: EndpointId, association: Association, ssrc: u32, reception: Reception) {
        self.tell(Command::Subscribe { id, association: Box::new(association), ssrc, reception });
    }

    /// Announces a stream of a transport.
    pub fn add_stream(&self, id: EndpointId, stream: StreamSetup) {
        self.tell(Command::AddStream { id, stream });
    }

    /// Begins or stops a publisher's media.
    pub fn set_active(&self, id: EndpointId, is_active: bool) {
        self.tell(Command::SetActive { id, is_active });
    }

    /// Closes a transport.
    pub fn remove(&self, id: EndpointId) {
        self.tell(Command::Remove { id });
    }

    /// Asks for what was written down.
    ///
    /// # Errors
    /// [`ThreadDied`].
    pub async fn snapshot(&self) -> Result<Snapshot, ThreadDied> {
        let (answer, answered) = oneshot::channel();
        self.tell(Command::Snapshot { answer });
        answered.await.map_err(|_| ThreadDied)
    }

    /// A thread that died says so at the next snapshot.
    fn tell(&self, command: Command) {
        if let Some(commands) = &self.commands {
            drop(commands.send(command));
        }
        drop(self.waker.wake());
    }
}

impl Drop for MediaThread {
    fn drop(&mut self) {
        self.commands = None;
        drop(self.waker.wake());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

struct Loop {
    poll: Poll,
    commands: mpsc::Receiver<Command>,
    endpoints: Vec<Option<Entry>>,
    free: Vec<usize>,
    by_id: HashMap<EndpointId, usize>,
    timers: BinaryHeap<Reverse<(Instant, usize, EndpointId)>>,
    recorder: Recorder,
    buffer: Vec<u8>,
}

struct Entry {
    id: EndpointId,
    endpoint: Endpoint,
    producers: Producers,
}

impl Loop {
    fn new(poll: Poll, commands: mpsc::Receiver<Command>, begun: Instant) -> Self {
        Self {
            poll,
            commands,
            endpoints: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            timers: BinaryHeap::new(),
            recorder: Recorder::new(begun),
            buffer: vec![0; BATCH * MESSAGE_BYTES],
        }
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        // Sockets that had more than their turn allows: they are not announced again.
        let (mut unfinished, mut again) = (Vec::new(), Vec::new());
        loop {
            let timeout = if unfinished.is_empty() {
                self.timers.peek().map(|Reverse((at, ..))| at.saturating_duration_since(Instant::now()))
            } else {
                Some(Duration::ZERO)
            };
            if self.poll.poll(&mut events, timeout).is_err_and(|error| error.kind() != ErrorKind::Interrupted) {
                return;
            }
            // First: a stream is announced before its packets come.
            loop {
                match self.commands.try_recv() {
                    Ok(command) => self.carry_out(command),
                    Err(mpsc::TryRecvError::Empty) => break,
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
            std::mem::swap(&mut unfinished, &mut again);
            let ready = events.iter().map(|event| event.token()).filter(|token| *token != WAKER).map(|token| token.0);
            for at in ready.chain(again.drain(..)) {
                if self.receive(at) {
                    unfinished.push(at);
                }
            }
            self.run_timers(Instant::now());
        }
    }

    /// Takes what a socket has; whether there may be more.
    fn receive(&mut self, at: usize) -> bool {
        let Some(Entry { endpoint, .. }) = self.endpoints.get_mut(at).and_then(Option::as_mut) else { return false };
        let mut has_more = true;
        for _ in 0..BATCHES_PER_TURN {
            let mut metas = [RecvMeta::default(); BATCH];
            let mut messages = self.buffer.chunks_exact_mut(MESSAGE_BYTES);
            let mut slices: [IoSliceMut<'_>; BATCH] =
                std::array::from_fn(|_| IoSliceMut::new(messages.next().unwrap_or_default()));
            let received = endpoint.wire.state.recv(UdpSockRef::from(&endpoint.wire.socket), &mut slices, &mut metas);
            let now = Instant::now();
            let count = match received {
                Ok(count) => count,
                Err(error) => {
                    // A server that is gone is heard of as a refused connection, again and again.
                    has_more = error.kind() != ErrorKind::WouldBlock;
                    break;
                }
            };
            for (meta, message) in metas.iter().zip(self.buffer.chunks_exact_mut(MESSAGE_BYTES)).take(count) {
                let arrived_ns = meta.timestamp.map_or_else(stamp::wall_ns, |at| at.as_nanos() as u64);
                let joined = message.get_mut(..meta.len).unwrap_or_default();
                for datagram in joined.chunks_mut(meta.stride.max(1)) {
                    endpoint.handle(now, arrived_ns, datagram, &mut self.recorder);
                }
            }
            endpoint.handle_turn_end(now, &mut self.recorder);
            has_more = count == BATCH;
            if !has_more {
                break;
            }
        }
        has_more
    }

    fn run_timers(&mut self, now: Instant) {
        while let Some(Reverse((at, place, id))) = self.timers.peek().copied() {
            if at > now {
                return;
            }
            self.timers.pop();
            let entry = self.endpoints.get_mut(place).and_then(Option::as_mut);
            // Its place may be another's by now.
            if let Some(entry) = entry.filter(|entry| entry.id == id) {
                entry.endpoint.handle_timeout(now, &mut self.recorder);
                self.timers.push(Reverse((entry.endpoint.poll_timeout(), place, id)));
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Publish { id, producer, association, publisher } => {
                let reception = Reception { gro: true, time_stamps: false };
                self.add(id, *association, reception, Role::Publisher(*publisher), producer);
            }
            Command::Subscribe { id, association, ssrc, reception } => {
                let role = Role::Subscriber(Subscriber::new(Instant::now(), ssrc));
                self.add(id, *association, reception, role, Producers::default());
            }
            Command::AddStream { id, stream } => {
                if let Some(Role::Subscriber(subscriber)) = self.role(id) {
                    subscriber.add(stream);
                }
            }
            Command::SetActive { id, is_active } => {
                if let Some(Role::Publisher(publisher)) = self.role(id) {
                    publisher.set_active(is_active);
                }
            }
            Command::Remove { id } => self.remove(id),
            // Who asked may be gone.
            Command::Snapshot { answer } => drop(answer.send(self.snapshot())),
        }
    }

    fn role(&mut self, id: EndpointId) -> Option<&mut Role> {
        let place = *self.by_id.get(&id)?;
        self.endpoints.get_mut(place)?.as_mut().map(|entry| &mut entry.endpoint.role)
    }

    fn add(
        &mut self,
        id: EndpointId,
        association: Association,
        reception: Reception,
        role: Role,
        producers: Producers,
    ) {
        let now = Instant::now();
        let Ok(mut wire) = Wire::new(now, association, reception) else {
            self.recorder.totals.send_failed += 1;
            return;
        };
        let place = self.free.pop().unwrap_or_else(|| {
            self.endpoints.push(None);
            self.endpoints.len() - 1
        });
        if self.poll.registry().register(&mut wire.socket, Token(place), Interest::READABLE).is_err() {
            self.recorder.totals.send_failed += 1;
            self.free.push(place);
            return;
        }
        let endpoint = Endpoint { wire, role };
        self.timers.push(Reverse((endpoint.poll_timeout(), place, id)));
        self.endpoints[place] = Some(Entry { id, endpoint, producers });
        self.by_id.insert(id, place);
    }

    fn remove(&mut self, id: EndpointId) {
        let Some(place) = self.by_id.remove(&id) else { return };
        if let Some(mut entry) = self.endpoints.get_mut(place).and_then(Option::take) {
            // Closing the socket does the same.
            drop(self.poll.registry().deregister(&mut entry.endpoint.wire.socket));
            if let Role::Publisher(publisher) = &entry.endpoint.role {
                self.recorder.totals.frames_left_out += publisher.left_out();
            }
            self.free.push(place);
        }
    }

    fn snapshot(&mut self) -> Snapshot {
        let (mut producers, mut streams) = (Vec::new(), Vec::new());
        let mut left_out = 0;
        for entry in self.endpoints.iter_mut().flatten() {
            match &mut entry.endpoint.role {
                Role::Publisher(publisher) => {
                    left_out += publisher.left_out();
                    let kinds = [(entry.producers.audio, MediaKind::Audio), (entry.producers.video, MediaKind::Video)];
                    for (producer, kind) in kinds {
                        producers.extend(producer.map(|producer| (producer, publisher.published(kind))));
                    }
                }
                Role::Subscriber(subscriber) => {
                    streams.extend(subscriber.streams().iter().map(|stream| stream.count()));
                }
            }
        }
        let cpu = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from);
        let mut snapshot = self.recorder.snapshot(Instant::now(), cpu, producers, streams);
        snapshot.totals.frames_left_out += left_out;
        snapshot
    }
}
