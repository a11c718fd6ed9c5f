//! The worker shell: one thread's sockets, timer and command queue around a [`Core`]. It moves bytes and time, nothing else.
//!
//! Everything of a worker runs on its one thread as local tasks that share the [`Shell`] by `Rc`; no task holds a borrow of
//! the core across an await.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the one place that owns sockets and reads the clock"
)]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, mpsc, watch};

use super::busy::BusyMeter;
use super::load::{self, Load};
use super::own_port::{OwnPort, PortLease, PortReleased, holding};
use super::span::{LastWords, Links};
use super::tcp::{self, TcpWriter};
use super::udp::{Receiver, Sender, UdpPort};
use super::{Core, Joining};
use crate::ids::{RouterId, TransportId};
use crate::router::{RouterCloseReason, RouterEvent};
use crate::transport::tuple::{Protocol, Tuple};

mod sink;
mod tasks;

pub(crate) use self::sink::{Delivery, EVENT_QUEUE, EventSink};
use self::tasks::{run_forwarding, run_handshakes, run_timer, send_waiting, serve_udp};

/// Asked of the kernel for each UDP socket's buffers: a burst of key frames to a large room must fit. The kernel may give less.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// What waits at most for a socket that takes no more: as much as its own buffer holds.
const SHARED_PORT_BACKLOG_BYTES: usize = SOCKET_BUFFER_BYTES;
/// The same for the socket of one transport: half a second of 4 Mbit/s. Later is too late.
const OWN_PORT_BACKLOG_BYTES: usize = 256 * 1024;
/// Commands that may wait for a worker; more senders wait their turn.
pub(crate) const COMMAND_QUEUE: usize = 4096;

/// A piece of work for the worker's thread.
pub(crate) type Command = Box<dyn FnOnce(&Rc<Shell>, Instant) + Send>;

/// Sockets bound for a worker (or for one transport): the same port over UDP and TCP on each listen address.
#[derive(Debug)]
pub(crate) struct BoundSockets {
    pub(crate) udp: Vec<(SocketAddr, std::net::UdpSocket)>,
    pub(crate) tcp: Vec<(SocketAddr, std::net::TcpListener)>,
}

/// A worker's thread-local half. See the module's page.
pub(crate) struct Shell {
    pub(crate) core: RefCell<Core>,
    udp: RefCell<HashMap<SocketAddr, Rc<UdpPort>>>,
    receiver: RefCell<Receiver>,
    sender: RefCell<Sender>,
    busy: RefCell<BusyMeter>,
    pub(crate) tcp: RefCell<HashMap<Tuple, Rc<TcpWriter>>>,
    sinks: RefCell<HashMap<RouterId, EventSink>>,
    own_ports: RefCell<HashMap<TransportId, OwnPort>>,
    pub(super) links: Links,
    /// What the timer task waits for; it is woken when an earlier deadline comes up.
    armed: Cell<Option<Instant>>,
    rearm: Notify,
    /// There is more to forward than a turn takes; told to the forwarding task.
    is_behind: Cell<bool>,
    forwarding_turn: Cell<u64>,
    forwarding: Notify,
    /// Told when handshakes wait.
    handshakes: Notify,
    /// Told when a task of the worker has panicked.
    crashed: Notify,
    load: Arc<Load>,
}

/// Runs a worker on the calling thread until `stop` says so or its sender is gone. Everything is closed then, and peers are told.
///
/// # Errors
/// The sockets could not be handed to the runtime, no runtime could be made, or a task panicked.
pub(crate) fn run(
    core: Core,
    sockets: BoundSockets,
    mut commands: mpsc::Receiver<Command>,
    mut stop: watch::Receiver<bool>,
    load: Arc<Load>,
) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default())?;
    runtime.block_on(async move {
        let shell = Rc::new(Shell {
            core: RefCell::new(core),
            udp: RefCell::default(),
            receiver: RefCell::new(Receiver::new()),
            sender: RefCell::new(Sender::new()),
            busy: RefCell::default(),
            tcp: RefCell::default(),
            sinks: RefCell::default(),
            own_ports: RefCell::default(),
            links: Links::default(),
            armed: Cell::new(None),
            rearm: Notify::new(),
            is_behind: Cell::new(false),
            forwarding_turn: Cell::new(0),
            forwarding: Notify::new(),
            handshakes: Notify::new(),
            crashed: Notify::new(),
            load,
        });
        for task in shell.open(sockets, None)? {
            drop(task); // a worker's own sockets live as long as it does
        }
        let _last_words = LastWords(Rc::clone(&shell));
        shell.spawn(run_timer(Rc::clone(&shell)));
        shell.spawn(run_forwarding(Rc::clone(&shell)));
        shell.spawn(run_handshakes(Rc::clone(&shell)));
        shell.spawn(load::measure(Arc::clone(&shell.load)));
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => {
                        let began = shell.begin_turn();
                        command(&shell, began);
                        shell.settle();
                        shell.end_turn(began);
                    }
                    None => break,
                },
                _ = stop.wait_for(|stop| *stop) => break,
                () = shell.crashed.notified() => return Err(std::io::Error::other("one of its tasks panicked")),
            }
        }
        shell.close();
        Ok(())
    })
}

