//! Against an independent implementation, both ways.

use rtc_crypto::default_provider;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile as TheirProfile;

use super::*;

fn theirs(profile: ProtectionProfile) -> Context {
    let (key, salt) = master(profile);
    let their_profile = match profile {
        ProtectionProfile::AeadAes128Gcm => TheirProfile::AeadAes128Gcm,
        ProtectionProfile::AeadAes256Gcm => TheirProfile::AeadAes256Gcm,
        ProtectionProfile::Aes128CmHmacSha1_80 => TheirProfile::Aes128CmHmacSha1_80,
    };
    let provider = default_provider().unwrap();
    let window = REPLAY_WINDOW as usize;
    Context::new(
        &key,
        &salt,
        their_profile,
        Some(srtp_replay_protection(window)),
        Some(srtcp_replay_protection(window)),
        provider.crypto(),
    )
    .unwrap()
}

/// Sequence numbers across two wraps, with losses.
fn sequence_numbers() -> impl Iterator<Item = u16> {
    (30_000_u32..).step_by(997).take(200).map(|number| number as u16)
}

#[test]
fn what_we_seal_the_other_implementation_opens() {
    for profile in ProtectionProfile::ALL {
        let (mut ours, _) = contexts(profile);
        let mut theirs = theirs(profile);
        let mut stream = SealStream::new(Ssrc(SSRC));
        for (len, sequence_number) in sequence_numbers().enumerate() {
            let packet = rtp_packet(SSRC, sequence_number, &vec![7; len]);
            let sealed = seal(&ours, &mut stream, &packet).unwrap();
            assert_eq!(sealed.len(), packet.len() + profile.tag_len());
            assert_eq!(theirs.decrypt_rtp(&sealed).unwrap()[..], packet, "{profile:?} {sequence_number}");

            let packet = rtcp_packet(SSRC);
            let sealed = seal_rtcp(&mut ours, &packet).unwrap();
            assert_eq!(theirs.decrypt_rtcp(&sealed).unwrap()[..], packet, "{profile:?}");
        }
        assert_eq!(stream.rollover_counter(), 3);
    }
}

#[test]
fn what_the_other_implementation_seals_we_open() {
    for profile in ProtectionProfile::ALL {
        let (_, ours) = contexts(profile);
        let mut theirs = theirs(profile);
        let mut stream = OpenStream::new(Ssrc(SSRC));
        let mut streams = OpenRtcpStreams::default();
        for (len, sequence_number) in sequence_numbers().enumerate() {
            let packet = rtp_packet(SSRC, sequence_number, &vec![7; len]);
            let sealed = theirs.encrypt_rtp(&packet).unwrap();
            assert_eq!(open(&ours, &mut stream, &sealed).unwrap(), packet, "{profile:?} {sequence_number}");

            let packet = rtcp_packet(SSRC);
            let sealed = theirs.encrypt_rtcp(&packet).unwrap();
            assert_eq!(open_rtcp(&ours, &mut streams, &sealed).unwrap(), packet, "{profile:?}");
        }
        assert_eq!(stream.rollover_counter(), 3);
    }
}
