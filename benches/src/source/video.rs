//! VP8 as a browser's encoder packs it (RFC 7741), in one or several sizes.

use std::time::{Duration, Instant};

use super::Schedule;
use super::stream::{Outgoing, OutgoingStream};
use crate::stamp::STAMP_BYTES;

/// Frames a second.
const FRAME_RATE: u32 = 30;
const CLOCK_RATE: u32 = 90_000;
/// A payload that, sealed and with its headers, fits a path of 1 200 bytes.
const PAYLOAD_MAX: usize = 1_130;
/// The least that a payload holds: descriptor, header of a key frame, time stamp.
const PAYLOAD_MIN: usize = 16 + STAMP_BYTES;
/// A key frame is as large as so many others.
const KEY_FRAME_SIZE: usize = 4;
/// Requested key frames come no closer together (libwebrtc).
const KEY_FRAME_INTERVAL_MIN: Duration = Duration::from_millis(300);
/// Temporal layers of a picture in three of them, in order.
const TEMPORAL_PATTERN: [u8; 4] = [0, 2, 1, 2];

/// One camera.
#[derive(Debug)]
pub struct VideoSource {
    layers: Vec<VideoLayer>,
    schedule: Schedule,
    frame: u32,
}

/// One size of the picture.
#[derive(Debug)]
pub struct VideoLayer {
    stream: OutgoingStream,
    bytes_per_frame: f64,
    /// Bytes that the frames so far were too short by.
    credit: f64,
    picture_id: u16,
    tl0_picture_index: u8,
    has_temporal_layers: bool,
    frame: u32,
    key_frame_wanted: bool,
    key_frame_at: Option<Instant>,
}

impl VideoLayer {
    /// A layer of `bitrate_bps`, payload bytes alone. With temporal layers it names one of three in each packet.
    pub fn new(stream: OutgoingStream, bitrate_bps: f64, has_temporal_layers: bool) -> Self {
        Self {
            stream,
            bytes_per_frame: bitrate_bps / 8.0 / f64::from(FRAME_RATE),
            credit: 0.0,
            picture_id: 0x100,
            tl0_picture_index: 0,
            has_temporal_layers,
            frame: 0,
            key_frame_wanted: true,
            key_frame_at: None,
        }
    }

    fn next_frame(
        &mut self,
        now: Instant,
        timestamp: u32,
        wide: &mut u16,
        buffer: &mut Vec<u8>,
        send: &mut impl FnMut(Outgoing<'_>),
    ) {
        let is_key_frame = self.key_frame_wanted
            && self.key_frame_at.is_none_or(|at| now.duration_since(at) >= KEY_FRAME_INTERVAL_MIN);
        if is_key_frame {
            (self.key_frame_wanted, self.key_frame_at, self.frame) = (false, Some(now), 0);
        }
        self.credit += self.bytes_per_frame;
        let bytes = self.credit as usize;
        self.credit -= bytes as f64;
        let bytes = (bytes * if is_key_frame { KEY_FRAME_SIZE } else { 1 }).max(PAYLOAD_MIN);
        let temporal = if self.has_temporal_layers { TEMPORAL_PATTERN[self.frame as usize % 4] } else { 0 };
        if temporal == 0 {
            self.tl0_picture_index = self.tl0_picture_index.wrapping_add(1);
        }
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        self.frame = self.frame.wrapping_add(1);

        let packets = bytes.div_ceil(PAYLOAD_MAX);
        // Equal within a byte, the shorter ones first.
        let (len, longer) = (bytes / packets, bytes % packets);
        for number in 0..packets {
            let len = len + usize::from(number >= packets - longer);
            let (is_first, is_last) = (number == 0, number + 1 == packets);
            let descriptor = self.descriptor(is_first, temporal);
            let packet = self.stream.next(buffer, wide, timestamp, is_last, None, |payload| {
                let end = payload.len() + len;
                payload.extend_from_slice(&descriptor.bytes[..descriptor.len]);
                if is_first {
                    payload.extend_from_slice(payload_header(is_key_frame));
                }
                payload.resize(end, 0xa5);
            });
            send(packet);
        }
    }

    /// RFC 7741 section 4.2.
    fn descriptor(&self, is_first: bool, temporal: u8) -> Descriptor {
        let [high, low] = self.picture_id.to_be_bytes();
        let start = 0x80 | if is_first { 0x10 } else { 0 };
        if self.has_temporal_layers {
            let layer = (temporal << 6) | if temporal == 1 { 0x20 } else { 0 };
            return Descriptor { bytes: [start, 0xe0, 0x80 | high, low, self.tl0_picture_index, layer], len: 6 };
        }
        Descriptor { bytes: [start, 0x80, 0x80 | high, low, 0, 0], len: 4 }
    }
}

struct Descriptor {
    bytes: [u8; 6],
    len: usize,
}

/// RFC 6386 section 9.1: the frame tag, and of a key frame the start code and a size of 640 by 360.
fn payload_header(is_key_frame: bool) -> &'static [u8] {
    if is_key_frame { &[0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01] } else { &[0x11, 0x02, 0x00] }
}

impl VideoSource {
    /// A camera whose first frame is due at `first_at`.
    pub fn new(layers: Vec<VideoLayer>, first_at: Instant) -> Self {
        Self { layers, schedule: Schedule::new(Duration::from_secs(1) / FRAME_RATE, first_at), frame: 0 }
    }

