//! What holds for a consumer's stream whatever comes and whatever is asked for: over models of an encoder and a network, and
//! with a decoder that knows what each frame is predicted from.

mod encoder;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use self::encoder::{Encoder, Frame, PICTURE_TICKS, Packet};
use super::tests::{VIDEO, consumer_of};
use super::*;
use crate::consumer::selector::UpSwitch;
use crate::rtcp::ntp::NtpTime;
use crate::rtp::codecs::Codec;
use crate::rtp::layers::Layers;
use crate::test_support::{ms, origin};

const PICTURE_INTERVAL: Duration = Duration::from_millis(33);

const SIMULCAST: Layering = Layering::Simulcast { encodings: 3, temporal_layers: 3 };
const VP9_SVC: Layering = Layering::Svc { spatial_layers: 3, temporal_layers: 3, up_switch: UpSwitch::SpatialSwitch };
const AV1_SVC: Layering = Layering::Svc { spatial_layers: 3, temporal_layers: 3, up_switch: UpSwitch::KeyFrame };

type Form = (Codec, Layering);

/// What is published.
const FORMS: [Form; 7] = [
    (Codec::Vp8, Layering::Plain),
    (Codec::Vp8, SIMULCAST),
    (Codec::H264, Layering::Simulcast { encodings: 3, temporal_layers: 1 }),
    (Codec::Vp9, SIMULCAST),
    (Codec::Av1, SIMULCAST),
    (Codec::Vp9, VP9_SVC),
    (Codec::Av1, AV1_SVC),
];

/// Packets after the first of a stream that the core offers again.
const CATCH_UP_PACKETS: u64 = 16;

#[derive(Debug, Clone, Copy)]
struct Network {
    loses: bool,
    reorders: bool,
    /// Nothing comes for longer than a packet is held, now and then.
    halts: bool,
}

const PERFECT: Network = Network { loses: false, reorders: false, halts: false };

#[derive(Debug, Clone)]
struct Sent {
    packet: Packet,
    admission: Admission,
    /// How many times the stream had started.
    run: usize,
}

/// How many times the stream had started, and whether it was stopped since.
type Moment = (usize, bool);

/// A publisher, its path, a consumer, and what the consumer's peer got.
struct World {
    rng: StdRng,
    network: Network,
    encoders: Vec<Encoder>,
    frames: Vec<Frame>,
    consumer: Consumer,
    /// By the time of their coming.
    on_the_way: BTreeMap<(usize, usize), Packet>,
    order: usize,
    key_frame_wanted: BTreeSet<usize>,
    /// Between a pause and the next start.
    is_stopped: bool,
    /// What came, and when.
    came: BTreeMap<(usize, u64), (Packet, Moment)>,
    sent: Vec<Sent>,
    run: usize,
}

impl World {
    fn new((codec, layering): Form, network: Network, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let encodings = if let Layering::Simulcast { encodings, .. } = layering { encodings } else { 1 };
        Self {
            encoders: (0..encodings.into()).map(|index| Encoder::new(codec, layering, index, &mut rng)).collect(),
            frames: Vec::new(),
            consumer: consumer_of(MediaKind::Video, layering),
            on_the_way: BTreeMap::new(),
            order: 0,
            key_frame_wanted: BTreeSet::new(),
            is_stopped: false,
            came: BTreeMap::new(),
            sent: Vec::new(),
            run: 0,
            rng,
            network,
        }
    }

    /// Pictures of all encodings, while targets change, and pauses come and go, with the given probability for each packet.
    fn run(&mut self, pictures: std::ops::Range<usize>, changes: f64) {
        let Network { loses, reorders, halts } = self.network;
        for picture in pictures {
            for index in 0..self.encoders.len() {
                let is_key = self.key_frame_wanted.remove(&index) || picture == 0 || self.rng.random_bool(0.02);
                for packet in self.encoders[index].encode(picture, is_key, &mut self.frames, &mut self.rng) {
                    self.order += 1;
                    let delay = if reorders && self.rng.random_bool(0.1) { self.rng.random_range(0..10) } else { 0 };
                    if !(loses && self.rng.random_bool(0.05)) {
                        self.on_the_way.insert((self.order + delay, self.order), packet);
                    }
                }
            }
            while let Some(entry) = self.on_the_way.first_entry().filter(|entry| entry.key().0 <= self.order) {
                let packet = entry.remove();
                self.deliver(packet);
                if halts && self.rng.random_bool(0.1) {
                    self.halt();
                }
                if self.rng.random_bool(changes) {
                    self.change();
                }
                self.key_frame_wanted.extend(self.consumer.wanted_key_frame());
            }
        }
        while let Some((_, packet)) = self.on_the_way.pop_first() {
            self.deliver(packet);
        }
    }

    fn halt(&mut self) {
        let Some(until) = self.consumer.held_until() else { return };
        if let Some(held) = self.consumer.take_overdue(until) {
            let packet = self.came[&(held.encoding, held.extended)].0.clone();
            self.sent.push(Sent { packet, admission: held.admission, run: self.run });
        }
    }

