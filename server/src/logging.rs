//! Logs go to standard error; standard output has the one line that says where to open the client.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// Starts logging. `filter` has been checked by the configuration.
pub(crate) fn start(filter: &str) {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .init();
}