impl BoundSockets {
    /// None: of a worker whose transports have ports of their own.
    pub(crate) fn none() -> Self {
        Self { udp: Vec::new(), tcp: Vec::new() }
    }
}

impl Shell {
    /// Runs a task of the worker. Should it panic, the worker ends: going on without its timer or a socket, it would be dead
    /// without being known to be.
    pub(crate) fn spawn(self: &Rc<Self>, task: impl Future<Output = ()> + 'static) -> tokio::task::AbortHandle {
        let watch = CrashWatch(Rc::clone(self));
        let watched = async move {
            task.await;
            drop(watch);
        };
        tokio::task::spawn_local(watched).abort_handle()
    }

    /// Serves more sockets, whose tasks hold `lease`. Aborting the returned tasks closes them again.
    fn open(
        self: &Rc<Self>,
        sockets: BoundSockets,
        lease: Option<&Arc<PortLease>>,
    ) -> std::io::Result<Vec<tokio::task::AbortHandle>> {
        let mut tasks = Vec::with_capacity(sockets.udp.len() + sockets.tcp.len());
        for (local, socket) in sockets.udp {
            let backlog_bytes = if lease.is_some() { OWN_PORT_BACKLOG_BYTES } else { SHARED_PORT_BACKLOG_BYTES };
            let port = Rc::new(UdpPort::new(socket, backlog_bytes)?);
            let mut core = self.core.borrow_mut();
            let joining = Joining { pads: port.joins(), ..core.joining() };
            core.set_joining(joining);
            self.udp.borrow_mut().insert(local, Rc::clone(&port));
            tasks.push(self.spawn(holding(serve_udp(Rc::clone(self), Rc::clone(&port), local), lease.cloned())));
            tasks.push(self.spawn(holding(send_waiting(Rc::clone(self), port), lease.cloned())));
        }
        for (local, listener) in sockets.tcp {
            let listener = TcpListener::from_std(listener)?;
            tasks.push(self.spawn(holding(tcp::serve(Rc::clone(self), listener, local), lease.cloned())));
        }
        Ok(tasks)
    }

    /// Serves the sockets that `transport` has for itself, until it closes.
    pub(crate) fn open_own_port(self: &Rc<Self>, transport: TransportId, mut port: OwnPort, sockets: BoundSockets) {
        port.locals = sockets.udp.iter().map(|&(local, _)| local).collect();
        match self.open(sockets, Some(&port.lease)) {
            Ok(tasks) => port.tasks = tasks,
            Err(error) => tracing::error!(%transport, %error, "a transport's sockets could not be served"),
        }
        self.own_ports.borrow_mut().insert(transport, port);
    }

    /// Sends the events of `router` to `sink` from now on.
    pub(crate) fn add_sink(&self, router: RouterId, sink: EventSink) {
        self.sinks.borrow_mut().insert(router, sink);
    }

    /// Ends the events of a router that its owner closed.
    pub(crate) fn end_sink(&self, router: RouterId) {
        if let Some(sink) = self.sinks.borrow_mut().remove(&router) {
            sink.ended_orderly.store(true, Ordering::Release);
        }
    }

    /// The same without saying whether that is orderly.
    pub(super) fn drop_sink(&self, router: RouterId) {
        self.sinks.borrow_mut().remove(&router);
    }

    /// Closes every router, orderly, and sends what that has to say.
    fn close(&self) {
        for (_, sink) in self.sinks.borrow_mut().drain() {
            sink.ended_orderly.store(true, Ordering::Release);
        }
        self.core.borrow_mut().close_all(Instant::now());
        self.settle();
    }

    /// Gives one datagram to the core.
    pub(crate) fn handle_datagram(&self, now: Instant, tuple: Tuple, datagram: &mut [u8]) {
        let mut core = self.core.borrow_mut();
        contain(&mut core, now, tuple, |core| core.handle_datagram(now, tuple, datagram));
        if core.transmits().is_full() {
            self.flush(&mut core);
        }
    }

    /// Forwards some of what the core has gathered, and sends it. When there is more, the forwarding task goes on with it: what comes
    /// meanwhile is read first, for sound is among it.
    fn forward(&self, core: &mut Core) {
        let now = Instant::now();
        let is_more = match catch_unwind(AssertUnwindSafe(|| core.forward_gathered(now))) {
            Ok(is_more) => is_more,
            Err(_) => {
                tracing::error!("forwarding panicked; the transport that the packets came from is closed");
                core.handle_forward_fault(now);
                false
            }
        };
        self.flush(core);
        if is_more && !self.is_behind.replace(is_more) {
            self.forwarding.notify_one();
        }
    }

