//! Logs go to standard error; standard output has the one line that says where to open the client.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use crate::config::LogFormat;

/// What is logged, which can be changed while the server runs.
#[derive(Debug)]
pub(crate) struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// Logs what `filter` lets through from now on. It has been checked by the configuration.
    pub(crate) fn set(&self, filter: &str) {
        if let Err(error) = self.0.reload(EnvFilter::new(filter)) {
            tracing::error!(%error, "the log level stays as it was");
        }
    }
}

/// Starts logging. `filter` has been checked by the configuration.
pub(crate) fn start(filter: &str, format: LogFormat) -> LogLevel {
    let (filter, level) = reload::Layer::new(EnvFilter::new(filter));
    let lines = fmt::layer().with_writer(stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).init();
    LogLevel(level)
}
