//! Consumers: making, pausing, closing.

use std::time::Instant;

use rand::RngCore;

use super::core::{ConsumerKey, Core, ProducerKey, TransportKey};
use super::errors::{ConsumeError, ObjectClosed};
use super::info::{ConsumerInfo, ConsumerOptions, TransportUse};
use super::limits::MAX_CONSUMERS_PER_TRANSPORT;
use crate::consumer::selector::{Layering, UpSwitch};
use crate::consumer::{Consumer, ConsumerSetup, RtxTarget, first_sequence};
use crate::ids::{ConsumerId, Ssrc, TransportId};
use crate::negotiation::{NegotiationError, ScalabilityMode, consumer_rtp_parameters, validate_rtp_capabilities};
use crate::parameters::{ConsumerType, MediaKind, RtpParameters};
use crate::producer::Producer;
use crate::producer::key_frame_requester::KeyFrameReason;
use crate::rtcp::outgoing::Cname;
use crate::rtp::extensions::{ExtensionIds, ExtensionKind};
use crate::rtp::writer::ExtensionPlan;
use crate::srtp::SealStream;
use crate::transport::extension_ids;

impl Core {
    /// Sends a producer of the same router to a transport's peer.
    ///
    /// # Errors
    /// [`ConsumeError`]; nothing has changed then.
    pub fn consume(
        &mut self,
        now: Instant,
        transport: TransportId,
        options: ConsumerOptions,
    ) -> Result<ConsumerInfo, ConsumeError> {
        let ConsumerOptions { producer_id, mut rtp_capabilities, paused, preferred_layers } = options;
        let key = *self.transport_ids.get(&transport).ok_or(ConsumeError::Closed)?;
        let transport = self.transports.get_mut(key).ok_or(ConsumeError::Closed)?;
        if transport.used_for == TransportUse::Produce {
            return Err(ConsumeError::NotForConsuming);
        }
        let not_found = ConsumeError::ProducerNotFound(producer_id);
        let Some(&producer_key) = self.producer_ids.get(&producer_id) else { return Err(not_found) };
        // Another room's producer is as unknown as none: its id may have leaked.
        let in_this_room = |producer: &&mut Box<Producer>| producer.router == transport.router;
        let Some(producer) = self.producers.get_mut(producer_key).filter(in_this_room) else { return Err(not_found) };
        if transport.consumers.len() >= MAX_CONSUMERS_PER_TRANSPORT {
            return Err(ConsumeError::TooMany { limit: MAX_CONSUMERS_PER_TRANSPORT });
        }
        validate_rtp_capabilities(&mut rtp_capabilities).map_err(NegotiationError::from)?;
        let mut parameters = loop {
            let drawn = consumer_rtp_parameters(&producer.consumable, &rtp_capabilities, false, true, &mut self.rng)?;
            if ssrcs(&drawn).all(|ssrc| !transport.outbound.contains_key(&ssrc)) {
                break drawn;
            }
        };
        parameters.mid = Some(transport.next_mid());
        let id = ConsumerId::random(&mut self.rng);
        let kind = producer.kind;
        let consumer_type = producer.producer_type;
        let place = Place { id, producer: producer_key, transport: key, kind, consumer_type, paused };
        let setup = setup(place, &parameters, &mut self.rng).ok_or(NegotiationError::NoCompatibleCodecs)?;
        let mut consumer = Consumer::new(now, setup, &mut self.rng);
        consumer.limit_to(preferred_layers);
        let info = ConsumerInfo {
            id,
            producer_id,
            kind,
            consumer_type,
            rtp_parameters: parameters,
            producer_paused: producer.paused,
            preferred_layers: consumer.preferred_layers(),
        };
        let consumer_key = self.consumers.insert(Box::new(consumer));
        producer.consumers.push(consumer_key);
        transport.consumers.push(consumer_key);
        transport.outbound.extend(ssrcs(&info.rtp_parameters).map(|ssrc| (ssrc, consumer_key)));
        self.consumer_ids.insert(id, consumer_key);
        self.enable_estimate(now, key, &info.rtp_parameters);
        self.allocate_soon(now, key);
        self.start_key_frame_for(now, consumer_key);
        self.rearm(now, key);
        Ok(info)
    }

