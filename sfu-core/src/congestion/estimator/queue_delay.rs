//! How long packets wait in the path's queue: the least delay of late against the least delay of a while.
//!
//! Jitter adds to single packets and leaves the least delay alone; a queue delays every packet. So what the trendline
//! suspects is believed only if the least delay has risen too, and a spike of jitter lowers no estimate.

/// Delays are kept as the least of each slot of arrivals.
const SLOT_US: i64 = 20_000;
const SLOTS: usize = 25;

/// The recent least delay spans at least three slots, which hold the beginning of a frame, and as many packets as the
/// jitter asks for, as far as [`SLOTS`] reach: fewer may all have met with jitter. One more for every so many
/// milliseconds of it.
const RECENT_SLOTS: usize = 3;
const MIN_RECENT_PACKETS: f64 = 2.0;
const MAX_RECENT_PACKETS: f64 = 10.0;
const JITTER_MS_PER_PACKET: f64 = 6.0;

/// The base is the least delay of one to two such times. Clocks that drift apart by 100 ppm move it by 3 ms.
const BASE_HALF_US: i64 = 15_000_000;

/// Weight of a new slot in the mean of the jitter, about two seconds of slots; the first slots count alike.
const JITTER_WEIGHT: f64 = 0.01;

/// The least queue that counts: what a frame's own packets make each other wait, and timers' coarseness.
const MIN_GATE_MS: f64 = 8.0;

/// Jitter raises the gate no further: beyond it a queue is a queue.
const MAX_GATE_MS: f64 = 90.0;

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    number: i64,
    least_us: i64,
    sum_over_least_us: i64,
    packets: u32,
}

/// One-way delays, in the difference of two unrelated clocks.
#[derive(Debug, Clone, Default)]
pub(super) struct QueueDelay {
    slots: [Slot; SLOTS],
    newest: Option<i64>,
    base_us: Option<i64>,
    /// The least delay of the half-time that runs.
    next_base_us: i64,
    half_began_us: i64,
    jitter_ms: f64,
    jitter_slots: u32,
    /// The least delay of late when it was last worked out.
    recent_least_us: Option<i64>,
}

impl QueueDelay {
    pub(super) fn handle_packet(&mut self, sent_us: i64, arrival_us: i64) {
        let delay_us = arrival_us.saturating_sub(sent_us);
        self.update_base(arrival_us, delay_us);
        let number = arrival_us.div_euclid(SLOT_US);
        let newest = *self.newest.get_or_insert(number);
        if number > newest {
            self.update_jitter();
            self.newest = Some(number);
        } else if number <= newest.saturating_sub(SLOTS as i64) {
            return;
        }
        let Some(slot) = self.slots.get_mut(slot_of(number)) else { return };
        if slot.number != number || slot.packets == 0 {
            *slot = Slot { number, least_us: delay_us, sum_over_least_us: 0, packets: 1 };
            return;
        }
        if delay_us < slot.least_us {
            let lower = slot.least_us.saturating_sub(delay_us);
            slot.sum_over_least_us =
                slot.sum_over_least_us.saturating_add(lower.saturating_mul(i64::from(slot.packets)));
            slot.least_us = delay_us;
        } else {
            slot.sum_over_least_us = slot.sum_over_least_us.saturating_add(delay_us.saturating_sub(slot.least_us));
        }
        slot.packets = slot.packets.saturating_add(1);
    }

    /// Works out the delay of late, once for all packets of a message.
    pub(super) fn measure(&mut self) {
        self.recent_least_us = self.recent().map(|(least_us, _)| least_us);
    }

    /// The queue's delay of late when it was last worked out, in milliseconds.
    pub(super) fn queue_ms(&self) -> f64 {
        let (Some(least_us), Some(base_us)) = (self.recent_least_us, self.base_us) else { return 0.0 };
        least_us.saturating_sub(base_us) as f64 / 1000.0
    }

    /// The queue's delay from which on it is one, in milliseconds.
    pub(super) fn gate_ms(&self) -> f64 {
        self.jitter_ms.clamp(MIN_GATE_MS, MAX_GATE_MS)
    }

    /// The mean excess of delays over the least of late, in milliseconds, beyond what counts as none.
    pub(super) fn jitter_ms(&self) -> f64 {
        (self.jitter_ms - MIN_GATE_MS).max(0.0)
    }

    /// Takes the delay of late as that of an empty queue: it does not fall when less is sent, so the path has changed
    /// or the queue is somebody else's.
    pub(super) fn rebase(&mut self) {
        if let Some(least_us) = self.recent_least_us {
            self.base_us = Some(least_us);
            self.next_base_us = least_us;
        }
    }

    fn update_base(&mut self, arrival_us: i64, delay_us: i64) {
        match self.base_us {
            None => {
                self.next_base_us = delay_us;
                self.half_began_us = arrival_us;
                self.base_us = Some(delay_us);
            }
            Some(base_us) => {
                self.next_base_us = self.next_base_us.min(delay_us);
                if arrival_us.saturating_sub(self.half_began_us) > BASE_HALF_US {
                    self.base_us = Some(self.next_base_us);
                    self.next_base_us = delay_us;
                    self.half_began_us = arrival_us;
                } else {
                    self.base_us = Some(base_us.min(delay_us));
                }
            }
        }
    }

    /// The least delay of late, and the mean excess over it.
    fn recent(&self) -> Option<(i64, f64)> {
        let newest = self.newest?;
        let needed = (MIN_RECENT_PACKETS + self.jitter_ms / JITTER_MS_PER_PACKET).min(MAX_RECENT_PACKETS) as u32;
        let mut least_us: Option<i64> = None;
        let mut packets = 0;
        let mut sum_us = 0.0;
        // From the newest back to the first of the ring, and on from its last.
        let (until_newest, others) = self.slots.split_at_checked(slot_of(newest) + 1)?;
        for (age, slot) in until_newest.iter().rev().chain(others.iter().rev()).enumerate() {
            if age >= RECENT_SLOTS && packets >= needed {
                break;
            }
            let number = newest - age as i64;
            if slot.number != number || slot.packets == 0 {
                continue;
            }
            sum_us += slot.least_us as f64 * f64::from(slot.packets) + slot.sum_over_least_us as f64;
            packets = packets.saturating_add(slot.packets);
            least_us = Some(least_us.map_or(slot.least_us, |least| least.min(slot.least_us)));
        }
        least_us.map(|least| (least, sum_us / f64::from(packets) - least as f64))
    }

    /// To be called when the newest slot is complete.
    fn update_jitter(&mut self) {
        if let Some((_, excess_us)) = self.recent() {
            self.jitter_slots = self.jitter_slots.saturating_add(1);
            let weight = JITTER_WEIGHT.max(1.0 / f64::from(self.jitter_slots));
            self.jitter_ms += weight * (excess_us / 1000.0 - self.jitter_ms);
        }
    }
}

fn slot_of(number: i64) -> usize {
    number.rem_euclid(SLOTS as i64) as usize
}
