//! What a run was, for scripts and for people.

pub mod html;
pub mod machine;
pub mod markdown;
pub mod text;

use serde::Serialize;

pub use machine::Machine;

use crate::floor::Floor;
use crate::run::{Joins, Phase, Plan};

/// What may be on its way at either end of what is measured, percent of what was published.
const ON_THE_WAY_PERCENT: f64 = 2.0;

/// Ready and not run for longer than this, a server was not measured alone.
const WAITED_MAX_PERCENT: f64 = 10.0;

/// A whole run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// Where it ran.
    pub machine: Machine,
    /// How it was asked for.
    pub command: String,
    /// Peers.
    pub peers: u32,
    /// Streams from the server.
    pub consumers: u32,
    /// How long joining took.
    pub joins: Joins,
    /// Growth of the server's memory since before anybody joined, over the streams from it; the packets that it stores for
    /// all of them included.
    pub rss_bytes_per_consumer: Option<f64>,
    /// What was measured, in order.
    pub phases: Vec<Phase>,
    /// Of the phases.
    pub median: Median,
    /// What sealing and sending alone cost, right after: nothing joined first.
    pub floor: Vec<Floor>,
    /// The server's CPU per packet, as a multiple of the floor with nothing joined.
    pub floor_multiple: Option<f64>,
    /// What kept newcomers from joining.
    pub failed_joins: Vec<String>,
    /// What must not stand for a measurement, in words.
    pub problems: Vec<String>,
    /// What distorts the figures, in words.
    pub warnings: Vec<String>,
}

/// Medians over the phases.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Median {
    /// CPU of the server for each packet forwarded, microseconds.
    pub cpu_us_per_packet: Option<f64>,
    /// Packets forwarded a second.
    pub packets_per_second: f64,
    /// Latency, microseconds: half are faster.
    pub latency_p50_us: f64,
    /// Latency, microseconds: one of a hundred is slower.
    pub latency_p99_us: f64,
    /// Latency, microseconds: one of a thousand is slower.
    pub latency_p999_us: f64,
    /// Packets missing.
    pub loss_percent: f64,
    /// CPU of the generator for each packet received, microseconds.
    pub generator_cpu_us_per_packet: f64,
}

impl Median {
    /// Of each figure by itself.
    pub fn of(phases: &[Phase]) -> Self {
        let of = |figure: fn(&Phase) -> f64| median(phases.iter().map(figure).collect()).unwrap_or_default();
        Self {
            cpu_us_per_packet: median(
                phases.iter().filter_map(|phase| Some(phase.server.as_ref()?.cpu_us_per_packet)).collect(),
            ),
            packets_per_second: of(|phase| phase.packets_per_second),
            latency_p50_us: of(|phase| phase.latency.p50_us),
            latency_p99_us: of(|phase| phase.latency.p99_us),
            latency_p999_us: of(|phase| phase.latency.p999_us),
            loss_percent: of(|phase| phase.loss_percent),
            generator_cpu_us_per_packet: of(|phase| phase.generator.cpu_us_per_packet),
        }
    }
}

/// The middle, or the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => None,
        len if len % 2 == 1 => values.get(half).copied(),
        _ => Some((values.get(half - 1)? + values.get(half)?) / 2.0),
    }
}

/// What keeps a phase from being a measurement. `max_loss_percent` of either kind may be missing; `may_be_silent`: streams of
/// which nothing comes are no problem.
pub fn problems(plan: &Plan, phase: &Phase, max_loss_percent: f64, may_be_silent: bool) -> Vec<String> {
    let mut problems = Vec::new();
    let label = &phase.label;
    if phase.packets_forwarded == 0 {
        problems.push(format!("{label}: no media arrived at all"));
        return problems;
    }
    for (kind, report) in [("audio", &phase.audio), ("video", &phase.video)] {
        let wanted = if kind == "audio" { plan.audio } else { plan.video_bps.is_some() };
        match report {
            None if wanted => problems.push(format!("{label}: no {kind} arrived at all")),
            Some(report) if report.loss_percent > max_loss_percent => problems.push(format!(
                "{label}: {:.3} % of the {kind} is missing, more than --max-loss {max_loss_percent}",
                report.loss_percent
            )),
            _ => {}
        }
    }
    if phase.silent_streams > 0 && !may_be_silent {
        problems.push(format!("{label}: of {} streams, {} got nothing", phase.streams, phase.silent_streams));
    }
    let delivered_min = 100.0 - max_loss_percent - ON_THE_WAY_PERCENT;
    if let Some(delivered) = phase.delivered_percent.filter(|delivered| *delivered < delivered_min) {
        problems.push(format!(
            "{label}: only {delivered:.2} % of what was published was forwarded; the server left out the rest"
        ));
    }
    if phase.feedback.not_opened > 0 {
        problems.push(format!("{label}: {} packets did not open", phase.feedback.not_opened));
    }
    problems
}

