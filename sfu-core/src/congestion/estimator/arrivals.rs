//! What was sent and how it arrived: matches feedback with what is remembered of the packets, and hands each packet's two
//! times to those who draw conclusions from them.

use super::acknowledged::Acknowledged;
use super::cluster::{ProbeArrival, ProbeId};
use super::delay_based::DelayBased;
use super::feedback::{ReceiverClock, Status};
use super::history::{Fate, SentHistory, SentPacket};
use crate::rtcp::transport_cc::TransportCc;

/// A one-way delay that changes by more from one packet to the next is a clock that was set, or a lie.
const MAX_CLOCK_JUMP_US: i64 = 15_000_000;

/// Packets from their sending to what feedback says of them, with the measurements that are made of all of them.
#[derive(Debug, Clone)]
pub(super) struct Arrivals {
    history: SentHistory,
    clock: ReceiverClock,
    acknowledged: Acknowledged,
    delays: DelayBased,
    /// The unwrapped number after the last that feedback covered.
    next_untold: u64,
    /// When the newest acknowledged packet was sent, and the bytes of all up to it.
    newest_acknowledged_us: i64,
    acknowledged_bytes: u64,
    /// The latest one-way delay, in the difference of the two clocks.
    last_delay_us: Option<i64>,
}

impl Arrivals {
    pub(super) fn new() -> Self {
        Self {
            history: SentHistory::default(),
            clock: ReceiverClock::default(),
            acknowledged: Acknowledged::default(),
            delays: DelayBased::new(),
            next_untold: 0,
            newest_acknowledged_us: 0,
            acknowledged_bytes: 0,
            last_delay_us: None,
        }
    }

    pub(super) fn handle_sent(&mut self, sent_us: i64, wide_sequence: u16, bytes: usize, probe: Option<ProbeId>) {
        self.history.handle_sent(sent_us, wide_sequence, u32::try_from(bytes).unwrap_or(u32::MAX), probe);
    }

    /// Takes in what is told of each packet. Whether packets are on their way that it does not cover, if any of it was news.
    pub(super) fn read(
        &mut self,
        feedback: &TransportCc<impl AsRef<[u8]>>,
        mut on_probe: impl FnMut(ProbeArrival),
    ) -> Option<bool> {
        let Self {
            history,
            clock,
            acknowledged,
            delays,
            newest_acknowledged_us,
            acknowledged_bytes,
            last_delay_us,
            next_untold,
        } = self;
        let base = history.unwrap(feedback.base_sequence_number());
        let mut newest = None;
        let mut end = (*next_untold).max(base);
        let mut untold_bytes = 0;
        let mut untold_us = 0;
        history.mark_untold(*next_untold, base, |packet| {
            untold_bytes += u64::from(packet.bytes);
            untold_us = packet.sent_us;
        });
        clock.read(feedback, |offset, status| {
            let sequence = base + u64::from(offset);
            let arrival_us = match status {
                Status::Missing => return history.miss(sequence),
                Status::Received(arrival_us) => arrival_us,
            };
            let Some(packet) = history.receive(sequence) else { return };
            newest = newest.max(Some(sequence));
            end = end.max(sequence + 1);
            *newest_acknowledged_us = (*newest_acknowledged_us).max(packet.sent_us);
            *acknowledged_bytes = (*acknowledged_bytes).max(packet.total_bytes);
            let Some(arrival_us) = arrival_us else { return };
            let delay_us = arrival_us.saturating_sub(packet.sent_us);
            if delay_us.saturating_sub(last_delay_us.unwrap_or(delay_us)).saturating_abs() > MAX_CLOCK_JUMP_US {
                // The receiver set its clock: times from before compare with none from now on.
                acknowledged.reset();
                delays.reset();
            }
            *last_delay_us = Some(delay_us);
            if untold_bytes > 0 {
                acknowledged.handle_untold(untold_us, std::mem::take(&mut untold_bytes));
            }
            let bytes = u64::from(packet.bytes);
            if packet.fate != Fate::Untold {
                acknowledged.handle_packet(packet.sent_us, arrival_us, bytes);
            }
            delays.handle_packet(packet.sent_us, arrival_us);
            if let Some(id) = packet.probe {
                on_probe(ProbeArrival { id, sent_us: packet.sent_us, arrival_us, bytes });
            }
        });
        *next_untold = end;
        acknowledged.measure();
        delays.measure();
        newest.map(|newest| newest + 1 < history.end())
    }

    /// Hands every packet sent until `until_us` to `each`, with what is known of it, and forgets it.
    pub(super) fn settle(&mut self, until_us: i64, each: impl FnMut(&SentPacket)) {
        self.history.settle(until_us, each);
    }

    /// Measures anew: the path was interrupted.
    pub(super) fn restart(&mut self) {
        self.delays.reset();
        self.acknowledged.reset();
    }

    /// What arrives, over half a second and over a short time.
    pub(super) fn acknowledged(&self) -> &Acknowledged {
        &self.acknowledged
    }

    pub(super) fn delays(&self) -> &DelayBased {
        &self.delays
    }

    pub(super) fn delays_mut(&mut self) -> &mut DelayBased {
        &mut self.delays
    }

    /// When the newest packet that arrived was sent.
    pub(super) fn newest_acknowledged_us(&self) -> i64 {
        self.newest_acknowledged_us
    }

    /// Bytes sent after the newest packet that arrived.
    pub(super) fn in_flight_bytes(&self) -> u64 {
        self.history.total_bytes().saturating_sub(self.acknowledged_bytes)
    }
}
