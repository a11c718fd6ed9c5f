//! What an encoder knows of a packet, carried in the last bytes of its payload: a receiver can then be asked what it has
//! decoded, whatever the descriptors say.

use std::time::Duration;

use sfu_core::rtp::layers::Layers;

/// Frames that a frame may be predicted from.
pub const MAX_REFERENCES: usize = 3;

/// One layer's part of a picture, as its encoder made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Unique within its source.
    pub id: u32,
    /// The number of its picture within its encoding.
    pub picture: u32,
    /// Its own number within its encoding, counting every spatial layer's.
    pub number: u32,
    /// The encoding's place in a simulcast.
    pub encoding: u8,
    /// The layers inside the stream.
    pub layers: Layers,
    /// Whether its picture is a key picture.
    pub is_key: bool,
    /// The ids of the frames that it is predicted from; the first `reference_count` count.
    references: [u32; MAX_REFERENCES],
    reference_count: u8,
    /// When it was captured, since the world began.
    pub captured: Duration,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
}

impl Frame {
    /// A frame of nothing yet, for the encoder to fill in.
    pub fn new(id: u32, captured: Duration) -> Self {
        Self {
            id,
            picture: 0,
            number: 0,
            encoding: 0,
            layers: Layers::default(),
            is_key: false,
            references: [0; MAX_REFERENCES],
            reference_count: 0,
            captured,
            width: 0,
            height: 0,
        }
    }

    /// The frames that must have been decoded for this one.
    pub fn references(&self) -> &[u32] {
        &self.references[..usize::from(self.reference_count)]
    }

    /// Makes it depend on one more frame.
    pub fn add_reference(&mut self, id: u32) {
        self.references[usize::from(self.reference_count)] = id;
        self.reference_count += 1;
    }

    /// Its place among all sizes that a source sends: an encoding of a simulcast, or a layer inside a stream.
    pub fn place(&self) -> Layers {
        Layers { spatial: self.encoding + self.layers.spatial, temporal: self.layers.temporal }
    }
}

/// A packet's place in its stream and frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The publisher's SSRC.
    pub ssrc: u32,
    /// The publisher's sequence number, unwrapped.
    pub extended: u64,
    /// Which packet of the frame this is, from 0.
    pub index: u16,
    /// How many the frame has.
    pub count: u16,
    /// The frame.
    pub frame: Frame,
}

const MAGIC: [u8; 3] = *b"\x00Sl";

impl Stamp {
    /// Bytes that it takes.
    pub const LEN: usize = 3 + 4 + 8 + 2 + 2 + 3 * 4 + 4 + 1 + 4 * MAX_REFERENCES + 8 + 2 + 2;

    /// Puts it behind `payload`.
    pub fn append_to(&self, payload: &mut Vec<u8>) {
        let frame = &self.frame;
        payload.extend(MAGIC);
        payload.extend(self.ssrc.to_be_bytes());
        payload.extend(self.extended.to_be_bytes());
        payload.extend(self.index.to_be_bytes());
        payload.extend(self.count.to_be_bytes());
        for number in [frame.id, frame.picture, frame.number] {
            payload.extend(number.to_be_bytes());
        }
        payload.extend([frame.encoding, frame.layers.spatial, frame.layers.temporal, u8::from(frame.is_key)]);
        payload.push(frame.reference_count);
        for reference in frame.references {
            payload.extend(reference.to_be_bytes());
        }
        payload.extend((frame.captured.as_micros() as u64).to_be_bytes());
        payload.extend(frame.width.to_be_bytes());
        payload.extend(frame.height.to_be_bytes());
    }

    /// Reads it from the end of a payload; nothing if there is none.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let mut rest = payload.get(payload.len().checked_sub(Self::LEN)?..)?;
        if take::<3>(&mut rest)? != MAGIC {
            return None;
        }
        let ssrc = u32::from_be_bytes(take(&mut rest)?);
        let extended = u64::from_be_bytes(take(&mut rest)?);
        let index = u16::from_be_bytes(take(&mut rest)?);
        let count = u16::from_be_bytes(take(&mut rest)?);
        let mut frame = Frame::new(u32::from_be_bytes(take(&mut rest)?), Duration::ZERO);
        frame.picture = u32::from_be_bytes(take(&mut rest)?);
        frame.number = u32::from_be_bytes(take(&mut rest)?);
        let [encoding, spatial, temporal, is_key] = take(&mut rest)?;
        (frame.encoding, frame.layers, frame.is_key) = (encoding, Layers { spatial, temporal }, is_key != 0);
        [frame.reference_count] = take(&mut rest)?;
        for reference in &mut frame.references {
            *reference = u32::from_be_bytes(take(&mut rest)?);
        }
        frame.captured = Duration::from_micros(u64::from_be_bytes(take(&mut rest)?));
        frame.width = u16::from_be_bytes(take(&mut rest)?);
        frame.height = u16::from_be_bytes(take(&mut rest)?);
        Some(Self { ssrc, extended, index, count, frame })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let mut frame = Frame::new(7, Duration::from_micros(123_456_789));
        (frame.picture, frame.number, frame.encoding, frame.is_key) = (8, 9, 2, true);
        frame.layers = Layers { spatial: 1, temporal: 2 };
        (frame.width, frame.height) = (1280, 720);
        frame.add_reference(5);
        frame.add_reference(6);
        let stamp = Stamp { ssrc: 1, extended: 1 << 40, index: 3, count: 4, frame };
        let mut payload = vec![1, 2, 3];
        stamp.append_to(&mut payload);
        assert_eq!(payload.len(), 3 + Stamp::LEN);
        assert_eq!(Stamp::read(&payload), Some(stamp));
        assert_eq!(Stamp::read(&payload[..payload.len() - 1]), None);
        assert_eq!(Stamp::read(&[0; 4]), None);
    }
}
