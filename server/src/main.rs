//! The binary `sluice`: configuration, HTTP, the embedded web client, and the start and end of everything.
#![deny(unsafe_code)]

mod config;
mod http;
mod limits;
mod logging;
mod memory;
mod prepare;
mod selftest;
mod serve;
mod signals;
mod stun;
mod token_command;
mod tokens;

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::config::{Action, Config};
use crate::signals::Rereading;

fn main() -> ExitCode {
    let matches = config::command().get_matches();
    let (action, matches) = config::action(&matches);
    if action == Action::PrintDefaults {
        return printed(&config::annotated_file());
    }
    let (config, mut warnings) = match Config::load(environment(), matches) {
        Ok(loaded) => loaded,
        Err(problems) => return failed(&problems),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().on_thread_start(go_second).build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&[error]),
    };
    if action == Action::CheckConfig {
        return match runtime.block_on(prepare::prepare(&config)) {
            Ok(prepared) => {
                warnings.extend(prepared.warnings);
                let warnings: String = warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
                printed(&format!("{warnings}the configuration is good\n"))
            }
            Err(problems) => failed(&problems),
        };
    }
    if action == Action::Token {
        return match token_command::token(matches, &config) {
            Ok(token) => printed(&format!("{token}\n")),
            Err(error) => failed(&[error]),
        };
    }
    let log_level = logging::start(&config.log_filter, config.log_format);
    let prepared = match runtime.block_on(prepare::prepare(&config)) {
        Ok(prepared) => prepared,
        Err(problems) => return failed(&problems),
    };
    warnings.extend(prepared.warnings.iter().cloned());
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let matches = matches.clone();
    let load = move || Config::load(environment(), &matches).map(|(config, _)| config);
    match runtime.block_on(serve::run(config, prepared, Rereading { load: Box::new(load), log_level })) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&[error]),
    }
}

/// Values that are not Unicode cannot be any of ours.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
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

fn failed(problems: &[impl std::error::Error]) -> ExitCode {
    for problem in problems {
        eprintln!("sluice: {problem}");
    }
    ExitCode::FAILURE
}

/// Puts out what was asked for. Nobody reading it to its end is no failure.
fn printed(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => failed(&[error]),
        Ok(()) | Err(_) => ExitCode::SUCCESS,
    }
}
