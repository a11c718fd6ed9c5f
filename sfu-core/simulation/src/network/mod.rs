//! The network between peers and the core: for each peer a link up and a link down, on a made-up clock, out of a seed.

pub mod link;
mod queue;
pub mod stats;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sfu_core::transport::tuple::Tuple;

use self::link::{Link, Loss, Rate};
use self::queue::Queue;
use self::stats::LinkStats;

/// Which way a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a peer to the core.
    Up,
    /// From the core to a peer.
    Down,
}

/// What a datagram is, by its first byte (RFC 7983) and, for RTP and RTCP, its second (RFC 5761).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// RFC 8489.
    Stun,
    /// RFC 6347.
    Dtls,
    /// Media.
    Rtp,
    /// Reports.
    Rtcp,
    /// Nothing that is known.
    Other,
}

impl Kind {
    /// Of this datagram.
    pub fn of(bytes: &[u8]) -> Self {
        match (bytes.first(), bytes.get(1)) {
            (Some(0..=3), _) => Self::Stun,
            (Some(20..=63), _) => Self::Dtls,
            (Some(128..=191), Some(192..=223)) => Self::Rtcp,
            (Some(128..=191), Some(_)) => Self::Rtp,
            _ => Self::Other,
        }
    }
}

/// A datagram on its way.
#[derive(Debug, Clone)]
pub struct Datagram {
    /// Where to.
    pub direction: Direction,
    /// Whose.
    pub peer: usize,
    /// On which path.
    pub tuple: Tuple,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl Datagram {
    /// What it is.
    pub fn kind(&self) -> Kind {
        Kind::of(&self.bytes)
    }
}

/// Says whether a datagram is lost.
type Rule = Box<dyn FnMut(&Datagram) -> bool>;

/// All links.
pub struct Network {
    rng: StdRng,
    origin: Instant,
    links: Vec<[State; 2]>,
    shared: Vec<(Rate, Queue)>,
    in_flight: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
    rules: Vec<Rule>,
    homes: HashMap<SocketAddr, usize>,
    /// What the core sent to addresses of no peer.
    pub strays: Vec<(Tuple, Vec<u8>)>,
    /// Digests of the core's latest ciphertexts by peer, SSRC and sequence number, each with its place in the row of all.
    sealed: HashMap<(usize, u32, u16), (usize, u64)>,
    media_sent: usize,
    /// Ciphertexts that the core sent again, byte for byte.
    pub repeated: usize,
    /// What the core must never do.
    pub faults: Vec<String>,
}

/// A sequence number that comes again after this many packets is the next round's.
const ROUND: usize = 20_000;

struct State {
    link: Link,
    queue: Queue,
    /// The place that it shares with others, instead of its own queue.
    shared: Option<SharedId>,
    /// Times when nothing passes.
    outages: Vec<(Instant, Instant)>,
    is_bad: bool,
    last_arrival: Option<Instant>,
    stats: LinkStats,
}

/// A thin place that several links lead through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedId(usize);

impl State {
    fn new(origin: Instant, link: Link) -> Self {
        Self {
            link,
            queue: Queue::default(),
            shared: None,
            outages: Vec::new(),
            is_bad: false,
            last_arrival: None,
            stats: LinkStats::new(origin),
        }
    }

