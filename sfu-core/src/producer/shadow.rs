//! A producer that lives on another worker, as this one knows it: a copy of what was negotiated, and what is asked of the
//! original.

use std::time::{Duration, Instant};

use super::key_frame_requester::{KeyFrameReason, MIN_START_INTERVAL};
use super::{Encoding, KeyFrameFeedback, Liveness, PayloadTable, Producer};
use crate::congestion::layer_rates::{LayerKind, LayerRates};
use crate::ids::{ProducerId, RouterId};
use crate::parameters::{MediaKind, ProducerType, RtpParameters};
use crate::producer::{Gathered, LayerUsers, WantedLayers};
use crate::rtp::extensions::ExtensionIds;
use crate::stats::Traces;
use crate::worker::{PipeTailKey, RouterKey, TransportKey};

/// A key frame is asked for again across a pipe after this long, at the earliest, unless one came or the reason is more urgent.
/// The original repeats a request by itself; it takes new ones no more often than this.
const ASK_AGAIN: Duration = MIN_START_INTERVAL;

/// What another worker must know of a producer to serve consumers of it.
#[derive(Debug)]
pub struct ProducerCopy {
    id: ProducerId,
    kind: MediaKind,
    producer_type: ProducerType,
    layer_kind: LayerKind,
    consumable: RtpParameters,
    payloads: PayloadTable,
    extension_ids: ExtensionIds,
    encodings: Vec<Encoding>,
    paused: bool,
    is_screen: bool,
    is_selected: bool,
}

impl ProducerCopy {
    /// Whose copy it is.
    pub fn id(&self) -> ProducerId {
        self.id
    }
}

/// What makes a producer a shadow of one on another worker.
#[derive(Debug)]
pub(crate) struct Shadow {
    /// Where its packets come from.
    pub(crate) tail: PipeTailKey,
    /// The layers in use, a bit for each, as the original was told last.
    pub(crate) told_used: u8,
    /// Whether it had no consumer when that was looked at last.
    pub(crate) was_unused: bool,
    /// The latest key frame asked for, by encoding; none once it came.
    asked: Vec<Option<(Instant, KeyFrameReason)>>,
}

impl Shadow {
    fn new(tail: PipeTailKey, encodings: usize) -> Self {
        Self { tail, told_used: 0, was_unused: false, asked: vec![None; encodings] }
    }

    /// Whether the original is to be asked for a key frame: what was asked already is answered for everybody.
    pub(crate) fn asks(&mut self, now: Instant, encoding: usize, reason: KeyFrameReason) -> bool {
        let Some(asked) = self.asked.get_mut(encoding) else { return false };
        let is_due = asked.is_none_or(|(at, before)| reason > before || now >= at + ASK_AGAIN);
        if is_due {
            *asked = Some((now, reason));
        }
        is_due
    }

    /// A key frame came.
    pub(crate) fn handle_key_frame(&mut self, encoding: usize) {
        if let Some(asked) = self.asked.get_mut(encoding) {
            *asked = None;
        }
    }
}

impl Producer {
    /// What another worker must know of it.
    pub(crate) fn copy(&self) -> ProducerCopy {
        ProducerCopy {
            id: self.id,
            kind: self.kind,
            producer_type: self.producer_type,
            layer_kind: self.rates.kind(),
            consumable: self.consumable.clone(),
            payloads: self.payloads.clone(),
            extension_ids: self.extension_ids.clone(),
            encodings: self.encodings.iter().map(Encoding::without_stream).collect(),
            paused: self.paused,
            is_screen: self.is_screen,
            is_selected: self.is_selected,
        }
    }

    /// A shadow, in a branch of the original's room.
    pub(crate) fn shadow(
        now: Instant,
        copy: ProducerCopy,
        tail: PipeTailKey,
        (router, router_key): (RouterId, RouterKey),
    ) -> Self {
        Self {
            id: copy.id,
            router,
            router_key,
            // None: no transport has this key.
            transport: TransportKey::default(),
            kind: copy.kind,
            producer_type: copy.producer_type,
            mid: None,
            consumable: copy.consumable,
            payloads: copy.payloads,
            extension_ids: copy.extension_ids,
            key_frame_feedback: KeyFrameFeedback::None,
            paused: copy.paused,
            consumers: Vec::new(),
            is_screen: copy.is_screen,
            is_selected: copy.is_selected,
            liveness: Liveness::default(),
            rates: LayerRates::new(copy.layer_kind),
            users: LayerUsers::default(),
            wanted: WantedLayers::new(now, 0),
            traces: Traces::default(),
            gathered: Gathered::default(),
            armed: None,
            pipes: Vec::new(),
            shadow: Some(Box::new(Shadow::new(tail, copy.encodings.len()))),
            encodings: copy.encodings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{ms, origin};
    use KeyFrameReason::{CannotDecode, Starts, Waits};

    /// Harm prevented: a thousand viewers who lost the same packet wake the publisher's worker a thousand times.
    #[test]
    fn what_was_asked_is_asked_again_when_it_was_answered_or_is_more_urgent_or_a_while_has_passed() {
        let mut shadow = Shadow::new(PipeTailKey::default(), 2);
        let mut ask = |at, encoding, reason| shadow.asks(origin() + ms(at), encoding, reason);
        assert!(ask(0, 0, CannotDecode));
        assert!(!ask(1, 0, CannotDecode) && !ask(1, 0, Waits));
        assert!(ask(1, 1, Waits), "another encoding has a key frame of its own");
        assert!(ask(2, 0, Starts), "who starts is served sooner");
        assert!(!ask(301, 0, Starts) && ask(302, 0, CannotDecode));
        shadow.handle_key_frame(0);
        assert!(shadow.asks(origin() + ms(303), 0, Waits));
        assert!(!shadow.asks(origin(), 2, Starts), "there is no such encoding");
    }
}
