//! `getStats` and `enableTraceEvent` on the handles.

use super::handles::{Consumer, Producer, WebRtcTransport};
use super::{ObjectClosed, TransportError};
use crate::stats::{StreamStat, StreamTraceType, TransportStat, TransportTraceType};

impl WebRtcTransport {
    /// What the transport carries and has carried.
    ///
    /// # Errors
    /// [`TransportError`].
    pub async fn get_stats(&self) -> Result<TransportStat, TransportError> {
        let id = self.id();
        self.worker
            .call(move |shell, now| shell.core.borrow().transport_stats(now, id))
            .await?
            .map_err(|ObjectClosed| TransportError::Closed)
    }

    /// Makes the router's events tell of these types, and of no others, of what happens on the transport. None at first.
    ///
    /// # Errors
    /// [`TransportError`].
    pub async fn enable_trace_event(&self, types: Vec<TransportTraceType>) -> Result<(), TransportError> {
        let id = self.id();
        self.worker
            .call(move |shell, _| shell.core.borrow_mut().trace_transport(id, &types))
            .await?
            .map_err(|ObjectClosed| TransportError::Closed)
    }
}

impl Producer {
    /// How the producer's streams arrive: an entry for each that has sent something, in the order of its encodings.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub async fn get_stats(&self) -> Result<Vec<StreamStat>, ObjectClosed> {
        let id = self.id();
        self.worker
            .call(move |shell, now| shell.core.borrow().producer_stats(now, id))
            .await
            .map_err(|_| ObjectClosed)?
    }

    /// Makes the router's events tell of these types, and of no others, of what happens to the producer. None at first.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub async fn enable_trace_event(&self, types: Vec<StreamTraceType>) -> Result<(), ObjectClosed> {
        let id = self.id();
        self.worker
            .call(move |shell, _| shell.core.borrow_mut().trace_producer(id, &types))
            .await
            .map_err(|_| ObjectClosed)?
    }
}

impl Consumer {
    /// How the consumer's stream leaves and arrives, and after it how the producer's stream arrives that it is made of, if one
    /// is.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub async fn get_stats(&self) -> Result<Vec<StreamStat>, ObjectClosed> {
        let id = self.id();
        self.worker
            .call(move |shell, now| shell.core.borrow().consumer_stats(now, id))
            .await
            .map_err(|_| ObjectClosed)?
    }

    /// Makes the router's events tell of these types, and of no others, of what happens to the consumer. None at first.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub async fn enable_trace_event(&self, types: Vec<StreamTraceType>) -> Result<(), ObjectClosed> {
        let id = self.id();
        self.worker
            .call(move |shell, _| shell.core.borrow_mut().trace_consumer(id, &types))
            .await
            .map_err(|_| ObjectClosed)?
    }
}
