//! The limits of the HTTP side. Rooms, peers and events have theirs in [`signaling::limits`].

use std::time::Duration;

/// Bytes of one Socket.IO message, and of the body of one long-polling request. Capabilities and parameters are some ten
/// kilobytes. Clients keep to it (the handshake tells them); one that does not is disconnected.
pub(crate) const SOCKET_PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// Messages that wait to be sent to one socket. A client that joins a full room gets hundreds of answers at once. Beyond
/// it the client is not reading, and is disconnected.
pub(crate) const SOCKET_BUFFER_MESSAGES_MAX: usize = 1_024;

/// How long the end may take from the signal on. What is not closed then is cut off.
pub(crate) const SHUTDOWN_MAX: Duration = Duration::from_secs(5);

/// Media workers. Each is a thread; more than cores help nobody, so a larger number is a mistake and refused.
pub(crate) const WORKERS_MAX: usize = 256;

/// Bytes of a set of keys that is fetched. A longer one is not taken.
pub(crate) const KEY_SET_BYTES_MAX: usize = 256 * 1024;

/// How long a set of keys may take to come: no longer than clients wait for it. Then it is as good as absent.
pub(crate) const KEY_SET_FETCH_MAX: Duration = Duration::from_millis(2_500);

/// Tokens with keys that nobody knows have the set fetched again no sooner than this.
pub(crate) const KEY_SET_FETCH_PAUSE: Duration = Duration::from_secs(10);

/// A set of keys is fetched again after this time: a key that was taken out of it is no longer good then.
pub(crate) const KEY_SET_MAX_AGE: Duration = Duration::from_secs(600);
