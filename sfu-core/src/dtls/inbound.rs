//! What stands between the network and the crate: plaintext handshake messages are put together here, within limits,
//! and the crate gets whole messages in order; junk gets nowhere.
//!
//! Harms prevented, all in the crate's reach of one unauthenticated peer: its reassembler recurses once per fragment
//! and keeps zero-length ones uncounted (memory, and a stack overflow kills the process); a record of an unknown kind
//! makes it send a fatal alert (which ends the honest peer's handshake); early encrypted records are queued without
//! limit; and every repeat that it sees clears its retransmission timer.

use std::collections::BTreeMap;

use super::limits::{
    MAX_MESSAGE_BYTES, MAX_MESSAGES, MAX_PENDING_BYTES, MAX_PIECES, MAX_RETAINED_BYTES, MIN_RETAINED_BYTES,
};
use super::record::{Fragment, Record, content, fragments, records, write_plain_record};
use super::types::Role;

const ALERT_FATAL: u8 = 2;
const ALERT_CLOSE_NOTIFY: u8 = 0;

/// A whole plaintext handshake message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) seq: u16,
    pub(super) body: Vec<u8>,
}

/// What a datagram brought, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// The next plaintext handshake message.
    Message(Message),
    /// A record to pass on, with its header.
    Record(Vec<u8>),
    /// A plaintext close_notify before the handshake was complete.
    PlainClose,
    /// A plaintext fatal alert before the handshake was complete, with its description (RFC 5246 section 7.2).
    PlainFatal(u8),
}

/// How a datagram is to be taken.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) items: Vec<Item>,
    /// It held a message that we already have: the peer is sending a flight again.
    pub(super) repeat: bool,
    /// It held something of a message that we did not have.
    pub(super) progress: bool,
    /// Application data records dropped.
    pub(super) application_data: u32,
}

/// Where the handshake stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Plaintext is still listened to.
    Handshaking,
    /// Nothing in plaintext counts any more, except that the client's repeats ask a server for its last flight.
    Complete(Role),
}

/// The reassembler and filter of one association.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    next: u16,
    pending: BTreeMap<u16, Pending>,
    pending_bytes: usize,
    retained_bytes: usize,
    sequence: u64,
}

impl Inbound {
    /// Splits a datagram into what may be acted on.
    pub(super) fn accept(&mut self, datagram: &[u8], stage: Stage) -> Received {
        let mut received = Received::default();
        for record in records(datagram) {
            match (record.epoch, stage) {
                (0, Stage::Handshaking) => self.accept_plain(record, &mut received),
                (0, Stage::Complete(Role::Server)) if record.content_type == content::HANDSHAKE => {
                    received.repeat |= fragments(record.body).any(|fragment| fragment.message_seq < self.next);
                }
                (1, _) => self.accept_encrypted(record, stage, &mut received),
                _ => {}
            }
        }
        received
    }

    /// Writes `message` as one record for the crate, numbered by us, so that the crate's replay window never sees a
    /// gap or a repeat.
    pub(super) fn write_message(&mut self, out: &mut impl Extend<u8>, message: &Message) {
        let len = u32::try_from(message.body.len()).unwrap_or(0).to_be_bytes();
        let seq = message.seq.to_be_bytes();
        let mut body = vec![message.kind, len[1], len[2], len[3], seq[0], seq[1], 0, 0, 0, len[1], len[2], len[3]];
        body.extend_from_slice(&message.body);
        self.write_plain(out, content::HANDSHAKE, &body);
    }

    /// Forgets all messages, as if none had come.
    pub(super) fn restart(&mut self) {
        self.next = 0;
        self.pending.clear();
        self.pending_bytes = 0;
    }

    fn accept_plain(&mut self, record: Record<'_>, received: &mut Received) {
        match (record.content_type, record.body) {
            (content::HANDSHAKE, body) => {
                for fragment in fragments(body) {
                    self.accept_fragment(fragment, received);
                }
            }
            (content::CHANGE_CIPHER_SPEC, [1]) if self.retain(record.bytes.len()) => {
                let mut bytes = Vec::with_capacity(record.bytes.len());
                self.write_plain(&mut bytes, content::CHANGE_CIPHER_SPEC, record.body);
                received.items.push(Item::Record(bytes));
            }
            (content::ALERT, [_, ALERT_CLOSE_NOTIFY]) => received.items.push(Item::PlainClose),
            (content::ALERT, [ALERT_FATAL, description]) => received.items.push(Item::PlainFatal(*description)),
            // Warnings, application data, unknown kinds.
            _ => {}
        }
    }

