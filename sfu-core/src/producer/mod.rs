//! One source as a peer sends it: loss, jitter, NACK, key frame requests, the packet store.

mod encoding;
mod gathered;
pub mod key_frame_requester;
mod liveness;
pub mod nack;
pub mod packet_store;
mod payloads;
pub mod receive_stream;
pub mod sequence;
mod shadow;
mod wanted;

use std::time::Instant;

pub(crate) use encoding::{Encoding, SourceStream};
pub(crate) use gathered::{Arrived, Gathered, MAX_GATHERED, Progress, encoding_bit};
pub(crate) use liveness::Liveness;
pub(crate) use payloads::{MediaPayload, PayloadEntry, PayloadTable, RedPacket};

pub use shadow::ProducerCopy;
pub(crate) use shadow::Shadow;
pub(crate) use wanted::{LayerUsers, WantedLayers};

use crate::congestion::layer_rates::{LayerKind, LayerRates};
use crate::ids::{PayloadType, ProducerId, RouterId, Ssrc};
use crate::negotiation::{RtpMapping, ScalabilityMode};
use crate::parameters::{MediaKind, ProducerType, RtpCodecParameters, RtpParameters};
use crate::rtp::extensions::{ExtensionIds, ExtensionValues};
use crate::rtp::layers::Layers;
use crate::stats::{TraceTarget, Traced, Traces};
use crate::transport::extension_ids;
use crate::worker::{ConsumerKey, Piped, RouterKey, TransportKey};

/// How the peer wants to be asked for key frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyFrameFeedback {
    /// Picture loss indication (RFC 4585 section 6.3.1): preferred, for it is the cheaper to repeat.
    Pli,
    /// Full intra request (RFC 5104 section 4.3.1).
    Fir,
    /// Not at all: audio, or a peer that negotiated neither.
    None,
}

/// A producer.
#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) id: ProducerId,
    pub(crate) router: RouterId,
    /// The same, as its worker finds it.
    pub(crate) router_key: RouterKey,
    pub(crate) transport: TransportKey,
    pub(crate) kind: MediaKind,
    pub(crate) producer_type: ProducerType,
    /// MID under which its packets come, if it has one.
    pub(crate) mid: Option<String>,
    /// What consumers are negotiated from.
    pub(crate) consumable: RtpParameters,
    pub(crate) payloads: PayloadTable,
    /// The ids of its header extensions.
    pub(crate) extension_ids: ExtensionIds,
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) key_frame_feedback: KeyFrameFeedback,
    pub(crate) paused: bool,
    pub(crate) consumers: Vec<ConsumerKey>,
    /// Whether it shows a screen.
    pub(crate) is_screen: bool,
    /// Whether the room forwards it: it is among the latest or loudest speakers, or the room forwards everybody.
    pub(crate) is_selected: bool,
    /// Which of its layers come.
    pub(crate) liveness: Liveness,
    /// How much they are.
    pub(crate) rates: LayerRates,
    /// How many use each of them.
    pub(crate) users: LayerUsers,
    /// Which of them its owner was told to send.
    pub(crate) wanted: WantedLayers,
    pub(crate) traces: Traces,
    /// What has come and is not forwarded yet.
    pub(crate) gathered: Gathered,
    /// When the worker looks next for packets of it that were gathered, or that consumers hold.
    pub(crate) armed: Option<Instant>,
    /// The pipes that its packets go into: one for each branch of the room that has consumers of it.
    pub(crate) pipes: Vec<Piped>,
    /// There if it is the shadow of a producer on another worker.
    pub(crate) shadow: Option<Box<Shadow>>,
}

/// What a producer is made with.
pub(crate) struct ProducerSetup<'a> {
    pub(crate) id: ProducerId,
    pub(crate) router: RouterId,
    /// The same, as its worker finds it.
    pub(crate) router_key: RouterKey,
    pub(crate) transport: TransportKey,
    pub(crate) kind: MediaKind,
    pub(crate) producer_type: ProducerType,
    /// As the peer sends it, validated.
    pub(crate) parameters: &'a RtpParameters,
    /// Made from `parameters`.
    pub(crate) mapping: &'a RtpMapping,
    /// Made from both.
    pub(crate) consumable: RtpParameters,
    pub(crate) paused: bool,
    pub(crate) is_screen: bool,
    pub(crate) now: Instant,
}

/// A source that a packet was found to belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// Index of the encoding.
    pub(crate) encoding: usize,
    /// Whether the source carries its retransmissions.
    pub(crate) is_rtx: bool,
}

