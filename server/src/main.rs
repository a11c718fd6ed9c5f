//! The binary `sluice`: configuration, HTTP, the embedded web client, and the start and end of everything.
#![deny(unsafe_code)]

mod config;
mod http;
mod limits;
mod logging;
mod memory;
mod serve;
mod token_command;
mod tokens;

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::config::{Action, Config, ConfigError};

fn main() -> ExitCode {
    let matches = config::command().get_matches();
    let (action, matches) = config::action(&matches);
    if action == Action::PrintDefaults {
        return printed(&config::annotated_file());
    }
    // Values that are not Unicode cannot be any of ours.
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let (config, warnings) = match Config::load(environment, matches) {
        Ok(loaded) => loaded,
        Err(problems) => return misconfigured(&problems),
    };
    if action == Action::CheckConfig {
        let warnings: String = warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
        return printed(&format!("{warnings}the configuration is good\n"));
    }
    if action == Action::Token {
        return match token_command::token(matches, &config) {
            Ok(token) => printed(&format!("{token}\n")),
            Err(error) => failed(&error),
        };
    }
    logging::start(&config.log_filter);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().on_thread_start(go_second).build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(serve::run(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// How much less of a core signalling gets than media when both want all of it: a tenth. Media that come late are lost, an event is not.
#[cfg(target_os = "linux")]
const SIGNALLING_NICENESS: i32 = 10;

/// Has the calling thread, one of signalling's, let the media's threads go first. Only the main thread makes those.
fn go_second() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(SIGNALLING_NICENESS) {
        tracing::debug!(%error, "signalling keeps its priority");
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("sluice: {error}");
    ExitCode::FAILURE
}

fn misconfigured(problems: &[ConfigError]) -> ExitCode {
    for problem in problems {
        eprintln!("sluice: {problem}");
    }
    ExitCode::FAILURE
}

/// Puts out what was asked for. Nobody reading it to its end is no failure.
fn printed(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => failed(&error),
        Ok(()) | Err(_) => ExitCode::SUCCESS,
    }
}
