//! Packets of strangers: forged, altered, cut short, random.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::test_support::random_bytes;

#[test]
fn an_altered_packet_is_refused_and_the_true_one_still_opens() {
    for profile in ProtectionProfile::ALL {
        let (seal_context, open_context) = contexts(profile);
        let sealed = seal(&seal_context, &mut SealStream::new(Ssrc(SSRC)), &rtp_packet(SSRC, 100, b"payload")).unwrap();
        let mut stream = OpenStream::new(Ssrc(SSRC));
        for at in 0..sealed.len() {
            for bit in [1, 0x80] {
                let mut forged = sealed.clone();
                forged[at] ^= bit;
                assert!(open(&open_context, &mut stream, &forged).is_err(), "{profile:?}: byte {at}");
            }
        }
        assert_eq!(stream.window.highest(), None, "forged packets left a trace");
        assert!(open(&open_context, &mut stream, &sealed).is_ok());
    }
}

/// Moving the rollover counter by a forged packet would silence the stream for good.
#[test]
fn forged_sequence_numbers_move_no_rollover_counter() {
    for profile in ProtectionProfile::ALL {
        let (seal_context, open_context) = contexts(profile);
        let mut sender = SealStream::new(Ssrc(SSRC));
        let mut receiver = OpenStream::new(Ssrc(SSRC));
        let first = seal(&seal_context, &mut sender, &rtp_packet(SSRC, 65_000, b"x")).unwrap();
        open(&open_context, &mut receiver, &first).unwrap();
        for number in 0..=u16::MAX {
            let forged = rtp_packet(SSRC, number, &[0; 20]);
            assert!(open(&open_context, &mut receiver, &forged).is_err());
        }
        assert_eq!(receiver.rollover_counter(), 0);
        let second = seal(&seal_context, &mut sender, &rtp_packet(SSRC, 65_001, b"x")).unwrap();
        assert!(open(&open_context, &mut receiver, &second).is_ok());
    }
}

#[test]
fn a_packet_of_another_ssrc_is_refused() {
    let (seal_context, open_context) = contexts(ProtectionProfile::AeadAes128Gcm);
    let sealed = seal(&seal_context, &mut SealStream::new(Ssrc(9)), &rtp_packet(9, 1, b"x")).unwrap();
    let error = OpenError::WrongSsrc { expected: Ssrc(SSRC), found: Ssrc(9) };
    assert_eq!(open(&open_context, &mut OpenStream::new(Ssrc(SSRC)), &sealed), Err(error));
}

/// A packet in the clear needs no key to make, and was once believed without a look at its tag.
#[test]
fn rtcp_that_claims_not_to_be_encrypted_is_refused_under_every_profile() {
    for profile in ProtectionProfile::ALL {
        let (mut seal_context, open_context) = contexts(profile);
        let sealed = seal_rtcp(&mut seal_context, &rtcp_packet(SSRC)).unwrap();
        let index_at = match profile {
            ProtectionProfile::Aes128CmHmacSha1_80 => sealed.len() - profile.tag_len() - 4,
            ProtectionProfile::AeadAes128Gcm | ProtectionProfile::AeadAes256Gcm => sealed.len() - 4,
        };
        let mut cleared = sealed.clone();
        cleared[index_at] &= 0x7f;
        let mut forged = rtcp_packet(SSRC);
        forged.resize(forged.len() + profile.tag_len() + 4, 0);
        let mut streams = OpenRtcpStreams::default();
        for packet in [cleared, forged] {
            assert_eq!(open_rtcp(&open_context, &mut streams, &packet), Err(OpenError::NotEncrypted), "{profile:?}");
        }
        assert!(open_rtcp(&open_context, &mut streams, &sealed).is_ok());
    }
}

#[test]
fn forged_rtcp_makes_no_state_and_blocks_no_true_report() {
    for profile in ProtectionProfile::ALL {
        let (mut seal_context, open_context) = contexts(profile);
        let mut streams = OpenRtcpStreams::default();
        for ssrc in 0..2 * MAX_RTCP_SENDERS as u32 {
            let mut forged = rtcp_packet(ssrc);
            forged.extend([0xff; 20]);
            assert_eq!(open_rtcp(&open_context, &mut streams, &forged), Err(OpenError::AuthenticationFailed));
        }
        assert!(streams.is_empty());
        let sealed = seal_rtcp(&mut seal_context, &rtcp_packet(SSRC)).unwrap();
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(open_rtcp(&open_context, &mut streams, &altered).is_err(), "{profile:?}: byte {at}");
        }
        assert!(open_rtcp(&open_context, &mut streams, &sealed).is_ok());
    }
}

#[test]
fn cut_packets_are_refused() {
    for profile in ProtectionProfile::ALL {
        let (mut seal_context, open_context) = contexts(profile);
        let rtp = seal(&seal_context, &mut SealStream::new(Ssrc(SSRC)), &rtp_packet(SSRC, 1, b"payload")).unwrap();
        let rtcp = seal_rtcp(&mut seal_context, &rtcp_packet(SSRC)).unwrap();
        for len in 0..rtp.len() {
            assert!(open(&open_context, &mut OpenStream::new(Ssrc(SSRC)), &rtp[..len]).is_err());
        }
        for len in 0..rtcp.len() {
            assert!(open_rtcp(&open_context, &mut OpenRtcpStreams::default(), &rtcp[..len]).is_err());
        }
        // A header that a hostile length makes longer than the packet.
        for header_len in [0, 11, rtp.len(), usize::MAX] {
            let result = open_context.open_rtp(&mut OpenStream::new(Ssrc(SSRC)), &mut rtp.clone(), header_len);
            assert!(result.is_err(), "{profile:?}: a header of {header_len} bytes");
        }
    }
}

#[test]
fn random_packets_neither_panic_nor_pass() {
    let mut rng = StdRng::seed_from_u64(3);
    for _ in 0..3000 {
        fuzzing::fuzz_srtp(&random_bytes(&mut rng, 200));
    }
}
