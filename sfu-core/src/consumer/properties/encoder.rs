//! What publishers send: pictures of several layers, of which it is known what each frame is predicted from.

use rand::Rng;
use rand::rngs::StdRng;

use crate::consumer::selector::Layering;
use crate::rtp::codecs::{Codec, FrameInfo, PictureNumbers};
use crate::rtp::layers::Layers;

/// What a picture's timestamp is more than that of the one before it.
pub(super) const PICTURE_TICKS: u32 = 33 * 90;

#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// What it is predicted from.
    pub(super) references: Vec<usize>,
    pub(super) packets: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Packet {
    pub(super) encoding: usize,
    pub(super) picture: usize,
    pub(super) frame: usize,
    pub(super) extended: u64,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) info: FrameInfo,
}

/// One stream of a publisher: one or three temporal layers, one or three spatial ones.
pub(super) struct Encoder {
    pub(super) codec: Codec,
    encoding: usize,
    spatial_layers: u8,
    /// The temporal layer of each picture, over and over.
    pattern: &'static [usize],
    next_extended: u64,
    pub(super) timestamp_base: u32,
    picture_id: u16,
    is_long: bool,
    tl0: u8,
    /// How many pictures there were since the latest key frame.
    position: usize,
    /// The latest frame of each spatial and temporal layer.
    latest: [[Option<usize>; 3]; 3],
}

impl Encoder {
    pub(super) fn new(codec: Codec, layering: Layering, encoding: usize, rng: &mut StdRng) -> Self {
        let spatial_layers = if let Layering::Svc { spatial_layers, .. } = layering { spatial_layers } else { 1 };
        Self {
            codec,
            encoding,
            spatial_layers,
            pattern: if layering.highest().temporal == 0 { &[0] } else { &[0, 2, 1, 2] },
            next_extended: (1 << 32) + rng.random_range(0..1 << 16),
            timestamp_base: rng.random(),
            picture_id: rng.random(),
            is_long: rng.random(),
            tl0: rng.random(),
            position: 0,
            latest: Default::default(),
        }
    }

    pub(super) fn encode(
        &mut self,
        picture: usize,
        is_key: bool,
        frames: &mut Vec<Frame>,
        rng: &mut StdRng,
    ) -> Vec<Packet> {
        if is_key {
            self.position = 0;
            self.latest = Default::default();
        }
        let temporal = self.pattern[self.position % self.pattern.len()];
        self.position += 1;
        self.picture_id = self.picture_id.wrapping_add(1) & if self.is_long { 0x7fff } else { 0x7f };
        if temporal == 0 {
            self.tl0 = self.tl0.wrapping_add(1);
        }
        let is_synchronous = self.codec == Codec::Av1 || rng.random_bool(0.4);
        // In AV1 nothing refers past a picture of the lowest layer to one of a higher. Elsewhere a picture says of its layer that
        // nothing refers past it, which is said of all spatial layers, also of those that are left out.
        if temporal > 0 && is_synchronous {
            for latest in &mut self.latest {
                latest[temporal] = None;
            }
        }
        if self.codec == Codec::Av1 && temporal == 0 {
            for latest in &mut self.latest {
                latest[1..].fill(None);
            }
        }
        let leaves_out = self.spatial_layers > 1 && rng.random_bool(0.15);
        let present = if leaves_out { rng.random_range(1..=self.spatial_layers) } else { self.spatial_layers };
        let forgets_marker = present < self.spatial_layers && rng.random_bool(0.7);
        let mut packets = Vec::new();
        for spatial in 0..present {
            let latest = &mut self.latest[usize::from(spatial)];
            let is_spatial_switch = self.codec == Codec::Vp9
                && spatial > 0
                && temporal == 0
                && (latest[0].is_none() || rng.random_bool(0.1));
            if is_spatial_switch {
                *latest = Default::default();
            }
            let below = latest[..temporal.max(1)].iter().flatten().max().copied();
            let before = latest[temporal].filter(|_| !is_synchronous);
            let lower = (spatial > 0).then(|| frames.len() - 1);
            let references: Vec<usize> = below.into_iter().chain(before).chain(lower).collect();
            let frame = frames.len();
            latest[temporal] = Some(frame);
            let layers = Layers { spatial, temporal: temporal as u8 };
            let count = rng.random_range(1..4);
            frames.push(Frame { references, packets: count });
            for index in 0..count {
                let ends_frame = index + 1 == count;
                let numbers = PictureNumbers {
                    picture_id: self.picture_id,
                    is_long: self.is_long,
                    picture_id_at: 2,
                    tl0_picture_index: Some((self.tl0, 4)),
                };
                packets.push(Packet {
                    encoding: self.encoding,
                    picture,
                    frame,
                    extended: self.next_extended,
                    timestamp: self.timestamp_base.wrapping_add(picture as u32 * PICTURE_TICKS),
                    marker: ends_frame && spatial + 1 == present && !forgets_marker,
                    info: FrameInfo {
                        key_frame: is_key && spatial == 0 && index == 0,
                        starts_frame: index == 0,
                        ends_frame,
                        layers,
                        temporal_switch: temporal > 0 && is_synchronous && self.codec != Codec::Av1,
                        spatial_switch: is_spatial_switch,
                        numbers: matches!(self.codec, Codec::Vp8 | Codec::Vp9).then_some(numbers),
                    },
                });
                self.next_extended += 1;
            }
        }
        packets
    }
}
