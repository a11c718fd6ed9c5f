//! One worker's place: its thread, which is started again should it die, and the way to talk to it.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, oneshot, watch};

use super::{EngineError, EngineOptions, ListenAddress, PortMode, WorkerGone};
use crate::dtls::Certificate;
use crate::engine::ports::PortPool;
use crate::ids::WorkerId;
use crate::parameters::RtpCapabilities;
use crate::rtcp::ntp::WallClock;
use crate::worker::{BoundSockets, COMMAND_QUEUE, Command, Core, CoreOptions, Load, LocalAddress, Shell, bind, run};

/// Pause before a dead worker is started again: a fault that kills it at once must not spin a core.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// Talks to one life of a worker.
#[derive(Debug, Clone)]
pub(crate) struct WorkerClient {
    commands: mpsc::Sender<Command>,
    place: Arc<Place>,
}

/// What stays the same over a worker's lives.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) listen: Vec<ListenAddress>,
    pub(crate) port_mode: PortMode,
    pub(crate) ports: Arc<PortPool>,
}

impl Place {
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        self.listen.iter().map(|address| address.ip).collect()
    }

    /// What candidates say of sockets bound on `port`.
    pub(crate) fn local_addresses(&self, port: u16) -> Vec<LocalAddress> {
        self.listen
            .iter()
            .map(|address| LocalAddress {
                bound: (address.ip, port).into(),
                announced: if address.announced.is_empty() {
                    vec![address.ip.to_string()]
                } else {
                    address.announced.clone()
                },
            })
            .collect()
    }
}

impl WorkerClient {
    /// Runs `work` on the worker's thread and returns its answer.
    pub(crate) async fn call<R: Send + 'static>(
        &self,
        work: impl FnOnce(&std::rc::Rc<Shell>, Instant) -> R + Send + 'static,
    ) -> Result<R, WorkerGone> {
        let (reply, answer) = oneshot::channel();
        let command: Command = Box::new(move |shell, now| {
            // An asker who gave up does not undo what was asked.
            let _ = reply.send(work(shell, now));
        });
        self.commands.send(command).await.map_err(|_| WorkerGone)?;
        answer.await.map_err(|_| WorkerGone)
    }

    /// Whether this life is over. Its ports may take a moment longer to come back.
    pub(crate) fn is_gone(&self) -> bool {
        self.commands.is_closed()
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }
}

/// One worker's place.
#[derive(Debug)]
pub(crate) struct WorkerSlot {
    current: Arc<Mutex<Option<mpsc::Sender<Command>>>>,
    place: Arc<Place>,
    load: Arc<Load>,
    stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What a worker's thread needs to live again.
struct Lives {
    id: WorkerId,
    place: Arc<Place>,
    port: Option<u16>,
    certificate: Certificate,
    capabilities: Arc<RtpCapabilities>,
    load: Arc<Load>,
    current: Arc<Mutex<Option<mpsc::Sender<Command>>>>,
    stop: watch::Receiver<bool>,
}

impl WorkerSlot {
    pub(crate) fn start(
        id: WorkerId,
        options: &EngineOptions,
        ports: &Arc<PortPool>,
        certificate: &Certificate,
        capabilities: &Arc<RtpCapabilities>,
    ) -> Result<Self, EngineError> {
        let place =
            Arc::new(Place { listen: options.listen.clone(), port_mode: options.port_mode, ports: Arc::clone(ports) });
        let (port, sockets) = match options.port_mode {
            PortMode::PerTransport => (None, None),
            PortMode::PerWorker => {
                let (port, sockets) = ports.bind(&place.addresses(), true).map_err(|source| {
                    EngineError::NoFreePort { min: options.port_min, max: options.port_max, worker: id, source }
                })?;
                (Some(port), Some(sockets))
            }
        };
        let load = Arc::new(Load::default());
        let current = Arc::new(Mutex::new(None));
        let (stop, told_to_stop) = watch::channel(false);
        let lives = Lives {
            id,
            place: Arc::clone(&place),
            port,
            certificate: certificate.clone(),
            capabilities: Arc::clone(capabilities),
            load: Arc::clone(&load),
            current: Arc::clone(&current),
            stop: told_to_stop,
        };
        let (done, stopped) = watch::channel(false);
        let first = lives.new_queue();
        let thread = std::thread::Builder::new()
            .name(format!("sluice-worker-{id}"))
            .spawn(move || {
                lives.run(sockets, first);
                let _ = done.send(true);
            })
            .map_err(|source| EngineError::Thread { worker: id, source })?;
        Ok(Self { current, place, load, stop, stopped, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn load(&self) -> &Arc<Load> {
        &self.load
    }

    /// A way to talk to the worker as it lives now.
    pub(crate) fn client(&self) -> WorkerClient {
        let commands = lock(&self.current).clone().unwrap_or_else(|| mpsc::channel(1).0);
        WorkerClient { commands, place: Arc::clone(&self.place) }
    }

    /// Tells the worker to end: it closes everything first, so that peers are told.
    pub(crate) fn stop(&self) {
        lock(&self.current).take();
        // Nobody listens once the thread has ended.
        let _ = self.stop.send(true);
    }

    /// Resolves when the worker's thread has ended.
    pub(crate) async fn stopped(&self) {
        // An error means that the thread is gone as well.
        let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            // It has nothing left to do, and its panics were caught.
            let _ = thread.join();
        }
    }
}

impl Lives {
    fn new_queue(&self) -> mpsc::Receiver<Command> {
        let (sender, receiver) = mpsc::channel(COMMAND_QUEUE);
        *lock(&self.current) = Some(sender);
        receiver
    }

    /// Lives until told to stop. A death takes the worker's routers along; their owners see their events end.
    fn run(self, mut sockets: Option<BoundSockets>, mut commands: mpsc::Receiver<Command>) {
        loop {
            let bound = match (sockets.take(), self.port) {
                (Some(sockets), _) => Ok(sockets),
                (None, Some(port)) => bind(&self.place.addresses(), port, true),
                (None, None) => Ok(BoundSockets::none()),
            };
            match bound {
                Ok(sockets) => {
                    let core = self.new_core();
                    let load = Arc::clone(&self.load);
                    match catch_unwind(AssertUnwindSafe(|| run(core, sockets, commands, self.stop.clone(), load))) {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => tracing::error!(worker = %self.id, %error, "the worker failed"),
                        Err(_) => tracing::error!(worker = %self.id, "the worker panicked"),
                    }
                }
                Err(error) => tracing::error!(worker = %self.id, %error, "the worker's port is not free yet"),
            }
            self.load.reset();
            if self.told_to_stop() {
                return;
            }
            std::thread::sleep(RESTART_PAUSE);
            commands = self.new_queue();
        }
    }

    /// Also when the engine's last handle is gone.
    fn told_to_stop(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    fn new_core(&self) -> Core {
        Core::new(CoreOptions {
            certificate: self.certificate.clone(),
            capabilities: Arc::clone(&self.capabilities),
            addresses: self.port.map(|port| self.place.local_addresses(port)).unwrap_or_default(),
            clock: WallClock::new(Instant::now(), SystemTime::now()),
            rng: StdRng::from_os_rng(),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