impl Producer {
    pub(crate) fn new(setup: ProducerSetup<'_>) -> Self {
        let ProducerSetup {
            id,
            router,
            router_key,
            transport,
            kind,
            producer_type,
            parameters,
            mapping,
            consumable,
            paused,
            is_screen,
            now,
        } = setup;
        let payloads = PayloadTable::new(parameters, mapping);
        let mut ids = ExtensionIds::new();
        extension_ids(parameters, &mut ids);
        let has_dtx = parameters.codecs.iter().any(has_dtx);
        let encodings: Vec<Encoding> =
            parameters.encodings.iter().map(|encoding| Encoding::new(encoding, has_dtx)).collect();
        let layer_kind = match producer_type {
            ProducerType::Svc if encodings.len() == 1 => LayerKind::Svc,
            _ => LayerKind::Simulcast,
        };
        let spatial_layers = match (kind, encodings.len()) {
            (MediaKind::Audio, _) => 0,
            (MediaKind::Video, 0 | 1) => usize::from(scalability(parameters).spatial_layers),
            (MediaKind::Video, several) => several,
        };
        let feedback = |kind: &str, parameter: &str| {
            parameters.codecs.iter().any(|codec| codec.rtcp_feedback.iter().any(|entry| entry.is(kind, parameter)))
        };
        let key_frame_feedback = match kind {
            MediaKind::Audio => KeyFrameFeedback::None,
            MediaKind::Video if feedback("nack", "pli") => KeyFrameFeedback::Pli,
            MediaKind::Video if feedback("ccm", "fir") => KeyFrameFeedback::Fir,
            MediaKind::Video => KeyFrameFeedback::None,
        };
        Self {
            id,
            router,
            router_key,
            transport,
            kind,
            producer_type,
            mid: parameters.mid.clone(),
            consumable,
            payloads,
            extension_ids: ids,
            key_frame_feedback,
            paused,
            consumers: Vec::new(),
            is_screen,
            is_selected: true,
            liveness: Liveness::default(),
            rates: LayerRates::new(layer_kind),
            users: LayerUsers::default(),
            wanted: WantedLayers::new(now, spatial_layers),
            encodings,
            traces: Traces::default(),
            gathered: Gathered::default(),
            armed: None,
            pipes: Vec::new(),
            shadow: None,
        }
    }

    /// The layers that anybody uses, here or in a branch, a bit for each.
    pub(crate) fn used_layers(&self) -> u8 {
        self.pipes.iter().fold(self.users.layers(), |bits, piped| bits | piped.used)
    }

    /// Who hears what of it.
    pub(crate) fn traced(&self) -> Traced {
        Traced { router: self.router, target: TraceTarget::Producer(self.id), traces: self.traces }
    }

    /// Finds the encoding of a packet whose SSRC is not known yet: by RID, by the RID it repairs, or, with one encoding
    /// alone, by its payload type. An encoding keeps the first source that it was given.
    pub(crate) fn assign(
        &self,
        payload_type: PayloadType,
        packet: &[u8],
        extensions: &ExtensionValues,
    ) -> Option<Assignment> {
        use crate::rtp::extensions::ExtensionKind::{RepairedRid, Rid};
        let is_rtx = match self.payloads.get(payload_type)? {
            PayloadEntry::Media(_) | PayloadEntry::Red(_) => false,
            PayloadEntry::Rtx { .. } => true,
        };
        let rid = if is_rtx {
            extensions.bytes(RepairedRid, packet).or_else(|| extensions.bytes(Rid, packet))
        } else {
            extensions.bytes(Rid, packet)
        };
        let encoding = match rid {
            Some(rid) => self.encodings.iter().position(|encoding| encoding.has_rid(rid))?,
            None if self.encodings.len() == 1 => 0,
            None => return None,
        };
        let known = self.encodings.get(encoding)?;
        let free = if is_rtx { known.rtx_ssrc.is_none() } else { known.ssrc.is_none() };
        free.then_some(Assignment { encoding, is_rtx })
    }

    /// Every SSRC that signalling named, with what it carries.
    pub(crate) fn signalled_sources(&self) -> impl Iterator<Item = (Ssrc, Assignment)> {
        self.encodings.iter().enumerate().flat_map(|(encoding, source)| {
            let media = source.ssrc.map(|ssrc| (ssrc, Assignment { encoding, is_rtx: false }));
            let rtx = source.rtx_ssrc.map(|ssrc| (ssrc, Assignment { encoding, is_rtx: true }));
            media.into_iter().chain(rtx)
        })
    }

    /// Whether it is video of a person rather than of a screen.
    pub(crate) fn is_camera(&self) -> bool {
        self.kind == MediaKind::Video && !self.is_screen
    }

    /// What the layers inside an encoding's stream carry, each with all below it, in bits per second; 0 for one that has stopped,
    /// and nothing for a stream of one layer.
    pub(crate) fn rates_of(&self, now: Instant, encoding: usize) -> Vec<(Layers, u64)> {
        let is_simulcast = self.producer_type == ProducerType::Simulcast;
        let own = |layers: &Layers| !is_simulcast || usize::from(layers.spatial) == encoding;
        let seen: Vec<Layers> = self.rates.seen().filter(own).collect();
        if seen.len() < 2 {
            return Vec::new();
        }
        let rate = |layers: Layers| match self.rates.is_live(now, layers.spatial) {
            true => self.rates.cumulative_bps(now, layers),
            false => 0,
        };
        let inside = |layers: Layers| if is_simulcast { Layers { spatial: 0, ..layers } } else { layers };
        seen.into_iter().map(|layers| (inside(layers), rate(layers))).collect()
    }

    /// The layers of a packet of an encoding: in a simulcast its spatial layer is the encoding; what was announced as without
    /// layers has none.
    pub(crate) fn layers_of(&self, encoding: usize, inside: Layers) -> Layers {
        match self.producer_type {
            ProducerType::Simple => Layers::default(),
            ProducerType::Simulcast => Layers { spatial: encoding as u8, ..inside },
            ProducerType::Svc => inside,
        }
    }
}

/// The layers inside each stream: those of the first encoding, for browsers give all the same.
pub(crate) fn scalability(parameters: &RtpParameters) -> ScalabilityMode {
    let mode = parameters.encodings.first().and_then(|encoding| encoding.scalability_mode.as_deref());
    ScalabilityMode::parse(mode)
}

/// RFC 7587 section 7.1.
fn has_dtx(codec: &RtpCodecParameters) -> bool {
    codec.parameters.integer("usedtx") == Some(1)
}
