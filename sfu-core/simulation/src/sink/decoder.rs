//! A decoder of video that knows what each frame really needs: it assembles pictures as Chromium does, by what the wire says,
//! and judges them by the truth that their encoder wrote into them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use sfu_core::rtp::layers::Layers;

use super::playback::{Playback, Shown, Undecodable, Why};
use crate::source::payloads::{Media, Numbers, numbers, starts_frame};
use crate::truth::{Frame, Stamp};

/// How long a picture that can be decoded waits for an earlier one that is being repaired, as a jitter buffer would.
const PATIENCE: Duration = Duration::from_millis(100);
/// Frames remembered by what became of them; none refers further back.
const REMEMBERED: usize = 4096;
/// Pictures that wait at most; the oldest goes first.
const MAX_WAITING: usize = 512;
/// No picture for so long: a key frame is asked for (libwebrtc).
const STALL: Duration = Duration::from_secs(3);
/// The same while waiting for the first one (libwebrtc).
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// A stream is active if a packet came within this time (libwebrtc).
const ACTIVE: Duration = Duration::from_secs(5);

/// A packet as it came.
pub struct Arrival<'a> {
    /// Its number, unwrapped.
    pub number: u64,
    /// RTP's.
    pub timestamp: u32,
    /// RTP's.
    pub marker: bool,
    /// All of it.
    pub payload: &'a [u8],
    /// The dependency descriptor, if it has one.
    pub descriptor: Option<&'a [u8]>,
}

/// What is known of numbers that did not come.
pub struct Gaps<'a> {
    /// The lowest that may still come.
    pub awaited: Option<u64>,
    /// Those that will not.
    pub lost: &'a BTreeSet<u64>,
}

impl Gaps<'_> {
    fn are_settled_before(&self, number: u64) -> bool {
        self.awaited.is_none_or(|awaited| awaited >= number)
    }
}

/// The decoder of one sink.
pub struct Decoder {
    media: Media,
    origin: Instant,
    /// By unwrapped timestamp.
    waiting: BTreeMap<i64, Picture>,
    fates: HashMap<u32, Fate>,
    fates_in_order: VecDeque<u32>,
    newest_timestamp: Option<i64>,
    /// The last picture dealt with.
    handled: Option<Handled>,
    has_started: bool,
    started_number: u64,
    first_packet_at: Option<Instant>,
    last_packet_at: Option<Instant>,
    /// The last picture, or the end of a silence.
    progress_at: Option<Instant>,
    asked_at: Option<Instant>,
    /// Pictures shown, and what went wrong.
    pub playback: Playback,
    /// What no receiver should see.
    pub faults: Vec<String>,
}

/// A temporal unit, of one or more frames.
#[derive(Default)]
struct Picture {
    pieces: BTreeMap<u64, Piece>,
    completed_at: Option<Instant>,
}

struct Piece {
    stamp: Stamp,
    starts_frame: bool,
    marker: bool,
    numbers: Numbers,
    is_described: bool,
    /// The frame number that the dependency descriptor tells.
    told_number: Option<u16>,
}

struct Handled {
    timestamp: i64,
    last: u64,
    picture_id: Option<u16>,
    base_index: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// With its source's SSRC and picture, and the picture id it came under.
    Decoded { ssrc: u32, picture: u32, picture_id: Option<u16> },
    /// Without loss.
    Undecodable,
    /// For something was lost.
    Lost,
}

impl Decoder {
    /// A decoder that has seen nothing. Captures are counted from `origin`.
    pub fn new(media: Media, origin: Instant) -> Self {
        Self {
            media,
            origin,
            waiting: BTreeMap::new(),
            fates: HashMap::new(),
            fates_in_order: VecDeque::new(),
            newest_timestamp: None,
            handled: None,
            has_started: false,
            started_number: 0,
            first_packet_at: None,
            last_packet_at: None,
            progress_at: None,
            asked_at: None,
            playback: Playback::default(),
            faults: Vec::new(),
        }
    }

    /// The first number of the latest key picture decoded; 0 before the first.
    pub fn started_number(&self) -> u64 {
        self.started_number
    }

