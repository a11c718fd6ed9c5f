//! The limits of the HTTP side. Rooms, peers and events have theirs in [`signaling::limits`].

use std::time::Duration;

/// Bytes of one Socket.IO message, and of the body of one long-polling request. Capabilities and parameters are some ten
/// kilobytes. Clients keep to it (the handshake tells them); one that does not is disconnected.
pub(crate) const SOCKET_PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// Messages that wait to be sent to one socket. A client that joins a full room gets hundreds of answers at once. Beyond
/// it the client is not reading, and is disconnected.
pub(crate) const SOCKET_BUFFER_MESSAGES_MAX: usize = 1_024;

/// How long the end may take once nobody is waited for any more. What is not closed then is cut off. With the default of
/// `DRAIN_TIMEOUT_MS` it is less than the ten seconds after which `docker stop` kills.
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

/// What `DRAIN_TIMEOUT_MS` may be: an hour. Who waits for longer waits for people who forgot to leave.
pub(crate) const DRAIN_TIMEOUT_MAX: Duration = Duration::from_secs(60 * 60);

/// TLS handshakes at a time. Each holds some kilobytes for as long as its client takes. Beyond it
/// connections wait in the kernel's queue.
pub(crate) const TLS_HANDSHAKES_MAX: usize = 512;

/// How long a TLS handshake may take: some round trips of a bad network. A connection that is not ready then is closed.
pub(crate) const TLS_HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(10);

/// How long a request's head may take to come, over TLS. A connection that is slower is closed.
pub(crate) const HTTP_HEAD_WAIT_MAX: Duration = Duration::from_secs(30);

/// How often the certificate's files are looked at: a new one is there some weeks before the old one ends.
pub(crate) const TLS_FILES_INTERVAL: Duration = Duration::from_secs(5);

/// Bytes of a certificate's or a key's file. Chains are some kilobytes; a larger file is another one by mistake, and refused.
pub(crate) const TLS_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// STUN servers that may be named. Each that does not answer costs some seconds at the start; more are refused.
pub(crate) const STUN_SERVERS_MAX: usize = 8;
