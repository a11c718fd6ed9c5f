//! Packet status chunks (section 3.1.2 to 3.1.4): two bytes each, for a run of equal statuses or for a few mixed ones.

use rtc_rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, RunLengthChunk, StatusChunkTypeTcc, StatusVectorChunk, SymbolSizeTypeTcc, SymbolTypeTcc,
};

/// The longest run that one chunk tells: 13 bits.
const MAX_RUN: usize = (1 << 13) - 1;

/// Statuses in a vector of one bit each (received with a small delta, or not received) and of two bits each.
const ONE_BIT_STATUSES: usize = 14;
const TWO_BIT_STATUSES: usize = 7;

/// Encodes statuses, always as the chunk that tells most of what is left.
pub(super) fn encode(mut symbols: &[SymbolTypeTcc]) -> Vec<PacketStatusChunk> {
    let mut chunks = Vec::new();
    while let Some(&first) = symbols.first() {
        let run = symbols.iter().take(MAX_RUN).take_while(|symbol| **symbol == first).count();
        let one_bit = symbols
            .iter()
            .take(ONE_BIT_STATUSES)
            .take_while(|symbol| **symbol != SymbolTypeTcc::PacketReceivedLargeDelta)
            .count();
        let two_bit = symbols.len().min(TWO_BIT_STATUSES);
        let (chunk, told) = if run >= one_bit.max(two_bit) {
            (run_length(first, run), run)
        } else if one_bit == symbols.len().min(ONE_BIT_STATUSES) {
            (vector(symbols, SymbolSizeTypeTcc::OneBit, one_bit), one_bit)
        } else {
            (vector(symbols, SymbolSizeTypeTcc::TwoBit, two_bit), two_bit)
        };
        chunks.push(chunk);
        symbols = symbols.get(told..).unwrap_or_default();
    }
    chunks
}

fn run_length(packet_status_symbol: SymbolTypeTcc, run: usize) -> PacketStatusChunk {
    PacketStatusChunk::RunLengthChunk(RunLengthChunk {
        type_tcc: StatusChunkTypeTcc::RunLengthChunk,
        packet_status_symbol,
        run_length: run as u16,
    })
}

/// Unused places at a vector's end stay zero, "not received", beyond the message's status count.
fn vector(symbols: &[SymbolTypeTcc], symbol_size: SymbolSizeTypeTcc, count: usize) -> PacketStatusChunk {
    PacketStatusChunk::StatusVectorChunk(StatusVectorChunk {
        type_tcc: StatusChunkTypeTcc::StatusVectorChunk,
        symbol_size,
        symbol_list: symbols.iter().take(count).copied().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `.` not received, `s` small, `l` large.
    fn symbols(text: &str) -> Vec<SymbolTypeTcc> {
        text.chars()
            .map(|c| match c {
                's' => SymbolTypeTcc::PacketReceivedSmallDelta,
                'l' => SymbolTypeTcc::PacketReceivedLargeDelta,
                _ => SymbolTypeTcc::PacketNotReceived,
            })
            .collect()
    }

    /// `R` run, `1` and `2` vectors, each with how many statuses it tells.
    fn shape(text: &str) -> Vec<(char, usize)> {
        encode(&symbols(text))
            .iter()
            .map(|chunk| match chunk {
                PacketStatusChunk::RunLengthChunk(chunk) => ('R', usize::from(chunk.run_length)),
                PacketStatusChunk::StatusVectorChunk(chunk) if chunk.symbol_size == SymbolSizeTypeTcc::OneBit => {
                    ('1', chunk.symbol_list.len())
                }
                PacketStatusChunk::StatusVectorChunk(chunk) => ('2', chunk.symbol_list.len()),
            })
            .collect()
    }

    #[test]
    fn the_chunk_that_tells_most_is_taken() {
        let cases: &[(&str, &[(char, usize)])] = &[
            ("", &[]),
            ("s", &[('R', 1)]),
            ("sssssss", &[('R', 7)]),
            ("s.s", &[('1', 3)]),
            ("s.s.s.s.s.s.s.s", &[('1', 14), ('R', 1)]),
            ("ssssssssssssss.", &[('R', 14), ('R', 1)]),
            ("ls.", &[('2', 3)]),
            ("lllllll.s", &[('R', 7), ('1', 2)]),
            ("ss.ssssssslsss", &[('2', 7), ('2', 7)]),
            ("s.s.s.s.s.s.s.l", &[('1', 14), ('R', 1)]),
        ];
        for (text, expected) in cases {
            assert_eq!(&shape(text), expected, "{text}");
        }
    }

    #[test]
    fn a_run_longer_than_thirteen_bits_takes_two_chunks() {
        assert_eq!(shape(&".".repeat(9000)), [('R', 8191), ('R', 809)]);
    }
}
