//! Counts the instructions that the pure core executes for a packet, and fails when there are more than there used to be.
//!
//! It runs itself under Valgrind's callgrind, which executes no instruction of the processor's own: a busy machine and a fast one
//! count the same. Only what [`measured`] does is counted; ciphers and the C library are counted apart, for they choose their
//! code by the processor that they find.

mod baseline;
mod callgrind;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs, io};

use benches::bodies::{CASES, Case, measured};
use clap::Parser;

use self::baseline::{Baseline, Verdict};
use self::callgrind::Counts;

/// The part of an instruction count by which it may grow, in percent.
const GROWTH_MAX_PERCENT: f64 = 5.0;

#[derive(Debug, Parser)]
#[command(about = "Counts instructions per forwarded packet (needs valgrind)")]
struct Options {
    /// Writes the baseline instead of comparing with it.
    #[arg(long)]
    write: bool,
    /// Where baselines are, one for each processor architecture.
    #[arg(long, default_value = "benches/baselines")]
    baselines: PathBuf,
    /// Only this case; nothing is compared then.
    #[arg(long)]
    case: Option<String>,
    /// Keeps callgrind's files in this folder, for `callgrind_annotate`.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Executes the cases: what is run under valgrind.
    #[arg(long, hide = true)]
    execute: bool,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("valgrind could not be run: {0}")]
    Valgrind(io::Error),
    #[error("valgrind failed: {0}")]
    Run(String),
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Read(#[from] callgrind::ReadError),
    #[error(transparent)]
    Baseline(#[from] baseline::BaselineError),
    #[error("nothing was counted of {0}: is what switches counting on still called so?")]
    NothingCounted(&'static str),
    #[error("there is no case of that name")]
    UnknownCase,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.execute {
        execute(&options);
        return ExitCode::SUCCESS;
    }
    match count(&options).and_then(|counted| conclude(&options, &counted)) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("instructions: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn cases(options: &Options) -> impl Iterator<Item = &'static Case> {
    CASES.iter().filter(|case| options.case.as_deref().is_none_or(|name| name == case.name))
}

/// Does every case's work, and prints how many units that were.
fn execute(options: &Options) {
    for case in cases(options) {
        let mut body = (case.make)();
        let mut units = 0;
        for _ in 0..case.repeats {
            body.prepare();
            measured(&mut *body);
            units += body.finish();
        }
        println!("{units}");
        end_of_case();
    }
}

/// Valgrind writes down what it has counted when it sees this function.
#[inline(never)]
fn end_of_case() {
    // A body, or it would be the same function as another.
    io::stdout().flush().unwrap_or_default();
}

/// What one unit of a case costs.
struct Counted {
    case: &'static Case,
    /// Of all units together.
    counts: Counts,
    units: u64,
}

impl Counted {
    fn per_unit(&self, number: u64) -> f64 {
        number as f64 / self.units.max(1) as f64
    }
}

fn count(options: &Options) -> Result<Vec<Counted>, Failure> {
    let own = env::current_exe().map_err(Failure::Valgrind)?;
    let folder = options.keep.clone().unwrap_or_else(|| own.with_file_name("instructions.callgrind"));
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| Failure::File { path, error }
    };
    fs::create_dir_all(&folder).map_err(at(&folder))?;
    for left in fs::read_dir(&folder).map_err(at(&folder))?.flatten() {
        if left.file_name().to_string_lossy().starts_with("counts") {
            fs::remove_file(left.path()).map_err(at(&left.path()))?;
        }
    }
    let file = folder.join("counts");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
        .args(["--compress-strings=no", "--compress-pos=no"])
        .args(["--toggle-collect=*bodies::measured*", "--dump-before=*end_of_case*"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(own)
        .arg("--execute")
        .args(options.case.iter().flat_map(|case| ["--case", case]))
        .output()
        .map_err(Failure::Valgrind)?;
    let printed = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(Failure::Run(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let mut counted = Vec::new();
    for ((case, units), number) in cases(options).zip(printed.lines()).zip(1..) {
        let path = folder.join(format!("counts.{number}"));
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        let units = units.parse().map_err(|_| Failure::Run(printed.clone().into_owned()))?;
        let counts = callgrind::read(&text)?;
        // A count of nothing would pass for a great improvement.
        if counts.own == 0 || units == 0 {
            return Err(Failure::NothingCounted(case.name));
        }
        counted.push(Counted { case, counts, units });
    }
    if counted.is_empty() { Err(Failure::UnknownCase) } else { Ok(counted) }
}

fn conclude(options: &Options, counted: &[Counted]) -> Result<ExitCode, Failure> {
    let baseline = Baseline::load(&options.baselines)?;
    println!("| case | unit | instructions | baseline | ciphers | C library |");
    println!("|---|---|---|---|---|---|");
    let mut grown = Vec::new();
    for one in counted {
        let (Counted { case, counts, .. }, own) = (one, one.per_unit(one.counts.own));
        let before = baseline.get(case.name);
        let shown = before.map_or_else(String::new, |before| format!("{before:.0}"));
        let [ciphers, library] = [counts.ciphers, counts.library].map(|number| one.per_unit(number));
        println!("| {} | {} | {own:.0} | {shown} | {ciphers:.0} | {library:.0} |", case.name, case.unit);
        match Verdict::of(before, own, GROWTH_MAX_PERCENT) {
            Verdict::Grown(percent) => grown.push(format!("{} by {percent:.1} %", case.name)),
            Verdict::Shrunk(percent) => eprintln!("{}: {percent:.1} % less; `make baselines` keeps it so", case.name),
            Verdict::Same => {}
        }
    }
    if options.write {
        let path = Baseline::of(counted.iter().map(|one| (one.case.name, one.per_unit(one.counts.own))))
            .save(&options.baselines)?;
        println!("written to {}", path.display());
    } else if options.case.is_none() && !grown.is_empty() {
        eprintln!("instructions: more than {GROWTH_MAX_PERCENT} % beyond the baseline: {}", grown.join(", "));
        eprintln!(
            "Find out what costs: `cargo run --release -p benches --bin instructions -- --case <case> --keep <folder>`,"
        );
        eprintln!(
            "then callgrind_annotate <folder>/counts.1. If it must cost that, say why in the commit, and run `make baselines`."
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
