//! Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1), read where it lies.
//!
//! A subscriber sends ten to twenty messages a second. `rtc-rtcp` makes a list of lists of each, which costs more than all
//! conclusions that are drawn from it: so these, and these alone, are read here.

/// What a receiver says of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It has not come.
    Missing,
    /// It has come, the receiver does not tell when.
    Untimed,
    /// It has come so many microseconds after the packet told of before it, or after the reference time.
    After(i64),
}

/// A message, without its RTCP header, in `bytes` that are borrowed or owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportCc<B> {
    bytes: B,
    /// Where the arrival times begin.
    times_at: usize,
    /// Whether `bytes` holds all that it says.
    is_whole: bool,
}

/// Offsets in a message.
const BASE_SEQUENCE_NUMBER: usize = 8;
const STATUS_COUNT: usize = 10;
const REFERENCE_TIME: usize = 12;
const CHUNKS: usize = 16;

/// The unit of arrival times, in microseconds.
const TICK_US: i64 = 250;

/// Statuses of some packets in a row. A status is a number of two bits: missing, received with a time of one byte or of two,
/// received without.
#[derive(Debug, Clone, Copy)]
enum Chunk {
    /// The same status for so many.
    Run { status: u16, len: u16 },
    /// Fourteen statuses of one bit, the first one highest.
    OneBit(u16),
    /// Seven statuses of two bits, the first one highest.
    TwoBits(u16),
}

impl Chunk {
    fn of([first, second]: [u8; 2]) -> Self {
        let bits = u16::from_be_bytes([first, second]);
        match first >> 6 {
            0 | 1 => Self::Run { status: bits >> 13, len: bits & 0x1fff },
            2 => Self::OneBit(bits & 0x3fff),
            _ => Self::TwoBits(bits & 0x3fff),
        }
    }

    fn len(self) -> u16 {
        match self {
            Self::Run { len, .. } => len,
            Self::OneBit(_) => 14,
            Self::TwoBits(_) => 7,
        }
    }

    /// The status at `index`, which is below [`Self::len`].
    fn status(self, index: u16) -> u16 {
        match self {
            Self::Run { status, .. } => status,
            Self::OneBit(bits) => bits >> (13 - index) & 1,
            Self::TwoBits(bits) => bits >> (12 - 2 * index) & 3,
        }
    }

    /// How many bytes the arrival times of its first `count` packets have.
    fn time_bytes(self, count: u16) -> usize {
        match self {
            Self::Run { status, .. } => usize::from(count) * time_bytes(status),
            Self::OneBit(bits) => (bits >> (14 - count)).count_ones() as usize,
            Self::TwoBits(_) => (0..count).map(|index| time_bytes(self.status(index))).sum(),
        }
    }
}

fn time_bytes(status: u16) -> usize {
    match status {
        1 => 1,
        2 => 2,
        _ => 0,
    }
}

impl<B: AsRef<[u8]>> TransportCc<B> {
    /// Reads a message that begins behind its RTCP header. Bytes behind its end are padding. `None`: it is cut short before its
    /// first chunk.
    pub fn read(bytes: B) -> Option<Self> {
        let (mut left, mut times_at, mut time_bytes) = (number_at(bytes.as_ref(), STATUS_COUNT)?, CHUNKS, 0);
        let mut chunks = bytes.as_ref().get(CHUNKS..)?;
        while let (1.., Some((&chunk, rest))) = (left, chunks.split_first_chunk()) {
            let chunk = Chunk::of(chunk);
            let count = chunk.len().min(left);
            (left, times_at, chunks) = (left - count, times_at + 2, rest);
            time_bytes += chunk.time_bytes(count);
        }
        Some(Self { is_whole: left == 0 && times_at + time_bytes <= bytes.as_ref().len(), bytes, times_at })
    }

    /// Whether it holds all statuses and times that it says it does.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The transport-wide number of the first packet that it speaks of.
    pub fn base_sequence_number(&self) -> u16 {
        number_at(self.bytes.as_ref(), BASE_SEQUENCE_NUMBER).unwrap_or_default()
    }

    /// Of how many packets it claims to speak.
    pub fn status_count(&self) -> u16 {
        number_at(self.bytes.as_ref(), STATUS_COUNT).unwrap_or_default()
    }

    /// When the first arrival's time begins to count, on the receiver's clock: 24 bits, in units of 64 ms.
    pub fn reference_time(&self) -> u32 {
        match self.bytes.as_ref().get(REFERENCE_TIME..).and_then(|bytes| bytes.first_chunk()) {
            Some(&[high, middle, low]) => u32::from_be_bytes([0, high, middle, low]),
            None => 0,
        }
    }

    /// Calls `each` with the offset from the base number and the arrival of every packet told of. Ends where the message's
    /// count, its chunks or its times end, whichever is first: one that is not whole may lie about any of them.
    pub fn for_each(&self, mut each: impl FnMut(u16, Arrival)) {
        let (chunks, mut times) = self.bytes.as_ref().split_at_checked(self.times_at).unwrap_or_default();
        let count = self.status_count();
        let mut offset = 0;
        for chunk in chunks.get(CHUNKS..).unwrap_or_default().chunks_exact(2) {
            let &[first, second] = chunk else { return };
            let chunk = Chunk::of([first, second]);
            for index in 0..chunk.len().min(count - offset) {
                let arrival = match (chunk.status(index), times) {
                    (0, _) => Arrival::Missing,
                    (1, &[ticks, ref rest @ ..]) => {
                        times = rest;
                        Arrival::After(i64::from(ticks) * TICK_US)
                    }
                    (2, &[high, low, ref rest @ ..]) => {
                        times = rest;
                        Arrival::After(i64::from(i16::from_be_bytes([high, low])) * TICK_US)
                    }
                    (1 | 2, _) => return,
                    _ => Arrival::Untimed,
                };
                each(offset, arrival);
                offset += 1;
            }
        }
    }
}

fn number_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests;