    fn accept_encrypted(&mut self, record: Record<'_>, stage: Stage, received: &mut Received) {
        let pass = match record.content_type {
            // A client that is done needs nothing more; answering the server's repeats would make it repeat again.
            content::HANDSHAKE => stage != Stage::Complete(Role::Client) && self.retain(record.bytes.len()),
            // After the handshake the crate keeps nothing of an alert.
            content::ALERT => stage != Stage::Handshaking || self.retain(record.bytes.len()),
            content::APPLICATION_DATA => {
                received.application_data = received.application_data.saturating_add(1);
                false
            }
            _ => false,
        };
        if pass {
            received.items.push(Item::Record(record.bytes.to_vec()));
        }
    }

    fn accept_fragment(&mut self, fragment: Fragment<'_>, received: &mut Received) {
        if fragment.message_seq < self.next {
            received.repeat = true;
            return;
        }
        if fragment.message_seq >= MAX_MESSAGES || fragment.message_len > MAX_MESSAGE_BYTES {
            return;
        }
        if !self.make_room(&fragment) {
            return;
        }
        let Some(pending) = self.pending.get_mut(&fragment.message_seq) else { return };
        if pending.insert(&fragment) {
            received.progress = true;
        } else {
            received.repeat = true;
        }
        while let Some(entry) = self.pending.first_entry()
            && *entry.key() == self.next
            && entry.get().is_complete()
        {
            let pending = entry.remove();
            self.pending_bytes -= pending.body.len();
            received.items.push(Item::Message(Message { kind: pending.kind, seq: self.next, body: pending.body }));
            self.next += 1;
        }
    }

    /// Makes sure that there is a buffer for the fragment's message; whether there is.
    fn make_room(&mut self, fragment: &Fragment<'_>) -> bool {
        if let Some(pending) = self.pending.get(&fragment.message_seq) {
            if pending.kind == fragment.message_type && pending.body.len() == fragment.message_len {
                return true;
            }
            // Another message under the same number: a peer that starts over is right, a forger is not better off.
            self.drop_pending(fragment.message_seq);
        }
        while self.pending_bytes + fragment.message_len > MAX_PENDING_BYTES {
            match self.pending.last_key_value().map(|(seq, _)| *seq) {
                Some(furthest) if furthest > fragment.message_seq => self.drop_pending(furthest),
                _ => return false,
            }
        }
        self.pending_bytes += fragment.message_len;
        self.pending.insert(fragment.message_seq, Pending::new(fragment.message_type, fragment.message_len));
        true
    }

    fn drop_pending(&mut self, seq: u16) {
        if let Some(dropped) = self.pending.remove(&seq) {
            self.pending_bytes -= dropped.body.len();
        }
    }

    fn retain(&mut self, len: usize) -> bool {
        let cost = len.max(MIN_RETAINED_BYTES);
        let fits = self.retained_bytes + cost <= MAX_RETAINED_BYTES;
        if fits {
            self.retained_bytes += cost;
        }
        fits
    }

    fn write_plain(&mut self, out: &mut impl Extend<u8>, content_type: u8, body: &[u8]) {
        write_plain_record(out, content_type, self.sequence, body);
        self.sequence += 1;
    }
}

/// A message of which pieces are missing.
#[derive(Debug)]
struct Pending {
    kind: u8,
    body: Vec<u8>,
    /// Disjoint ranges that we have, in order.
    have: Vec<(usize, usize)>,
    started: bool,
}

impl Pending {
    fn new(kind: u8, len: usize) -> Self {
        Self { kind, body: vec![0; len], have: Vec::new(), started: false }
    }

    /// Takes a piece; whether it held anything new.
    fn insert(&mut self, fragment: &Fragment<'_>) -> bool {
        let (start, end) = (fragment.offset, fragment.offset + fragment.data.len());
        let first = !std::mem::replace(&mut self.started, true);
        if self.have.iter().any(|&(from, to)| from <= start && end <= to) {
            return first;
        }
        let mut merged = (start, end);
        let mut have: Vec<_> = Vec::with_capacity(self.have.len() + 1);
        for &(from, to) in &self.have {
            if to < start || end < from {
                have.push((from, to));
            } else {
                merged = (merged.0.min(from), merged.1.max(to));
            }
        }
        if have.len() >= MAX_PIECES {
            return false;
        }
        if let Some(target) = self.body.get_mut(start..end) {
            target.copy_from_slice(fragment.data);
        }
        have.push(merged);
        have.sort_unstable();
        self.have = have;
        true
    }

    fn is_complete(&self) -> bool {
        self.body.is_empty() || self.have == [(0, self.body.len())]
    }
}

#[cfg(test)]
#[path = "inbound_tests.rs"]
mod tests;
