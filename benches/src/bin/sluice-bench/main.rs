//! Loads a server that speaks the call vocabulary, and reports what it costs; see `benches/README.md`.

mod capacity;
mod check;
mod floor;
mod idle;
mod load;
mod memory;
mod options;
mod overload;
mod progress;
mod run;
mod server;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use options::RunOptions;

/// Why there is no result.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Loads a server that speaks the call vocabulary over Socket.IO, and reports what it costs.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunOptions,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What sealing and sending alone cost
    Floor(floor::Options),
    /// The most that a server carries
    Capacity(capacity::Options),
    /// What a server does with more than it carries
    Overload(overload::Options),
    /// What joining and leaving leaves behind
    Memory(memory::Options),
    /// What people and transports cost while nothing happens on them
    Idle(idle::Options),
    /// That media of every kind arrives through a server that is started for it
    Check(check::Options),
    /// The standard table, written to a page
    Table(table::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => run::run(&cli.run),
        Some(Command::Floor(options)) => floor::run(&options),
        Some(Command::Capacity(options)) => capacity::run(&options),
        Some(Command::Overload(options)) => overload::run(&options),
        Some(Command::Memory(options)) => memory::run(&options),
        Some(Command::Idle(options)) => idle::run(&options),
        Some(Command::Check(options)) => check::run(&options),
        Some(Command::Table(options)) => table::run(&options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("sluice-bench: {error}");
            ExitCode::from(2)
        }
    }
}