    /// Takes a packet; each number once.
    pub fn handle(&mut self, now: Instant, arrival: &Arrival<'_>) {
        self.first_packet_at.get_or_insert(now);
        if self.last_packet_at.is_none_or(|at| now - at >= STALL) {
            self.progress_at = Some(now);
        }
        self.last_packet_at = Some(now);
        let Some(stamp) = Stamp::read(arrival.payload) else {
            self.playback.unreadable += 1;
            return;
        };
        let timestamp = self.unwrap(arrival.timestamp);
        if let Some(handled) = self.handled.as_ref().filter(|handled| timestamp <= handled.timestamp) {
            if arrival.number > handled.last {
                self.fault(format!("number {} goes back in time, or on behind its picture's end", arrival.number));
            }
            self.playback.late += 1;
            // Its picture was decoded without it, which the network has made late.
            if !self.fates.contains_key(&stamp.frame.id) {
                self.set_fate(stamp.frame.id, Fate::Lost);
            }
            return;
        }
        let piece = Piece {
            stamp,
            starts_frame: starts_frame(self.media, arrival.payload, arrival.descriptor),
            marker: arrival.marker,
            numbers: numbers(self.media, arrival.payload),
            is_described: arrival.descriptor.is_some(),
            told_number: arrival
                .descriptor
                .and_then(|bytes| bytes.get(1..3))
                .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]])),
        };
        let picture = self.waiting.entry(timestamp).or_default();
        picture.pieces.insert(arrival.number, piece);
        if picture.is_complete() {
            picture.completed_at.get_or_insert(now);
        }
        if self.waiting.len() > MAX_WAITING {
            self.give_up_first(Why::Loss, now);
        }
    }

    /// Decodes what can be, and judges what cannot.
    pub fn advance(&mut self, now: Instant, gaps: &Gaps<'_>) {
        while self.step(now, gaps) {}
    }

    /// Whether a key frame is to be asked for now.
    pub fn poll_key_frame_request(&mut self, now: Instant) -> bool {
        let due = self.poll_timeout().is_some_and(|at| at <= now);
        if due {
            self.asked_at = Some(now);
        }
        due
    }

    /// When a key frame will have to be asked for, if nothing changes.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let wait = if self.has_started { STALL } else { FIRST_WAIT };
        let since = if self.has_started { self.progress_at } else { self.first_packet_at };
        let at = since.max(self.asked_at)? + wait;
        // Nothing comes any more: there is nothing to ask for.
        let is_active = self.last_packet_at.is_some_and(|last| at <= last + ACTIVE);
        // Nothing came since the last picture: it is all decoded.
        let is_behind = !self.has_started || self.last_packet_at > self.playback.last_at();
        Some(at).filter(|_| is_active && is_behind)
    }

    /// One picture further. Whether there was one.
    fn step(&mut self, now: Instant, gaps: &Gaps<'_>) -> bool {
        let Some((&timestamp, picture)) = self.waiting.first_key_value() else { return false };
        let is_settled_before = gaps.are_settled_before(picture.first());
        if picture.is_complete() {
            match self.obstacle(picture, gaps) {
                None if is_settled_before || picture.starts_anew() || picture.has_waited(now) => {
                    self.decode(now, timestamp);
                    return true;
                }
                Some(why) if is_settled_before => {
                    self.give_up_first(why, now);
                    return true;
                }
                _ => {}
            }
        } else if self.is_over(timestamp, gaps) {
            let picture = &self.waiting[&timestamp];
            let next = self.waiting.range(timestamp + 1..).next().map(|(_, next)| next);
            let from = self.handled.as_ref().map_or(picture.first(), |handled| handled.last);
            let until = next.map_or(u64::MAX, Picture::first);
            let why = if gaps.lost.range(from..until).next().is_some() {
                Why::Loss
            } else if next.is_some_and(|next| next.cuts(picture)) {
                Why::Cut
            } else {
                Why::NoEnd
            };
            self.give_up_first(why, now);
            return true;
        }
        // What can go ahead of it.
        let ahead = self.waiting.iter().skip(1).find(|(_, picture)| {
            picture.is_complete()
                && (picture.starts_anew() || picture.has_waited(now))
                && self.obstacle(picture, gaps).is_none()
        });
        let Some((&timestamp, _)) = ahead else { return false };
        while self.waiting.first_key_value().is_some_and(|(first, _)| *first < timestamp) {
            self.give_up_first(Why::Loss, now);
        }
        self.decode(now, timestamp);
        true
    }

    /// Whether nothing more can come of the first picture, which is not complete.
    fn is_over(&self, timestamp: i64, gaps: &Gaps<'_>) -> bool {
        self.waiting.range(timestamp + 1..).next().is_some_and(|(_, next)| gaps.are_settled_before(next.first()))
    }

    /// What a complete picture lacks to be decoded.
    fn obstacle(&self, picture: &Picture, gaps: &Gaps<'_>) -> Option<Why> {
        if !self.has_started && !picture.starts_anew() {
            return Some(Why::NoKeyFrame);
        }
        let own: Vec<u32> = picture.frames().map(|frame| frame.id).collect();
        let mut why = None;
        for frame in picture.frames() {
            for reference in frame.references() {
                match self.fates.get(reference) {
                    Some(Fate::Decoded { .. }) => {}
                    None if own.contains(reference) => {}
                    Some(Fate::Lost) => {
                        why.get_or_insert(Why::Loss);
                    }
                    None if gaps.lost.range(self.started_number..picture.first()).next().is_some() => {
                        why.get_or_insert(Why::Loss);
                    }
                    Some(Fate::Undecodable) | None => {
                        return Some(Why::Missing { frame: frame.id, reference: *reference });
                    }
                }
            }
        }
        // Chromium tells AV1's spatial layers apart by the descriptor alone.
        let needs_descriptor = self.media == Media::Av1 && own.len() > 1;
        if needs_descriptor && picture.pieces.values().any(|piece| !piece.is_described) {
            return Some(Why::NoDescriptor);
        }
        why
    }

    fn decode(&mut self, now: Instant, timestamp: i64) {
        let Some(picture) = self.waiting.remove(&timestamp) else { return };
        self.check_whole(&picture);
        self.check_numbers(&picture);
        let first = &picture.pieces[&picture.first()];
        let picture_id = first.numbers.picture_id.map(|(_, id)| id);
        for (frame, ssrc) in picture.frames().map(|frame| (*frame, first.stamp.ssrc)).collect::<Vec<_>>() {
            self.set_fate(frame.id, Fate::Decoded { ssrc, picture: frame.picture, picture_id });
        }
        if let Some(frame) = picture.frames().last() {
            if picture.starts_anew() {
                self.has_started = true;
                self.started_number = picture.first();
            }
            self.playback.shown.push(Shown {
                at: now,
                delay: now.saturating_duration_since(self.origin + frame.captured),
                captured: frame.captured,
                timestamp: timestamp as u32,
                is_key: picture.starts_anew(),
                layers: Layers { spatial: frame.place().spatial, temporal: frame.layers.temporal },
                size: (frame.width, frame.height),
            });
        }
        self.progress_at = Some(now);
        self.note_handled(timestamp, &picture);
    }

    /// The first picture will not be decoded.
    fn give_up_first(&mut self, why: Why, now: Instant) {
        let Some((timestamp, picture)) = self.waiting.pop_first() else { return };
        let fate = if matches!(why, Why::Loss | Why::Cut) { Fate::Lost } else { Fate::Undecodable };
        for id in picture.frames().map(|frame| frame.id).collect::<Vec<_>>() {
            self.set_fate(id, fate);
        }
        match why {
            Why::Loss => self.playback.lost += 1,
            Why::Cut => self.playback.cut += 1,
            Why::NoKeyFrame => self.playback.before_key_frame += 1,
            _ => {
                self.playback.undecodable.push(Undecodable { at: now, number: picture.first(), why });
            }
        }
        self.note_handled(timestamp, &picture);
    }

    fn set_fate(&mut self, id: u32, fate: Fate) {
        if self.fates.insert(id, fate).is_none() {
            self.fates_in_order.push_back(id);
            if self.fates_in_order.len() > REMEMBERED
                && let Some(oldest) = self.fates_in_order.pop_front()
            {
                self.fates.remove(&oldest);
            }
        }
    }

    fn note_handled(&mut self, timestamp: i64, picture: &Picture) {
        let numbers = picture.pieces[&picture.first()].numbers;
        let is_contiguous =
            self.handled.as_ref().is_some_and(|handled| picture.first() == handled.last + 1) && picture.is_complete();
        if is_contiguous && self.media == Media::Vp8 {
            self.check_vp8_numbers(&numbers, picture.first());
        }
        if let Some(handled) = self.handled.as_ref()
            && picture.first() < handled.last
        {
            self.fault(format!("number {} is before {}, its picture after it", picture.first(), handled.last));
        }
        self.handled = Some(Handled {
            timestamp,
            last: picture.last(),
            picture_id: numbers.picture_id.map(|(_, id)| id),
            base_index: numbers.base_index.map(|(_, index)| index),
        });
    }

    /// Every frame has all its packets, and nothing follows the marker.
    fn check_whole(&mut self, picture: &Picture) {
        let mut counts: BTreeMap<u32, (u16, u16)> = BTreeMap::new();
        for piece in picture.pieces.values() {
            counts.entry(piece.stamp.frame.id).or_insert((0, piece.stamp.count)).0 += 1;
        }
        for (id, (got, all)) in counts {
            if got != all {
                self.fault(format!("frame {id} came with {got} of its {all} packets, and no number is missing"));
            }
        }
        let markers = picture.pieces.values().filter(|piece| piece.marker).count();
        if markers != 1 {
            self.fault(format!("{markers} markers in the picture of number {}", picture.first()));
        }
        for piece in picture.pieces.values() {
            if piece.told_number.is_some_and(|told| told != piece.stamp.frame.number as u16) {
                self.fault(format!("frame {} is called another number by its descriptor", piece.stamp.frame.id));
            }
        }
    }

    /// References by picture id lead where they led at the source.
    fn check_numbers(&mut self, picture: &Picture) {
        let first = &picture.pieces[&picture.first()];
        let ids: BTreeSet<_> =
            picture.pieces.values().map(|piece| piece.numbers.picture_id.map(|(_, id)| id)).collect();
        if ids.len() > 1 {
            self.number_fault(format!("picture ids {ids:?} in one picture"));
        }
        let Some((_, id)) = first.numbers.picture_id else { return };
        if let Some(before) = self.handled.as_ref().and_then(|handled| handled.picture_id) {
            let step = id.wrapping_sub(before) & 0x7fff;
            if step == 0 || step > 0x4000 {
                self.number_fault(format!("picture id {id} after {before}"));
            }
        }
        if self.media != Media::Vp9 {
            return;
        }
        let mut wrong = Vec::new();
        for frame in picture.frames() {
            for reference in frame.references() {
                if let Some(Fate::Decoded { ssrc, picture: referred, picture_id: Some(known) }) =
                    self.fates.get(reference)
                    && *ssrc == first.stamp.ssrc
                    && u32::from(id.wrapping_sub(*known) & 0x7fff) != (frame.picture - referred) & 0x7fff
                {
                    wrong.push(format!("picture id {id} is not {} after {known}", frame.picture - referred));
                }
            }
        }
        wrong.into_iter().for_each(|fault| self.number_fault(fault));
    }

    /// Behind the picture that it follows without a gap: the next picture id, and TL0PICIDX counting base layer pictures.
    fn check_vp8_numbers(&mut self, numbers: &Numbers, number: u64) {
        let Some(before) = &self.handled else { return };
        if let (Some((_, id)), Some(known)) = (numbers.picture_id, before.picture_id)
            && id != (known + 1) & 0x7fff
        {
            self.playback.picture_id_holes += 1;
        }
        if let (Some((_, index)), Some(known), Some(temporal)) =
            (numbers.base_index, before.base_index, numbers.temporal)
            && index != if temporal == 0 { known.wrapping_add(1) } else { known }
        {
            self.number_fault(format!("TL0PICIDX {index} after {known} at number {number}, temporal layer {temporal}"));
        }
    }

    /// A number in a descriptor leads astray.
    fn number_fault(&mut self, fault: String) {
        self.playback.number_faults.push(fault);
    }

    fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    fn unwrap(&mut self, timestamp: u32) -> i64 {
        let newest = self.newest_timestamp.unwrap_or((1 << 32) + i64::from(timestamp));
        let unwrapped = newest + i64::from(timestamp.wrapping_sub(newest as u32) as i32);
        self.newest_timestamp = Some(newest.max(unwrapped));
        unwrapped
    }
}

