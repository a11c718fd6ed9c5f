//! Every limit of the signalling, in one place. At each limit the request at fault is refused with an error that names
//! the limit, or (where a socket does not read) that socket is disconnected; nobody else is harmed.

/// Rooms at a time. Each holds a router, some kilobytes in a worker. Beyond it an event that would make a room fails.
pub const ROOMS_MAX: usize = 10_000;

/// Sockets in one room, announced or not. Every announcement goes to all of them, so the work grows with the square.
/// Beyond it an event that would bring one more in fails.
pub const PEERS_PER_ROOM_MAX: usize = 1_000;

/// Sockets that are online by `userOnline`. Each is told of every other's coming and going, and the list of them all is one
/// message, some 100 bytes for each. Beyond it `userOnline` fails; rooms and media are not touched.
pub const ONLINE_SOCKETS_MAX: usize = 5_000;

/// Sockets that can call and be called by `register-user`. One costs some hundred bytes, and nobody is told of the others.
/// Beyond it `register-user` fails; rooms and media are not touched.
pub const REGISTERED_SOCKETS_MAX: usize = 10_000;

/// Sockets that one user registered. Each call to them rings on all: with more, one offer would be multiplied for whoever
/// sends it. Enough for some windows and devices, and for what a bad network leaves behind until it is found dead. Beyond it
/// `register-user` fails.
pub const SOCKETS_PER_USER_MAX: usize = 16;

/// Calls that ring at a time. Each has a timer and holds candidates back; calls that were answered hold nothing. Beyond it
/// `initiate-call` fails.
pub const RINGING_CALLS_MAX: usize = 1_000;

/// How long a call rings before it is given up, milliseconds, unless set otherwise.
pub const CALL_RING_MS: u64 = 30_000;

/// Bytes of an offer or an answer as JSON. Those of browsers are below ten kilobytes for a camera and a microphone, some
/// times that with all codecs and layers. A larger one fails.
pub const DESCRIPTION_BYTES_MAX: usize = 64 * 1024;

/// Bytes of an ICE candidate as JSON: some 300, with the longest user fragments that are allowed below 1 KiB. A larger one
/// fails.
pub const CANDIDATE_BYTES_MAX: usize = 2 * 1024;

/// Candidates of one socket that are held back while its call rings. A machine with many interfaces has some dozens. Beyond
/// it `ice-candidate` fails; the call goes on with those that there are.
pub const HELD_CANDIDATES_MAX: usize = 128;

/// Transports of one socket. Two would do, but clients exist that make a receive transport for each producer that they
/// consume. Beyond it making one fails. (Producers and consumers of a transport are limited by the media engine.)
pub const TRANSPORTS_PER_PEER_MAX: usize = 128;

/// Bytes of a room's name. UUIDs and readable names fit; a longer one fails.
pub const ROOM_ID_BYTES_MAX: usize = 256;

/// Bytes of a user's id. A longer one fails.
pub const USER_ID_BYTES_MAX: usize = 256;

/// Bytes of a user's display name. It is repeated to everybody in the room; a longer one fails.
pub const USER_NAME_BYTES_MAX: usize = 256;

/// Bytes of a chat message, some pages of text. A longer one fails.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a producer's `appData` as JSON. It is kept with the producer and sent to everybody in the room; a larger
/// one fails.
pub const APP_DATA_BYTES_MAX: usize = 16 * 1024;

/// Bytes of one error text. Some errors quote what the client sent; the rest is cut off.
pub const ERROR_TEXT_BYTES_MAX: usize = 512;

/// Events of one socket that wait for their turn. A client that joins a full room consumes hundreds of producers at
/// once. Beyond it an event is answered with an error and not carried out.
pub const PENDING_EVENTS_MAX: usize = 1_024;

/// Announcements for one socket that wait until its current event is done. Traces, which may be of every packet, are dropped
/// beyond half of it. Beyond it the socket has lost touch with its
/// room's state and is disconnected, so that its client starts afresh.
pub const PENDING_NOTICES_MAX: usize = 8_192;

/// News of a room's consumers and producers that are being made, kept until the room knows them. Each peer makes one at a
/// time, and a new one has few news. Beyond it the oldest is dropped: its object's owner learns of the next change.
pub const EARLY_NEWS_MAX: usize = 4_096;

/// How long [`crate::Signaling::shutdown`] waits for sessions to finish their current event, milliseconds. Those
/// that are still at it afterwards are left to the end of the process.
pub const SHUTDOWN_WAIT_MS: u64 = 2_000;

/// How long a client that must start afresh has to drop the connection by itself, milliseconds: a few round trips of a bad
/// network. One that has not is disconnected.
pub const RECONNECT_WAIT_MS: u64 = 2_000;

/// Bytes of a token. Claims are some hundred, a signature a few hundred more. A longer one is refused unread.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Keys that tokens may be signed with. A token that does not name its key is tried with all of them. Beyond it the keys are
/// refused.
pub const TOKEN_KEYS_MAX: usize = 16;

/// Bytes of a secret that tokens are signed with, at least (RFC 7518, section 3.2): a shorter one is guessed.
pub const TOKEN_SECRET_BYTES_MIN: usize = 32;

/// By how much the clock of who issues tokens may differ from ours, seconds.
pub const TOKEN_CLOCK_SKEW_S: u64 = 30;

/// How long somebody with a token of an unknown key waits for fresh keys, milliseconds. Without them they are refused.
pub const TOKEN_KEY_REFRESH_WAIT_MS: u64 = 3_000;

/// People whose grants an administrator has changed in one room. Their changes last as long as the room, also while they are away:
/// coming back with the same token must not undo them. Beyond it a change for one more fails.
pub const GRANT_CHANGES_MAX: usize = 1_000;
