//! Producers: making, pausing, closing, and asking their peers for key frames.

use std::time::Instant;

use super::core::{Core, ProducerKey, TransportKey};
use super::errors::{ObjectClosed, ProduceError};
use super::info::{ProducerInfo, ProducerOptions, TransportUse};
use super::limits::{MAX_ENCODINGS_PER_TRANSPORT, MAX_PRODUCERS_PER_TRANSPORT};
use crate::congestion::remb::RembEstimator;
use crate::congestion::transport_feedback::TransportFeedback;
use crate::ids::{ProducerId, Ssrc, TransportId};
use crate::negotiation::{
    NegotiationError, consumable_rtp_parameters, producer_rtp_parameters_mapping, producer_type,
    validate_rtp_parameters,
};
use crate::parameters::{MediaKind, RtpParameters};
use crate::producer::key_frame_requester::KeyFrameReason;
use crate::producer::{Assignment, Producer, ProducerSetup};
use crate::router::RouterEvent;
use crate::srtp::OpenStream;
use crate::transport::{InboundStream, PathFeedback, extension_ids};

/// What REMB tells a peer at most. No one stream of a browser comes near.
const MAX_REMB_BPS: u64 = 50_000_000;

impl Core {
    /// Takes in a source that a transport's peer sends.
    ///
    /// # Errors
    /// [`ProduceError`]; nothing has changed then.
    pub fn produce(
        &mut self,
        now: Instant,
        transport: TransportId,
        options: ProducerOptions,
    ) -> Result<ProducerInfo, ProduceError> {
        let ProducerOptions { kind, mut rtp_parameters, paused, is_screen } = options;
        let key = *self.transport_ids.get(&transport).ok_or(ProduceError::Closed)?;
        if self.transports.get(key).is_some_and(|transport| transport.used_for == TransportUse::Consume) {
            return Err(ProduceError::NotForProducing);
        }
        validate_rtp_parameters(&mut rtp_parameters).map_err(NegotiationError::from)?;
        let producer_type = producer_type(&rtp_parameters)?;
        // Reports need one, and what a transport sends belongs together (RFC 3550 section 6.5.1).
        rtp_parameters.rtcp.cname.get_or_insert_with(|| transport.to_string());
        let mapping = producer_rtp_parameters_mapping(&mut rtp_parameters, &self.capabilities, &mut self.rng)?;
        let consumable = consumable_rtp_parameters(kind, &rtp_parameters, &self.capabilities, &mapping)?;
        self.check_distinct(key, &rtp_parameters)?;

        let id = ProducerId::random(&mut self.rng);
        let transport = self.transports.get_mut(key).ok_or(ProduceError::Closed)?;
        if transport.producers.len() >= MAX_PRODUCERS_PER_TRANSPORT {
            return Err(ProduceError::TooMany { limit: MAX_PRODUCERS_PER_TRANSPORT });
        }
        let taken = |key: &ProducerKey| self.producers.get(*key).map_or(0, |producer| producer.encodings.len());
        let encodings = transport.producers.iter().map(taken).sum::<usize>() + rtp_parameters.encodings.len();
        if encodings > MAX_ENCODINGS_PER_TRANSPORT {
            return Err(ProduceError::TooManyEncodings { limit: MAX_ENCODINGS_PER_TRANSPORT });
        }
        let router = transport.router;
        let router_key = *self.router_ids.get(&router).ok_or(ProduceError::Closed)?;
        let producer = Producer::new(ProducerSetup {
            id,
            router,
            router_key,
            transport: key,
            kind,
            producer_type,
            parameters: &rtp_parameters,
            mapping: &mapping,
            consumable,
            paused,
            is_screen,
            now,
        });
        let sources: Vec<_> = producer.signalled_sources().collect();
        let producer_key = self.producers.insert(Box::new(producer));
        transport.producers.push(producer_key);
        for (ssrc, Assignment { encoding, is_rtx }) in sources {
            let open = OpenStream::new(ssrc);
            transport.inbound.insert(InboundStream { ssrc, open, producer: producer_key, encoding, is_rtx });
        }
        extension_ids(&rtp_parameters, &mut transport.extension_ids);
        self.enable_feedback(key, &rtp_parameters);
        self.producer_ids.insert(id, producer_key);
        self.observe_producer(now, producer_key);
        self.rearm(now, key);
        Ok(ProducerInfo { id, kind, producer_type })
    }

    /// Nothing that packets are told apart by may be in use on the transport.
    fn check_distinct(&self, key: TransportKey, parameters: &RtpParameters) -> Result<(), ProduceError> {
        let transport = self.transports.get(key).ok_or(ProduceError::Closed)?;
        let others = || transport.producers.iter().filter_map(|other| self.producers.get(*other));
        let mut seen: Vec<Ssrc> = Vec::new();
        for encoding in &parameters.encodings {
            for ssrc in encoding.ssrc.into_iter().chain(encoding.rtx.map(|rtx| rtx.ssrc)) {
                if seen.contains(&ssrc) || transport.inbound.contains(ssrc) {
                    return Err(ProduceError::SsrcInUse(ssrc));
                }
                seen.push(ssrc);
            }
        }
        match &parameters.mid {
            Some(mid) if others().any(|other| other.mid.as_ref() == Some(mid)) => {
                Err(ProduceError::MidInUse(mid.clone()))
            }
            Some(_) => Ok(()),
            None => {
                let mut rids = parameters.encodings.iter().filter_map(|encoding| encoding.rid.as_ref());
                let taken = rids.find(|rid| {
                    others()
                        .any(|other| other.mid.is_none() && other.encodings.iter().any(|e| e.has_rid(rid.as_bytes())))
                });
                taken.map_or(Ok(()), |rid| Err(ProduceError::RidInUse(rid.clone())))
            }
        }
    }

