//! The body of the TCP framing's fuzz target. It is compiled in every build, so that it cannot rot.

use super::framing::{Deframer, FramingError, MAX_FRAME_LEN};

/// `data` is what a connection brings. The first byte says in which pieces it is read.
///
/// # Panics
/// If the frames depend on the pieces, or one is longer than allowed.
pub fn fuzz_framing(data: &[u8]) {
    let Some((&piece, stream)) = data.split_first() else { return };
    let in_pieces = frames(stream, usize::from(piece) * 31 + 1);
    let at_once = frames(stream, usize::MAX);
    assert_eq!(in_pieces, at_once, "the same bytes, read otherwise, are other frames");
    let (frames, error) = at_once;
    assert!(frames.iter().all(|frame| (1..=MAX_FRAME_LEN).contains(&frame.len())));
    let taken: usize = frames.iter().map(|frame| frame.len() + 2).sum();
    assert!(taken <= stream.len(), "bytes that never came");
    if let Some(FramingError::FrameTooLong { len }) = error {
        assert!(len > MAX_FRAME_LEN);
    }
}

/// The frames of a stream that comes in pieces of at most `piece` bytes, and how it failed, if it did.
fn frames(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<FramingError>) {
    let mut deframer = Deframer::default();
    let mut frames = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let space = deframer.space();
        let len = piece.min(rest.len()).min(space.len());
        assert!(len > 0, "a drained deframer has no room");
        let (now, later) = rest.split_at(len);
        space.iter_mut().zip(now).for_each(|(place, byte)| *place = *byte);
        deframer.commit(len);
        rest = later;
        loop {
            match deframer.next_frame() {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::test_support::{mutate, random_bytes};
    use crate::transport::framing::frame_header;

    #[test]
    fn sound_random_and_mutated_streams_do_no_harm() {
        let mut rng = StdRng::seed_from_u64(7);
        for _ in 0..2_000 {
            let mut data = vec![rng.random()];
            for _ in 0..rng.random_range(0..8) {
                let frame = random_bytes(&mut rng, 3_000);
                data.extend(frame_header(frame.len()).unwrap());
                data.extend(frame);
            }
            fuzz_framing(&data);
            mutate(&mut rng, &mut data);
            fuzz_framing(&data);
            fuzz_framing(&random_bytes(&mut rng, 10_000));
        }
    }
}
