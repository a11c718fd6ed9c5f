//! What we read out of a ClientHello ourselves: the SRTP profiles that the client offers.

/// The handshake message type (RFC 5246 section 7.4).
pub(super) const CLIENT_HELLO: u8 = 1;

/// The extension `use_srtp` (RFC 5764 section 4.1.1).
const USE_SRTP: u16 = 14;

/// The code points in `use_srtp`, in the client's order; empty when it does not offer the extension. `None` when
/// the body is no ClientHello (RFC 6347 section 4.2.1).
pub(super) fn offered_srtp_profiles(body: &[u8]) -> Option<Vec<u16>> {
    let mut hello = Reader(body);
    hello.take(2 + 32)?; // client_version, random
    hello.vector_u8()?; // session_id
    hello.vector_u8()?; // cookie
    hello.vector_u16()?; // cipher_suites
    hello.vector_u8()?; // compression_methods
    if hello.0.is_empty() {
        return Some(Vec::new());
    }
    let mut extensions = Reader(hello.vector_u16()?);
    let mut offered = Vec::new();
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let data = extensions.vector_u16()?;
        if kind == USE_SRTP {
            offered = Reader(data)
                .vector_u16()?
                .chunks_exact(2)
                .map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1]))
                .collect();
        }
    }
    Some(offered)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*bytes))
    }

    fn vector_u8(&mut self) -> Option<&'a [u8]> {
        let len = *self.take(1)?.first()?;
        self.take(usize::from(len))
    }

    fn vector_u16(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(extensions: &[u8]) -> Vec<u8> {
        let mut body = vec![254, 253];
        body.extend([7; 32]);
        body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
        body
    }

    #[test]
    fn the_offer_is_read_in_the_clients_order_among_other_extensions() {
        let body = hello(&[0, 23, 0, 0, 0, 14, 0, 9, 0, 6, 0, 1, 0, 8, 0, 7, 0, 0xff, 1, 0, 1, 0]);
        assert_eq!(offered_srtp_profiles(&body), Some(vec![1, 8, 7]));
        assert_eq!(offered_srtp_profiles(&hello(&[0, 23, 0, 0])), Some(vec![]));
    }

    #[test]
    fn every_cut_and_every_length_lie_is_survived() {
        let body = hello(&[0, 14, 0, 5, 0, 2, 0, 7, 0]);
        for len in 0..body.len() {
            let cut = offered_srtp_profiles(&body[..len]);
            assert!(cut.is_none() || cut == Some(vec![]), "cut at {len}");
        }
        for position in 34..body.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut lie = body.clone();
                lie[position] = value;
                let _ = offered_srtp_profiles(&lie);
            }
        }
    }
}