    /// Sets what a transport's peer is told to send at most, in bits per second; `None`: as much as its path carries.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn set_max_incoming_bps(
        &mut self,
        now: Instant,
        id: TransportId,
        bps: Option<u64>,
    ) -> Result<(), ObjectClosed> {
        let (key, transport) = self.transport_mut(id)?;
        transport.incoming_cap.set(now, bps);
        if let Some(remb) = &mut transport.remb {
            remb.set_max_bps(bps.unwrap_or(MAX_REMB_BPS));
        }
        self.rearm(now, key);
        Ok(())
    }

    /// Turns on what the peer wants to hear of its path: transport-wide feedback, else REMB.
    fn enable_feedback(&mut self, key: TransportKey, parameters: &RtpParameters) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        match PathFeedback::of(parameters) {
            Some(PathFeedback::TransportWide) => {
                transport.transport_feedback.get_or_insert_with(TransportFeedback::default);
                // Its sender estimates by itself: two opinions would fight.
                transport.remb = None;
            }
            Some(PathFeedback::Remb) if transport.transport_feedback.is_none() => {
                let max_bps = transport.incoming_cap.bps().unwrap_or(MAX_REMB_BPS);
                transport.remb.get_or_insert_with(|| RembEstimator::new(max_bps));
            }
            Some(PathFeedback::Remb) | None => {}
        }
    }

    /// Stops forwarding a producer. Its consumers are told. Idempotent.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn pause_producer(&mut self, now: Instant, id: ProducerId) -> Result<(), ObjectClosed> {
        let key = *self.producer_ids.get(&id).ok_or(ObjectClosed)?;
        self.set_producer_paused(now, key, true);
        Ok(())
    }

    /// Forwards a producer again, from its next key frame, which is asked for. Its consumers are told. Idempotent.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn resume_producer(&mut self, now: Instant, id: ProducerId) -> Result<(), ObjectClosed> {
        let key = *self.producer_ids.get(&id).ok_or(ObjectClosed)?;
        self.set_producer_paused(now, key, false);
        Ok(())
    }

    /// Stops or goes on forwarding a producer, and tells its consumers.
    pub(super) fn set_producer_paused(&mut self, now: Instant, key: ProducerKey, paused: bool) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        if std::mem::replace(&mut producer.paused, paused) == paused {
            return;
        }
        let (router, consumers) = (producer.router, producer.consumers.clone());
        if !paused {
            for stream in producer.encodings.iter_mut().filter_map(|encoding| encoding.stream.as_mut()) {
                stream.receive.watch_from(now);
            }
        }
        self.pipe_state(key);
        for key in consumers {
            let Some(consumer) = self.consumers.get_mut(key) else { continue };
            let (consumer_id, transport) = (consumer.id, consumer.transport);
            if paused {
                consumer.stop();
                self.tell(router, RouterEvent::ConsumerProducerPaused { consumer_id });
                self.retarget(now, key);
            } else {
                self.tell(router, RouterEvent::ConsumerProducerResumed { consumer_id });
            }
            self.allocate_soon(now, transport);
        }
        if !paused {
            self.want_key_frame(now, key);
            // Whoever left meanwhile was not told of.
            self.update_wanted(now, key);
        }
    }

    /// Closes a producer and its consumers, which are told. Idempotent.
    pub fn close_producer(&mut self, now: Instant, id: ProducerId) {
        let Some(&key) = self.producer_ids.get(&id) else { return };
        let Some((router, transport)) = self.producers.get(key).map(|producer| (producer.router, producer.transport))
        else {
            return;
        };
        self.remove_producer(now, router, key);
        self.rearm(now, transport);
    }

    /// Asks for the key frames that take consumers to their targets: one of each encoding for all of them.
    pub(super) fn want_key_frame(&mut self, now: Instant, key: ProducerKey) {
        let Some(producer) = self.producers.get_mut(key).filter(|producer| !producer.paused) else { return };
        let transport = producer.transport;
        // A key frame that comes before its consumer can be sent to would be lost, and the next one be some time away.
        let encodings = producer
            .consumers
            .iter()
            .filter_map(|key| self.consumers.get(*key))
            .filter(|consumer| {
                self.transports.get(consumer.transport).is_some_and(|transport| transport.media_path().is_some())
            })
            .filter_map(|consumer| consumer.wanted_key_frame())
            .fold(0_u128, |bits, encoding| bits | 1 << (encoding % 128));
        if producer.shadow.is_some() {
            for encoding in (0..128).filter(|encoding| encodings >> encoding & 1 != 0) {
                self.request_key_frame_of(now, key, encoding, KeyFrameReason::Starts);
            }
            return;
        }
        for (index, encoding) in producer.encodings.iter_mut().enumerate() {
            if index < 128 && encodings >> index & 1 != 0 {
                encoding.key_frames.request_start(now);
            }
        }
        if encodings != 0 {
            self.send_due_key_frame_requests(now, transport);
            self.rearm(now, transport);
        }
    }

    /// Asks a producer for a key frame of one encoding, wherever it is.
    pub(super) fn ask_key_frame(&mut self, now: Instant, key: ProducerKey, encoding: usize, reason: KeyFrameReason) {
        let Some(producer) = self.producers.get_mut(key).filter(|producer| !producer.paused) else { return };
        if producer.shadow.is_some() {
            return self.request_key_frame_of(now, key, encoding, reason);
        }
        let (transport, is_video) = (producer.transport, producer.kind == MediaKind::Video);
        if let Some(encoding) = producer.encodings.get_mut(encoding).filter(|_| is_video) {
            encoding.key_frames.ask(now, reason);
            self.send_due_key_frame_requests(now, transport);
            self.rearm(now, transport);
        }
    }
}
