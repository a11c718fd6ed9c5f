//! Peers and strangers that send whatever they like.

use std::cell::RefCell;
use std::rc::Rc;

use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80;
use sfu_core::ids::Ssrc;
use sfu_core::router::RouterEvent;
use sfu_core::srtp::{MAX_RTP_OVERHEAD, SealContext, SealStream};
use sfu_core::transport::tuple::Tuple;

use crate::allocations::count;
use simulation::{Direction, Kind, PeerOptions, World, ms, s};

/// Datagrams of junk in all.
const JUNK: usize = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
/// Packets of an authentic peer's nonsense.
const NONSENSE: u32 = if cfg!(debug_assertions) { 4_000 } else { 20_000 };
/// Datagrams between two moments in which the calls go on.
const CHUNK: usize = 500;
/// What the core may hold more after all of it: what a few handshake repeats and report queues take.
const LIVE_BYTES_MAX: i64 = 64 * 1024;

/// Makes junk of what was seen on the wire.
struct Junk {
    rng: SmallRng,
    seen: Vec<Vec<u8>>,
    datagram: Vec<u8>,
}

impl Junk {
    /// The next datagram, never one that was seen.
    fn next(&mut self) -> &mut [u8] {
        let seen = &self.seen[self.rng.random_range(0..self.seen.len())];
        self.datagram.clear();
        self.datagram.extend_from_slice(seen);
        let len = self.datagram.len();
        match self.rng.random_range(0..6) {
            0 => {
                self.datagram.resize(self.rng.random_range(0..1500), 0);
                self.rng.fill_bytes(&mut self.datagram);
            }
            1 => {
                self.datagram.resize(self.rng.random_range(1..1500), 0);
                self.rng.fill_bytes(&mut self.datagram);
                self.datagram[0] = [0, 1, 20, 21, 22, 23, 63, 128, 144, 191][self.rng.random_range(0..10)];
            }
            2 => self.datagram.truncate(self.rng.random_range(0..len)),
            3 => {
                let more = self.rng.random_range(1..64);
                self.datagram.resize((len + more).min(1500), self.rng.random());
            }
            // Changed, and if it is STUN with a FINGERPRINT that fits, so that it is read to the end.
            4 if Kind::of(&self.datagram) == Kind::Stun && len > 28 => {
                let at = self.rng.random_range(20..len - 8);
                self.datagram[at] ^= 1 << self.rng.random_range(0..8);
                let crc = crc32(&self.datagram[..len - 8]) ^ 0x5354_554e;
                self.datagram[len - 4..].copy_from_slice(&crc.to_be_bytes());
            }
            _ => {
                for _ in 0..self.rng.random_range(1..4) {
                    let at = self.rng.random_range(0..len);
                    self.datagram[at] ^= self.rng.random_range(1..=255);
                }
            }
        }
        &mut self.datagram
    }
}

/// The CRC of FINGERPRINT (RFC 8489 section 14.7).
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

/// Harm prevented: one client, or anybody on the internet, takes the server's memory or everybody's call.
#[test]
fn junk_from_peers_and_strangers_stops_no_call_and_costs_no_memory() {
    let mut world = World::new(130);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&seen);
    world.network.drop_if(move |datagram| {
        let mut noted = noted.borrow_mut();
        if datagram.direction == Direction::Up && (datagram.kind() != Kind::Rtp || noted.len() % 4 == 0) {
            noted.push(datagram.bytes.clone());
        }
        false
    });
    let alice = world.peer();
    let bob = world.connected_peer(PeerOptions { profiles: vec![Srtp_Aes128_Cm_Hmac_Sha1_80], ..Default::default() });
    let (audio, video) = (world.produce(alice, "opus"), world.produce(bob, "vp8"));
    let (heard, viewed) = (world.consume(bob, audio), world.consume(alice, video));
    world.run_for(s(5));
    world.network.clear_rules();
    let mut junk = Junk { rng: SmallRng::seed_from_u64(131), seen: seen.take(), datagram: Vec::with_capacity(2048) };
    assert!(
        [Kind::Stun, Kind::Dtls, Kind::Rtp, Kind::Rtcp]
            .iter()
            .all(|kind| { junk.seen.iter().any(|datagram| Kind::of(datagram) == *kind) })
    );
    let known = [world.peers[alice].tuple, world.peers[bob].tuple];
    let mut live_bytes = 0;
    let (mut bytes_in, mut bytes_out) = (0, 0);
    for chunk in 0..JUNK / CHUNK {
        let (core, now) = (&mut world.core, world.now);
        let counted = count(|| {
            for number in 0..CHUNK {
                let mut tuple = known[number % 2];
                let is_stranger = number % 3 == 0;
                if is_stranger {
                    tuple.remote.set_port(1000 + (number % 50) as u16);
                }
                let datagram = junk.next();
                bytes_in += if is_stranger { datagram.len() } else { 0 };
                core.handle_datagram(now, tuple, datagram);
                core.transmits().drain(|to, bytes| bytes_out += if known.contains(&to) { 0 } else { bytes.len() });
            }
        });
        // The first rounds fill what is kept for use again.
        if chunk > 10 {
            live_bytes += counted.live_bytes;
        }
        world.settle();
        world.run_for(ms(20));
    }
    println!("{live_bytes} bytes more after {JUNK} datagrams; strangers sent {bytes_in} bytes and got {bytes_out}");
    assert!(live_bytes < LIVE_BYTES_MAX, "{live_bytes} bytes more");
    assert!(bytes_out < bytes_in, "the core answers strangers with more than they send");
    let closed = |event: &RouterEvent| matches!(event, RouterEvent::TransportClosed { .. });
    assert!(!world.events.iter().any(|(_, _, event)| closed(event)), "{:?}", world.events);
    assert!(known.iter().all(|tuple| world.core.knows(tuple)));
    world.run_for(s(3));
    world.assert_complete(heard, audio);
    world.assert_complete(viewed, video);
}

