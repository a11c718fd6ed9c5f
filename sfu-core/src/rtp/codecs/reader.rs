//! Reading a stream's packets, with what must be kept between them.

use super::dependency_descriptor::{DescribedPacket, DescriptorReader};
use super::{Codec, FrameInfo, av1, h264, vp8, vp9};

/// Reads the packets of one received stream.
#[derive(Debug, Default)]
pub struct FrameReader {
    /// Made with the first dependency descriptor: few streams have any.
    descriptors: Option<Box<DescriptorReader>>,
    /// H.264's parameter sets come in the stream: its key frames begin with them.
    has_parameter_sets: bool,
}

impl FrameReader {
    /// Reads `payload`, a packet's payload without padding; an empty one is of no frame. `dependency_descriptor` is the value of that header extension, when
    /// the packet has it, `marker` the RTP header's bit.
    ///
    /// A payload that is malformed is of no layer that anybody takes ([`FrameInfo::layers`]) and no key frame: a decoder could
    /// not start there either. Allocates with the first dependency descriptor and with each new template structure only.
    pub fn read(
        &mut self,
        codec: Codec,
        payload: &[u8],
        dependency_descriptor: Option<&[u8]>,
        marker: bool,
    ) -> FrameInfo {
        if payload.is_empty() {
            return FrameInfo::NONE;
        }
        match codec {
            Codec::Opus | Codec::Pcmu | Codec::Pcma => {
                FrameInfo { ends_frame: true, ..FrameInfo::of_single_layer(true, true) }
            }
            Codec::Vp8 => vp8::frame_info(payload, marker),
            Codec::Vp9 => vp9::frame_info(payload),
            Codec::H264 => self.read_h264(payload, dependency_descriptor, marker),
            Codec::Av1 => av1::frame_info(payload, self.describe(dependency_descriptor), marker),
        }
    }

    /// Once a stream has sent parameter sets, no decoder starts with a slice behind them: when they are late, what they belong to
    /// waits for them.
    fn read_h264(&mut self, payload: &[u8], dependency_descriptor: Option<&[u8]>, marker: bool) -> FrameInfo {
        let frame = h264::frame_info(payload, self.describe(dependency_descriptor), marker);
        let begins = h264::has_parameter_sets(payload);
        self.has_parameter_sets |= begins;
        let starts_late = self.has_parameter_sets && !begins;
        let is_key = frame.key_frame && !starts_late;
        FrameInfo { key_frame: is_key, spatial_switch: frame.spatial_switch && !starts_late, ..frame }
    }

    fn describe(&mut self, descriptor: Option<&[u8]>) -> Option<DescribedPacket> {
        descriptor.map(|bytes| self.descriptors.get_or_insert_default().read(bytes))
    }
}

#[cfg(test)]
mod tests;