    /// When [`Self::poll`] has something to do.
    pub fn poll_timeout(&self) -> Instant {
        self.schedule.next_at()
    }

    /// Makes the frames that are due, each packet in the reused `buffer`, unless nothing is to be sent; then time passes
    /// all the same.
    pub fn poll(
        &mut self,
        now: Instant,
        sends: bool,
        wide: &mut u16,
        buffer: &mut Vec<u8>,
        mut send: impl FnMut(Outgoing<'_>),
    ) {
        while self.schedule.poll(now) {
            self.frame = self.frame.wrapping_add(1);
            if sends {
                let timestamp = self.frame.wrapping_mul(CLOCK_RATE / FRAME_RATE);
                for layer in &mut self.layers {
                    layer.next_frame(now, timestamp, wide, buffer, &mut send);
                }
            }
        }
    }

    /// A key frame of this stream is wanted; `false` if it is none of this camera's.
    pub fn want_key_frame(&mut self, ssrc: u32) -> bool {
        let layer = self.layers.iter_mut().find(|layer| layer.stream.ssrc() == ssrc);
        layer.map(|layer| layer.key_frame_wanted = true).is_some()
    }

    /// Every size begins with a key frame again: after a time without media.
    pub fn want_key_frames(&mut self) {
        self.layers.iter_mut().for_each(|layer| layer.key_frame_wanted = true);
    }

    /// Its streams.
    pub fn streams(&mut self) -> impl Iterator<Item = &mut OutgoingStream> {
        self.layers.iter_mut().map(|layer| &mut layer.stream)
    }

    /// Frames that were left out for want of CPU.
    pub fn left_out(&self) -> u64 {
        self.schedule.left_out()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Header;

    fn source(bitrate_bps: f64, has_temporal_layers: bool, at: Instant) -> VideoSource {
        let stream = OutgoingStream::new(7, 96, "0", None, None, 0);
        VideoSource::new(vec![VideoLayer::new(stream, bitrate_bps, has_temporal_layers)], at)
    }

    /// The payloads of each frame.
    fn frames(source: &mut VideoSource, from: Instant, count: u32) -> Vec<Vec<Vec<u8>>> {
        let (mut frames, mut frame) = (Vec::new(), Vec::new());
        let (mut buffer, mut wide) = (Vec::new(), 0);
        for number in 0..count {
            let now = from + Duration::from_secs(1) * number / FRAME_RATE + Duration::from_micros(1);
            source.poll(now, true, &mut wide, &mut buffer, |sent| {
                assert!(sent.packet.len() <= 1_184, "with a tag it fits 1 200 bytes");
                frame.push(sent.packet[sent.header_len..].to_vec());
                if Header::read(sent.packet).is_some() && sent.packet[1] & 0x80 != 0 {
                    frames.push(std::mem::take(&mut frame));
                }
            });
        }
        frames
    }

    #[test]
    fn a_second_has_thirty_frames_of_the_asked_size_in_packets_equal_within_a_byte() {
        let now = Instant::now();
        let frames = frames(&mut source(1e6, false, now), now, 30);
        assert_eq!(frames.len(), 30);
        let bytes: usize = frames[1..].iter().flatten().map(Vec::len).sum();
        assert!((119_000..122_000).contains(&bytes), "{bytes} bytes in 29 frames of 1 Mbit/s");
        for frame in &frames {
            let lens: Vec<usize> = frame.iter().map(Vec::len).collect();
            assert!(lens.is_sorted() && lens[lens.len() - 1] - lens[0] <= 1, "{lens:?}");
        }
        assert_eq!(frames[5].len(), 4);
    }

    #[test]
    fn the_first_frame_and_those_asked_for_are_key_frames() {
        let now = Instant::now();
        let mut source = source(1e6, false, now);
        let is_key = |frame: &Vec<Vec<u8>>| frame[0][0] & 0x10 != 0 && frame[0][4] & 1 == 0;
        let keys: Vec<bool> = frames(&mut source, now, 10).iter().map(is_key).collect();
        assert_eq!(keys.iter().filter(|key| **key).count(), 1);
        assert!(keys[0]);
        assert!(source.want_key_frame(7) && !source.want_key_frame(8));
        // Again and again, but not every frame.
        let later = now + Duration::from_millis(400);
        for _ in 0..3 {
            source.want_key_frame(7);
        }
        let again: Vec<bool> = frames(&mut source, later, 3).iter().map(is_key).collect();
        assert_eq!(again.iter().filter(|key| **key).count(), 1);
    }

    #[test]
    fn three_temporal_layers_are_named_in_the_order_of_libvpx() {
        let now = Instant::now();
        let frames = frames(&mut source(1e5, true, now), now, 8);
        let layers: Vec<u8> = frames.iter().map(|frame| frame[0][5] >> 6).collect();
        assert_eq!(layers, [0, 2, 1, 2, 0, 2, 1, 2]);
        let base: Vec<u8> = frames.iter().map(|frame| frame[0][4]).collect();
        assert_eq!(base, [1, 1, 1, 1, 2, 2, 2, 2]);
    }

    #[test]
    fn a_silent_camera_sends_nothing_and_loses_no_time() {
        let now = Instant::now();
        let mut source = source(1e6, false, now);
        source.poll(now + Duration::from_millis(100), false, &mut 0, &mut Vec::new(), |_| panic!("it is silent"));
        assert!(source.poll_timeout() > now + Duration::from_millis(99));
    }
}
