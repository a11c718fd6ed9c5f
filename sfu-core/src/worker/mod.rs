//! A worker: one thread's routers, transports, producers and consumers.
//!
//! [`Core`] is the pure half: datagrams, commands and time in; datagrams, events and the next deadline out. `shell` is the
//! thread around it.

mod bandwidth;
mod busy;
mod control;
mod core;
mod errors;
mod forward;
pub mod fuzzing;
mod gather;
mod handshakes;
mod info;
mod layers;
pub mod limits;
mod load;
mod media;
mod observe;
mod outlet;
mod overload;
mod own_port;
mod pacing;
mod pieces;
mod pipe;
mod publish;
mod reports;
mod service;
mod shedding;
mod shell;
mod sockets;
mod span;
mod stats;
mod subscribe;
mod tcp;
mod timers;
mod transmit;
mod udp;

pub use self::core::{Core, CoreOptions, TimeoutReason};
pub use crate::producer::ProducerCopy;
pub use errors::{ConnectError, ConsumeError, ObjectClosed, ProduceError, TransportRefused};
pub use gather::Joining;
pub use handshakes::{MAX_WAITING_HANDSHAKES, MAX_WAITING_HANDSHAKES_PER_TRANSPORT};
pub use info::{
    ConsumerInfo, ConsumerOptions, LocalAddress, ProducerInfo, ProducerOptions, TransportInfo, TransportUse,
    WebRtcTransportOptions, WorkerStats,
};
pub use pipe::{PIPE_BYTES_MAX, PIPE_PACKETS_MAX, PipeBatch, PipeEnd, PipeHeadKey, PipeRequest, PipeTailKey};
pub(crate) use transmit::RunIndex;
pub use transmit::{MAX_DATAGRAM_BYTES, MAX_JOINED, Run, TransmitClass, TransmitQueue};

pub(crate) use self::core::{ConsumerKey, ProducerKey, RouterKey, TransportKey};
pub(crate) use load::{ExpectedRouter, Load, Weight};
pub(crate) use own_port::{OwnPort, PortReleased};
pub(crate) use pipe::Piped;
#[cfg(test)]
pub(crate) use shell::Delivery;
pub(crate) use shell::{BoundSockets, COMMAND_QUEUE, Command, EVENT_QUEUE, EventSink, Shell, run};
pub(crate) use sockets::bind;
pub(crate) use span::pipe;