/// What a reader must know of what was measured.
pub fn warnings(phases: &[Phase]) -> Vec<String> {
    let mut warnings = Vec::new();
    let most = |of: fn(&Phase) -> f64| phases.iter().map(of).fold(0.0, f64::max);
    if phases.iter().any(|phase| phase.generator.is_saturated) {
        let busiest = most(|phase| phase.generator.busiest_thread_percent);
        warnings
            .push(format!("the generator was saturated ({busiest:.0} % of a core): loss and latency may be its own"));
    }
    let left_out: u64 = phases.iter().map(|phase| phase.generator.frames_left_out).sum();
    if left_out > 0 {
        warnings.push(format!("the generator had no CPU for {left_out} pictures in time"));
    }
    let waited = most(|phase| phase.server.as_ref().map_or(0.0, |server| server.waited_percent));
    if waited > WAITED_MAX_PERCENT {
        warnings.push(format!(
            "the server's threads waited for a core up to {waited:.0} % of the time: others used the machine"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::cost::GeneratorCost;
    use crate::run::phase::{Feedback, KindReport, Latency};

    /// A second in which nothing went wrong.
    fn sound() -> (Plan, Phase) {
        let plan = Plan { audio: true, ..crate::run::plan::tests::plan() };
        let kind = KindReport {
            expected: 100,
            received: 100,
            loss_percent: 0.0,
            delivered_percent: None,
            latency: Latency::default(),
        };
        let phase = Phase {
            label: "test".to_owned(),
            seconds: 1.0,
            packets_published: 2,
            packets_forwarded: 200,
            packets_per_second: 200.0,
            mean_datagram_bytes: 600.0,
            streams: 100,
            silent_streams: 0,
            audio: Some(kind.clone()),
            video: Some(kind),
            loss_percent: 0.0,
            delivered_percent: Some(99.0),
            latency: Latency::default(),
            server: None,
            generator: GeneratorCost {
                busiest_thread_percent: 10.0,
                cpu_percent: 10.0,
                cpu_us_per_packet: 1.0,
                is_saturated: false,
                frames_left_out: 0,
                send_failed: 0,
            },
            feedback: Feedback {
                transport_feedback_sent: 1,
                nacks_sent: 0,
                plis_sent: 0,
                key_frames_asked: 0,
                repeats_received: 0,
                repeats_sent: 0,
                duplicates: 0,
                unknown: 0,
                not_opened: 0,
            },
        };
        (plan, phase)
    }

    /// What is said of a phase that `change` has spoilt.
    fn said(change: impl FnOnce(&mut Phase)) -> String {
        let (plan, mut phase) = sound();
        change(&mut phase);
        problems(&plan, &phase, 1.0, false).join("; ")
    }

    fn lossy(phase: &mut Phase) {
        if let Some(audio) = &mut phase.audio {
            audio.loss_percent = 1.5;
        }
    }

    /// Harm prevented: a figure that stands for media that did not arrive.
    #[test]
    fn whatever_keeps_media_from_arriving_is_a_problem() {
        assert_eq!(said(|_| ()), "");
        assert!(said(|phase| phase.packets_forwarded = 0).contains("no media arrived"));
        assert!(said(|phase| phase.video = None).contains("no video arrived"));
        assert!(said(lossy).contains("1.500 % of the audio"));
        assert!(said(|phase| phase.silent_streams = 3).contains("3 got nothing"));
        assert!(said(|phase| phase.delivered_percent = Some(90.0)).contains("only 90.00 %"));
        assert!(said(|phase| phase.feedback.not_opened = 4).contains("4 packets did not open"));
    }

    #[test]
    fn where_the_server_chooses_who_is_seen_silence_is_no_problem() {
        let (plan, mut phase) = sound();
        phase.silent_streams = 3;
        assert!(problems(&plan, &phase, 1.0, true).is_empty());
    }

    #[test]
    fn what_distorts_a_figure_is_told_beside_it() {
        let (_, mut phase) = sound();
        let quiet = phase.clone();
        assert!(warnings(std::slice::from_ref(&quiet)).is_empty());
        phase.generator.is_saturated = true;
        phase.generator.frames_left_out = 2;
        assert_eq!(warnings(&[phase.clone(), quiet, phase]).len(), 2, "each once, however many phases");
    }

    #[test]
    fn a_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
