//! The handles of what lives on a worker.

use std::sync::Arc;

use super::branches::{Branch, Part};
use super::slot::WorkerClient;
use super::{
    ConnectError, ConsumeError, ConsumerOptions, ObjectClosed, ProduceError, ProducerOptions, TransportError,
    WorkerGone,
};
use crate::ids::{ConsumerId, ProducerId, TransportId};
use crate::parameters::{
    ConsumerLayers, ConsumerType, DtlsParameters, IceCandidate, IceParameters, MediaKind, RtpParameters,
};
use crate::worker::{ConsumerInfo, PortReleased, ProducerInfo, TransportInfo};

/// One ICE and DTLS association with a peer.
#[derive(Debug, Clone)]
pub struct WebRtcTransport {
    info: Arc<TransportInfo>,
    pub(super) worker: WorkerClient,
    /// There if it is not on its room's home worker.
    branch: Option<Arc<Branch>>,
}

impl WebRtcTransport {
    pub(super) fn new(info: TransportInfo, part: Part) -> Self {
        Self { info: Arc::new(info), worker: part.worker, branch: part.branch.map(Arc::new) }
    }

    /// This transport's id.
    pub fn id(&self) -> TransportId {
        self.info.id
    }

    /// Our ICE parameters as the transport was made.
    pub fn ice_parameters(&self) -> &IceParameters {
        &self.info.ice_parameters
    }

    /// Where the peer finds us.
    pub fn ice_candidates(&self) -> &[IceCandidate] {
        &self.info.ice_candidates
    }

    /// Our certificate's fingerprints.
    pub fn dtls_parameters(&self) -> &DtlsParameters {
        &self.info.dtls_parameters
    }

    /// Gives the peer's DTLS role and fingerprints: the association may begin.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing has changed then.
    pub async fn connect(&self, dtls_parameters: DtlsParameters) -> Result<(), ConnectError> {
        let id = self.id();
        self.worker
            .call(move |shell, now| shell.core.borrow_mut().connect_transport(now, id, &dtls_parameters))
            .await
            .map_err(|_| ConnectError::Closed)?
    }

    /// Draws new ICE credentials. The old ones hold until the peer's first valid check with the new.
    ///
    /// # Errors
    /// [`TransportError`].
    pub async fn restart_ice(&self) -> Result<IceParameters, TransportError> {
        let id = self.id();
        self.worker
            .call(move |shell, now| shell.core.borrow_mut().restart_ice(now, id))
            .await?
            .map_err(|ObjectClosed| TransportError::Closed)
    }

    /// Takes in a source that the peer sends.
    ///
    /// # Errors
    /// [`ProduceError`]; nothing has changed then.
    pub async fn produce(&self, options: ProducerOptions) -> Result<Producer, ProduceError> {
        let id = self.id();
        let info = self
            .worker
            .call(move |shell, now| shell.core.borrow_mut().produce(now, id, options))
            .await
            .map_err(|_| ProduceError::Closed)??;
        Ok(Producer { info: Arc::new(info), worker: self.worker.clone() })
    }

    /// Sends a producer of the same router to the peer.
    ///
    /// # Errors
    /// [`ConsumeError`]; nothing has changed then.
    pub async fn consume(&self, options: ConsumerOptions) -> Result<Consumer, ConsumeError> {
        let id = self.id();
        let info = match &self.branch {
            Some(branch) => branch.consume(&self.worker, id, options).await?,
            None => self
                .worker
                .call(move |shell, now| shell.core.borrow_mut().consume(now, id, options))
                .await
                .map_err(|_| ConsumeError::Closed)??,
        };
        Ok(Consumer { info: Arc::new(info), worker: self.worker.clone() })
    }

    /// Sets what the peer is told to send at most, in bits per second; `None`: as much as its path carries.
    ///
    /// # Errors
    /// [`TransportError`].
    pub async fn set_max_incoming_bps(&self, bps: Option<u64>) -> Result<(), TransportError> {
        let id = self.id();
        self.worker
            .call(move |shell, now| shell.core.borrow_mut().set_max_incoming_bps(now, id, bps))
            .await?
            .map_err(|ObjectClosed| TransportError::Closed)
    }

    /// Sets what the peer is sent at most, in bits per second; `None`: as much as its path carries.
    ///
    /// # Errors
    /// [`TransportError`].
    pub async fn set_max_outgoing_bps(&self, bps: Option<u64>) -> Result<(), TransportError> {
        let id = self.id();
        self.worker
            .call(move |shell, now| shell.core.borrow_mut().set_max_outgoing_bps(now, id, bps))
            .await?
            .map_err(|ObjectClosed| TransportError::Closed)
    }

    /// Closes the transport with its producers and consumers. A port of its own is free again when this returns. Idempotent.
    pub async fn close(&self) {
        let id = self.id();
        let closing = self.worker.call(move |shell, now| {
            shell.core.borrow_mut().close_transport(now, id);
            shell.settle()
        });
        released(closing).await;
    }
}

