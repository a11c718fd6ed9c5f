//! Bodies of fuzz targets, compiled in every build so that they cannot rot.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{Certificate, Dtls, Role};

/// Drives an association with hostile bytes. The first byte chooses the role (bit 0) and how many honest datagrams a
/// peer exchanges with it first (upper bits); then come datagrams, each after a big-endian 16-bit length, which may
/// lie. Panics only on a defect.
pub fn fuzz_association(now: Instant, data: &[u8]) {
    static CERTIFICATE: OnceLock<Option<Certificate>> = OnceLock::new();
    let Some(certificate) = CERTIFICATE.get_or_init(|| Certificate::generate().ok()).clone() else { return };
    let Some((&choice, mut rest)) = data.split_first() else { return };
    let role = if choice & 1 == 0 { Role::Client } else { Role::Server };

    let mut ours = Dtls::new(certificate.clone());
    let mut peer = Dtls::new(certificate.clone());
    for (side, role) in [(&mut ours, role), (&mut peer, role.other())] {
        // Cannot fail: both are new and the list has three.
        let _ = side.set_remote_fingerprints(now, certificate.fingerprints().to_vec());
        let _ = side.start(now, role);
    }
    for _ in 0..choice >> 1 {
        let to_peer = ours.poll_transmit();
        let to_us = peer.poll_transmit();
        if to_peer.is_none() && to_us.is_none() {
            break;
        }
        if let Some(datagram) = to_peer {
            peer.handle_datagram(now, &datagram);
        }
        if let Some(datagram) = to_us {
            ours.handle_datagram(now, &datagram);
        }
    }

    let mut now = now;
    while let Some((header, after)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*header)).min(after.len());
        let (datagram, after) = after.split_at(len);
        rest = after;
        ours.handle_datagram(now, datagram);
        now += Duration::from_millis(10);
        ours.handle_timeout(now);
        while ours.poll_transmit().is_some() {}
        while ours.poll_event().is_some() {}
    }
    ours.close(now);
}
