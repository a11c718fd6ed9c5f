//! Redundant audio (RFC 2198): Opus with earlier packets repeated in each.