/// Waits for the ports that a closing gives back.
pub(super) async fn released(closing: impl Future<Output = Result<Vec<PortReleased>, WorkerGone>>) {
    // A worker that is gone has closed everything already.
    for port in closing.await.unwrap_or_default() {
        port.wait().await;
    }
}

/// One source that a peer sends.
#[derive(Debug, Clone)]
pub struct Producer {
    info: Arc<ProducerInfo>,
    pub(super) worker: WorkerClient,
}

impl Producer {
    /// This producer's id.
    pub fn id(&self) -> ProducerId {
        self.info.id
    }

    /// Audio or video.
    pub fn kind(&self) -> MediaKind {
        self.info.kind
    }

    /// Stops forwarding; every consumer is told.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub async fn pause(&self) -> Result<(), ObjectClosed> {
        let id = self.id();
        self.worker
            .call(move |shell, now| shell.core.borrow_mut().pause_producer(now, id))
            .await
            .map_err(|_| ObjectClosed)?
    }

    /// Forwards again; every consumer is told, and a key frame is asked for.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub async fn resume(&self) -> Result<(), ObjectClosed> {
        let id = self.id();
        self.worker
            .call(move |shell, now| shell.core.borrow_mut().resume_producer(now, id))
            .await
            .map_err(|_| ObjectClosed)?
    }

    /// Closes the producer, and every consumer of it. Idempotent.
    pub async fn close(&self) {
        let id = self.id();
        let _ = self.worker.call(move |shell, now| shell.core.borrow_mut().close_producer(now, id)).await;
    }
}

/// One producer's media as it is sent to one peer.
#[derive(Debug, Clone)]
pub struct Consumer {
    info: Arc<ConsumerInfo>,
    pub(super) worker: WorkerClient,
}

impl Consumer {
    /// This consumer's id.
    pub fn id(&self) -> ConsumerId {
        self.info.id
    }

    /// What it consumes.
    pub fn producer_id(&self) -> ProducerId {
        self.info.producer_id
    }

    /// Audio or video.
    pub fn kind(&self) -> MediaKind {
        self.info.kind
    }

    /// How the producer's encodings reach the peer.
    pub fn consumer_type(&self) -> ConsumerType {
        self.info.consumer_type
    }

    /// What the peer will receive.
    pub fn rtp_parameters(&self) -> &RtpParameters {
        &self.info.rtp_parameters
    }

    /// The preferred layers when this consumer was made; `None`: the stream has no layers.
    pub fn preferred_layers(&self) -> Option<ConsumerLayers> {
        self.info.preferred_layers
    }

    /// Whether the producer was paused when this consumer was made.
    pub fn producer_paused(&self) -> bool {
        self.info.producer_paused
    }

    /// Stops sending.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub async fn pause(&self) -> Result<(), ObjectClosed> {
        let id = self.id();
        self.worker
            .call(move |shell, now| shell.core.borrow_mut().pause_consumer(now, id))
            .await
            .map_err(|_| ObjectClosed)?
    }

    /// Sends again, from the next key frame on, which is asked for.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub async fn resume(&self) -> Result<(), ObjectClosed> {
        let id = self.id();
        self.worker
            .call(move |shell, now| shell.core.borrow_mut().resume_consumer(now, id))
            .await
            .map_err(|_| ObjectClosed)?
    }

    /// Sets the highest layers to send. Returns what holds now, bounded by what there is; `None`: the stream has no layers.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub async fn set_preferred_layers(&self, layers: ConsumerLayers) -> Result<Option<ConsumerLayers>, ObjectClosed> {
        let id = self.id();
        self.worker
            .call(move |shell, now| shell.core.borrow_mut().set_preferred_layers(now, id, layers))
            .await
            .map_err(|_| ObjectClosed)?
    }

    /// Sets how important the consumer is among those of its transport when not everything fits: 1 (the default, as 0 is
    /// taken to mean) to 255.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub async fn set_priority(&self, priority: u8) -> Result<(), ObjectClosed> {
        let id = self.id();
        self.worker
            .call(move |shell, now| shell.core.borrow_mut().set_consumer_priority(now, id, priority))
            .await
            .map_err(|_| ObjectClosed)?
    }

    /// Asks the producer for a key frame; requests of many consumers are merged.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub async fn request_key_frame(&self) -> Result<(), ObjectClosed> {
        let id = self.id();
        self.worker
            .call(move |shell, now| shell.core.borrow_mut().request_key_frame(now, id))
            .await
            .map_err(|_| ObjectClosed)?
    }

    /// Closes the consumer. Idempotent.
    pub async fn close(&self) {
        let id = self.id();
        let _ = self.worker.call(move |shell, now| shell.core.borrow_mut().close_consumer(now, id)).await;
    }
}
