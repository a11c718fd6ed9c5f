//! The signalling over real sockets, with a real media engine behind it: what a client sets reaches the engine, and what the
//! engine says reaches the client.
#![allow(unreachable_pub, reason = "a test binary exports nothing")]

mod access;
mod calls;
mod client;
mod foreign_ids;
mod member;
mod moderation;
mod screens;
mod server;
