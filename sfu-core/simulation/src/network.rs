//! The network between peers and the core: for each peer a link up and a link down, on a made-up clock, out of a seed.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sfu_core::transport::tuple::Tuple;

/// Which way a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a peer to the core.
    Up,
    /// From the core to a peer.
    Down,
}

/// How a link loses datagrams.
#[derive(Debug, Clone, Copy)]
pub enum Loss {
    /// Not at all.
    None,
    /// Each with the same probability.
    Bernoulli(f64),
    /// In bursts: two states with a probability of loss each, and of leaving each state (Gilbert 1960, Elliott 1963).
    GilbertElliott { to_bad: f64, to_good: f64, in_good: f64, in_bad: f64 },
}

/// The properties of one direction of a path.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    pub latency: Duration,
    /// Added to the latency at random, without reordering.
    pub jitter: Duration,
    pub loss: Loss,
    /// The probability that a datagram is held back by `reordering_delay`, and so overtaken.
    pub reordering: f64,
    pub reordering_delay: Duration,
    /// The probability that a datagram comes twice.
    pub duplication: f64,
    /// Bits per second and the bytes that may wait; beyond them datagrams are lost.
    pub rate: Option<(u64, usize)>,
    /// Nothing passes.
    pub is_partitioned: bool,
}

impl Link {
    /// 20 ms and nothing else.
    pub const CLEAN: Self = Self {
        latency: Duration::from_millis(20),
        jitter: Duration::ZERO,
        loss: Loss::None,
        reordering: 0.0,
        reordering_delay: Duration::from_millis(8),
        duplication: 0.0,
        rate: None,
        is_partitioned: false,
    };

    /// A clean link that loses this part of its datagrams.
    pub fn lossy(probability: f64) -> Self {
        Self { loss: Loss::Bernoulli(probability), ..Self::CLEAN }
    }
}

/// What a datagram is, by its first byte (RFC 7983) and, for RTP and RTCP, its second (RFC 5761).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Stun,
    Dtls,
    Rtp,
    Rtcp,
    Other,
}

impl Kind {
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
    pub direction: Direction,
    pub peer: usize,
    pub tuple: Tuple,
    pub bytes: Vec<u8>,
}

impl Datagram {
    pub fn kind(&self) -> Kind {
        Kind::of(&self.bytes)
    }
}

/// Says whether a datagram is lost.
type Rule = Box<dyn FnMut(&Datagram) -> bool>;

/// All links.
pub struct Network {
    rng: StdRng,
    links: Vec<[State; 2]>,
    in_flight: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
    rules: Vec<Rule>,
    homes: HashMap<SocketAddr, usize>,
    /// What the core sent to addresses of no peer.
    pub strays: Vec<(Tuple, Vec<u8>)>,
    /// The core's latest ciphertexts by peer, SSRC and sequence number, each with its place in the row of all.
    sealed: HashMap<(usize, u32, u16), (usize, Vec<u8>)>,
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
    is_bad: bool,
    idle_from: Option<Instant>,
    last_arrival: Option<Instant>,
}

impl State {
    fn new(link: Link) -> Self {
        Self { link, is_bad: false, idle_from: None, last_arrival: None }
    }
}

impl Network {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            links: Vec::new(),
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
        self.links.push([State::new(up), State::new(down)]);
    }

    /// Makes what is sent to `address` come to `peer`.
    pub fn set_home(&mut self, address: SocketAddr, peer: usize) {
        self.homes.insert(address, peer);
    }

    pub fn link(&mut self, peer: usize, direction: Direction) -> &mut Link {
        &mut self.links[peer][direction as usize].link
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

    pub fn send_up(&mut self, now: Instant, peer: usize, tuple: Tuple, bytes: Vec<u8>) {
        self.send(now, Datagram { direction: Direction::Up, peer, tuple, bytes });
    }

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
        let before = self.sealed.insert((peer, ssrc, sequence), (self.media_sent, bytes.to_vec()));
        if let Some((place, before)) = before
            && self.media_sent - place < ROUND
        {
            if before == bytes {
                self.repeated += 1;
            } else {
                self.faults.push(format!("number {sequence} of {ssrc} was sealed twice"));
            }
        }
    }

    fn send(&mut self, now: Instant, datagram: Datagram) {
        // Every rule sees every datagram, for rules count.
        let dropped = self.rules.iter_mut().fold(false, |dropped, rule| rule(&datagram) | dropped);
        let state = &mut self.links[datagram.peer][datagram.direction as usize];
        if dropped || state.link.is_partitioned || is_lost(state, &mut self.rng) {
            return;
        }
        let Some(departure) = departure(state, now, datagram.bytes.len()) else { return };
        let copies = if self.rng.random_bool(state.link.duplication) { 2 } else { 1 };
        for _ in 0..copies {
            let jitter = state.link.jitter.mul_f64(self.rng.random());
            let mut arrival = departure + state.link.latency + jitter;
            if self.rng.random_bool(state.link.reordering) {
                arrival += state.link.reordering_delay;
            } else {
                arrival = state.last_arrival.map_or(arrival, |last| arrival.max(last));
                state.last_arrival = Some(arrival);
            }
            self.sent += 1;
            self.in_flight.insert((arrival, self.sent), datagram.clone());
        }
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

/// When the last bit has left, or nothing if the queue is full.
fn departure(state: &mut State, now: Instant, len: usize) -> Option<Instant> {
    let Some((bits_per_second, queue_bytes)) = state.link.rate else { return Some(now) };
    let idle_from = state.idle_from.map_or(now, |at| at.max(now));
    let waiting_bytes = (idle_from - now).as_secs_f64() * bits_per_second as f64 / 8.0;
    if waiting_bytes as usize + len > queue_bytes {
        return None;
    }
    let departure = idle_from + Duration::from_secs_f64(len as f64 * 8.0 / bits_per_second as f64);
    state.idle_from = Some(departure);
    Some(departure)
}
