//! A load: peers that join, send, are measured, come and go.

pub mod cost;
pub mod peer;
pub mod phase;
pub mod plan;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_gettime};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep_until};

pub use peer::{Peer, PeerError, PeerSetup};
pub use phase::{Moment, Phase};
pub use plan::Plan;

use crate::dtls::{DtlsError, Identity};
use crate::media_thread::{MediaThread, ThreadDied};
use crate::process::{Memory, Process};
use crate::stats::Slice;
use cost::ServerMoment;
use peer::Shared;

/// Receivers whose packets are opened, spread over all; one in each room at least.
const SAMPLED_RECEIVERS: u64 = 16;
/// Leaving is as many times faster than joining.
const LEAVE_SPEED: f64 = 4.0;
/// Files that are open besides sockets.
const FILES_MARGIN: u64 = 64;

/// Why there is no load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A peer did not join; so many others did.
    #[error("peer {number} did not join ({joined} of {all} had): {error}")]
    Join {
        /// Which.
        number: u64,
        /// How many had.
        joined: usize,
        /// Of how many.
        all: u32,
        /// Why.
        error: PeerError,
    },
    /// A transport of a peer did not connect; so many others had.
    #[error("peer {number} did not connect ({connected} of {all} transports are): {error}")]
    Connect {
        /// Which.
        number: u64,
        /// How many transports are connected.
        connected: u32,
        /// Of how many.
        all: u32,
        /// Why.
        error: PeerError,
    },
    /// Our own.
    #[error("the generator cannot start: {0}")]
    Start(#[from] std::io::Error),
    /// Our own.
    #[error("the generator has no certificate: {0}")]
    Identity(#[from] DtlsError),
    /// The caller's: more peers than files.
    #[error("{peers} peers need {needed} open files, and the limit is {limit} (ulimit -n)")]
    Files {
        /// Peers.
        peers: u32,
        /// Files.
        needed: u64,
        /// The hard limit.
        limit: u64,
    },
    /// Our own.
    #[error(transparent)]
    Died(#[from] ThreadDied),
    /// The caller's, or the server died.
    #[error("--server-pid {pid}: {error}")]
    Server {
        /// The process.
        pid: u32,
        /// Why it cannot be watched.
        error: std::io::Error,
    },
}

/// Peers that have joined.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    server: Option<Process>,
    peers: Vec<Peer>,
    next_number: u64,
    random: StdRng,
    /// Of all who have joined.
    join_times: Vec<Duration>,
    first_media: Vec<Duration>,
    failed_joins: Vec<String>,
    memory_at_start: Option<Memory>,
}

/// How long joining took, milliseconds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Joins {
    /// Peers that joined.
    pub joined: usize,
    /// Peers that did not, after the first.
    pub failed: usize,
    /// From connecting until all is received and sent: half are faster.
    pub join_p50_ms: f64,
    /// One of a hundred is slower.
    pub join_p99_ms: f64,
    /// None is slower.
    pub join_max_ms: f64,
    /// From connecting until the first packet: half are faster.
    pub first_media_p50_ms: f64,
    /// One of a hundred is slower.
    pub first_media_p99_ms: f64,
}

/// People who come and go while it is measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Motion {
    /// Receivers a second that leave, and as many that join.
    pub churn: f64,
    /// Receivers that join, at the plan's rate, and stay.
    pub late_joins: u32,
}

