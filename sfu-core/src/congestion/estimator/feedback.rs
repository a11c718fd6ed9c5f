//! Reads transport-wide feedback as a list of statuses with arrival times on one unbroken clock.

use crate::rtcp::transport_cc::{Arrival, TransportCc};

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
    /// Calls `each` with every status told, by its offset from the message's base sequence number.
    pub(super) fn read(&mut self, feedback: &TransportCc<impl AsRef<[u8]>>, mut each: impl FnMut(u16, Status)) {
        let mut arrival_us = self.unwrap(feedback.reference_time()).saturating_mul(REFERENCE_US);
        feedback.for_each(|offset, arrival| {
            let status = match arrival {
                Arrival::Missing => Status::Missing,
                Arrival::Untimed => Status::Received(None),
                Arrival::After(delta_us) => {
                    arrival_us = arrival_us.saturating_add(delta_us);
                    Status::Received(Some(arrival_us))
                }
            };
            each(offset, status);
        });
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
