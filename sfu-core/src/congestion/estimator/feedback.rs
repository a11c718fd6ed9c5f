//! Reads transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1) as a list of
//! statuses with arrival times on one unbroken clock.

use rtc_rtcp::transport_feedbacks::transport_layer_cc::{PacketStatusChunk, SymbolTypeTcc, TransportLayerCc};

/// The reference time's unit: 64 ms.
const REFERENCE_US: i64 = 64_000;

/// The reference time has 24 bits: it wraps after twelve days.
const REFERENCE_MODULUS: i64 = 1 << 24;

/// What a receiver says of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Missing,
    /// The arrival on the receiver's clock in microseconds, unless the receiver did not tell it.
    Received(Option<i64>),
}

/// The receiver's clock: unwraps the reference times of successive messages.
#[derive(Debug, Clone, Default)]
pub(super) struct ReceiverClock {
    /// The latest unwrapped reference time, in units of 64 ms.
    latest: Option<i64>,
}

impl ReceiverClock {
    /// Calls `each` with every status told, by its offset from the message's base sequence number. Ends where the
    /// message's count, its chunks or its deltas end, whichever is first: a message may lie about any of them.
    pub(super) fn read(&mut self, feedback: &TransportLayerCc, mut each: impl FnMut(u16, Status)) {
        let mut arrival_us = self.unwrap(feedback.reference_time).saturating_mul(REFERENCE_US);
        let mut deltas = feedback.recv_deltas.iter();
        for (offset, symbol) in (0..feedback.packet_status_count).zip(symbols(feedback)) {
            let status = match symbol {
                SymbolTypeTcc::PacketNotReceived => Status::Missing,
                SymbolTypeTcc::PacketReceivedWithoutDelta => Status::Received(None),
                SymbolTypeTcc::PacketReceivedSmallDelta | SymbolTypeTcc::PacketReceivedLargeDelta => {
                    let Some(delta) = deltas.next() else { return };
                    arrival_us = arrival_us.saturating_add(delta.delta);
                    Status::Received(Some(arrival_us))
                }
            };
            each(offset, status);
        }
    }

    /// The unwrapped time nearest to the latest one.
    fn unwrap(&mut self, reference_time: u32) -> i64 {
        let raw = i64::from(reference_time) % REFERENCE_MODULUS;
        let unwrapped = match self.latest {
            None => raw,
            Some(latest) => {
                let ahead = (raw - latest).rem_euclid(REFERENCE_MODULUS);
                let signed = if ahead >= REFERENCE_MODULUS / 2 { ahead - REFERENCE_MODULUS } else { ahead };
                latest.saturating_add(signed)
            }
        };
        self.latest = Some(unwrapped);
        unwrapped
    }
}

fn symbols(feedback: &TransportLayerCc) -> impl Iterator<Item = SymbolTypeTcc> {
    feedback.packet_chunks.iter().flat_map(|chunk| {
        // A run is one symbol repeated, a vector is each symbol once.
        let (run, vector) = match chunk {
            PacketStatusChunk::RunLengthChunk(run) => {
                (Some(std::iter::repeat_n(run.packet_status_symbol, usize::from(run.run_length))), None)
            }
            PacketStatusChunk::StatusVectorChunk(vector) => (None, Some(vector.symbol_list.iter().copied())),
        };
        run.into_iter().flatten().chain(vector.into_iter().flatten())
    })
}
