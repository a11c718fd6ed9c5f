//! A port that one transport has for itself, and when it is given back.
#![allow(clippy::disallowed_types, reason = "part of the worker shell")]

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::AbortHandle;

/// The sockets of one transport that has a port for itself. Dropping it closes them soon after.
pub(crate) struct OwnPort {
    pub(super) locals: Vec<SocketAddr>,
    pub(super) tasks: Vec<AbortHandle>,
    pub(super) lease: Arc<PortLease>,
}

/// A port's place in the range. Each task that serves the port holds it, so that the port is given back once the last socket
/// is closed and not before: it would be refused to who takes it next.
pub(super) struct PortLease {
    release: Option<Box<dyn FnOnce() + Send + Sync>>,
    /// Never sent to: it is dropped after the release.
    released: Option<watch::Sender<()>>,
}

/// Resolves once a port is given back.
pub(crate) struct PortReleased(watch::Receiver<()>);

impl OwnPort {
    /// `release` is called once the sockets are closed.
    pub(crate) fn new(release: impl FnOnce() + Send + Sync + 'static) -> Self {
        let lease = PortLease { release: Some(Box::new(release)), released: Some(watch::channel(()).0) };
        Self { locals: Vec::new(), tasks: Vec::new(), lease: Arc::new(lease) }
    }

    pub(super) fn released(&self) -> Option<PortReleased> {
        self.lease.released.as_ref().map(|released| PortReleased(released.subscribe()))
    }
}

impl PortReleased {
    /// Waits for it.
    pub(crate) async fn wait(mut self) {
        // An error is what is waited for: the sender is gone.
        while self.0.changed().await.is_ok() {}
    }
}

impl Drop for OwnPort {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Drop for PortLease {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            release();
        }
        drop(self.released.take());
    }
}

/// Runs `task`, and lets go of `lease` after all that the task holds: also when it is aborted before it ever ran, for arguments
/// are dropped in their order then.
pub(super) async fn holding(task: impl Future<Output = ()>, lease: Option<Arc<PortLease>>) {
    task.await;
    drop(lease);
}
