//! The media plane as peers see it, on a simulated network and clock.
#![allow(unreachable_pub, reason = "a test binary exports nothing")]

mod allocation;
mod allocations;
mod bandwidth;
mod call;
mod continuity;
mod crowd;
mod decoder_models;
mod descriptors_agree;
mod handshake;

mod hostile;
mod idle;
mod insiders;
mod joining;
mod key_frames;
mod layers;
mod lifecycle;
mod limits;
mod loss;
mod memory;
mod overload;
mod path;
mod purity;
mod redundant_audio;
mod reports;
mod rtp_corpus;
mod sharing;
mod simulated_paths;
mod simulcast;
mod spanning;
mod stats;
mod steady;
mod storms;
mod strangers;
mod thin_link;
