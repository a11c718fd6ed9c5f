//! DTLS 1.2 on `rtc-dtls`, with its traps closed.
