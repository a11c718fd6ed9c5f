//! Where a picture ends for one consumer, when it gets less of it than was sent.

use super::{Change, LayerSelector, Layering};
use crate::consumer::Candidate;
use crate::rtp::layers::Layers;

impl LayerSelector {
    /// Whether a frame of this packet's layers is the last one of its picture that flows.
    pub(crate) fn is_whole(&self, packet: &Candidate<'_>) -> bool {
        self.at(packet.extended).is_some_and(|layers| packet.frame.layers.spatial >= layers.spatial)
    }

    /// The latest picture is sent as ended with this packet of it, though more may come; `spatial` is its highest layer then,
    /// if layers that flow are not there.
    pub(crate) fn end_picture(&mut self, spatial: Option<u8>, extended: u64) {
        let Some(newest) = &mut self.newest else { return };
        newest.is_marked = true;
        let layers = spatial.zip(self.current()).map(|(spatial, current)| Layers { spatial, ..current });
        self.cut = layers.map(|layers| Change { from: extended + 1, layers: Some(layers) });
    }

    /// Whether a picture that was ended had more layers is known of the packet that follows: of the same picture, or behind a
    /// gap, where they may be missing.
    pub(super) fn settle_cut(&mut self, packet: &Candidate<'_>) {
        let is_behind =
            |cut: &mut Change| self.source == Some(packet.encoding) && packet.extended >= cut.from && !packet.restarted;
        let Some(cut) = self.cut.take_if(is_behind) else { return };
        let is_same_picture = self.newest.is_some_and(|newest| newest.timestamp == packet.timestamp);
        let had_more = is_same_picture || !self.is_next(packet);
        if had_more && self.current().is_some() {
            self.change(cut);
        }
    }

    /// Whether a packet is the last of its picture for a receiver of `layers`. `None`: the next packet will tell. Encoders leave
    /// out a picture's upper layers now and then, and without a marker its lower ones would never be decoded.
    pub(super) fn is_last_of_picture(&self, packet: &Candidate<'_>, layers: Layers) -> Option<bool> {
        let frame = packet.frame;
        let is_svc = matches!(self.layering, Layering::Svc { .. });
        if packet.marker || !is_svc || !frame.ends_frame {
            return Some(packet.marker);
        }
        let may_rise = frame.layers.temporal == 0 && self.may_rise_inside_picture(layers);
        let more_may_follow =
            frame.layers.spatial < layers.spatial || (may_rise && frame.layers.spatial == layers.spatial);
        if !more_may_follow {
            // With all layers the sender's own marker is right.
            return Some(layers.spatial < self.layering.highest().spatial);
        }
        // Late: what follows was seen, or is missing itself, and then most likely of this picture. No layer rises behind it any more.
        self.newest.filter(|newest| packet.extended < newest.extended).map(|newest| {
            frame.layers.spatial >= layers.spatial
                || newest.extended == packet.extended + 1 && !(newest.is_wanted && newest.timestamp == packet.timestamp)
        })
    }
}
