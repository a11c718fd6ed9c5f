//! Datagrams on a TCP connection: a 16-bit length in network order before each (RFC 4571 section 2).

use thiserror::Error;

/// The bytes before each frame.
pub const FRAME_HEADER_LEN: usize = 2;

/// The longest frame that a peer may send, in bytes. A WebRTC peer frames what would have been a datagram, so
/// nothing much above the usual MTU of 1500 is expected; this leaves room for a path with larger ones. A longer
/// frame is a breach, and the connection is to be closed.
pub const MAX_FRAME_LEN: usize = 4096;

/// The size of a connection's receive buffer in bytes: what a peer that sends a header and then nothing costs us.
/// It holds several frames, so that one read of a busy connection brings a burst.
pub const RECEIVE_BUFFER_LEN: usize = 16 * 1024;

/// What a peer did wrong in framing. The position of the next frame is lost, so the connection has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FramingError {
    /// A frame's header announces more than [`MAX_FRAME_LEN`].
    #[error("the peer announced a frame of {len} bytes, and the limit is {MAX_FRAME_LEN}")]
    FrameTooLong {
        /// The announced length in bytes.
        len: usize,
    },
}

/// The header to send before a frame of `len` bytes, or nothing when `len` does not fit a header.
pub fn frame_header(len: usize) -> Option<[u8; FRAME_HEADER_LEN]> {
    u16::try_from(len).ok().map(u16::to_be_bytes)
}

/// Cuts the byte stream of one connection into frames, without copying them: bytes are read from the socket into
/// [`Deframer::space`], and frames are handed out where they lie, to be opened in place.
///
/// Between two reads at most one unfinished frame stays buffered, as long as the frames are drained after each.
#[derive(Debug)]
pub struct Deframer {
    buffer: Box<[u8]>,
    /// The first byte that no frame has taken yet.
    start: usize,
    /// One past the last byte received.
    end: usize,
    failed: Option<FramingError>,
}

impl Default for Deframer {
    fn default() -> Self {
        Self { buffer: vec![0; RECEIVE_BUFFER_LEN].into_boxed_slice(), start: 0, end: 0, failed: None }
    }
}

impl Deframer {
    /// Where to read the next bytes to. Empty only when the frames buffered before have not been drained.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 && self.buffer.len() - self.end < FRAME_HEADER_LEN + MAX_FRAME_LEN {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Says that `len` bytes of [`Deframer::space`] have been filled.
    pub fn commit(&mut self, len: usize) {
        self.end = self.end.saturating_add(len).min(self.buffer.len());
    }

    /// The next whole frame, or nothing until more bytes come. A frame of length zero carries nothing and is passed
    /// over.
    ///
    /// # Errors
    /// [`FramingError`], and the same again from then on.
    pub fn next_frame(&mut self) -> Result<Option<&mut [u8]>, FramingError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let (first, last) = loop {
            let Some(&[high, low]) =
                self.buffer.get(self.start..self.end).and_then(|unread| unread.first_chunk::<FRAME_HEADER_LEN>())
            else {
                return Ok(None);
            };
            let len = usize::from(u16::from_be_bytes([high, low]));
            if len > MAX_FRAME_LEN {
                let error = FramingError::FrameTooLong { len };
                self.failed = Some(error);
                return Err(error);
            }
            let first = self.start + FRAME_HEADER_LEN;
            if self.end - first < len {
                return Ok(None);
            }
            self.start = first + len;
            if len > 0 {
                break (first, first + len);
            }
        };
        Ok(self.buffer.get_mut(first..last))
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, RngCore, SeedableRng};

    use super::*;
    use crate::test_support::random_bytes;

    /// Feeds `stream` in pieces no longer than `piece` and collects the frames.
    fn deframe(stream: &[u8], mut piece: impl FnMut() -> usize) -> Result<Vec<Vec<u8>>, FramingError> {
        let mut deframer = Deframer::default();
        let mut frames = Vec::new();
        let mut rest = stream;
        while !rest.is_empty() {
            let space = deframer.space();
            let len = piece().clamp(1, rest.len()).min(space.len());
            assert!(len > 0, "a drained deframer always has space");
            let (now, later) = rest.split_at(len);
            space[..len].copy_from_slice(now);
            deframer.commit(len);
            rest = later;
            while let Some(frame) = deframer.next_frame()? {
                frames.push(frame.to_vec());
            }
        }
        Ok(frames)
    }

    fn framed(frames: &[Vec<u8>]) -> Vec<u8> {
        frames.iter().flat_map(|frame| frame_header(frame.len()).unwrap().into_iter().chain(frame.clone())).collect()
    }

    #[test]
    fn frames_are_the_same_however_the_stream_is_cut() {
        let mut rng = StdRng::seed_from_u64(1);
        let frames: Vec<Vec<u8>> = (0..200)
            .map(|_| {
                let mut frame = vec![0; rng.random_range(1..=1500)];
                rng.fill_bytes(&mut frame);
                frame
            })
            .collect();
        let stream = framed(&frames);
        assert_eq!(deframe(&stream, || 1).unwrap(), frames);
        assert_eq!(deframe(&stream, || usize::MAX).unwrap(), frames);
        for _ in 0..20 {
            assert_eq!(deframe(&stream, || rng.random_range(1..4000)).unwrap(), frames);
        }
    }

    #[test]
    fn an_empty_frame_is_passed_over() {
        let frames = [vec![], vec![1, 2, 3], vec![], vec![], vec![4]];
        assert_eq!(deframe(&framed(&frames), || 2).unwrap(), [vec![1, 2, 3], vec![4]]);
    }

    #[test]
    fn the_longest_frame_passes_and_one_byte_more_is_refused_for_good() {
        let longest = vec![7; MAX_FRAME_LEN];
        assert_eq!(deframe(&framed(&[vec![1], longest.clone()]), || 1000).unwrap(), [vec![1], longest]);

        let mut deframer = Deframer::default();
        let header = frame_header(MAX_FRAME_LEN + 1).unwrap();
        deframer.space()[..2].copy_from_slice(&header);
        deframer.commit(2);
        let error = FramingError::FrameTooLong { len: MAX_FRAME_LEN + 1 };
        assert_eq!(deframer.next_frame(), Err(error));
        deframer.space()[..3].copy_from_slice(&[0, 1, 9]);
        deframer.commit(3);
        assert_eq!(deframer.next_frame(), Err(error), "the position of frames is lost, so nothing may follow");
    }

    #[test]
    fn a_reader_that_never_drains_runs_out_of_space_and_not_of_memory() {
        let mut deframer = Deframer::default();
        while !deframer.space().is_empty() {
            let len = deframer.space().len();
            deframer.commit(len.min(1000));
        }
        assert_eq!(deframer.buffer.len(), RECEIVE_BUFFER_LEN);
    }

    #[test]
    fn a_length_beyond_sixteen_bits_has_no_header() {
        assert_eq!(frame_header(65_535), Some([0xff, 0xff]));
        assert_eq!(frame_header(65_536), None);
    }

    #[test]
    fn random_streams_never_panic_and_never_exceed_the_limit() {
        let mut rng = StdRng::seed_from_u64(2);
        for _ in 0..500 {
            let mut stream = random_bytes(&mut rng, 20_000);
            // Short lengths, so that streams are not refused at the first header.
            stream.iter_mut().for_each(|byte| *byte &= 0x0f);
            if let Ok(frames) = deframe(&stream, || rng.random_range(1..5000)) {
                assert!(frames.iter().all(|frame| (1..=MAX_FRAME_LEN).contains(&frame.len())));
            }
        }
    }
}
