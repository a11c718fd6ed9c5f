//! The call vocabulary over Socket.IO, as a client speaks it.

pub mod call;
pub mod parameters;
pub mod socket_io;

pub use call::Call;
pub use socket_io::{Event, SignalError, SocketIo};
