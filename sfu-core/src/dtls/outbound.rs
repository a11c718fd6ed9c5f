//! What goes to the network, and the last flight with the rules for sending it again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::limits::{
    MAX_FRESH_RESENDS_PER_FLIGHT, MAX_QUEUED_DATAGRAMS, MAX_RESENDS_PER_FLIGHT, REPEAT_INTERVAL_MIN, RESEND_INTERVAL,
    RESEND_INTERVAL_MAX,
};
use super::record::{content, fragments, records, renumber_plain_records, write_plain_record};

/// The handshake message type (RFC 6347 section 4.3.2).
const HELLO_VERIFY_REQUEST: u8 = 3;

/// The send queue and the last flight of one association.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    queue: VecDeque<Vec<u8>>,
    sequence: u64,
    flight: Vec<Vec<u8>>,
    sent_at: Option<Instant>,
    resend_at: Option<Instant>,
    resends: u32,
    fresh_resends: u32,
}

impl Outbound {
    pub(super) fn poll(&mut self) -> Option<Vec<u8>> {
        self.queue.pop_front()
    }

    /// Sends what the crate answered. Whether it was a flight (not only alerts); then it becomes the last one.
    pub(super) fn send(&mut self, now: Instant, datagrams: Vec<Vec<u8>>) -> bool {
        let flight = is_flight(&datagrams);
        for datagram in &datagrams {
            self.enqueue(datagram.clone());
        }
        if flight {
            // RFC 6347 section 4.2.1: timed repeats do not apply to HelloVerifyRequest. The client repeats, and is
            // answered.
            let timed = !datagrams.iter().any(|datagram| is_hello_verify_request(datagram));
            self.flight = datagrams;
            self.resends = 0;
            self.fresh_resends = 0;
            self.sent_at = Some(now);
            self.resend_at = timed.then(|| now + RESEND_INTERVAL);
        }
        flight
    }

    /// Sends a plaintext fatal alert (RFC 5246 section 7.2).
    pub(super) fn send_plain_alert(&mut self, description: u8) {
        let mut datagram = Vec::new();
        write_plain_record(&mut datagram, content::ALERT, 0, &[2, description]);
        self.enqueue(datagram);
    }

    /// When the last flight is due again.
    pub(super) fn resend_at(&self) -> Option<Instant> {
        self.resend_at.filter(|_| self.resends < MAX_RESENDS_PER_FLIGHT)
    }

    /// Whether a repeat by the peer may be answered with the last flight now.
    pub(super) fn may_answer_repeat(&self, now: Instant) -> bool {
        !self.flight.is_empty()
            && self.resends < MAX_RESENDS_PER_FLIGHT
            && self.sent_at.is_none_or(|sent_at| now >= sent_at + REPEAT_INTERVAL_MIN)
    }

    /// Whether the crate can still be asked to write the flight anew.
    pub(super) fn may_renew(&self) -> bool {
        self.fresh_resends < MAX_FRESH_RESENDS_PER_FLIGHT
    }

    /// Sends the last flight again: `renewed` when the crate wrote it anew, else the stored one. Returns whether
    /// anything went out.
    pub(super) fn resend(&mut self, now: Instant, renewed: Vec<Vec<u8>>) -> bool {
        if !renewed.is_empty() {
            self.fresh_resends += 1;
            self.flight = renewed;
        }
        if self.flight.is_empty() {
            self.resend_at = None;
            return false;
        }
        for datagram in self.flight.clone() {
            self.enqueue(datagram);
        }
        self.note_resend(now);
        true
    }

    /// Sends what the crate answered after the handshake. Whether it was the last flight again (not only an alert).
    pub(super) fn send_repeat(&mut self, now: Instant, datagrams: Vec<Vec<u8>>) -> bool {
        for datagram in &datagrams {
            self.enqueue(datagram.clone());
        }
        let flight = is_flight(&datagrams);
        if flight {
            self.flight = datagrams;
            self.note_resend(now);
        }
        flight
    }

    /// No more timed repeats: the handshake is complete, and only the peer's repeats call for our last flight.
    pub(super) fn stop_timer(&mut self) {
        self.resend_at = None;
    }

    /// Forgets the flight: the association is over.
    pub(super) fn forget_flight(&mut self) {
        self.flight = Vec::new();
        self.resend_at = None;
    }

    fn note_resend(&mut self, now: Instant) {
        self.resends += 1;
        self.sent_at = Some(now);
        if self.resend_at.is_some() {
            self.resend_at = Some(now + backoff(self.resends));
        }
    }

    fn enqueue(&mut self, mut datagram: Vec<u8>) {
        if self.queue.len() < MAX_QUEUED_DATAGRAMS {
            renumber_plain_records(&mut datagram, &mut self.sequence);
            self.queue.push_back(datagram);
        }
    }
}

/// Whether there is more in it than alerts.
fn is_flight(datagrams: &[Vec<u8>]) -> bool {
    datagrams.iter().flat_map(|datagram| records(datagram)).any(|record| record.content_type != content::ALERT)
}

fn is_hello_verify_request(datagram: &[u8]) -> bool {
    records(datagram).any(|record| {
        record.epoch == 0
            && record.content_type == content::HANDSHAKE
            && fragments(record.body).any(|fragment| fragment.message_type == HELLO_VERIFY_REQUEST)
    })
}

/// The wait before repeat number `resends + 1`.
fn backoff(resends: u32) -> Duration {
    RESEND_INTERVAL.saturating_mul(2_u32.saturating_pow(resends)).min(RESEND_INTERVAL_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::origin;

    fn flight() -> Vec<Vec<u8>> {
        let mut datagram = Vec::new();
        write_plain_record(&mut datagram, content::HANDSHAKE, 0, b"flight");
        vec![datagram]
    }

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let waits: Vec<_> = (0..7).map(|n| backoff(n).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 800, 800]);
        assert_eq!(backoff(u32::MAX), RESEND_INTERVAL_MAX);
    }

    #[test]
    fn repeats_end_at_their_limit() {
        let mut now = origin();
        let mut outbound = Outbound::default();
        assert!(outbound.send(now, flight()));
        while let Some(at) = outbound.resend_at() {
            now = at;
            assert!(outbound.resend(now, Vec::new()));
            while outbound.poll().is_some() {}
        }
        assert_eq!(outbound.resends, MAX_RESENDS_PER_FLIGHT);
        assert!(!outbound.may_answer_repeat(now + RESEND_INTERVAL_MAX));
    }

    #[test]
    fn the_queue_is_limited_when_nobody_polls() {
        let now = origin();
        let mut outbound = Outbound::default();
        for _ in 0..10 * MAX_QUEUED_DATAGRAMS {
            outbound.send(now, flight());
        }
        assert_eq!(outbound.queue.len(), MAX_QUEUED_DATAGRAMS);
    }

    #[test]
    fn a_repeat_carries_new_record_numbers() {
        let now = origin();
        let mut outbound = Outbound::default();
        outbound.send(now, flight());
        outbound.resend(now, Vec::new());
        let (first, second) = (outbound.poll().unwrap(), outbound.poll().unwrap());
        assert_ne!(first[5..11], second[5..11], "the peer would drop it as a replay");
        assert_eq!(first[13..], second[13..]);
    }

    #[test]
    fn an_alert_is_no_flight() {
        let mut alert = Vec::new();
        write_plain_record(&mut alert, content::ALERT, 0, &[2, 40]);
        let mut outbound = Outbound::default();
        assert!(!outbound.send(origin(), vec![alert]));
        assert!(outbound.resend_at().is_none());
    }
}
