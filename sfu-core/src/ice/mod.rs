//! ICE-lite (RFC 8445 section 2.5): answers checks, never sends any.
