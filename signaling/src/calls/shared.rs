//! What connects the model to the sessions: a lock around it, the mailboxes of the sockets that registered, and the timers of
//! the calls that ring.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;

use super::{CallId, CallsState, Step, Timer};
use crate::error::SignalError;
use crate::mailbox::{Mailbox, Post};
use crate::room::PeerId;

/// The calls, for all sessions. Its lock is held for short steps without waiting, and no other is taken meanwhile.
#[derive(Debug)]
pub(crate) struct Calls {
    inner: Mutex<Inner>,
    ring_time: Duration,
}

#[derive(Debug, Default)]
struct Inner {
    state: CallsState,
    mailboxes: HashMap<PeerId, Mailbox>,
    /// One for each call that rings. They are stopped with the ringing: whoever places and cancels calls all day leaves none.
    timers: HashMap<CallId, AbortHandle>,
}

impl Calls {
    /// Nobody is registered. Calls ring for that long at most.
    pub(crate) fn new(ring_time: Duration) -> Self {
        Self { inner: Mutex::default(), ring_time }
    }

    /// See [`CallsState::register`]. What concerns the socket from now on reaches the mailbox.
    pub(crate) fn register(
        self: &Arc<Self>,
        socket: &PeerId,
        mailbox: &Mailbox,
        user_id: &str,
        user_name: Option<&str>,
    ) -> Result<(), SignalError> {
        let inner = &mut *self.lock();
        let step = inner.state.register(socket, user_id, user_name)?;
        inner.mailboxes.insert(socket.clone(), mailbox.clone());
        self.carry_out(inner, step);
        Ok(())
    }

    /// See [`CallsState::go`].
    pub(crate) fn go(self: &Arc<Self>, socket: &PeerId) {
        let inner = &mut *self.lock();
        inner.mailboxes.remove(socket);
        let step = inner.state.go(socket);
        self.carry_out(inner, step);
    }

    /// Changes the calls, and does what comes of it before anybody else can change them.
    pub(crate) fn change(
        self: &Arc<Self>,
        change: impl FnOnce(&mut CallsState) -> Result<Step, SignalError>,
    ) -> Result<(), SignalError> {
        let inner = &mut *self.lock();
        let step = change(&mut inner.state)?;
        self.carry_out(inner, step);
        Ok(())
    }

    /// Looks at the calls.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&CallsState) -> R) -> R {
        look(&self.lock().state)
    }

    fn carry_out(self: &Arc<Self>, inner: &mut Inner, Step { deliveries, timer }: Step) {
        for (socket, notice) in deliveries {
            if let Some(mailbox) = inner.mailboxes.get(&socket) {
                mailbox.post(Post::Notice(notice));
            }
        }
        match timer {
            Some(Timer::Start(call)) => {
                inner.timers.insert(call, self.start_timer(call));
            }
            Some(Timer::Stop(call)) => {
                if let Some(timer) = inner.timers.remove(&call) {
                    timer.abort();
                }
            }
            None => {}
        }
    }

    fn start_timer(self: &Arc<Self>, call: CallId) -> AbortHandle {
        let calls = self.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(calls.ring_time).await;
            let inner = &mut *calls.lock();
            let step = inner.state.time_out(call);
            calls.carry_out(inner, step);
        });
        timer.abort_handle()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