impl Picture {
    fn first(&self) -> u64 {
        self.pieces.first_key_value().map_or(0, |(number, _)| *number)
    }

    fn last(&self) -> u64 {
        self.pieces.last_key_value().map_or(0, |(number, _)| *number)
    }

    /// By what the wire says: from the beginning of a frame to a marker without a gap.
    fn is_complete(&self) -> bool {
        let (Some((first, begins)), Some((last, ends))) = (self.pieces.first_key_value(), self.pieces.last_key_value())
        else {
            return false;
        };
        ends.marker && begins.starts_frame && last - first + 1 == self.pieces.len() as u64
    }

    /// Its frames in order, each once.
    fn frames(&self) -> impl Iterator<Item = &Frame> {
        let mut last = None;
        self.pieces
            .values()
            .map(|piece| &piece.stamp.frame)
            .filter(move |frame| last.replace(frame.id) != Some(frame.id))
    }

    fn starts_anew(&self) -> bool {
        self.frames().next().is_some_and(|frame| frame.is_key && frame.references().is_empty())
    }

    /// Whether it is a key picture, and `before` was not sent to its end.
    fn cuts(&self, before: &Self) -> bool {
        self.starts_anew() && before.pieces.values().all(|piece| !piece.marker)
    }

    fn has_waited(&self, now: Instant) -> bool {
        self.completed_at.is_some_and(|at| now - at >= PATIENCE)
    }
}