/// Harm prevented: rtc-srtp takes SRTCP whose E bit is 0 without any key: anybody on the path could ask for key frames, or
/// forge reports.
#[test]
fn srtcp_that_says_it_is_not_encrypted_does_nothing() {
    let mut world = World::new(132);
    let alice = world.peer();
    let bob = world.connected_peer(PeerOptions { profiles: vec![Srtp_Aes128_Cm_Hmac_Sha1_80], ..Default::default() });
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    world.run_for(s(3));
    let requests = world.layer(source).heard.key_frame_requests().len();
    let refused = world.core.stats().packets_refused;
    for index in 0..100_u32 {
        let mut forged = vec![0x81, 206, 0, 2, 0, 0, 0, 1];
        forged.extend(world.sink(sink).ssrc.to_be_bytes());
        forged.extend((1000 + index).to_be_bytes());
        forged.extend([0; 10]);
        let tuple = world.peers[bob].tuple;
        world.network.send_up(world.now, bob, tuple, forged);
        world.run_for(ms(50));
    }
    assert_eq!(world.layer(source).heard.key_frame_requests().len(), requests);
    assert_eq!(world.core.stats().packets_refused, refused + 100);
    world.assert_complete(sink, source);
}

/// A publisher's packet with any header, sealed by its own keys.
pub(crate) struct Forger {
    context: SealContext,
    stream: SealStream,
    tuple: Tuple,
}

impl Forger {
    pub(crate) fn new(world: &World, peer: usize, ssrc: u32) -> Self {
        let keys = world.peers[peer].keys.as_ref().unwrap();
        let context = SealContext::new(keys.profile, &keys.send.0, &keys.send.1).unwrap();
        Self { context, stream: SealStream::new(Ssrc(ssrc)), tuple: world.peers[peer].tuple }
    }

    pub(crate) fn send(&mut self, world: &mut World, peer: usize, header: &[u8], payload: &[u8]) {
        let mut datagram = [header, payload].concat();
        let len = datagram.len();
        datagram.resize(len + MAX_RTP_OVERHEAD, 0);
        let sealed = self.context.seal_rtp(&mut self.stream, &mut datagram, header.len(), len).unwrap();
        datagram.truncate(sealed);
        world.network.send_up(world.now, peer, self.tuple, datagram);
    }
}

