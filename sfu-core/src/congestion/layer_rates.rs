//! What each layer of a producer costs: its bitrate, measured, remembered or estimated.
//!
//! A bandwidth allocation weighs layers that are not being sent at the moment too: the sender of a layer that nobody gets is
//! asked to stop, and yet somebody must be able to tell whether that layer would fit.

mod meter;

use std::time::{Duration, Instant};

use super::allocation::Ladder;
use crate::rtp::layers::{Layers, MAX_SPATIAL_LAYERS, MAX_TEMPORAL_LAYERS};
use meter::LayerMeter;

/// Without a packet for this long a spatial layer is not live: long enough for the slowest temporal layer of a camera (four
/// frames a second), short enough that a dead layer is left before its viewers call it a freeze.
pub const LIVE_WITHIN: Duration = Duration::from_millis(500);

/// The longest that [`LIVE_WITHIN`] is stretched for a stream that has been sending rarely: a still screen is sent about once a
/// second, and must not die between two frames.
pub const LIVE_WITHIN_MAX: Duration = Duration::from_secs(3);

/// What a base layer is taken to cost before anything of its producer has been measured: what browsers send of the smallest
/// encoding of a camera.
pub const ASSUMED_BASE_BPS: u64 = 100_000;

/// How much dearer a spatial layer that was never seen is taken to be than the one below it. Twice the width and height are
/// four times the pixels, for which browsers spend three to four times the bits.
pub const SPATIAL_MULTIPLE: u64 = 3;

/// How much dearer a temporal layer that was never seen is taken to be than the one below it, as a fraction. Encoders give
/// three layers 40, 60 and 100 % of the bits, and two layers 60 and 100 %.
pub const TEMPORAL_MULTIPLE: (u64, u64) = (3, 2);

/// How long a ladder holds. All who consume a producer ask for it with each sharing out of their path, hundreds of them ten times
/// a second; rates are taken over five times as long.
pub const LADDER_HOLDS: Duration = Duration::from_millis(100);

/// How the layers of a producer relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// Each spatial layer is an encoding of its own, and a consumer gets one of them. Also what has one encoding only.
    Simulcast,
    /// A consumer of a spatial layer gets those below it too.
    Svc,
}

/// Where a rate comes from. Later ones are less certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// All of it is being received.
    Measured,
    /// Some of it is not being sent at present; this is what it was when it was.
    Remembered,
    /// Some of it has never been seen.
    Estimated,
}

/// What layers cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerRate {
    /// Bits per second.
    pub bps: u64,
    /// How it is known.
    pub basis: Basis,
}

/// The measured bitrates of one producer's layers. Constant memory: a meter for each layer that has appeared.
#[derive(Debug)]
pub struct LayerRates {
    kind: LayerKind,
    /// Boxed one by one, for most producers have few.
    meters: [[Option<Box<LayerMeter>>; MAX_TEMPORAL_LAYERS]; MAX_SPATIAL_LAYERS],
    /// There once it was asked for.
    ladder: Option<Box<MadeLadder>>,
}

/// A ladder, and how long it may be taken for what it was.
#[derive(Debug)]
struct MadeLadder {
    ladder: Ladder,
    highest: Layers,
    until: Option<Instant>,
}

impl LayerRates {
    /// Nothing measured yet.
    pub fn new(kind: LayerKind) -> Self {
        Self { kind, meters: Default::default(), ladder: None }
    }

    /// How the layers relate.
    pub fn kind(&self) -> LayerKind {
        self.kind
    }

    /// Counts a packet of `layers` (its own, not everything below) of `bytes` that came at `now`. Layers above the highest that
    /// are told apart count as the highest. Allocates when a layer first appears.
    pub fn handle_packet(&mut self, now: Instant, layers: Layers, bytes: usize) {
        let layers = layers.min(Layers::MAX);
        let row = self.meters.get_mut(usize::from(layers.spatial));
        if let Some(slot) = row.and_then(|row| row.get_mut(usize::from(layers.temporal))) {
            let is_new = slot.is_none();
            slot.get_or_insert_with(|| Box::new(LayerMeter::new(now))).handle_bytes(now, bytes);
            if is_new {
                self.expire_ladder();
            }
        }
    }

    /// What all layers up to `highest` cost. It is made anew once [`LADDER_HOLDS`] has passed, a layer has appeared or
    /// [`Self::expire_ladder`] was called; else it is the last one made.
    pub fn ladder(&mut self, now: Instant, highest: Layers) -> Ladder {
        let highest = highest.min(Layers::MAX);
        if let Some(made) = &self.ladder
            && made.until.is_some_and(|until| now < until)
            && highest.min(made.highest) == highest
        {
            return made.ladder.up_to(highest);
        }
        let mut ladder = Ladder::new();
        for spatial in 0..=highest.spatial {
            for temporal in 0..=highest.temporal {
                let layers = Layers { spatial, temporal };
                ladder.insert(layers, self.cumulative_bps(now, layers));
            }
        }
        let made = MadeLadder { ladder: ladder.clone(), highest, until: Some(now + LADDER_HOLDS) };
        match &mut self.ladder {
            Some(known) => **known = made,
            None => self.ladder = Some(Box::new(made)),
        }
        ladder
    }

