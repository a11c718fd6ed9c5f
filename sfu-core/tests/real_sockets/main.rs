//! The engine with its own threads over real loopback sockets, against an independent WebRTC stack (the `webrtc` crate).
//!
//! Real time passes here: every wait is for an event, under one generous deadline.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests of the shell, with sockets and a clock")]

mod engine;
mod forwarding;
mod hostile_tcp;
mod peer;
mod relay;
mod sdp;
mod spanning;
mod strangers;
mod stun;
mod support;
