//! What a row is to reach, and whether it did.

/// A target.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// What it is about.
    pub(crate) scenario: String,
    /// What is wanted.
    pub(crate) wanted: String,
    /// What was measured.
    pub(crate) measured: String,
    /// Whether that is enough; `None`: it was not measured as the target says.
    pub(crate) is_met: Option<bool>,
}

/// What mediasoup takes with one worker. The constants are 3.27.1's on a machine of this kind, earlier: absolute figures drift by
/// some ten percent, so what is near a target is not decided by them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reference {
    /// CPU per packet, microseconds.
    pub(crate) cpu_us_per_packet: f64,
    /// Latency, microseconds.
    pub(crate) latency_p50_us: f64,
    /// Latency, microseconds.
    pub(crate) latency_p99_us: f64,
}

/// 1 publisher of 1 Mbit/s to 10, 50 and 200 subscribers.
pub(crate) const MEDIASOUP_FAN_OUT: [(u32, Reference); 3] = [
    (10, Reference { cpu_us_per_packet: 29.9, latency_p50_us: 350.0, latency_p99_us: 1_300.0 }),
    (50, Reference { cpu_us_per_packet: 16.0, latency_p50_us: 1_000.0, latency_p99_us: 3_900.0 }),
    (200, Reference { cpu_us_per_packet: 14.0, latency_p50_us: 4_100.0, latency_p99_us: 13_400.0 }),
];
/// 10 rooms of 4 who see and hear each other, 500 kbit/s.
pub(crate) const MEDIASOUP_MESH: Reference =
    Reference { cpu_us_per_packet: 20.9, latency_p50_us: 80.0, latency_p99_us: 300.0 };
/// 10 speakers and 50 listeners.
pub(crate) const MEDIASOUP_AUDIO: Reference =
    Reference { cpu_us_per_packet: 7.5, latency_p50_us: 230.0, latency_p99_us: 580.0 };

impl Target {
    /// At most `limit`.
    pub(crate) fn at_most(scenario: &str, what: &str, value: f64, limit: f64, unit: &str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            wanted: format!("{what} ≤ {} {unit}", short(limit)),
            measured: with_unit(value, unit),
            is_met: Some(value <= limit),
        }
    }

    /// At least `limit`.
    pub(crate) fn at_least(scenario: &str, what: &str, value: f64, limit: f64, unit: &str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            wanted: format!("{what} ≥ {} {unit}", short(limit)),
            measured: with_unit(value, unit),
            is_met: Some(value >= limit),
        }
    }

    /// At most this part of what mediasoup takes.
    pub(crate) fn part_of_mediasoup(
        scenario: &str,
        what: &str,
        value: f64,
        theirs: f64,
        part: f64,
        unit: &str,
    ) -> Self {
        let wanted_part = if part > 1.0 { format!("1/{part:.0} of mediasoup's") } else { "mediasoup's".to_owned() };
        let target =
            Self::at_most(scenario, &format!("{what} ({wanted_part} {})", short(theirs)), value, theirs / part, unit);
        Self { measured: format!("{}: 1/{} of it", target.measured, short(theirs / value)), ..target }
    }

    /// One that this machine, or this run, cannot decide.
    pub(crate) fn undecided(scenario: &str, wanted: &str, measured: String) -> Self {
        Self { scenario: scenario.to_owned(), wanted: wanted.to_owned(), measured, is_met: None }
    }

    /// Cells of the table.
    pub(crate) fn cells(&self) -> Vec<String> {
        let verdict = match self.is_met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "–",
        };
        vec![self.scenario.clone(), self.wanted.clone(), self.measured.clone(), verdict.to_owned()]
    }
}

fn with_unit(value: f64, unit: &str) -> String {
    if value.is_finite() { format!("{} {unit}", short(value)) } else { "unknown".to_owned() }
}

/// Three digits.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        value if !value.is_finite() => "unknown".to_owned(),
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_at_its_limit_and_not_by_what_is_unknown() {
        assert_eq!(Target::at_most("s", "CPU", 3.0, 3.0, "µs").is_met, Some(true));
        assert_eq!(Target::at_most("s", "CPU", f64::NAN, 3.0, "µs").is_met, Some(false));
        assert_eq!(Target::at_least("s", "rate", 249_999.0, 250_000.0, "packets/s").is_met, Some(false));
        let cells = Target::at_most("s", "CPU", 3.21, 3.0, "µs").cells();
        assert_eq!(cells, ["s", "CPU ≤ 3.00 µs", "3.21 µs", "**missed**"]);
        let cells = Target::part_of_mediasoup("s", "p50", 0.5, 2.0, 3.0, "ms").cells();
        assert_eq!(cells, ["s", "p50 (1/3 of mediasoup's 2.00) ≤ 0.67 ms", "0.50 ms: 1/4.00 of it", "met"]);
    }
}
