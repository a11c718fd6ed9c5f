//! Every limit and interval of a DTLS association, with its reason and what happens at it.

use std::time::Duration;

/// A longer datagram is dropped unread. WebRTC stacks cut flights to 1200–1500 bytes.
pub const MAX_DATAGRAM_BYTES: usize = 2048;

/// The size of our own handshake datagrams: what every path carries (IPv6's 1280 less its headers).
pub const MTU_BYTES: usize = 1200;

/// A fragment that announces a longer handshake message is dropped. A certificate chain of three RSA-4096
/// certificates has less.
pub const MAX_MESSAGE_BYTES: usize = 8192;

/// Fragments of messages from this number on are dropped. A DTLS 1.2 handshake has at most nine messages a side.
pub const MAX_MESSAGES: u16 = 16;

/// Bytes held for incomplete plaintext messages of one association. At the limit the message furthest ahead gives
/// way, so that junk about the future cannot block the message that is due.
pub const MAX_PENDING_BYTES: usize = 2 * MAX_MESSAGE_BYTES;

/// Disjoint pieces held of one incomplete message; a fragment that would make one more is dropped. A message of
/// [`MAX_MESSAGE_BYTES`] in fragments of a quarter of an MTU has fewer.
pub const MAX_PIECES: usize = 32;

/// Bytes of encrypted handshake records and ChangeCipherSpec given to the crate for one association; what
/// exceeds it is dropped. The crate keeps such records (before it has keys: all; after the handshake: repeats), so this
/// bounds its memory. An honest peer's last flight has about 80 such bytes, each repeat as many.
pub const MAX_RETAINED_BYTES: usize = 64 * 1024;

/// What a record costs at least against [`MAX_RETAINED_BYTES`], for the crate's overhead on a short one.
pub const MIN_RETAINED_BYTES: usize = 64;

/// The wait before a flight is sent again; doubled each time up to [`RESEND_INTERVAL_MAX`]. WebRTC stacks begin with
/// 50 ms because ICE has already shown that the path answers (RFC 6347 section 4.2.4.1 would say one second).
pub const RESEND_INTERVAL: Duration = Duration::from_millis(50);

/// The longest wait between two timed repeats of a flight.
pub const RESEND_INTERVAL_MAX: Duration = Duration::from_millis(800);

/// The shortest time between two repeats of a flight that the peer's own repeats provoke: they may come in several
/// datagrams, and each must not cost us a whole flight.
pub const REPEAT_INTERVAL_MIN: Duration = Duration::from_millis(40);

/// Repeats of one flight. At the limit it is not sent again: [`HANDSHAKE_TIMEOUT`] ends the handshake. Thirty seconds
/// of timed repeats are about 40.
pub const MAX_RESENDS_PER_FLIGHT: u32 = 64;

/// How often the crate may write one flight anew (with fresh record numbers): once more and it takes the handshake
/// for dead. Later repeats reuse the stored flight.
pub const MAX_FRESH_RESENDS_PER_FLIGHT: u32 = 7;

/// Datagrams waiting to be sent; at the limit new ones are lost, as on a network. A flight has at most four.
pub const MAX_QUEUED_DATAGRAMS: usize = 32;

/// From the first ClientHello (sent or complete) until connected, the signalled fingerprint included; then the
/// association fails.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// Fingerprints that may be signalled for one peer; a longer list is refused. There are three algorithms and
/// rarely two certificates; browsers list one.
pub const MAX_FINGERPRINTS: usize = 8;
