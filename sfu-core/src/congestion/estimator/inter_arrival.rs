//! Packet groups and the differences between them (draft-ietf-rmcat-gcc-02, sections 5.2 and 5.3).

/// Packets sent within this time form one group: a burst tells one delay (draft, section 5.2).
const BURST_US: i64 = 5_000;

/// A receiver's stall that hands over many groups at once makes one group of them, up to this length.
const MAX_STALL_US: i64 = 100_000;

/// A difference beyond this is no queue but a clock that was set.
const MAX_JUMP_US: i64 = 3_000_000;

/// The difference between two successive groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GroupDelta {
    pub(super) sent_us: i64,
    pub(super) arrival_us: i64,
    /// The later group's last arrival.
    pub(super) arrived_at_us: i64,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent_us: i64,
    last_sent_us: i64,
    first_arrival_us: i64,
    last_arrival_us: i64,
}

/// Makes groups of packets in the order of sending.
#[derive(Debug, Clone, Default)]
pub(super) struct InterArrival {
    previous: Option<Group>,
    current: Option<Group>,
}

impl InterArrival {
    /// Takes a received packet. A difference comes out when a group is complete, which its successor tells.
    pub(super) fn handle_packet(&mut self, sent_us: i64, arrival_us: i64) -> Option<GroupDelta> {
        let next = Group {
            first_sent_us: sent_us,
            last_sent_us: sent_us,
            first_arrival_us: arrival_us,
            last_arrival_us: arrival_us,
        };
        let Some(current) = &mut self.current else {
            self.current = Some(next);
            return None;
        };
        if sent_us < current.first_sent_us {
            return None;
        }
        if current.takes(sent_us, arrival_us) {
            current.last_sent_us = current.last_sent_us.max(sent_us);
            current.last_arrival_us = current.last_arrival_us.max(arrival_us);
            return None;
        }
        let complete = *current;
        let delta = self.previous.map(|previous| GroupDelta {
            sent_us: complete.last_sent_us - previous.last_sent_us,
            arrival_us: complete.last_arrival_us.saturating_sub(previous.last_arrival_us),
            arrived_at_us: complete.last_arrival_us,
        });
        self.previous = Some(complete);
        self.current = Some(next);
        delta.filter(|delta| delta.arrival_us.saturating_sub(delta.sent_us).saturating_abs() <= MAX_JUMP_US)
    }
}

impl Group {
    fn takes(&self, sent_us: i64, arrival_us: i64) -> bool {
        if sent_us - self.first_sent_us <= BURST_US {
            return true;
        }
        let gap_us = arrival_us.saturating_sub(self.last_arrival_us);
        let catches_up = gap_us < sent_us - self.last_sent_us;
        catches_up && gap_us <= BURST_US && arrival_us.saturating_sub(self.first_arrival_us) < MAX_STALL_US
    }
}
