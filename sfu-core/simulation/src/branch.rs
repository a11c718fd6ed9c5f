//! A second core, which has a branch of the first room, and the pipe between the two.

use std::time::Instant;

use sfu_core::ids::RouterId;
use sfu_core::transport::tuple::Tuple;
use sfu_core::worker::{Core, PipeBatch, PipeHeadKey, PipeTailKey};

/// A worker with a branch of a room whose home is on another.
pub struct Branch {
    /// The worker.
    pub core: Core,
    /// The branch.
    pub router: RouterId,
    /// The home's end of the pipe.
    pub head: PipeHeadKey,
    /// The branch's end.
    pub tail: PipeTailKey,
    /// While it is set nothing gets to the branch, as if its worker were busy.
    pub is_stalled: bool,
    /// What the branch asked for.
    pub requests: usize,
    batch: PipeBatch,
}

impl Branch {
    /// A branch of `room`, which is at `home`, on another worker.
    ///
    /// # Panics
    /// There is no such room.
    pub fn new(home: &mut Core, room: RouterId, mut core: Core) -> Self {
        let (router, tail) = core.open_pipe_tail();
        let head = home.open_pipe_head(room).unwrap();
        Self { core, router, head, tail, is_stalled: false, requests: 0, batch: PipeBatch::default() }
    }

    /// Carries what both ends have for each other. What is to go to peers meanwhile is sent.
    pub fn carry(&mut self, now: Instant, home: &mut Core, mut send: impl FnMut(Tuple, &[u8])) {
        let (mut heads, mut tails) = (Vec::new(), Vec::new());
        loop {
            let mut is_done = true;
            home.take_due_heads(&mut heads);
            for head in heads.drain(..) {
                if self.is_stalled {
                    home.defer_head(head);
                } else if home.take_batch(now, head, &mut self.batch) {
                    is_done = false;
                    while self.core.handle_piped(now, self.tail, &mut self.batch) {
                        while self.core.has_batch() && self.core.forward_gathered(now) {
                            self.core.transmits().drain(&mut send);
                        }
                        self.core.transmits().drain(&mut send);
                    }
                }
            }
            self.core.take_due_tails(&mut tails);
            for tail in tails.drain(..) {
                while let Some(request) = self.core.poll_pipe_request(tail) {
                    is_done = false;
                    self.requests += 1;
                    home.handle_pipe_request(now, self.head, request);
                }
            }
            if is_done {
                return;
            }
        }
    }
}
