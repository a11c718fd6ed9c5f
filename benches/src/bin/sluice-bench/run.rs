//! One load, measured.

use std::io::{Write, stdout};
use std::path::Path;
use std::time::Duration;

use benches::floor::{self, Floor, FloorOptions};
use benches::report::{self, Machine, Median, RunReport, html, markdown, text};
use benches::run::{Phase, Plan};
use benches::stats::Slice;

use crate::Failure;
use crate::load;
use crate::options::RunOptions;

/// Between the last packet and the floor.
const SETTLE: Duration = Duration::from_millis(300);
/// Of each way of joining.
const FLOOR_DURATION: Duration = Duration::from_millis(700);
/// Datagrams joined, first none.
const FLOOR_JOINED: [usize; 3] = [1, 4, 8];

/// Runs and reports; whether media arrived as it should.
pub(crate) fn run(options: &RunOptions) -> Result<bool, Failure> {
    let (report, course) = measured(options, std::env::args().collect::<Vec<_>>().join(" "))?;
    let mut out = stdout().lock();
    if options.output.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        text::write(&report, &mut out)?;
    }
    if let Some(path) = &options.output.markdown {
        write_file(path, &markdown::render(&report))?;
    }
    if let Some(path) = &options.output.html {
        write_file(path, &html::render(&report, &course))?;
    }
    for problem in &report.problems {
        eprintln!("sluice-bench: {problem}");
    }
    Ok(report.problems.is_empty())
}

/// Runs. The course comes in tenths of a second.
pub(crate) fn measured(options: &RunOptions, command: String) -> Result<(RunReport, Vec<Slice>), Failure> {
    let plan = options.plan()?;
    // The floor has a socket for each receiver, and newcomers have theirs.
    let floor_files = if options.no_floor { 0 } else { plan.receivers() };
    let spare_files = floor_files + 2 * options.late_joins;
    load::with(plan.clone(), options.load.server_pid, spare_files, async |load, progress| {
        progress.say("warming up");
        load.wait(Duration::from_secs_f64(options.warm_up.max(0.0))).await;
        let memory = load.memory();
        let mut phases = Vec::new();
        for (label, motion) in options.phases() {
            progress.say(&format!("measuring: {label}"));
            phases.push(load.measure(&label, options.duration(), motion).await?);
        }
        let course = load.course().await?;
        let floor = if options.no_floor {
            Vec::new()
        } else {
            progress.say("measuring the floor");
            load.set_active(0..plan.rooms, false);
            // What is on its way arrives.
            load.wait(SETTLE).await;
            floor(&plan, &phases, options.load.server_pid)?
        };
        let (joins, failed_joins) = (load.joins(), load.failed_joins().to_vec());
        let mut problems: Vec<String> = phases
            .iter()
            .flat_map(|phase| report::problems(&plan, phase, options.max_loss, options.allow_silent))
            .collect();
        problems.extend(
            failed_joins
                .first()
                .map(|first| format!("{} newcomers did not join, the first because: {first}", failed_joins.len())),
        );
        let median = Median::of(&phases);
        let bare = floor.first().map(|floor| floor.cpu_us_per_packet);
        let report = RunReport {
            machine: Machine::here(),
            command,
            peers: plan.peers(),
            consumers: plan.consumers(),
            joins,
            rss_bytes_per_consumer: memory.map(|(now, before)| {
                now.resident_bytes.saturating_sub(before.resident_bytes) as f64 / f64::from(plan.consumers().max(1))
            }),
            floor_multiple: median.cpu_us_per_packet.zip(bare).map(|(cpu, bare)| cpu / bare),
            floor,
            median,
            warnings: report::warnings(&phases),
            phases,
            failed_joins,
            problems,
        };
        Ok((report, course))
    })
}

fn write_file(path: &Path, contents: &str) -> Result<(), Failure> {
    std::fs::write(path, contents).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// As many receivers and as many bytes as there were, from the server's cores.
fn floor(plan: &Plan, phases: &[Phase], beside: Option<u32>) -> Result<Vec<Floor>, Failure> {
    let datagram_bytes = phases.last().map_or(1000.0, |phase| phase.mean_datagram_bytes).clamp(64.0, 1400.0) as usize;
    let sockets = plan.receivers() as usize;
    let measure = |joined| {
        floor::measure(FloorOptions {
            sockets,
            datagram_bytes,
            joined,
            gro: plan.gro,
            duration: FLOOR_DURATION,
            beside,
        })
    };
    let floors: Result<Vec<Floor>, _> = FLOOR_JOINED.into_iter().map(measure).collect();
    Ok(floors.map_err(|error| format!("the floor: {error}"))?)
}
