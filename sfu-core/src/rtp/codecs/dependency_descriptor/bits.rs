//! Reading single bits (appendix A's `f(n)` and `ns(n)`).

/// A place between two bits.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// One bit; `None` at the end, as for all that follow.
    pub(super) fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// A number of `len` bits, at most 32.
    pub(super) fn number(&mut self, len: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..len {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    /// A number of at most eight bits.
    pub(super) fn byte(&mut self, len: u32) -> Option<u8> {
        u8::try_from(self.number(len)?).ok()
    }

    /// A bit for each of `count` decode targets, the first of them the lowest; `count` is at most 32.
    pub(super) fn target_mask(&mut self, count: usize) -> Option<u32> {
        self.number(count as u32)
    }

    /// A number below `end`, which is at least 1: the lower ones take a bit less.
    pub(super) fn below(&mut self, end: u32) -> Option<u32> {
        let len = end.checked_ilog2()?;
        let short = (2 << len) - end;
        let value = self.number(len)?;
        if value < short {
            return Some(value);
        }
        Some((value << 1) - short + u32::from(self.bit()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_over_byte_ends_and_not_past_the_last() {
        let mut bits = BitReader::new(&[0b1010_0000, 0b0111_1111]);
        assert_eq!(bits.number(3), Some(0b101));
        assert_eq!(bits.number(10), Some(0b1111));
        assert_eq!(bits.number(0), Some(0));
        assert_eq!(bits.number(4), None);
        assert_eq!(BitReader::new(&[]).bit(), None);
    }

    /// The specification's own example, of five values.
    #[test]
    fn numbers_of_an_uneven_range() {
        let cases =
            [(0b0000_0000, 0, 2), (0b0100_0000, 1, 2), (0b1000_0000, 2, 2), (0b1100_0000, 3, 3), (0b1110_0000, 4, 3)];
        for (byte, value, len) in cases {
            let bytes = [byte];
            let mut bits = BitReader::new(&bytes);
            assert_eq!((bits.below(5), bits.at), (Some(value), len));
        }
        assert_eq!(BitReader::new(&[0xff]).below(1), Some(0));
        assert_eq!(BitReader::new(&[0xff]).below(0), None);
        assert_eq!(BitReader::new(&[0b1000_0000]).below(2), Some(1));
    }
}
