//! What a worker carries, for placing new routers.
#![allow(clippy::disallowed_types, reason = "read by other threads than the worker's own")]

use std::sync::atomic::{AtomicUsize, Ordering};

/// A worker's load, written by its thread after each turn and read by whoever places a router.
#[derive(Debug, Default)]
pub(crate) struct Load {
    routers: AtomicUsize,
    streams: AtomicUsize,
}

impl Load {
    pub(crate) fn set(&self, routers: usize, streams: usize) {
        self.routers.store(routers, Ordering::Relaxed);
        self.streams.store(streams, Ordering::Relaxed);
    }

    /// Counts a router that is on its way to the worker, so that a burst of new rooms does not all land on one.
    pub(crate) fn expect_router(&self) {
        self.routers.fetch_add(1, Ordering::Relaxed);
    }

    /// Streams that pass through first, since they cost; then routers, since they will.
    pub(crate) fn weight(&self) -> (usize, usize) {
        (self.streams.load(Ordering::Relaxed), self.routers.load(Ordering::Relaxed))
    }
}
