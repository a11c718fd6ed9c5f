//! Rooms, peers and the Socket.IO vocabularies.
//!
//! One socket is one session (a task): it carries out the socket's events in order. What sockets share is the rooms: pure
//! models of who is in them and who must be told what. Announcements reach a session through its mailbox, between two
//! events, so that an ack never comes after news that it does not know of.
//!
//! This crate knows the media engine's handles and Socket.IO, but no HTTP, no storage and no environment.
//!
//! Entry point: [`Signaling`].
#![forbid(unsafe_code)]

mod calls;
mod error;
pub mod fuzzing;
mod handlers;
pub mod identity;
pub mod limits;
mod mailbox;
mod presence;
mod registry;
mod room;
mod service;
mod session;
mod vocabulary;
mod wire;

pub use service::{Signaling, SignalingOptions, SignalingStats};