    fn change(&mut self) {
        match self.rng.random_range(0..10) {
            0 => self.consumer.selector.set_target(None),
            1 => {
                if let Some(held) = self.consumer.held
                    && let Some((_, (_, is_stopped))) = self.came.get_mut(&(held.encoding, held.extended))
                {
                    *is_stopped = true;
                }
                self.is_stopped = true;
                self.consumer.paused = true;
                self.consumer.stop();
            }
            // Who is to get less than is wished leaves a larger encoding otherwise than who wishes less.
            2 => {
                let preferred = self.some_layers();
                self.consumer.selector.set_preferred(preferred);
            }
            _ => {
                self.consumer.paused = false;
                let target = self.some_layers();
                self.consumer.selector.set_target(Some(target));
            }
        }
    }

    fn some_layers(&mut self) -> Layers {
        Layers { spatial: self.rng.random_range(0..3), temporal: self.rng.random_range(0..3) }
    }

    fn deliver(&mut self, packet: Packet) {
        let first = (packet.encoding, packet.extended);
        let starts = self.offer(&packet);
        self.is_stopped &= !starts;
        self.came.insert(first, (packet, (self.run, self.is_stopped)));
        if starts {
            for extended in first.1 + 1..=first.1 + CATCH_UP_PACKETS {
                if let Some((packet, moment)) = self.came.get_mut(&(first.0, extended)) {
                    *moment = (self.run, false);
                    let packet = packet.clone();
                    self.offer(&packet);
                }
            }
        }
    }

    fn offer(&mut self, packet: &Packet) -> bool {
        let now = origin() + PICTURE_INTERVAL * packet.picture as u32 + ms(20);
        let encoders = &self.encoders;
        let reports = |encoding: usize| {
            let rtp_timestamp = encoders[encoding].timestamp_base;
            Some(SourceReport { ntp: NtpTime(77 << 32), rtp_timestamp, received_at: origin() })
        };
        let codec = encoders[0].codec;
        let candidate = Candidate {
            encoding: packet.encoding,
            media: MediaPayload { codec, mapped: VIDEO, clock_rate_hz: 90_000, nack: true },
            extended: packet.extended,
            timestamp: packet.timestamp,
            marker: packet.marker,
            frame: packet.info,
            is_empty: false,
            restarted: false,
            reports: &reports,
        };
        if let Some(held) = self.consumer.take_held(&candidate) {
            let packet = self.came[&(held.encoding, held.extended)].0.clone();
            self.sent.push(Sent { packet, admission: held.admission, run: self.run });
        }
        match self.consumer.admit(now, &candidate) {
            Verdict::Drop => false,
            Verdict::Hold { starts } => {
                self.run += usize::from(starts);
                starts
            }
            Verdict::Send(admission) => {
                self.run += usize::from(admission.starts);
                self.sent.push(Sent { packet: packet.clone(), admission, run: self.run });
                admission.starts
            }
        }
    }

    /// In the order of their sequence numbers.
    fn received(&self) -> Vec<Sent> {
        let mut received = self.sent.clone();
        let Some(first) = received.first().map(|sent| sent.admission.sequence_number) else { return received };
        received.sort_by_key(|sent| sent.admission.sequence_number.wrapping_sub(first));
        received
    }

    /// No number twice and no packet in one run, one timestamp and one picture id a picture, and none that goes back.
    fn check_numbers(&self) -> Result<(), TestCaseError> {
        let numbers: BTreeSet<u16> = self.sent.iter().map(|sent| sent.admission.sequence_number).collect();
        prop_assert_eq!(numbers.len(), self.sent.len(), "a sequence number was used twice");
        let packets: BTreeSet<_> =
            self.sent.iter().map(|sent| (sent.run, sent.packet.encoding, sent.packet.extended)).collect();
        prop_assert_eq!(packets.len(), self.sent.len(), "a packet was sent twice");
        for pair in self.received().windows(2) {
            let [a, b] = pair else { continue };
            let step = b.admission.timestamp.wrapping_sub(a.admission.timestamp) as i32;
            if is_one_picture(a, b) {
                prop_assert_eq!(step, 0);
                prop_assert_eq!(a.admission.numbers, b.admission.numbers);
            } else {
                prop_assert!(step > 0, "time went by {} from {:?} to {:?}", step, a, b);
            }
        }
        Ok(())
    }

    /// The output's time is the publisher's, but that it never goes back: where another encoding takes over with an earlier
    /// picture it gets ahead, until a later switch makes up for it.
    fn check_clock(&self) -> Result<(), TestCaseError> {
        let Some(first) = self.sent.first() else { return Ok(()) };
        let output = |sent: &Sent| i64::from(sent.admission.timestamp.wrapping_sub(first.admission.timestamp) as i32);
        let captured =
            |sent: &Sent| (sent.packet.picture as i64 - first.packet.picture as i64) * i64::from(PICTURE_TICKS);
        let (mut newest, mut ahead) = (first, 0);
        for sent in &self.sent {
            if sent.packet.encoding != newest.packet.encoding {
                ahead = (output(newest) + 1 - captured(sent)).max(0);
            }
            prop_assert_eq!(output(sent) - captured(sent), ahead);
            if output(sent) > output(newest) {
                newest = sent;
            }
        }
        Ok(())
    }