/// Harm prevented: a publisher crashes the worker, or writes into what its viewers' parsers read. The sinks check every
/// header, and every payload must come as it was sent.
#[test]
fn header_extensions_of_a_hostile_publisher_reach_nobody() {
    let mut world = World::new(133);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    world.run_for(s(1));
    world.source_mut(source).stop();
    world.run_for(ms(100));
    let layer = world.layer(source);
    let (ssrc, mut extended, frame) = (layer.ssrc, layer.next, layer.sent[0].payload.clone());
    let mut forger = Forger::new(&world, alice, ssrc);
    let mut rng = SmallRng::seed_from_u64(134);
    let before = world.sink(sink).packets.len();
    for number in 0..NONSENSE {
        let mut header = vec![0x90, 0x80 | 96];
        header.extend((extended as u16).to_be_bytes());
        header.extend((number * 90).to_be_bytes());
        header.extend(ssrc.to_be_bytes());
        let words = rng.random_range(0..30_u16);
        let profile = [0xbede, 0x1000, 0x1001, 0x100f, rng.random()][rng.random_range(0..5)];
        header.extend([u16::to_be_bytes(profile), words.to_be_bytes()].concat());
        let mut block = vec![0; usize::from(words) * 4];
        rng.fill_bytes(&mut block);
        if number % 2 == 0 {
            // Elements that begin as the negotiated ones do.
            for at in (0..block.len()).step_by(4) {
                block[at] = rng.random_range(1..15) << 4 | rng.random_range(0..16);
            }
        }
        header.extend(block);
        let mut payload = frame.clone();
        payload.extend(number.to_be_bytes());
        forger.send(&mut world, alice, &header, &payload);
        let published = simulation::source::Published {
            extended,
            timestamp: number * 90,
            marker: true,
            payload,
            own_from: 0,
            starts_key_frame: true,
            at: world.now,
            level: None,
            descriptor: None,
        };
        world.source_mut(source).layers[0].sent.push(published);
        extended += 1;
        world.run_for(ms(1));
    }
    world.run_for(s(1));
    assert_eq!(world.pairs(sink, source).len() - before, NONSENSE as usize);
}

/// Harm prevented: what is authentic is trusted too far.
#[test]
fn authentic_nonsense_stops_no_call() {
    let mut world = World::new(135);
    let (alice, bob) = (world.peer(), world.peer());
    let (source, other) = (world.produce(alice, "vp8"), world.produce(bob, "opus"));
    let (sink, heard) = (world.consume(bob, source), world.consume(alice, other));
    let victim = world.produce(alice, "h264-cb");
    world.consume(bob, victim);
    world.run_for(s(2));
    world.source_mut(victim).stop();
    let mut forger = Forger::new(&world, alice, world.layer(victim).ssrc);
    let mut sealer = {
        let keys = world.peers[bob].keys.as_ref().unwrap();
        SealContext::new(keys.profile, &keys.send.0, &keys.send.1).unwrap()
    };
    let mut rng = SmallRng::seed_from_u64(136);
    let mut sequence = world.layer(victim).next as u16;
    for number in 0..NONSENSE {
        sequence = sequence.wrapping_add(if number % 100 == 0 { rng.random_range(1..300) } else { 1 });
        let mut header = vec![0x80 | (rng.random::<u8>() & 0x20), rng.random::<u8>() & 0x80 | 108];
        header.extend(sequence.to_be_bytes());
        header.extend(rng.random::<[u8; 4]>());
        header.extend(world.layer(victim).ssrc.to_be_bytes());
        let mut payload = vec![0; rng.random_range(0..300)];
        rng.fill_bytes(&mut payload);
        forger.send(&mut world, alice, &header, &payload);

        // Any RTCP, from a compound's usual first byte on.
        let mut report = vec![0; rng.random_range(2..60) * 4];
        rng.fill_bytes(&mut report);
        report[0] = 0x80 | report[0] & 0x3f;
        report[1] = rng.random_range(192..=207);
        let words = if rng.random() { report.len() / 4 - 1 } else { rng.random_range(0..80) };
        report[2..4].copy_from_slice(&(words as u16).to_be_bytes());
        if report.len() >= 12 && number % 2 == 0 {
            report[8..12].copy_from_slice(&world.sink(sink).ssrc.to_be_bytes());
        }
        // Another sender than the peer's own reports: their indices would be the same.
        report[4..8].copy_from_slice(&7_u32.to_be_bytes());
        let len = report.len();
        report.resize(len + sfu_core::srtp::MAX_RTCP_OVERHEAD, 0);
        let sealed = sealer.seal_rtcp(&mut report, len).unwrap();
        report.truncate(sealed);
        let tuple = world.peers[bob].tuple;
        world.network.send_up(world.now, bob, tuple, report);
        world.run_for(ms(1));
    }
    world.run_for(s(3));
    assert_eq!(world.core.stats().faults, 0);
    world.assert_complete(heard, other);
    world.assert_complete(sink, source);
    let requests = world.layer(source).heard.key_frame_requests();
    assert!(requests.is_sorted_by(|a, b| *b - *a >= s(1)), "whatever anybody asks, one key frame a second");
}