    /// What layers cost has changed: they came or went.
    pub fn expire_ladder(&mut self) {
        if let Some(made) = &mut self.ladder {
            made.until = None;
        }
    }

    /// The rate of everything that a consumer of `layers` gets, in bits per second: [`LayerRates::cumulative`] without its basis.
    pub fn cumulative_bps(&self, now: Instant, layers: Layers) -> u64 {
        self.cumulative(now, layers).bps
    }

    /// The rate of everything that a consumer of `layers` gets. Of a simulcast: the encoding's temporal layers up to the wanted
    /// one. Of SVC: all spatial and temporal layers up to the wanted ones.
    pub fn cumulative(&self, now: Instant, layers: Layers) -> LayerRate {
        let layers = layers.min(Layers::MAX);
        let mut known: Option<(u8, LayerRate)> = None;
        for spatial in 0..=layers.spatial {
            let Some(own) = self.own(now, spatial, layers.temporal) else { continue };
            known = Some((spatial, self.join(own, known)));
        }
        match known {
            Some((spatial, rate)) if spatial == layers.spatial => rate,
            Some((spatial, rate)) => estimated(rate.bps, layers.spatial - spatial),
            None => self.estimate_from_above(now, layers),
        }
    }

    /// True if a packet of this spatial layer came lately: within [`LIVE_WITHIN`], or within twice the pause that its stream is
    /// used to making, up to [`LIVE_WITHIN_MAX`].
    pub fn is_live(&self, now: Instant, spatial: u8) -> bool {
        self.row(spatial).iter().flatten().any(|meter| meter.is_live(now))
    }

    /// The layers that were ever seen, ascending.
    pub fn seen(&self) -> impl Iterator<Item = Layers> {
        self.meters.iter().zip(0_u8..).flat_map(|(row, spatial)| {
            row.iter()
                .zip(0_u8..)
                .filter_map(move |(meter, temporal)| meter.as_ref().map(|_| Layers { spatial, temporal }))
        })
    }

    /// What a spatial layer and what is known below it cost together.
    fn join(&self, own: LayerRate, below: Option<(u8, LayerRate)>) -> LayerRate {
        let Some((_, below)) = below else { return own };
        match self.kind {
            LayerKind::Svc => LayerRate { bps: own.bps.saturating_add(below.bps), basis: own.basis.max(below.basis) },
            // An encoding that was stopped while its sender was still warming up is remembered as cheaper than it will be.
            LayerKind::Simulcast if own.basis != Basis::Measured => {
                LayerRate { bps: own.bps.max(below.bps), basis: own.basis }
            }
            LayerKind::Simulcast => own,
        }
    }

    /// The rate of one spatial layer alone, up to a temporal layer.
    fn own(&self, now: Instant, spatial: u8, temporal: u8) -> Option<LayerRate> {
        let is_live = self.is_live(now, spatial);
        let basis = if is_live { Basis::Measured } else { Basis::Remembered };
        let mut total: Option<LayerRate> = None;
        let mut unseen = 0;
        for slot in self.row(spatial).iter().take(usize::from(temporal) + 1) {
            // A sender is never asked for fewer frames, so one that misses while others come is no longer made.
            let meter = slot.as_ref().filter(|meter| !is_live || meter.is_live(now));
            let Some(bps) = meter.and_then(|meter| meter.bitrate_bps(now)) else {
                unseen += 1;
                continue;
            };
            unseen = 0;
            total = Some(LayerRate { bps: bps.saturating_add(total.map_or(0, |rate| rate.bps)), basis });
        }
        let total = total?;
        // While packets come, a layer that was never seen is one that the sender does not make: it costs nothing.
        if is_live || unseen == 0 {
            return Some(total);
        }
        let (times, of) = TEMPORAL_MULTIPLE;
        let bps = (0..unseen).fold(total.bps, |bps, _| bps.saturating_mul(times) / of);
        Some(LayerRate { bps, basis: Basis::Estimated })
    }

    /// What layers below everything that was seen cost.
    fn estimate_from_above(&self, now: Instant, layers: Layers) -> LayerRate {
        let above = (layers.spatial..MAX_SPATIAL_LAYERS as u8).find_map(|spatial| {
            let rate = self.own(now, spatial, layers.temporal);
            Some((spatial, rate.or_else(|| self.own(now, spatial, Layers::MAX.temporal))?))
        });
        match above {
            Some((spatial, rate)) => {
                let divisor = SPATIAL_MULTIPLE.saturating_pow(u32::from(spatial - layers.spatial));
                LayerRate { bps: rate.bps / divisor, basis: Basis::Estimated }
            }
            None => estimated(ASSUMED_BASE_BPS, layers.spatial),
        }
    }

    fn row(&self, spatial: u8) -> &[Option<Box<LayerMeter>>] {
        self.meters.get(usize::from(spatial)).map_or(&[], |row| row.as_slice())
    }
}

/// The estimate for a spatial layer some steps above one that costs `bps`.
fn estimated(bps: u64, steps: u8) -> LayerRate {
    LayerRate { bps: bps.saturating_mul(SPATIAL_MULTIPLE.saturating_pow(u32::from(steps))), basis: Basis::Estimated }
}

#[cfg(test)]
mod tests;
