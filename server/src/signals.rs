//! What signals ask for: SIGTERM and SIGINT for the end, SIGHUP for the file to be read again.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Config, ConfigError};
use crate::http::tls::Certificate;
use crate::logging::LogLevel;

/// Asks for the end. The first asks politely.
#[derive(Debug)]
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// How the configuration is read again, and what can be changed by it.
pub(crate) struct Rereading {
    pub(crate) load: Box<dyn Fn() -> Result<Config, Vec<ConfigError>> + Send>,
    pub(crate) log_level: LogLevel,
}

impl fmt::Debug for Rereading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rereading").field("log_level", &self.log_level).finish_non_exhaustive()
    }
}

impl Rereading {
    /// Reads the file, and the certificate, again upon each SIGHUP, for as long as the server runs. Without a file there is nothing
    /// to read, and the signal ends the process, as it does when the terminal closes.
    pub(crate) async fn obey(self, mut config: Config, certificate: Option<Arc<Certificate>>) -> io::Result<()> {
        if config.file.is_none() {
            return Ok(());
        }
        let mut hangup = signal(SignalKind::hangup())?;
        while hangup.recv().await.is_some() {
            if let Some(certificate) = &certificate {
                certificate.clone().reload_now().await;
            }
            match (self.load)() {
                Ok(read) => config = self.apply(&config, read),
                Err(problems) => {
                    for problem in problems {
                        tracing::error!(%problem, "the configuration stays as it was");
                    }
                }
            }
        }
        Ok(())
    }

    /// The configuration that holds now.
    fn apply(&self, running: &Config, read: Config) -> Config {
        self.log_level.set(&read.log_filter);
        let now = Config { log_filter: read.log_filter.clone(), ..running.clone() };
        tracing::info!(log_level = now.log_filter, "configuration read again");
        if now != read {
            tracing::warn!("what else has changed in it waits for the next start");
        }
        now
    }
}