impl Load {
    /// Starts the threads. `server`: the process to be watched. `spare_files`: those that others will open meanwhile.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn start(plan: Plan, server: Option<Process>, spare_files: u32) -> Result<Self, LoadError> {
        raise_file_limit(&plan, spare_files)?;
        let begun = Instant::now();
        let threads: Result<Vec<MediaThread>, _> =
            (0..plan.threads).map(|number| MediaThread::start(number, begun)).collect();
        let identity = Identity::generate()?;
        let memory_at_start = server
            .map(|process| process.memory().map_err(|error| LoadError::Server { pid: process.0, error }))
            .transpose()?;
        let random = StdRng::seed_from_u64(plan.seed);
        Ok(Self {
            shared: Arc::new(Shared::new(plan, threads?, identity, begun)),
            server,
            peers: Vec::new(),
            next_number: 0,
            random,
            join_times: Vec::new(),
            first_media: Vec::new(),
            failed_joins: Vec::new(),
            memory_at_start,
        })
    }

    /// Everybody joins, senders first. `progress` hears how many have.
    ///
    /// # Errors
    /// The first peer that did not join.
    pub async fn join(&mut self, mut progress: impl FnMut(usize, u32)) -> Result<(), LoadError> {
        let all = self.plan().peers();
        for setups in self.everybody() {
            let mut joining = JoinSet::new();
            let mut pace = interval(Duration::from_secs_f64(1.0 / self.plan().join_rate));
            let mut setups = setups.into_iter().peekable();
            while setups.peek().is_some() || !joining.is_empty() {
                tokio::select! {
                    _ = pace.tick(), if setups.peek().is_some() => {
                        let setup = setups.next().expect("it was looked at");
                        joining.spawn(join_one(Arc::clone(&self.shared), setup));
                    }
                    Some(joined) = joining.join_next() => {
                        match joined.map_err(|_| ThreadDied)? {
                            Ok(peer) => self.add(peer),
                            Err((number, error)) => {
                                return Err(LoadError::Join { number, joined: self.peers.len(), all, error });
                            }
                        }
                        progress(self.peers.len(), all);
                    }
                }
            }
        }
        Ok(())
    }

    /// Each bystander makes its transports, at the pace of joining, and connects them. `progress` hears how many there are.
    ///
    /// # Errors
    /// The first transport that did not connect.
    pub async fn connect_bystanders(&mut self, mut progress: impl FnMut(u32, u32)) -> Result<(), LoadError> {
        let (all, each) = (self.plan().transports(), self.plan().idle_transports);
        let mut pace = interval(Duration::from_secs_f64(1.0 / self.plan().join_rate));
        let mut waiting = std::mem::take(&mut self.peers).into_iter();
        let mut connecting = JoinSet::new();
        let mut connected = 0;
        loop {
            tokio::select! {
                _ = pace.tick(), if waiting.len() > 0 => {
                    let shared = Arc::clone(&self.shared);
                    let peer = waiting.next().expect("it was looked at");
                    connecting.spawn(connect_one(shared, peer, each));
                }
                Some(done) = connecting.join_next() => {
                    let (peer, result) = done.map_err(|_| ThreadDied)?;
                    let number = peer.setup.number;
                    self.peers.push(peer);
                    result.map_err(|error| LoadError::Connect { number, connected, all, error })?;
                    connected += each;
                    progress(connected, all);
                }
                else => return Ok(()),
            }
        }
    }

    /// Lets time pass.
    pub async fn wait(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// The cameras and microphones of some rooms begin or stop.
    pub fn set_active(&self, rooms: Range<u32>, is_active: bool) {
        for peer in self.peers.iter().filter(|peer| rooms.contains(&peer.setup.room)) {
            peer.set_active(&self.shared, is_active);
        }
    }

    /// Measures for a time in which people come and go.
    ///
    /// # Errors
    /// A thread died, or the server did.
    pub async fn measure(&mut self, label: &str, duration: Duration, motion: Motion) -> Result<Phase, LoadError> {
        let before = self.moment().await?;
        self.keep_moving(duration, motion).await;
        let after = self.moment().await?;
        self.first_media.extend(after.threads.iter().flat_map(|thread| thread.first_media.iter().copied()));
        Ok(Phase::between(label, &before, &after, self.plan().sizes > 1))
    }

    /// The course so far, in tenths of a second since the start.
    ///
    /// # Errors
    /// A thread died, or the server did.
    pub async fn course(&self) -> Result<Vec<Slice>, LoadError> {
        let moment = self.moment().await?;
        let mut course: Vec<Slice> = Vec::new();
        for thread in &moment.threads {
            course.resize(course.len().max(thread.slices.len()), Slice::default());
            course.iter_mut().zip(&thread.slices).for_each(|(sum, slice)| sum.merge(slice));
        }
        Ok(course)
    }

    /// How long ago the course began.
    pub fn elapsed(&self) -> Duration {
        self.shared.begun.elapsed()
    }

    /// The server's memory now, and before anybody joined.
    pub fn memory(&self) -> Option<(Memory, Memory)> {
        Some((self.server?.memory().ok()?, self.memory_at_start?))
    }

    /// How long joining took so far.
    pub fn joins(&self) -> Joins {
        let ms = |times: &[Duration], quantile: f64| {
            let mut times = times.to_vec();
            times.sort_unstable();
            let rank = ((times.len() as f64 * quantile).ceil() as usize).saturating_sub(1);
            times.get(rank).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
        };
        Joins {
            joined: self.join_times.len(),
            failed: self.failed_joins.len(),
            join_p50_ms: ms(&self.join_times, 0.5),
            join_p99_ms: ms(&self.join_times, 0.99),
            join_max_ms: ms(&self.join_times, 1.0),
            first_media_p50_ms: ms(&self.first_media, 0.5),
            first_media_p99_ms: ms(&self.first_media, 0.99),
        }
    }

    /// What kept newcomers from joining.
    pub fn failed_joins(&self) -> &[String] {
        &self.failed_joins
    }

    /// Who is there.
    pub fn plan(&self) -> &Plan {
        &self.shared.plan
    }

    /// All leave, faster than they came.
    pub async fn leave(&mut self) {
        let mut leaving = JoinSet::new();
        let mut pace = interval(Duration::from_secs_f64(1.0 / (LEAVE_SPEED * self.plan().join_rate)));
        for peer in std::mem::take(&mut self.peers) {
            pace.tick().await;
            let shared = Arc::clone(&self.shared);
            leaving.spawn(async move { peer.leave(&shared).await });
        }
        while leaving.join_next().await.is_some() {}
    }

    async fn keep_moving(&mut self, duration: Duration, motion: Motion) {
        let end = tokio::time::Instant::now() + duration;
        let every = |rate: f64| interval(Duration::from_secs_f64(1.0 / rate.clamp(0.01, 10_000.0)));
        let (mut churn, mut late) = (every(motion.churn), every(self.plan().join_rate));
        let mut late_joins = motion.late_joins;
        let (mut joining, mut leaving) = (JoinSet::new(), JoinSet::new());
        loop {
            tokio::select! {
                () = sleep_until(end) => break,
                _ = churn.tick(), if motion.churn > 0.0 => {
                    let shared = Arc::clone(&self.shared);
                    if let Some(peer) = self.take_receiver() {
                        joining.spawn(join_one(Arc::clone(&self.shared), self.newcomer(peer.setup.room)));
                        leaving.spawn(async move { peer.leave(&shared).await });
                    }
                }
                _ = late.tick(), if late_joins > 0 => {
                    late_joins -= 1;
                    let room = late_joins % self.plan().rooms;
                    joining.spawn(join_one(Arc::clone(&self.shared), self.newcomer(room)));
                }
                Some(joined) = joining.join_next() => match joined {
                    Ok(Ok(peer)) => self.add(peer),
                    Ok(Err((_, error))) => self.failed_joins.push(error.to_string()),
                    Err(error) => self.failed_joins.push(error.to_string()),
                },
                Some(_) = leaving.join_next() => {}
            }
        }
        // Who is on the way arrives, outside of what is measured.
        while let Some(joined) = joining.join_next().await {
            if let Ok(Ok(peer)) = joined {
                self.add(peer);
            }
        }
        while leaving.join_next().await.is_some() {}
    }

    fn add(&mut self, peer: Peer) {
        self.join_times.push(peer.join_time);
        self.peers.push(peer);
    }

    /// Somebody who only receives, by chance.
    fn take_receiver(&mut self) -> Option<Peer> {
        let receivers: Vec<usize> =
            (0..self.peers.len()).filter(|at| self.peers[*at].setup.sends_as.is_none()).collect();
        (!receivers.is_empty()).then(|| self.peers.swap_remove(receivers[self.random.random_range(0..receivers.len())]))
    }

    fn newcomer(&mut self, room: u32) -> PeerSetup {
        self.next_number += 1;
        PeerSetup { room, number: self.next_number, sends_as: None, receives: true, is_sampled: false }
    }

    /// Those who send, then those who only receive.
    fn everybody(&mut self) -> [Vec<PeerSetup>; 2] {
        let plan = self.plan().clone();
        let (mut senders, mut receivers) = (Vec::new(), Vec::new());
        for room in 0..plan.rooms {
            for number in 0..plan.senders() {
                let receives = number >= plan.publishers;
                senders.push(PeerSetup { room, number: 0, sends_as: Some(number), receives, is_sampled: false });
            }
            for number in 0..plan.subscribers + plan.bystanders {
                let receives = number < plan.subscribers;
                receivers.push(PeerSetup { room, number: 0, sends_as: None, receives, is_sampled: false });
            }
        }
        let all = u64::from(plan.receivers());
        let mut count = 0;
        let mut everybody = [senders, receivers];
        for setup in everybody.iter_mut().flatten() {
            self.next_number += 1;
            setup.number = self.next_number;
            if setup.receives {
                let share = |count: u64| count * SAMPLED_RECEIVERS / all;
                let is_rooms_last = plan.subscribers > 0 && (count + 1) % u64::from(plan.subscribers) == 0;
                setup.is_sampled = share(count) != share(count + 1) || is_rooms_last;
                count += 1;
            }
        }
        everybody
    }

    async fn moment(&self) -> Result<Moment, LoadError> {
        let mut threads = Vec::new();
        for thread in &self.shared.threads {
            threads.push(thread.snapshot().await?);
        }
        let generator_cpu = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from);
        let server = self.server.map(|process| {
            let watch =
                || Ok(ServerMoment { cpu: process.cpu()?, threads: process.threads()?, memory: process.memory()? });
            watch().map_err(|error| LoadError::Server { pid: process.0, error })
        });
        let moment = Moment { threads, server: server.transpose()?, generator_cpu };
        Ok(moment)
    }
}

async fn join_one(shared: Arc<Shared>, setup: PeerSetup) -> Result<Peer, (u64, PeerError)> {
    Peer::join(shared, setup).await.map_err(|error| (setup.number, error))
}

/// All that a bystander is to have, one after the other as a client would make them.
async fn connect_one(shared: Arc<Shared>, mut peer: Peer, transports: u32) -> (Peer, Result<(), PeerError>) {
    for _ in 0..transports {
        if let Err(error) = peer.connect_idle(&shared).await {
            return (peer, Err(error));
        }
    }
    (peer, Ok(()))
}

/// Up to the hard limit, if it is needed: each peer has a socket for signalling, and one for each of its transports.
fn raise_file_limit(plan: &Plan, spare_files: u32) -> Result<(), LoadError> {
    let needed = u64::from(plan.peers()) + u64::from(plan.transports()) + u64::from(spare_files) + FILES_MARGIN;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(std::io::Error::from)?;
    if needed > hard {
        return Err(LoadError::Files { peers: plan.peers(), needed, limit: hard });
    }
    if needed > soft {
        setrlimit(Resource::RLIMIT_NOFILE, needed, hard).map_err(std::io::Error::from)?;
    }
    Ok(())
}
