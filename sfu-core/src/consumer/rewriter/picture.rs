//! Picture ids and TL0PICIDX of VP8 (RFC 7741 section 4.2) and VP9 (RFC 9628 section 4.2).

use crate::rtp::codecs::{Codec, PictureNumbers};

/// How many of a VP8 source's latest pictures are remembered, each as forwarded, dropped or not seen yet. A packet of an older
/// one is refused: which id its picture had is forgotten. 64 pictures are two seconds of video.
pub const PICTURE_HISTORY: u16 = u64::BITS as u16;

/// Gives a producer's pictures the numbers of a consumer's stream.
///
/// Inside a source TL0PICIDX keeps its distances: pictures of the lowest temporal layer are never dropped. At a switch both
/// numbers go on after the last ones handed out.
#[derive(Clone, Debug)]
pub struct PictureRewriter {
    numbering: Numbering,
    /// The newest input, forwarded or dropped, and whether it has 15 bits.
    newest: (u16, bool),
    /// Input minus output, for inputs after `newest`.
    offset: u16,
    tl0_offset: u8,
    /// The numbers handed out last, of the newest picture that was forwarded.
    last_output: Option<(u16, u8)>,
    /// The source's TL0PICIDX of that picture.
    newest_tl0: Option<u8>,
    /// Bit n is the picture n before `newest`: forwarded.
    sent: u64,
    /// Never to be forwarded: dropped, or from before the resync point.
    refused: u64,
    /// Dropped without leaving a gap.
    skipped: u64,
}

/// How a codec's pictures are numbered for a receiver that does not get all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// VP8: a picture dropped leaves no gap, for a receiver would wait for it. One that is lost before us does.
    Compact,
    /// VP9: pictures name those they are predicted from by their distance, which stays.
    SourceDistances,
}

impl Numbering {
    /// That of `codec`, if it has picture ids.
    pub fn of(codec: Codec) -> Option<Self> {
        match codec {
            Codec::Vp8 => Some(Self::Compact),
            Codec::Vp9 => Some(Self::SourceDistances),
            Codec::Opus | Codec::Pcmu | Codec::Pcma | Codec::H264 | Codec::Av1 => None,
        }
    }
}

/// Where a picture is, seen from the newest one.
enum Place {
    Ahead(u16),
    Behind(u16),
    /// The source's numbers started anew.
    Restarted,
    Forgotten,
}

impl PictureRewriter {
    /// A stream whose first picture is `first`, which keeps its numbers.
    pub fn new(numbering: Numbering, first: PictureNumbers) -> Self {
        let mut rewriter = Self {
            numbering,
            newest: (0, false),
            offset: 0,
            tl0_offset: 0,
            last_output: None,
            newest_tl0: None,
            sent: 0,
            refused: 0,
            skipped: 0,
        };
        rewriter.resync(numbering, first);
        rewriter
    }

    /// Goes on with the picture `next`, after a pause or in another source: it gets the numbers after the last ones handed out.
    /// Pictures before it are refused from now on.
    pub fn resync(&mut self, numbering: Numbering, next: PictureNumbers) {
        self.numbering = numbering;
        self.newest = (next.picture_id, next.is_long);
        if let Some((picture_id, tl0)) = self.last_output {
            self.offset = next.picture_id.wrapping_sub(picture_id.wrapping_add(1));
            if let Some((next_tl0, _)) = next.tl0_picture_index {
                self.tl0_offset = next_tl0.wrapping_sub(tl0.wrapping_add(1));
            }
        }
        self.sent = 0;
        self.refused = !1;
        self.skipped = 0;
    }

    /// The picture id and the TL0PICIDX of a packet; the latter counts for nothing where the packet has none. `is_newest`: no later
    /// packet of the source came before. `None` when the packet must be dropped: its picture was, or is forgotten.
    pub fn rewrite(&mut self, input: PictureNumbers, is_newest: bool) -> Option<(u16, u8)> {
        // One more packet of the picture that flows.
        if self.numbering == Numbering::Compact
            && self.newest == (input.picture_id, input.is_long)
            && self.sent & 1 != 0
            && input.tl0_picture_index.map(|(index, _)| index) == self.newest_tl0
        {
            return self.last_output;
        }
        let skipped_after = match self.numbering {
            Numbering::SourceDistances => 0,
            Numbering::Compact => {
                let bit = self.advance(input, is_newest)?;
                if self.refused & bit != 0 {
                    return None;
                }
                self.sent |= bit;
                (self.skipped & (bit - 1)).count_ones() as u16
            }
        };
        let mask = mask(input.is_long);
        let picture_id = input.picture_id.wrapping_sub(self.offset).wrapping_add(skipped_after) & mask;
        let tl0 = match (input.tl0_picture_index, self.last_output) {
            (Some((index, _)), _) => index.wrapping_sub(self.tl0_offset),
            (None, last) => last.map_or(0, |(_, tl0)| tl0),
        };
        // A picture may be the newest that was sent though its packet is not: what overtook it was dropped.
        let is_ahead = |(last, _): (u16, u8)| picture_id.wrapping_sub(last) & mask <= mask / 2;
        if is_newest || self.last_output.is_none_or(is_ahead) {
            self.last_output = Some((picture_id, tl0));
            self.newest_tl0 = input.tl0_picture_index.map(|(index, _)| index);
        }
        Some((picture_id, tl0))
    }

    /// Leaves out the picture of a packet, wholly: none of its packets may have been forwarded. When a picture after it was
    /// forwarded already, its id is lost and stays a gap.
    pub fn skip(&mut self, input: PictureNumbers, is_newest: bool) {
        if self.numbering == Numbering::SourceDistances {
            return;
        }
        let Some(bit) = self.advance(input, is_newest) else { return };
        if (self.sent | self.refused) & bit != 0 {
            return;
        }
        self.refused |= bit;
        if self.sent & (bit - 1) == 0 {
            self.skipped |= bit;
            self.offset = self.offset.wrapping_add(1);
        }
    }

    /// The bit of a packet's picture, which may become the newest.
    fn advance(&mut self, input: PictureNumbers, is_newest: bool) -> Option<u64> {
        match self.place(input, is_newest) {
            Place::Ahead(by) => {
                for pictures in [&mut self.sent, &mut self.refused, &mut self.skipped] {
                    *pictures = pictures.checked_shl(u32::from(by)).unwrap_or(0);
                }
                self.newest = (input.picture_id, input.is_long);
                Some(1)
            }
            Place::Behind(by) => Some(1 << by),
            Place::Restarted => {
                self.resync(self.numbering, input);
                Some(1)
            }
            Place::Forgotten => None,
        }
    }

    /// A packet that is the newest of its stream is never of an older picture: so short ids stay clear over a loss of more
    /// pictures than half of them can count.
    fn place(&self, input: PictureNumbers, is_newest: bool) -> Place {
        let (newest, is_long) = self.newest;
        let mask = mask(is_long);
        let ahead = input.picture_id.wrapping_sub(newest) & mask;
        let behind = newest.wrapping_sub(input.picture_id) & mask;
        match is_newest {
            _ if input.is_long != is_long => {
                if is_newest {
                    Place::Restarted
                } else {
                    Place::Forgotten
                }
            }
            _ if ahead == 0 => Place::Behind(0),
            true if ahead <= mask / 2 => Place::Ahead(ahead),
            true => Place::Restarted,
            false if behind < PICTURE_HISTORY => Place::Behind(behind),
            false => Place::Forgotten,
        }
    }
}

fn mask(is_long: bool) -> u16 {
    if is_long { 0x7fff } else { 0x7f }
}

#[cfg(test)]
mod tests;