    fn check_picture_ids_have_no_gap(&self) -> Result<(), TestCaseError> {
        for pair in self.received().windows(2) {
            let [a, b] = pair else { continue };
            let (Some((id_a, tl0_a)), Some((id_b, tl0_b))) = (a.admission.numbers, b.admission.numbers) else {
                continue;
            };
            let mask = if b.packet.info.numbers.unwrap().is_long { 0x7fff } else { 0x7f };
            let is_base = b.packet.info.layers.temporal == 0;
            if !is_one_picture(a, b) {
                prop_assert_eq!(id_b, id_a.wrapping_add(1) & mask);
                prop_assert_eq!(tl0_b, tl0_a.wrapping_add(u8::from(is_base)));
            }
        }
        Ok(())
    }

    /// Whatever was sent of a run can be decoded, but for pictures that its end cut off.
    fn check_decodable(&self) -> Result<(), TestCaseError> {
        let mut count: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for sent in &self.sent {
            *count.entry((sent.run, sent.packet.frame)).or_default() += 1;
        }
        // When the last of each frame came: too late for the run, after a stop or after another encoding had taken over?
        let mut came: BTreeMap<usize, Moment> = BTreeMap::new();
        for (packet, moment) in self.came.values() {
            let latest = came.entry(packet.frame).or_default();
            *latest = (*latest).max(*moment);
        }
        if let Some(held) = self.consumer.held {
            let (packet, _) = &self.came[&(held.encoding, held.extended)];
            came.insert(packet.frame, (self.run, true));
        }
        let mut broken: BTreeSet<(usize, usize)> = BTreeSet::new();
        for (&(run, index), &packets) in &count {
            let frame = &self.frames[index];
            let is_cut = |index: usize| came[&index] > (run, false) || broken.contains(&(run, index));
            if is_cut(index) || frame.references.iter().any(|&reference| is_cut(reference)) {
                broken.insert((run, index));
                continue;
            }
            prop_assert_eq!(packets, frame.packets, "frame {} {:?} was cut in two", index, frame);
            for &reference in &frame.references {
                prop_assert!(
                    count.contains_key(&(run, reference)),
                    "frame {index} {frame:?} without {reference} {:?}, run {run}",
                    self.frames[reference]
                );
            }
        }
        Ok(())
    }

    /// Each picture has a marker on its last packet and nowhere else.
    fn check_markers(&self) -> Result<(), TestCaseError> {
        for pair in self.received().windows(2) {
            let [a, b] = pair else { continue };
            if a.run == b.run {
                prop_assert_eq!(a.admission.marker, !is_one_picture(a, b), "{:?} before {:?}", a, b);
            }
        }
        Ok(())
    }
}

fn is_one_picture(a: &Sent, b: &Sent) -> bool {
    (a.packet.encoding, a.packet.picture) == (b.packet.encoding, b.packet.picture)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn what_comes_in_order_is_decodable_marked_and_gapless(
        form in select(&FORMS[..]), seed: u64, pictures in 1..200usize, changes in 0.0..0.2, halts: bool,
    ) {
        let mut world = World::new(form, Network { halts, ..PERFECT }, seed);
        world.run(0..pictures, changes);
        world.check_numbers()?;
        world.check_decodable()?;
        world.check_markers()?;
        world.check_clock()?;
        if form.0 == Codec::Vp8 {
            world.check_picture_ids_have_no_gap()?;
        }
    }

    #[test]
    fn what_is_reordered_is_decodable(
        form in select(&FORMS[..]), seed: u64, pictures in 1..200usize, changes in 0.0..0.2, halts: bool,
    ) {
        let mut world = World::new(form, Network { loses: false, reorders: true, halts }, seed);
        world.run(0..pictures, changes);
        world.check_numbers()?;
        world.check_decodable()?;
        world.check_clock()?;
    }

    #[test]
    fn what_is_lost_breaks_no_numbers(
        form in select(&FORMS[..]), seed: u64, pictures in 1..200usize, changes in 0.0..0.2, halts: bool,
    ) {
        let mut world = World::new(form, Network { loses: true, reorders: true, halts }, seed);
        world.run(0..pictures, changes);
        world.check_numbers()?;
        world.check_clock()?;
    }

    /// Whatever was before, a target that stays is reached.
    #[test]
    fn the_target_is_reached(
        form in select(&FORMS[..]), seed: u64, loses: bool, halts: bool, spatial in 0..3u8, temporal in 0..3u8,
    ) {
        let mut world = World::new(form, Network { loses, reorders: true, halts }, seed);
        world.run(0..60, 0.2);
        let target = Some(Layers { spatial, temporal }.min(form.1.highest()));
        world.consumer.paused = false;
        world.consumer.selector.set_target(target);
        world.key_frame_wanted.extend(world.consumer.wanted_key_frame());
        world.network = PERFECT;
        world.run(60..120, 0.0);
        prop_assert_eq!(world.consumer.selector.current(), target);
        prop_assert_eq!(world.consumer.wanted_key_frame(), None);
    }
}