    /// Stops sending. Idempotent.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn pause_consumer(&mut self, now: Instant, id: ConsumerId) -> Result<(), ObjectClosed> {
        let (key, consumer) = self.consumer_mut(id)?;
        consumer.paused = true;
        consumer.stop();
        let transport = consumer.transport;
        self.retarget(now, key);
        self.allocate_soon(now, transport);
        Ok(())
    }

    /// Sends again, from the next key frame on, which is asked for. Idempotent.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn resume_consumer(&mut self, now: Instant, id: ConsumerId) -> Result<(), ObjectClosed> {
        let (key, consumer) = self.consumer_mut(id)?;
        if std::mem::replace(&mut consumer.paused, false) {
            let transport = consumer.transport;
            self.allocate_soon(now, transport);
            self.start_key_frame_for(now, key);
        }
        Ok(())
    }

    /// Asks the producer for a key frame, on behalf of a consumer.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn request_key_frame(&mut self, now: Instant, id: ConsumerId) -> Result<(), ObjectClosed> {
        let (key, _) = self.consumer_mut(id)?;
        self.key_frame_for(now, key);
        Ok(())
    }

    /// A consumer's peer cannot decode, or its owner says so.
    pub(super) fn key_frame_for(&mut self, now: Instant, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get(key).filter(|consumer| !consumer.paused) else { return };
        let (producer, encoding) = (consumer.producer, consumer.decoding_from());
        self.ask_key_frame(now, producer, encoding, KeyFrameReason::CannotDecode);
    }

    /// Closes a consumer. Idempotent.
    pub fn close_consumer(&mut self, now: Instant, id: ConsumerId) {
        let Some(&key) = self.consumer_ids.get(&id) else { return };
        let Some(transport) = self.consumers.get(key).map(|consumer| consumer.transport) else { return };
        let producer = self.consumers.get(key).map(|consumer| consumer.producer);
        self.remove_consumer(key);
        if let Some(producer) = producer {
            self.update_wanted(now, producer);
        }
        self.allocate_soon(now, transport);
        self.rearm(now, transport);
    }

    /// Takes a consumer out of everything that knows it.
    pub(super) fn remove_consumer(&mut self, key: ConsumerKey) -> Option<ConsumerId> {
        let consumer = self.consumers.remove(key)?;
        self.consumer_ids.remove(&consumer.id);
        if let Some(producer) = self.producers.get_mut(consumer.producer) {
            if let Some(index) = producer.consumers.iter().position(|other| *other == key) {
                producer.consumers.remove(index);
                producer.gathered.handle_consumer_removed(index);
            }
            producer.users.change(consumer.counted_layers, 0);
        }
        if let Some(transport) = self.transports.get_mut(consumer.transport) {
            transport.consumers.retain(|other| *other != key);
            transport.downlink.pacer.retain(|paced| paced.consumer() != key);
            transport.outbound.remove(&consumer.ssrc);
            if let Some(rtx) = &consumer.rtx {
                transport.outbound.remove(&rtx.ssrc);
            }
        }
        Some(consumer.id)
    }

    pub(super) fn consumer_mut(&mut self, id: ConsumerId) -> Result<(ConsumerKey, &mut Consumer), ObjectClosed> {
        let key = *self.consumer_ids.get(&id).ok_or(ObjectClosed)?;
        Ok((key, self.consumers.get_mut(key).ok_or(ObjectClosed)?))
    }
}

/// Where a consumer belongs.
struct Place {
    id: ConsumerId,
    producer: ProducerKey,
    transport: TransportKey,
    kind: MediaKind,
    consumer_type: ConsumerType,
    paused: bool,
}

/// What the packet path needs to know of negotiated parameters. `None` when they name no stream or no media codec, which
/// negotiation does not answer.
fn setup(place: Place, parameters: &RtpParameters, rng: &mut impl RngCore) -> Option<ConsumerSetup> {
    let encoding = parameters.encodings.first()?;
    let media = || parameters.codecs.iter().filter(|codec| !codec.mime_type.is_rtx());
    let rtx = encoding.rtx.map(|rtx| RtxTarget {
        ssrc: rtx.ssrc,
        payload_types: parameters
            .codecs
            .iter()
            .filter(|codec| codec.mime_type.is_rtx())
            .filter_map(|codec| Some((codec.associated_payload_type()?, codec.payload_type)))
            .collect(),
        next_sequence: first_sequence(rng),
        seal: SealStream::new(rtx.ssrc),
    });
    let mut ids = ExtensionIds::new();
    extension_ids(parameters, &mut ids);
    // Other codecs have their picture numbers in the payload, where they are rewritten; the descriptor's would contradict them.
    if !media().any(|codec| codec.mime_type.is_codec("AV1")) {
        ids.unset(ExtensionKind::DependencyDescriptor);
    }
    let Place { id, producer, transport, kind, consumer_type, paused } = place;
    Some(ConsumerSetup {
        id,
        producer,
        transport,
        kind,
        ssrc: encoding.ssrc?,
        rtx,
        payload_types: media().map(|codec| codec.payload_type).collect(),
        plan: ExtensionPlan::new(&ids, parameters.mid.as_deref()).ok()?,
        clock_rate_hz: media().next()?.clock_rate,
        cname: Cname::new(parameters.rtcp.cname.as_deref().unwrap_or_default()).ok()?,
        paused,
        layering: layering(consumer_type, parameters),
    })
}

/// Where the layers are, by the mode that was negotiated.
fn layering(consumer_type: ConsumerType, parameters: &RtpParameters) -> Layering {
    let mode = parameters.encodings.first().and_then(|encoding| encoding.scalability_mode.as_deref());
    let ScalabilityMode { spatial_layers, temporal_layers, .. } = ScalabilityMode::parse(mode);
    match consumer_type {
        ConsumerType::Simple => Layering::Plain,
        ConsumerType::Simulcast => Layering::Simulcast { encodings: spatial_layers, temporal_layers },
        ConsumerType::Svc => {
            let is_vp9 = parameters.codecs.first().is_some_and(|codec| codec.mime_type.is_codec("VP9"));
            let up_switch = if is_vp9 { UpSwitch::SpatialSwitch } else { UpSwitch::KeyFrame };
            Layering::Svc { spatial_layers, temporal_layers, up_switch }
        }
    }
}

fn ssrcs(parameters: &RtpParameters) -> impl Iterator<Item = Ssrc> {
    parameters.encodings.iter().flat_map(|encoding| encoding.ssrc.into_iter().chain(encoding.rtx.map(|rtx| rtx.ssrc)))
}
