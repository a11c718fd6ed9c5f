//! A view of DTLS 1.2 records and plaintext handshake fragments (RFC 6347 sections 4.1 and 4.2.2), without copying.

/// Bytes of a record's header.
pub(super) const RECORD_HEADER_LEN: usize = 13;
/// Bytes of a handshake fragment's header.
pub(super) const FRAGMENT_HEADER_LEN: usize = 12;

/// Record content types (RFC 5246 section 6.2.1).
pub(super) mod content {
    pub(in crate::dtls) const CHANGE_CIPHER_SPEC: u8 = 20;
    pub(in crate::dtls) const ALERT: u8 = 21;
    pub(in crate::dtls) const HANDSHAKE: u8 = 22;
    pub(in crate::dtls) const APPLICATION_DATA: u8 = 23;
}

/// The version on the wire of DTLS 1.2.
pub(super) const DTLS_1_2: [u8; 2] = [254, 253];
/// The version on the wire of DTLS 1.0, which a first ClientHello and a HelloVerifyRequest may carry.
const DTLS_1_0: [u8; 2] = [254, 255];

/// One whole record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) content_type: u8,
    pub(super) epoch: u16,
    pub(super) body: &'a [u8],
    /// Header and body.
    pub(super) bytes: &'a [u8],
}

/// The whole, well-formed records of a datagram. Stops at the first that is not (RFC 6347 section 4.1.2.7: invalid
/// records are silently discarded).
pub(super) fn records(mut datagram: &[u8]) -> impl Iterator<Item = Record<'_>> {
    std::iter::from_fn(move || {
        let (record, rest) = split_record(datagram)?;
        datagram = rest;
        Some(record)
    })
}

fn split_record(datagram: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (header, rest) = datagram.split_first_chunk::<RECORD_HEADER_LEN>()?;
    let [content_type, major, minor, epoch_high, epoch_low, _, _, _, _, _, _, len_high, len_low] = *header;
    if [major, minor] != DTLS_1_2 && [major, minor] != DTLS_1_0 {
        return None;
    }
    let len = usize::from(u16::from_be_bytes([len_high, len_low]));
    let (body, rest) = rest.split_at_checked(len)?;
    let bytes = datagram.get(..RECORD_HEADER_LEN + len)?;
    Some((Record { content_type, epoch: u16::from_be_bytes([epoch_high, epoch_low]), body, bytes }, rest))
}

/// A piece of a plaintext handshake message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment<'a> {
    pub(super) message_type: u8,
    /// The whole message's length without headers, in bytes.
    pub(super) message_len: usize,
    pub(super) message_seq: u16,
    /// Where `data` begins in the message.
    pub(super) offset: usize,
    pub(super) data: &'a [u8],
}

/// The fragments in a handshake record's body; a record may hold several. Stops at the first that is cut short or
/// reaches beyond its message.
pub(super) fn fragments(mut body: &[u8]) -> impl Iterator<Item = Fragment<'_>> {
    std::iter::from_fn(move || {
        let (fragment, rest) = split_fragment(body)?;
        body = rest;
        Some(fragment)
    })
}

fn split_fragment(body: &[u8]) -> Option<(Fragment<'_>, &[u8])> {
    let (header, rest) = body.split_first_chunk::<FRAGMENT_HEADER_LEN>()?;
    let [message_type, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2] = *header;
    let u24 = |bytes: [u8; 3]| usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]);
    let message_len = u24([l0, l1, l2]);
    let offset = u24([o0, o1, o2]);
    let (data, rest) = rest.split_at_checked(u24([f0, f1, f2]))?;
    if offset + data.len() > message_len {
        return None;
    }
    Some((Fragment { message_type, message_len, message_seq: u16::from_be_bytes([s0, s1]), offset, data }, rest))
}

/// Writes a plaintext (epoch 0) record. `body` must fit 16 bits; every caller's is far shorter.
pub(super) fn write_plain_record(out: &mut impl Extend<u8>, content_type: u8, sequence: u64, body: &[u8]) {
    let len = u16::try_from(body.len()).unwrap_or(u16::MAX);
    out.extend([content_type, DTLS_1_2[0], DTLS_1_2[1], 0, 0]);
    out.extend(sequence.to_be_bytes().into_iter().skip(2));
    out.extend(len.to_be_bytes());
    out.extend(body.iter().copied().take(usize::from(len)));
}

/// Gives each plaintext record in `datagram` a sequence number of its own, counting `next` up.
///
/// Harm prevented: a flight that is sent again with its old numbers is taken for a replay by a peer that had received
/// it and whose answer was lost. Plaintext records carry no tag, so their numbers may be written anew; they all pass
/// through here, so that no number is used twice.
pub(super) fn renumber_plain_records(datagram: &mut [u8], next: &mut u64) {
    let mut start = 0;
    while let Some((record, _)) = datagram.get(start..).and_then(split_record) {
        let (epoch, len) = (record.epoch, record.bytes.len());
        if epoch == 0
            && let Some(number) = datagram.get_mut(start + 5..start + 11)
        {
            for (byte, new) in number.iter_mut().zip(next.to_be_bytes().into_iter().skip(2)) {
                *byte = new;
            }
            *next = next.wrapping_add(1);
        }
        start += len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content_type: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_plain_record(&mut out, content_type, 9, body);
        out[4] = epoch;
        out
    }

    #[test]
    fn records_end_at_the_first_that_is_malformed() {
        let mut datagram = record(22, 0, b"one");
        datagram.extend(record(20, 1, b"two"));
        let good = datagram.len();
        datagram.extend(record(21, 0, b"three"));
        datagram.pop();
        let found: Vec<_> = records(&datagram).map(|r| (r.content_type, r.epoch, r.body.to_vec())).collect();
        assert_eq!(found, [(22, 0, b"one".to_vec()), (20, 1, b"two".to_vec())]);
        assert_eq!(records(&datagram).map(|r| r.bytes.len()).sum::<usize>(), good);
        let mut tls = record(22, 0, b"x");
        tls[1] = 3;
        assert_eq!(records(&tls).count(), 0);
    }

    #[test]
    fn a_fragment_that_lies_about_its_lengths_is_refused() {
        let header = |len: u8, offset: u8, fragment: u8| [1, 0, 0, len, 0, 0, 0, 0, offset, 0, 0, fragment];
        let body = |header: [u8; 12], data: &[u8]| [&header[..], data].concat();
        assert_eq!(fragments(&body(header(3, 0, 3), b"abc")).count(), 1);
        assert_eq!(fragments(&body(header(3, 0, 3), b"ab")).count(), 0, "cut short");
        assert_eq!(fragments(&body(header(3, 1, 3), b"abc")).count(), 0, "beyond the message");
        let two = [body(header(3, 0, 1), b"a"), body(header(3, 1, 2), b"bc")].concat();
        assert_eq!(fragments(&two).map(|f| (f.offset, f.data.len())).collect::<Vec<_>>(), [(0, 1), (1, 2)]);
    }

    #[test]
    fn plaintext_records_are_renumbered_and_encrypted_ones_are_not() {
        let mut datagram = record(22, 0, b"a");
        datagram.extend(record(22, 1, b"b"));
        datagram.extend(record(20, 0, b"c"));
        let mut next = 0x0102_0304_0506;
        renumber_plain_records(&mut datagram, &mut next);
        assert_eq!(next, 0x0102_0304_0508);
        let numbers: Vec<_> = records(&datagram).map(|r| r.bytes[5..11].to_vec()).collect();
        assert_eq!(numbers, [[1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 9], [1, 2, 3, 4, 5, 7]]);
    }
}
