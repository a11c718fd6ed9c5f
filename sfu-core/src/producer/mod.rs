//! One source as a peer sends it: loss, jitter, NACK, key frame requests, the packet store.

pub mod key_frame_requester;
pub mod nack;
pub mod packet_store;
pub mod receive_stream;
pub mod sequence;
