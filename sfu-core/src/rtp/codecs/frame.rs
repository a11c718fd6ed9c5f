//! What a forwarder knows of a packet's frame.

use crate::rtp::layers::Layers;

/// What one packet says about the frame that it belongs to. In a stream with spatial layers a frame is one layer's part of a
/// picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameInfo {
    /// Whether a decoder that has seen nothing can start with this packet. True for the packets at the start of a key
    /// frame (with spatial layers: of the lowest one), not for the rest of it; for audio, which has no dependencies, always.
    pub key_frame: bool,
    /// Whether a frame starts in this packet.
    pub starts_frame: bool,
    /// Whether a frame ends with this packet.
    pub ends_frame: bool,
    /// The layers that the frame belongs to. The spatial one is that inside the stream: 0 for each encoding of a simulcast.
    /// [`Layers::MAX`] when they cannot be read, so that nobody who takes less than everything gets the packet.
    pub layers: Layers,
    /// Whether a receiver of all lower temporal layers can take this frame's temporal layer from this packet on. True at the
    /// start of each frame of the lowest temporal layer.
    pub temporal_switch: bool,
    /// Whether a receiver of all lower spatial layers can take this frame's spatial layer from this packet on: the frame is
    /// predicted from nothing but lower layers.
    pub spatial_switch: bool,
    /// Numbers in the payload that must be continuous for a receiver.
    pub numbers: Option<PictureNumbers>,
}

impl FrameInfo {
    /// Nothing starts or ends, in the lowest layers.
    pub const NONE: Self = Self {
        key_frame: false,
        starts_frame: false,
        ends_frame: false,
        layers: Layers { spatial: 0, temporal: 0 },
        temporal_switch: false,
        spatial_switch: false,
        numbers: None,
    };

    /// Of no layer that anybody wants: the payload or its descriptor is malformed, or needs a structure that has not come.
    pub(super) const UNREADABLE: Self = Self { layers: Layers::MAX, ..Self::NONE };

    /// Whether its layers could not be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.layers == Layers::MAX
    }

    /// A frame of a stream without layers.
    pub(super) const fn of_single_layer(starts_frame: bool, key_frame: bool) -> Self {
        Self { key_frame, starts_frame, temporal_switch: starts_frame, spatial_switch: key_frame, ..Self::NONE }
    }
}

/// The numbers of a VP8 or VP9 payload descriptor, and where they are. A TL0PICIDX without a picture id is not patched:
/// encoders send both or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureNumbers {
    /// The picture's number, of 7 or 15 bits.
    pub picture_id: u16,
    /// Whether the number has 15 bits.
    pub is_long: bool,
    /// Offset of the picture id in the payload.
    pub picture_id_at: u8,
    /// The running index of temporal base layer pictures and its offset, where present.
    pub tl0_picture_index: Option<(u8, u8)>,
}

impl PictureNumbers {
    /// Reads a picture id of 7 or 15 bits at `at` (RFC 7741 section 4.2 and RFC 9628 section 4.2 alike). `None`: truncated.
    pub(super) fn read(payload: &[u8], at: u8) -> Option<Self> {
        let first = *payload.get(usize::from(at))?;
        let is_long = first & 0x80 != 0;
        let picture_id = if is_long {
            u16::from_be_bytes([first & 0x7f, *payload.get(usize::from(at) + 1)?])
        } else {
            u16::from(first)
        };
        Some(Self { picture_id, is_long, picture_id_at: at, tl0_picture_index: None })
    }

    /// Bytes that the picture id takes.
    pub(super) const fn picture_id_len(&self) -> u8 {
        if self.is_long { 2 } else { 1 }
    }

    /// Replaces the numbers in `payload`, which is the payload that they were read from or a copy. A long id keeps 15 bits of
    /// `picture_id`, a short one 7.
    pub fn write(&self, payload: &mut [u8], picture_id: u16, tl0_picture_index: u8) {
        let at = usize::from(self.picture_id_at);
        if self.is_long {
            if let Some(place) = payload.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
                *place = (picture_id | 0x8000).to_be_bytes();
            }
        } else if let Some(place) = payload.get_mut(at) {
            *place = (picture_id & 0x7f) as u8;
        }
        if let Some((_, at)) = self.tl0_picture_index
            && let Some(place) = payload.get_mut(usize::from(at))
        {
            *place = tl0_picture_index;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_number_keeps_the_length_that_it_had() {
        let long = PictureNumbers::read(&[0xff, 0x80, 0x01], 1).unwrap();
        assert_eq!((long.picture_id, long.is_long), (1, true));
        let mut payload = [0xff, 0x80, 0x01, 0xff];
        long.write(&mut payload, 0xffff, 7);
        assert_eq!(payload, [0xff, 0xff, 0xff, 0xff]);
        long.write(&mut payload, 0x0102, 7);
        assert_eq!(payload, [0xff, 0x81, 0x02, 0xff]);

        let short =
            PictureNumbers { tl0_picture_index: Some((9, 2)), ..PictureNumbers::read(&[0, 0x7f, 9], 1).unwrap() };
        let mut payload = [0, 0x7f, 9, 0];
        short.write(&mut payload, 0x80, 10);
        assert_eq!(payload, [0, 0, 10, 0], "128 does not make the id look long");
    }

    /// Harm prevented: a copy cut short must not bring the worker down.
    #[test]
    fn writing_into_a_shorter_payload_does_nothing() {
        let numbers =
            PictureNumbers { picture_id: 1, is_long: true, picture_id_at: 2, tl0_picture_index: Some((1, 4)) };
        let mut payload = [1, 2, 3];
        numbers.write(&mut payload, 5, 6);
        assert_eq!(payload, [1, 2, 3]);
    }
}
