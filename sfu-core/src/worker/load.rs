//! What a worker carries, for placing new routers.
#![allow(clippy::disallowed_types, reason = "read by other threads than the worker's own")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A worker's load, written by its thread after each turn and read by whoever places a router.
#[derive(Debug, Default)]
pub(crate) struct Load {
    routers: AtomicUsize,
    expected_routers: AtomicUsize,
    streams: AtomicUsize,
}

impl Load {
    pub(crate) fn set(&self, routers: usize, streams: usize) {
        self.routers.store(routers, Ordering::Relaxed);
        self.streams.store(streams, Ordering::Relaxed);
    }

    /// Counts a router that is on its way to the worker, until the answer is dropped: a burst of new rooms must not all land
    /// on one.
    pub(crate) fn expect_router(self: &Arc<Self>) -> ExpectedRouter {
        self.expected_routers.fetch_add(1, Ordering::Relaxed);
        ExpectedRouter(Arc::clone(self))
    }

    /// Streams that pass through first, since they cost; then routers, since they will.
    pub(crate) fn weight(&self) -> (usize, usize) {
        let routers = self.routers.load(Ordering::Relaxed) + self.expected_routers.load(Ordering::Relaxed);
        (self.streams.load(Ordering::Relaxed), routers)
    }
}

/// A router that is on its way to a worker. To be dropped once the worker counts it, or did not take it.
#[derive(Debug)]
pub(crate) struct ExpectedRouter(Arc<Load>);

impl Drop for ExpectedRouter {
    fn drop(&mut self) {
        self.0.expected_routers.fetch_sub(1, Ordering::Relaxed);
    }
}