    fn is_cut(&self, now: Instant) -> bool {
        self.link.is_partitioned || self.outages.iter().any(|(from, until)| (*from..*until).contains(&now))
    }
}

impl Network {
    /// No links yet. Statistics count from `origin`.
    pub fn new(seed: u64, origin: Instant) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            origin,
            links: Vec::new(),
            shared: Vec::new(),
            in_flight: BTreeMap::new(),
            sent: 0,
            rules: Vec::new(),
            homes: HashMap::new(),
            strays: Vec::new(),
            sealed: HashMap::new(),
            media_sent: 0,
            repeated: 0,
            faults: Vec::new(),
        }
    }

    /// Connects the next peer.
    pub fn add_peer(&mut self, up: Link, down: Link) {
        self.links.push([State::new(self.origin, up), State::new(self.origin, down)]);
    }

    /// Makes what is sent to `address` come to `peer`.
    pub fn set_home(&mut self, address: SocketAddr, peer: usize) {
        self.homes.insert(address, peer);
    }

    /// A link's properties, to be changed.
    pub fn link(&mut self, peer: usize, direction: Direction) -> &mut Link {
        &mut self.links[peer][direction as usize].link
    }

    /// What became of the datagrams on a link.
    pub fn stats(&self, peer: usize, direction: Direction) -> &LinkStats {
        &self.links[peer][direction as usize].stats
    }

    /// Changes what a thin link carries: from each of these times on so many bit/s. The link must have a rate, which holds
    /// until the first; earlier schedules are replaced.
    pub fn schedule(&mut self, peer: usize, direction: Direction, changes: &[(Instant, u64)]) {
        self.links[peer][direction as usize].queue.schedule(changes.iter().copied());
    }

    /// Nothing passes from one moment until another.
    pub fn add_outage(&mut self, peer: usize, direction: Direction, from: Instant, until: Instant) {
        self.links[peer][direction as usize].outages.push((from, until));
    }

    /// Leads these links through one queue, instead of those of their own.
    pub fn share(&mut self, rate: Rate, links: &[(usize, Direction)]) -> SharedId {
        let id = SharedId(self.shared.len());
        self.shared.push((rate, Queue::default()));
        for (peer, direction) in links {
            self.links[*peer][*direction as usize].shared = Some(id);
        }
        id
    }

    /// Changes what a shared place carries, as [`Self::schedule`] does for a link of its own.
    pub fn schedule_shared(&mut self, id: SharedId, changes: &[(Instant, u64)]) {
        self.shared[id.0].1.schedule(changes.iter().copied());
    }

    /// Loses what `rule` says yes to.
    pub fn drop_if(&mut self, rule: impl FnMut(&Datagram) -> bool + 'static) {
        self.rules.push(Box::new(rule));
    }

    /// Loses the datagrams of a kind with these numbers, counted from 0 and from now.
    pub fn drop_nth(&mut self, peer: usize, direction: Direction, kind: Kind, numbers: &[usize]) {
        let (numbers, mut count) = (numbers.to_vec(), 0);
        self.drop_if(move |datagram| {
            if datagram.peer != peer || datagram.direction != direction || datagram.kind() != kind {
                return false;
            }
            count += 1;
            numbers.contains(&(count - 1))
        });
    }

    /// Everything passes again as the links have it.
    pub fn clear_rules(&mut self) {
        self.rules.clear();
    }

    /// A peer sends.
    pub fn send_up(&mut self, now: Instant, peer: usize, tuple: Tuple, bytes: Vec<u8>) {
        self.send(now, Datagram { direction: Direction::Up, peer, tuple, bytes });
    }

    /// The core sends.
    pub fn send_down(&mut self, now: Instant, tuple: Tuple, bytes: &[u8]) {
        let Some(&peer) = self.homes.get(&tuple.remote) else {
            return self.strays.push((tuple, bytes.to_vec()));
        };
        if Kind::of(bytes) == Kind::Rtp {
            self.check_nonce(peer, bytes);
        }
        self.send(now, Datagram { direction: Direction::Down, peer, tuple, bytes: bytes.to_vec() });
    }

    /// RFC 3711 section 9.1: two plaintexts under one number give the key stream away, even if a network loses one.
    fn check_nonce(&mut self, peer: usize, bytes: &[u8]) {
        let ssrc = u32::from_be_bytes(bytes[8..12].try_into().unwrap());
        let sequence = u16::from_be_bytes([bytes[2], bytes[3]]);
        self.media_sent += 1;
        let digest = digest(bytes);
        let before = self.sealed.insert((peer, ssrc, sequence), (self.media_sent, digest));
        if let Some((place, before)) = before
            && self.media_sent - place < ROUND
        {
            if before == digest {
                self.repeated += 1;
            } else {
                self.faults.push(format!("number {sequence} of {ssrc} was sealed twice"));
            }
        }
    }

    fn send(&mut self, now: Instant, datagram: Datagram) {
        // Every rule sees every datagram, for rules count.
        let dropped = self.rules.iter_mut().fold(false, |dropped, rule| rule(&datagram) | dropped);
        let len = datagram.bytes.len();
        let state = &mut self.links[datagram.peer][datagram.direction as usize];
        state.stats.offered.add(len);
        if dropped || state.is_cut(now) || is_lost(state, &mut self.rng) {
            return state.stats.lost_otherwise.add(len);
        }
        let queue = match state.shared.map(|id| &mut self.shared[id.0]) {
            Some((rate, queue)) => Some((*rate, queue)),
            None => state.link.rate.map(|rate| (rate, &mut state.queue)),
        };
        let is_queued = queue.is_some();
        let departure = queue.map_or(Some(now), |(rate, queue)| queue.push(now, rate, len));
        let Some(departure) = departure else { return state.stats.note_overflow(now, len) };
        state.stats.note_delivery(now, departure, len, is_queued);
        if state.link.duplication > 0.0 && self.rng.random_bool(state.link.duplication) {
            self.carry(departure, datagram.clone());
        }
        self.carry(departure, datagram);
    }

    /// Has a datagram arrive that left at `departure`.
    fn carry(&mut self, departure: Instant, datagram: Datagram) {
        let state = &mut self.links[datagram.peer][datagram.direction as usize];
        let mut arrival = departure + state.link.latency;
        if !state.link.jitter.is_zero() {
            arrival += state.link.jitter.mul_f64(self.rng.random());
        }
        if state.link.reordering > 0.0 && self.rng.random_bool(state.link.reordering) {
            arrival += state.link.reordering_delay;
        } else if !state.link.jitter_reorders {
            arrival = state.last_arrival.map_or(arrival, |last| arrival.max(last));
            state.last_arrival = Some(arrival);
        }
        self.sent += 1;
        self.in_flight.insert((arrival, self.sent), datagram);
    }

    /// When the next datagram arrives.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.in_flight.keys().next().map(|(at, _)| *at)
    }

    /// The next datagram that has arrived by `now`.
    pub fn poll_arrival(&mut self, now: Instant) -> Option<Datagram> {
        self.in_flight.first_entry().filter(|entry| entry.key().0 <= now).map(|entry| entry.remove())
    }
}

fn is_lost(state: &mut State, rng: &mut StdRng) -> bool {
    match state.link.loss {
        Loss::None => false,
        Loss::Bernoulli(probability) => rng.random_bool(probability),
        Loss::GilbertElliott { to_bad, to_good, in_good, in_bad } => {
            let leaves = rng.random_bool(if state.is_bad { to_good } else { to_bad });
            state.is_bad ^= leaves;
            rng.random_bool(if state.is_bad { in_bad } else { in_good })
        }
    }
}

/// Tells ciphertexts apart (after FNV-1a, eight bytes at a time).
fn digest(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(bytes.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)))
}
