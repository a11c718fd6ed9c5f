//! Loads a server that speaks the call vocabulary, and reports what it costs; see `benches/README.md`.

mod options;
mod progress;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use options::RunOptions;

/// Why there is no result.
type Failure = Box<dyn std::error::Error>;

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
enum Command {}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => run::run(&cli.run),
        Some(command) => match command {},
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
