//! What a viewer sees over time.

use std::time::{Duration, Instant};

use sfu_core::rtp::layers::Layers;

/// Intervals that the mean is taken over, and how many there must be, for a gap to be called a freeze (libwebrtc).
const MEAN_OVER: usize = 30;
const MEAN_FROM: usize = 5;
/// A freeze is longer than the mean by this, and than three times the mean (libwebrtc).
const FREEZE_EXCESS: Duration = Duration::from_millis(150);

/// A picture that was decoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// When it was decoded.
    pub at: Instant,
    /// The time since it was captured.
    pub delay: Duration,
    /// When it was captured, since the world began.
    pub captured: Duration,
    /// RTP's.
    pub timestamp: u32,
    /// Whether it is a key picture.
    pub is_key: bool,
    /// Its size, as an encoding of the simulcast or a layer of the stream, and its temporal layer.
    pub layers: Layers,
    /// Pixels: width and height.
    pub size: (u16, u16),
}

/// Why a picture was not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Something of it, or that it depends on, was lost on the way.
    Loss,
    /// Nothing was decoded before it, and it is no key picture.
    NoKeyFrame,
    /// The forwarder left out something that it depends on.
    Missing {
        /// The frame.
        frame: u32,
        /// What it needs.
        reference: u32,
    },
    /// The rest of it was left out, and a key picture follows.
    Cut,
    /// All of it came, but nothing says where it ends.
    NoEnd,
    /// Several spatial layers of AV1 without the dependency descriptor.
    NoDescriptor,
}

/// A picture that came whole and could not be decoded, through no loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undecodable {
    /// When that was clear.
    pub at: Instant,
    /// Its first packet's number, unwrapped.
    pub number: u64,
    /// Why.
    pub why: Why,
}

/// A time without a new picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freeze {
    /// The last picture before.
    pub from: Instant,
    /// The first one after.
    pub until: Instant,
}

impl Freeze {
    /// How long it was.
    pub fn duration(&self) -> Duration {
        self.until - self.from
    }
}

/// Everything that a decoder did.
#[derive(Debug, Clone, Default)]
pub struct Playback {
    /// Pictures, in order.
    pub shown: Vec<Shown>,
    /// What should never happen, whatever is lost.
    pub undecodable: Vec<Undecodable>,
    /// Pictures not decoded for something was lost.
    pub lost: usize,
    /// Pictures that were not sent to their end before a key picture, which needs none of them: at a pause, or a switch.
    pub cut: usize,
    /// Pictures before the first key picture.
    pub before_key_frame: usize,
    /// VP8 pictures whose id is not the next though nothing is missing before them.
    pub picture_id_holes: usize,
    /// Picture ids and TL0PICIDX that go back, or lead a receiver to other references than the encoder's.
    pub number_faults: Vec<String>,
    /// Packets of pictures that were dealt with already.
    pub late: usize,
    /// Packets that no source of this crate made.
    pub unreadable: usize,
}

impl Playback {
    /// When the last picture was decoded.
    pub fn last_at(&self) -> Option<Instant> {
        self.shown.last().map(|shown| shown.at)
    }

    /// Pictures decoded from one moment until before another.
    pub fn between(&self, from: Instant, to: Instant) -> &[Shown] {
        let first = self.shown.partition_point(|shown| shown.at < from);
        let end = self.shown.partition_point(|shown| shown.at < to);
        &self.shown[first..end.max(first)]
    }

    /// Pictures per second in that time.
    pub fn frame_rate(&self, from: Instant, to: Instant) -> f64 {
        self.between(from, to).len() as f64 / (to - from).as_secs_f64()
    }

    /// The largest size seen in that time.
    pub fn largest(&self, from: Instant, to: Instant) -> Option<(u16, u16)> {
        self.between(from, to)
            .iter()
            .map(|shown| shown.size)
            .max_by_key(|(width, height)| u32::from(*width) * u32::from(*height))
    }

    /// Each change of size: when, and the new spatial layer. The first picture is a change.
    pub fn spatial_changes(&self) -> Vec<(Instant, u8)> {
        let mut changes: Vec<(Instant, u8)> = self.shown.iter().map(|shown| (shown.at, shown.layers.spatial)).collect();
        changes.dedup_by_key(|(_, spatial)| *spatial);
        changes
    }

    /// Gaps that a viewer notices, as Chromium counts them: longer than three times the mean interval of the last 30, and than
    /// it by 150 ms. One that lasts at `now` counts.
    pub fn freezes(&self, now: Instant) -> Vec<Freeze> {
        let mut intervals: std::collections::VecDeque<Duration> =
            std::collections::VecDeque::with_capacity(MEAN_OVER + 1);
        let mut sum = Duration::ZERO;
        let mut freezes = Vec::new();
        let ends = self.shown.iter().skip(1).map(|shown| shown.at).chain([now]);
        for (from, until) in self.shown.iter().map(|shown| shown.at).zip(ends) {
            let gap = until.saturating_duration_since(from);
            if intervals.len() >= MEAN_FROM {
                let mean = sum / intervals.len() as u32;
                if gap >= (3 * mean).max(mean + FREEZE_EXCESS) {
                    freezes.push(Freeze { from, until });
                }
            }
            intervals.push_back(gap);
            sum += gap;
            if intervals.len() > MEAN_OVER {
                sum -= intervals.pop_front().unwrap_or_default();
            }
        }
        freezes
    }

    /// All of it in numbers, from one moment until before another.
    pub fn verdict(&self, from: Instant, to: Instant) -> Verdict {
        let shown = self.between(from, to);
        let mut delays: Vec<_> = shown.iter().map(|shown| shown.delay).collect();
        delays.sort();
        let freezes: Vec<_> =
            self.freezes(to).into_iter().filter(|freeze| freeze.until > from && freeze.from < to).collect();
        Verdict {
            decoded: shown.len(),
            key_frames: shown.iter().filter(|shown| shown.is_key).count(),
            undecodable: self.undecodable.iter().filter(|known| (from..to).contains(&known.at)).count(),
            freezes: freezes.len(),
            frozen: freezes.iter().map(Freeze::duration).sum(),
            frame_rate: self.frame_rate(from, to),
            size: shown.last().map(|shown| shown.size),
            layers: shown.last().map(|shown| shown.layers),
            spatial_changes: shown.windows(2).filter(|two| two[0].layers.spatial != two[1].layers.spatial).count(),
            delay_p95: delays.get(delays.len() * 95 / 100).copied().unwrap_or_default(),
        }
    }
}

/// What a viewer saw in some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Pictures.
    pub decoded: usize,
    /// Key pictures among them.
    pub key_frames: usize,
    /// Pictures that came whole and could not be decoded.
    pub undecodable: usize,
    /// Freezes that were not over before it, nor began after it.
    pub freezes: usize,
    /// Their length together.
    pub frozen: Duration,
    /// Pictures per second.
    pub frame_rate: f64,
    /// The last picture's, in pixels.
    pub size: Option<(u16, u16)>,
    /// The last picture's.
    pub layers: Option<Layers>,
    /// How often the size changed.
    pub spatial_changes: usize,
    /// From capture to decoding, for 95 of 100 pictures.
    pub delay_p95: Duration,
}
