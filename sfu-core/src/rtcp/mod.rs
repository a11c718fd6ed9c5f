//! RTCP (RFC 3550, 4585, 5104) on the `rtcp` crate.
