//! One source as a peer sends it: loss, jitter, NACK, key frame requests, the packet store.
