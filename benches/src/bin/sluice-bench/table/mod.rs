//! The standard table: the loads of the targets one after the other, and the page that tells of them.

mod page;
mod rows;
mod target;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use crate::Failure;
use crate::progress::Progress;
use crate::server::{Cores, Server};
use page::Page;
use target::Target;

/// Runs the standard table against a server that it starts itself, and writes a page of results. Nothing else should run on
/// the machine meanwhile.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// The server's binary; it is configured by PORT, RTC_MIN_PORT, RTC_MAX_PORT, LISTEN_IP, WORKERS and LAST_N.
    #[arg(long, default_value = "target/release/sluice")]
    server: PathBuf,
    /// The page to write.
    #[arg(long, default_value = "benches/RESULTS.md")]
    out: PathBuf,
    /// A program that serves the same calls by mediasoup (benches/mediasoup/server.mjs), configured as the server is: what is
    /// compared with mediasoup is then measured with it in turn. Otherwise figures of an earlier day are taken.
    #[arg(long)]
    mediasoup: Option<PathBuf>,
    /// Only the rows whose names hold this.
    #[arg(long)]
    only: Option<String>,
}

/// What a row of the table works with, and adds to.
struct Bench {
    server: PathBuf,
    mediasoup: Option<PathBuf>,
    cores: Cores,
    page: Page,
    progress: Progress,
    /// What later rows need of an earlier one: CPU per packet of 200 subscribers, microseconds.
    fan_out_cpu_us: Option<f64>,
}

/// A row: its name, and what runs it.
type Row = (&'static str, fn(&mut Bench) -> Result<(), Failure>);

impl Bench {
    /// A server with one worker on its own core.
    fn server(&self, settings: &[(&str, &str)]) -> Result<Server, Failure> {
        Server::start(&self.server, 1, settings, &self.cores)
    }

    /// mediasoup in its place, if it is to be measured.
    fn mediasoup(&self) -> Result<Option<Server>, Failure> {
        self.mediasoup.as_ref().map(|program| Server::start(program, 1, &[], &self.cores)).transpose()
    }

    /// A server with two workers on all cores.
    fn server_of_two(&self) -> Result<Server, Failure> {
        Server::start(&self.server, 2, &[], &self.cores)
    }

    fn target(&mut self, target: Target) {
        self.page.targets.push(target);
    }
}

/// Runs the rows. A row that fails is told on the page and fails the command, not the other rows.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    let begun = Instant::now();
    let cores = Cores::of_this_process()?;
    let page = Page::new(&options.server, options.mediasoup.is_some());
    let mut bench = Bench {
        server: options.server.clone(),
        mediasoup: options.mediasoup.clone(),
        cores,
        page,
        progress: Progress::new(),
        fan_out_cpu_us: None,
    };
    let wanted = |row: &&Row| options.only.as_ref().is_none_or(|only| row.0.contains(only.as_str()));
    let mut has_failed = false;
    for (name, row) in rows::ALL.iter().filter(wanted) {
        bench.progress.done();
        eprintln!("{:>4} s  {name}", begun.elapsed().as_secs());
        if let Err(error) = row(&mut bench) {
            eprintln!("sluice-bench: {name}: {error}");
            bench.page.failures.push(format!("{name}: {error}"));
            has_failed = true;
        }
    }
    bench.page.seconds = begun.elapsed().as_secs();
    std::fs::write(&options.out, bench.page.render()).map_err(|error| format!("{}: {error}", options.out.display()))?;
    eprintln!("{:>4} s  written to {}", begun.elapsed().as_secs(), options.out.display());
    Ok(!has_failed)
}
