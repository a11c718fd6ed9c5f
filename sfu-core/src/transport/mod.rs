//! Transports: the tuple, ICE, DTLS and SRTP of one peer, and what is demultiplexed out of them.

mod candidates;
mod downlink;
mod extensions;
pub mod framing;
pub mod fuzzing;
mod inbound;
pub mod tuple;
mod webrtc;

pub(crate) use candidates::candidates;
pub(crate) use downlink::{Paced, PathFeedback};
pub(crate) use extensions::extension_ids;
pub(crate) use inbound::InboundStream;
pub(crate) use webrtc::{Lane, WebRtcTransport};
