//! When a packet was sent, written at the end of its payload: behind whatever a server may rewrite.

use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of a stamp: a mark, and the time.
pub const STAMP_BYTES: usize = 12;
/// Tells a stamp from other media.
const MARK: [u8; 4] = *b"sLuB";

/// The wall clock in nanoseconds: the one that the kernel stamps arrivals with.
pub fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Writes a stamp over the end of `payload`, which is long enough.
pub fn write(payload: &mut [u8], at_ns: u64) {
    if let Some((_, place)) = payload.split_last_chunk_mut::<STAMP_BYTES>() {
        place[..4].copy_from_slice(&MARK);
        place[4..].copy_from_slice(&at_ns.to_be_bytes());
    }
}

/// Reads the stamp at the end of `payload`, which has no padding.
pub fn read(payload: &[u8]) -> Option<u64> {
    let (_, stamp) = payload.split_last_chunk::<STAMP_BYTES>()?;
    let (mark, time) = stamp.split_first_chunk::<4>()?;
    (*mark == MARK).then(|| time.first_chunk().copied().map(u64::from_be_bytes))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_where_it_was_written_and_nowhere_else() {
        let mut payload = [0xa5; 40];
        assert_eq!(read(&payload), None);
        write(&mut payload, 1_234_567_890_123);
        assert_eq!(read(&payload), Some(1_234_567_890_123));
        assert_eq!(read(&payload[..39]), None);
        assert_eq!(read(&payload[..5]), None);
    }
}
