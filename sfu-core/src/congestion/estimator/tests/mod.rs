//! Tests of the whole estimator: on simulated paths, and against receivers that lie.

mod hostile;
mod interface;
mod scenarios;
mod simulator;

use std::time::{Duration, Instant};

use rtc_rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, RecvDelta, RunLengthChunk, StatusChunkTypeTcc, SymbolTypeTcc, TransportLayerCc,
};

use rtc_shared::marshal::Marshal;

use super::{BandwidthEstimator, EstimatorOptions};
use crate::rtcp::transport_cc::TransportCc;
use crate::test_support::{ms, origin};

/// Feedback on `count` packets from `base` on, all received `delta_us` apart.
fn all_received(base: u16, count: u16, reference_time: u32, delta_us: i64) -> TransportCc<Vec<u8>> {
    read(&run(SymbolTypeTcc::PacketReceivedLargeDelta, base, count, reference_time, delta_us))
}

fn all_missing(base: u16, count: u16) -> TransportCc<Vec<u8>> {
    read(&run(SymbolTypeTcc::PacketNotReceived, base, count, 1, 0))
}

/// A message as it comes out of its datagram.
fn read(message: &TransportLayerCc) -> TransportCc<Vec<u8>> {
    TransportCc::read(message.marshal().unwrap()[4..].to_vec()).unwrap()
}

fn run(symbol: SymbolTypeTcc, base: u16, count: u16, reference_time: u32, delta_us: i64) -> TransportLayerCc {
    let deltas = if symbol == SymbolTypeTcc::PacketNotReceived { 0 } else { usize::from(count) };
    TransportLayerCc {
        sender_ssrc: 1,
        media_ssrc: 2,
        base_sequence_number: base,
        packet_status_count: count,
        reference_time,
        fb_pkt_count: 0,
        packet_chunks: vec![PacketStatusChunk::RunLengthChunk(RunLengthChunk {
            type_tcc: StatusChunkTypeTcc::RunLengthChunk,
            packet_status_symbol: symbol,
            run_length: count,
        })],
        recv_deltas: vec![RecvDelta { type_tcc_packet: symbol, delta: delta_us }; deltas],
    }
}

/// An estimator that has sent packets `0..count`, one every 10 ms, of 1000 bytes.
fn with_sent(count: u16) -> (BandwidthEstimator, Instant) {
    let mut estimator = BandwidthEstimator::new(origin(), EstimatorOptions::default());
    for sequence in 0..count {
        estimator.handle_sent(at_packet(sequence), sequence, 1000, None);
    }
    (estimator, at_packet(count) + ms(50))
}

fn at_packet(sequence: u16) -> Instant {
    origin() + Duration::from_millis(10) * u32::from(sequence)
}
