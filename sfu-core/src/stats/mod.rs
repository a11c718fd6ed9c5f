//! What is told about transports, producers and consumers: mediasoup's `getStats`, scores and trace events.

mod counters;
mod score;
mod stream;
mod trace;
mod transport;

pub use counters::{SentKind, TransportCounters, TransportTotals};
pub use score::{ConsumerScore, Interval, MAX_SCORE, ProducerScore, ScoreKeeper};
pub use stream::{StreamCounts, StreamDirection, StreamStat};
pub use trace::{
    BweTrace, MAX_TRACES_WAITING, RtpTrace, StreamTraceType, TraceDirection, TraceEvent, TraceInfo, TraceTarget,
    TransportTraceType,
};
pub(crate) use trace::{TraceQueue, Traced, Traces};
pub use transport::{Bandwidth, IceRole, SelectedTuple, TransportStat};
