//! One load, measured.

use std::io::{Write, stdout};
use std::time::Duration;

use benches::process::Process;
use benches::report::{self, Machine, Median, RunReport, text};
use benches::run::Load;

use crate::Failure;
use crate::options::RunOptions;
use crate::progress::Progress;

/// Runs and reports; whether media arrived as it should.
pub(crate) fn run(options: &RunOptions) -> Result<bool, Failure> {
    let report = measured(options)?;
    let mut out = stdout().lock();
    if options.output.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        text::write(&report, &mut out)?;
    }
    for problem in &report.problems {
        eprintln!("sluice-bench: {problem}");
    }
    Ok(report.problems.is_empty())
}

fn measured(options: &RunOptions) -> Result<RunReport, Failure> {
    let plan = options.load.plan()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let progress = Progress::new();
        let mut load = Load::start(plan.clone(), options.load.server_pid.map(Process))?;
        load.join(|joined, all| progress.say(&format!("joined: {joined} of {all}"))).await?;
        progress.say("warming up");
        load.wait(Duration::from_secs_f64(options.warm_up.max(0.0))).await;
        let resident = load.resident_bytes();
        let mut phases = Vec::new();
        for window in 1..=options.windows {
            let label = if options.windows == 1 { "steady".to_owned() } else { format!("window {window}") };
            progress.say(&format!("measuring: {window} of {}", options.windows));
            phases.push(load.measure(&label, options.duration(), options.motion()).await?);
        }
        progress.say("leaving");
        let (joins, failed_joins) = (load.joins(), load.failed_joins().to_vec());
        load.leave().await;
        progress.done();
        let mut problems: Vec<String> =
            phases.iter().flat_map(|phase| report::problems(&plan, phase, options.max_loss)).collect();
        problems.extend(
            failed_joins
                .first()
                .map(|first| format!("{} newcomers did not join, the first because: {first}", failed_joins.len())),
        );
        Ok(RunReport {
            machine: Machine::here(),
            command: std::env::args().collect::<Vec<_>>().join(" "),
            peers: plan.peers(),
            consumers: plan.consumers(),
            joins,
            rss_bytes_per_consumer: resident
                .map(|(now, before)| now.saturating_sub(before) as f64 / f64::from(plan.consumers().max(1))),
            median: Median::of(&phases),
            phases,
            failed_joins,
            problems,
        })
    })
}
