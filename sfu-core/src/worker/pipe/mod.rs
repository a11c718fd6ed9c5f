//! In-process pipes: a room's producers on one worker, some of their consumers on another.
//!
//! A room's *home* is the router that its producers are in. A *branch* is a router on another worker that holds consumers alone.
//! Between them is a pipe: packets go in at its [head](head), which is the home's, and come out at its [tail](tail), which is
//! the branch's, where each producer that anybody there consumes has a *shadow*.
//!
//! ```text
//! home                                                     branch
//! Producer ─packets, state, statistics─▶ Head ══▶ Tail ─▶ shadow ─▶ its consumers
//!    ▲                                     ▲        │
//!    └────key frames asked for, layers used┴────────┘
//! ```
//!
//! What goes through was opened, recognised, unwrapped and numbered at home, once; the branch keeps it in a store of its own
//! and answers NACKs from there. A pipe carries each packet once, however many consume it behind the pipe.

mod batch;
mod head;
mod tail;

use slotmap::new_key_type;

pub use batch::{PIPE_BYTES_MAX, PIPE_PACKETS_MAX, PipeBatch};
pub(super) use head::Head;
pub(super) use tail::Tail;

use super::core::ProducerKey;
use crate::ids::ProducerId;
use crate::producer::key_frame_requester::KeyFrameReason;

new_key_type! {
    /// A pipe's end on the worker of a room's home.
    pub struct PipeHeadKey;
    /// A pipe's end on the worker of a branch.
    pub struct PipeTailKey;
}

/// An end of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipeEnd {
    /// The home's.
    Head(PipeHeadKey),
    /// The branch's.
    Tail(PipeTailKey),
}

/// A producer's way into a pipe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piped {
    pub(crate) head: PipeHeadKey,
    /// Its shadow, as the other worker finds it.
    pub(crate) shadow: ProducerKey,
    /// The layers that are used there, a bit for each.
    pub(crate) used: u8,
}

/// What a branch wants of the home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipeRequest(Request);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    /// The producer's packets, from now on.
    Open { producer: ProducerId, shadow: ProducerKey },
    /// No more of them.
    Close { producer: ProducerId, shadow: ProducerKey },
    /// A key frame.
    KeyFrame { producer: ProducerId, encoding: usize, reason: KeyFrameReason },
    /// Who owns the producer is to send these layers, a bit for each.
    Used { producer: ProducerId, layers: u8 },
}