    /// After a turn: sends what waits, tells what happened, arms the timer. Returns the ports that transports had for
    /// themselves and that are now on their way back.
    pub(crate) fn settle(&self) -> Vec<PortReleased> {
        let mut released = Vec::new();
        let mut core = self.core.borrow_mut();
        self.hand_over(&mut core);
        if !self.is_behind.get() {
            self.forward(&mut core);
        }
        loop {
            while let Some((router, event)) = core.poll_event() {
                self.deliver(&mut core, router, event);
            }
            self.flush(&mut core);
            while let Some(tuple) = core.poll_closed_tuple() {
                if let Some(writer) = self.tcp.borrow_mut().remove(&tuple) {
                    writer.close();
                }
            }
            while let Some(transport) = core.poll_closed_transport() {
                if let Some(port) = self.own_ports.borrow_mut().remove(&transport) {
                    released.extend(port.released());
                    self.udp.borrow_mut().retain(|local, _| !port.locals.contains(local));
                }
            }
            self.drop_closed_pipes(&mut core);
            if !core.has_events() {
                break;
            }
        }
        self.load.set(core.router_count(), core.transport_count(), core.stream_count());
        if core.next_handshake().is_some() {
            self.handshakes.notify_one();
        }
        let next = core.poll_timeout().map(|(at, _)| at);
        if let Some(next) = next
            && self.armed.get().is_none_or(|armed| next < armed)
        {
            self.rearm.notify_one();
        }
        released
    }

    /// Before a turn of packets, timers or commands: when it begins.
    pub(super) fn begin_turn(&self) -> Instant {
        let now = Instant::now();
        if let Some(since) = self.busy.borrow().begin_turn(now) {
            self.core.borrow_mut().handle_pause(since, now);
        }
        now
    }

    /// After such a turn: what the core does depends on how busy the worker is.
    pub(super) fn end_turn(&self, began: Instant) {
        let now = Instant::now();
        if let Some(percent) = self.busy.borrow_mut().handle_turn(began, now) {
            self.core.borrow_mut().handle_load(now, percent);
            self.settle();
        }
    }

    pub(crate) fn deliver(&self, core: &mut Core, router: RouterId, event: RouterEvent) {
        // Without a sink its owner closed it a moment ago.
        let delivery = self.sinks.borrow().get(&router).map(|sink| sink.offer(event));
        if delivery == Some(Delivery::Dropped) {
            core.count_dropped_event();
        }
        let full = delivery == Some(Delivery::Refused);
        if full && let Some(sink) = self.sinks.borrow_mut().remove(&router) {
            tracing::error!(%router, limit = EVENT_QUEUE, "nobody reads this router's events; it is closed");
            self.end_room_of(core, router);
            core.close_router(Instant::now(), router);
            // The queue ends here; its reader gets this reason after what it has not read yet.
            sink.ended_orderly.store(true, Ordering::Release);
            let _ = sink.sender.try_send(RouterEvent::Closed { reason: RouterCloseReason::EventsNotRead });
        }
    }

    pub(super) fn flush(&self, core: &mut Core) {
        let (udp, tcp) = (self.udp.borrow(), self.tcp.borrow());
        let mut sender = self.sender.borrow_mut();
        let mut unsent = 0_u64;
        let transmits = core.transmits();
        let mut runs = transmits.runs().peekable();
        while let Some(&first) = runs.peek() {
            match first.tuple.protocol {
                Protocol::Udp => {
                    let local = first.tuple.local;
                    let same = std::iter::from_fn(|| {
                        runs.next_if(|run| run.tuple.protocol == Protocol::Udp && run.tuple.local == local)
                    });
                    unsent += match udp.get(&local) {
                        Some(port) => port.send(&mut sender, same).unsent,
                        None => same.map(|run| run.len() as u64).sum(),
                    };
                }
                Protocol::Tcp => {
                    runs.next();
                    for datagram in first.datagrams() {
                        let is_sent = tcp.get(&first.tuple).is_some_and(|writer| writer.send(datagram));
                        unsent += u64::from(!is_sent);
                    }
                }
            }
        }
        drop(runs);
        transmits.clear();
        if unsent > 0 {
            core.count_unsent(unsent);
        }
    }
}

/// Handles something of `tuple`. A panic costs its transport, and nothing else.
fn contain(core: &mut Core, now: Instant, tuple: Tuple, handle: impl FnOnce(&mut Core)) {
    if catch_unwind(AssertUnwindSafe(|| handle(core))).is_err() {
        tracing::error!(%tuple, "a packet's handling panicked; its transport is closed");
        core.handle_fault(now, tuple);
    }
}

/// Tells the worker's thread when it is dropped by a panic.
struct CrashWatch(Rc<Shell>);

impl Drop for CrashWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.crashed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
