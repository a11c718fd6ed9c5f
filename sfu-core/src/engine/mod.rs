//! The public handles of the media plane: [`Engine`] → [`Router`] → [`WebRtcTransport`] → [`Producer`], [`Consumer`].
//!
//! Handles are cheap to clone, `Send`, and async. Closing is explicit; dropping a handle does no I/O. A handle whose worker
//! died answers `WorkerGone`; its router's [`RouterEvents`] end with [`RouterEvent::Closed`].
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the async side of the worker shell")]

mod branches;
mod handles;
mod options;
mod ports;
mod router;
mod slot;
mod stats;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use handles::{Consumer, Producer, WebRtcTransport};
pub use options::{DEFAULT_SPAN_FROM_PERCENT, EngineOptions, ListenAddress, PortMode};
pub use router::{Router, RouterEvents};

pub use crate::observers::AudioLevelOptions;
pub use crate::router::{
    AudioLevel, ConsumerCloseReason, RouterCloseReason, RouterEvent, RouterOptions, SuspendReason, TransportCloseReason,
};
pub use crate::stats::{
    ConsumerScore, ProducerScore, StreamStat, StreamTraceType, TraceEvent, TraceInfo, TraceTarget, TransportStat,
    TransportTraceType,
};
pub use crate::worker::{
    ConnectError, ConsumeError, ConsumerOptions, ObjectClosed, ProduceError, ProducerOptions, TransportRefused,
    TransportUse, WebRtcTransportOptions, WorkerStats,
};

use crate::dtls::Certificate;
use crate::ids::WorkerId;
use crate::negotiation::{CodecListError, router_rtp_capabilities};
use crate::parameters::RtpCapabilities;
use ports::PortPool;
use slot::WorkerSlot;

/// The workers of this process, and where routers begin.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    capabilities: Arc<RtpCapabilities>,
    slots: Vec<WorkerSlot>,
    /// The share of a worker's time up to which rooms keep all their transports there.
    span_from: f64,
}

/// Why an engine did not start. All are the caller's: its options, or the machine it chose.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// `workers` was 0.
    #[error("an engine needs at least one worker")]
    NoWorkers,
    /// `listen` was empty.
    #[error("an engine needs at least one address to listen on")]
    NoListenAddress,
    /// The port range is empty, or begins with 0.
    #[error("the port range {min} to {max} holds no port")]
    BadPortRange {
        /// First port.
        min: u16,
        /// Last port.
        max: u16,
    },
    /// No port of the range could be bound for a worker.
    #[error("no port between {min} and {max} could be bound for worker {worker}: {source}")]
    NoFreePort {
        /// First port.
        min: u16,
        /// Last port.
        max: u16,
        /// Which worker.
        worker: WorkerId,
        /// What the last attempt said.
        source: std::io::Error,
    },
    /// The codec list is bad; the error names the entry.
    #[error("media codecs: {0}")]
    MediaCodecs(#[from] CodecListError),
    /// No certificate could be made.
    #[error("the DTLS certificate could not be made: {0}")]
    Certificate(String),
    /// No thread could be started.
    #[error("worker {worker} could not be started: {source}")]
    Thread {
        /// Which worker.
        worker: WorkerId,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The worker is gone: it died, or its engine was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the media worker is gone")]
pub struct WorkerGone;

/// Why a router was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateRouterError {
    /// Our side.
    #[error(transparent)]
    WorkerGone(#[from] WorkerGone),
}

/// Why a transport was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateTransportError {
    /// The caller's: neither UDP nor TCP was enabled.
    #[error("a transport needs UDP or TCP")]
    NoProtocol,
    /// The caller's: the router is closed, or full.
    #[error(transparent)]
    Refused(#[from] TransportRefused),
    /// Ours: the range is used up.
    #[error("no port is free between {min} and {max}")]
    NoFreePort {
        /// First port.
        min: u16,
        /// Last port.
        max: u16,
    },
    /// Our side.
    #[error(transparent)]
    WorkerGone(#[from] WorkerGone),
}

/// Why an operation on a transport was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The caller's: the transport is closed.
    #[error("the transport is closed")]
    Closed,
    /// Our side.
    #[error(transparent)]
    WorkerGone(#[from] WorkerGone),
}

/// What an engine carries.
#[derive(Debug, Clone, Default)]
pub struct EngineStats {
    /// One entry per worker that answers.
    pub workers: Vec<WorkerStats>,
}

impl EngineStats {
    /// All workers together.
    pub fn total(&self) -> WorkerStats {
        self.workers.iter().fold(WorkerStats::default(), |total, worker| total.plus(worker))
    }
}

impl Engine {
    /// Makes the process's certificate, binds the workers' sockets and starts their threads.
    ///
    /// # Errors
    /// [`EngineError`]; nothing stays bound or running.
    pub fn start(options: EngineOptions) -> Result<Self, EngineError> {
        if options.workers == 0 {
            return Err(EngineError::NoWorkers);
        }
        if options.listen.is_empty() {
            return Err(EngineError::NoListenAddress);
        }
        if options.port_min == 0 || options.port_max < options.port_min {
            return Err(EngineError::BadPortRange { min: options.port_min, max: options.port_max });
        }
        let capabilities = Arc::new(router_rtp_capabilities(&options.media_codecs)?);
        let certificate = Certificate::generate().map_err(|error| EngineError::Certificate(error.to_string()))?;
        let ports = Arc::new(PortPool::new(options.port_min, options.port_max));
        let slots = (0..options.workers)
            .map(|number| WorkerSlot::start(WorkerId(number), &options, &ports, &certificate, &capabilities))
            .collect::<Result<_, _>>()?;
        let span_from = f64::from(options.span_from_percent) / 100.0;
        Ok(Self { inner: Arc::new(Inner { capabilities, slots, span_from }) })
    }

    /// How many workers there are.
    pub fn worker_count(&self) -> usize {
        self.inner.slots.len()
    }

    /// What every router of this engine can do.
    pub fn rtp_capabilities(&self) -> &RtpCapabilities {
        &self.inner.capabilities
    }

    /// Places a new router on the least loaded worker.
    ///
    /// # Errors
    /// [`CreateRouterError`].
    pub async fn create_router(&self, options: RouterOptions) -> Result<(Router, RouterEvents), CreateRouterError> {
        let mut slots: Vec<_> = self.inner.slots.iter().enumerate().collect();
        slots.sort_by_cached_key(|(_, slot)| slot.load().weight());
        for (number, slot) in slots {
            let expected = slot.load().expect_router();
            // A worker that has just died is back in a moment; until then the others serve.
            if let Ok(created) = Router::create(&self.inner, (number, slot), options.clone(), expected).await {
                return Ok(created);
            }
        }
        Err(WorkerGone.into())
    }

    /// What each worker carries now.
    pub async fn stats(&self) -> EngineStats {
        let mut workers = Vec::with_capacity(self.inner.slots.len());
        for slot in &self.inner.slots {
            if let Ok(stats) = slot.client().call(|shell, _| shell.core.borrow().stats()).await {
                workers.push(stats);
            }
        }
        EngineStats { workers }
    }

    /// Closes every router and stops the workers; returns when their threads have ended. Idempotent.
    pub async fn close(&self) {
        for slot in &self.inner.slots {
            slot.stop();
        }
        for slot in &self.inner.slots {
            slot.stopped().await;
        }
    }
}
