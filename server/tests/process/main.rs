//! The binary as a process: what it prints, how it ends, and what signals do to it.
#![allow(unreachable_pub, reason = "a test binary exports nothing")]

mod checks;
mod client;
mod hangup;
mod https;
mod process;
mod stopping;
