//! Whether the path's delay grows: the slope of a line through the smoothed delays of recent groups, held against a
//! threshold that adapts to the path (libwebrtc's trendline filter as publicly described; the adaptive threshold is
//! draft-ietf-rmcat-gcc-02, section 5.4).

use super::inter_arrival::GroupDelta;

/// Groups that the line goes through.
const WINDOW: usize = 20;

/// Weight of the past in the smoothed delay.
const SMOOTHING: f64 = 0.9;

/// A slope counts for more the more groups it rests on, up to this many.
const MAX_WEIGHTED_GROUPS: f64 = 60.0;

/// Brings the weighted slope to the threshold's scale.
const GAIN: f64 = 4.0;

/// Threshold at the start, and its bounds (draft, section 5.4).
const INITIAL_THRESHOLD: f64 = 12.5;
const MIN_THRESHOLD: f64 = 6.0;
const MAX_THRESHOLD: f64 = 600.0;

/// How fast the threshold follows the slope up and down, per millisecond (draft, section 5.4): slowly up, so that a
/// competitor that fills queues does not starve us; more slowly still to come down is what lets noise through, so
/// down is faster.
const THRESHOLD_UP: f64 = 0.0087;
const THRESHOLD_DOWN: f64 = 0.039;

/// A slope this far over the threshold is a spike, and no reason to adapt.
const MAX_ADAPT_DISTANCE: f64 = 15.0;

/// The growth has to last this long to count (draft, section 5.4).
const OVERUSE_MS: f64 = 10.0;

/// What the delays say of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PathUsage {
    /// The queue neither grows nor shrinks.
    #[default]
    Normal,
    /// The queue grows: more is sent than the path carries.
    Overuse,
    /// The queue shrinks.
    Underuse,
}

/// The filter.
#[derive(Debug, Clone)]
pub(super) struct Trendline {
    /// Arrival time and smoothed delay, a ring.
    points: [(f64, f64); WINDOW],
    count: usize,
    accumulated_ms: f64,
    smoothed_ms: f64,
    first_arrival_us: Option<i64>,
    threshold: f64,
    last_adapted_ms: f64,
    previous_slope: f64,
    overusing_ms: Option<f64>,
    overusing_groups: u32,
    usage: PathUsage,
}

impl Trendline {
    pub(super) fn new() -> Self {
        Self {
            points: [(0.0, 0.0); WINDOW],
            count: 0,
            accumulated_ms: 0.0,
            smoothed_ms: 0.0,
            first_arrival_us: None,
            threshold: INITIAL_THRESHOLD,
            last_adapted_ms: 0.0,
            previous_slope: 0.0,
            overusing_ms: None,
            overusing_groups: 0,
            usage: PathUsage::Normal,
        }
    }

    pub(super) fn usage(&self) -> PathUsage {
        self.usage
    }

    pub(super) fn handle_group(&mut self, delta: GroupDelta) {
        let first = *self.first_arrival_us.get_or_insert(delta.arrived_at_us);
        let at_ms = delta.arrived_at_us.saturating_sub(first) as f64 / 1000.0;
        self.accumulated_ms += delta.arrival_us.saturating_sub(delta.sent_us) as f64 / 1000.0;
        self.smoothed_ms = SMOOTHING * self.smoothed_ms + (1.0 - SMOOTHING) * self.accumulated_ms;
        if let Some(point) = self.points.get_mut(self.count % WINDOW) {
            *point = (at_ms, self.smoothed_ms);
        }
        self.count += 1;
        let slope = if self.count >= WINDOW { self.slope().unwrap_or(self.previous_slope) } else { 0.0 };
        self.judge(slope, delta.sent_us as f64 / 1000.0, at_ms);
        self.previous_slope = slope;
    }

    fn judge(&mut self, slope: f64, group_ms: f64, at_ms: f64) {
        let weighted = slope * (self.count as f64).min(MAX_WEIGHTED_GROUPS) * GAIN;
        if weighted > self.threshold {
            // The growth is taken to have begun in the middle of the group's time.
            let lasting = self.overusing_ms.map_or(group_ms / 2.0, |ms| ms + group_ms);
            self.overusing_ms = Some(lasting);
            self.overusing_groups += 1;
            if lasting > OVERUSE_MS && self.overusing_groups > 1 && slope >= self.previous_slope {
                self.overusing_ms = Some(0.0);
                self.overusing_groups = 0;
                self.usage = PathUsage::Overuse;
            }
        } else {
            self.overusing_ms = None;
            self.overusing_groups = 0;
            self.usage = if weighted < -self.threshold { PathUsage::Underuse } else { PathUsage::Normal };
        }
        self.adapt(weighted.abs(), at_ms);
    }

    fn adapt(&mut self, weighted: f64, at_ms: f64) {
        let elapsed_ms = (at_ms - self.last_adapted_ms).clamp(0.0, 100.0);
        self.last_adapted_ms = at_ms;
        if weighted > self.threshold + MAX_ADAPT_DISTANCE {
            return;
        }
        let gain = if weighted < self.threshold { THRESHOLD_DOWN } else { THRESHOLD_UP };
        self.threshold += gain * (weighted - self.threshold) * elapsed_ms;
        self.threshold = self.threshold.clamp(MIN_THRESHOLD, MAX_THRESHOLD);
    }

    /// Least squares. None if all groups arrived at once.
    fn slope(&self) -> Option<f64> {
        let n = WINDOW as f64;
        let (sum_x, sum_y) = self.points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
        let (mean_x, mean_y) = (sum_x / n, sum_y / n);
        let (covariance, variance) = self.points.iter().fold((0.0, 0.0), |(covariance, variance), (x, y)| {
            (covariance + (x - mean_x) * (y - mean_y), variance + (x - mean_x) * (x - mean_x))
        });
        (variance > 0.0).then(|| covariance / variance)
    }
}
