//! Indices: wraps, reordering, replays, reuse and the ends of the counters.

use super::*;

#[test]
fn a_stream_survives_wraps_reordering_and_great_losses() {
    for profile in ProtectionProfile::ALL {
        let (seal_context, open_context) = contexts(profile);
        let mut sender = SealStream::new(Ssrc(SSRC));
        let mut receiver = OpenStream::new(Ssrc(SSRC));
        // Rollover counters 0, 0, 1, 0, 1, 1 (2^15 lost), 2 (2^15 - 1 lost), 1 (reordered over the wrap), 2.
        for sequence_number in [32_768, 65_535, 1, 65_534, 0, 32_769, 0, 65_400, 2] {
            let packet = rtp_packet(SSRC, sequence_number, b"payload");
            let sealed = seal(&seal_context, &mut sender, &packet).unwrap();
            assert_eq!(open(&open_context, &mut receiver, &sealed).unwrap(), packet, "{profile:?} {sequence_number}");
        }
        assert_eq!(sender.rollover_counter(), 2);
        assert_eq!(sender.rollover_counter(), receiver.rollover_counter());
    }
}

#[test]
fn packets_reordered_around_the_wrap_open_in_any_order() {
    for profile in ProtectionProfile::ALL {
        let (seal_context, open_context) = contexts(profile);
        let mut sender = SealStream::new(Ssrc(SSRC));
        let sealed: Vec<_> = (65_000_u32..66_000)
            .map(|number| seal(&seal_context, &mut sender, &rtp_packet(SSRC, number as u16, b"x")).unwrap())
            .collect();
        let mut receiver = OpenStream::new(Ssrc(SSRC));
        for at in (0..1000).step_by(2).chain((1..1000).step_by(2)) {
            assert!(open(&open_context, &mut receiver, &sealed[at]).is_ok(), "{profile:?} {at}");
        }
        assert_eq!(receiver.rollover_counter(), 1);
    }
}

#[test]
fn a_replayed_packet_is_refused() {
    for profile in ProtectionProfile::ALL {
        let (mut seal_context, open_context) = contexts(profile);
        let mut sender = SealStream::new(Ssrc(SSRC));
        let mut receiver = OpenStream::new(Ssrc(SSRC));
        let mut sealed = |number: u16| seal(&seal_context, &mut sender, &rtp_packet(SSRC, number, b"x")).unwrap();
        let (first, second, far) = (sealed(1), sealed(2), sealed(2000));
        open(&open_context, &mut receiver, &first).unwrap();
        open(&open_context, &mut receiver, &second).unwrap();
        assert_eq!(open(&open_context, &mut receiver, &first), Err(OpenError::Replayed { index: 1 }));
        open(&open_context, &mut receiver, &far).unwrap();
        assert_eq!(open(&open_context, &mut receiver, &first), Err(OpenError::TooOld { index: 1 }));

        let mut streams = OpenRtcpStreams::default();
        let report = seal_rtcp(&mut seal_context, &rtcp_packet(SSRC)).unwrap();
        open_rtcp(&open_context, &mut streams, &report).unwrap();
        assert_eq!(open_rtcp(&open_context, &mut streams, &report), Err(OpenError::Replayed { index: 0 }));
    }
}

/// Under one nonce two texts give away their difference, and under GCM the authentication key as well.
#[test]
fn no_index_is_sealed_twice() {
    for profile in ProtectionProfile::ALL {
        let (context, _) = contexts(profile);
        let mut stream = SealStream::new(Ssrc(SSRC));
        for number in [10, 12, 11] {
            seal(&context, &mut stream, &rtp_packet(SSRC, number, b"first")).unwrap();
        }
        for index in [10, 11, 12] {
            let mut buf = rtp_packet(SSRC, index, b"other");
            buf.resize(buf.len() + MAX_RTP_OVERHEAD, 0);
            let before = buf.clone();
            let result = context.seal_rtp(&mut stream, &mut buf, HEADER_LEN, 17);
            assert_eq!(result, Err(SealError::IndexReused { index: u64::from(index) }));
            assert_eq!(buf, before, "a refused packet is left as it was");
        }
        seal(&context, &mut stream, &rtp_packet(SSRC, 5000, b"first")).unwrap();
        let late = seal(&context, &mut stream, &rtp_packet(SSRC, 13, b"late"));
        assert_eq!(late, Err(SealError::IndexTooOld { index: 13 }));
    }
}

/// A peer without RTX would have to do without the packet, or every consumer keep its sealed packets.
#[test]
fn a_repeated_packet_is_the_identical_datagram_and_leaves_the_stream_as_it_was() {
    for profile in ProtectionProfile::ALL {
        let (context, open_context) = contexts(profile);
        let mut stream = SealStream::new(Ssrc(SSRC));
        // Across the wrap, so that the rollover counter is the packet's own and not the newest one's.
        let numbers = [65_534_u16, 65_535, 0, 1];
        let packets = numbers.map(|number| rtp_packet(SSRC, number, &number.to_be_bytes()));
        let sealed = packets.each_ref().map(|packet| seal(&context, &mut stream, packet).unwrap());
        let before = format!("{stream:?}");
        for (packet, sealed) in packets.iter().zip(&sealed) {
            assert_eq!(repeat(&context, &stream, packet).as_ref(), Ok(sealed), "{profile:?}");
        }
        assert_eq!(format!("{stream:?}"), before);
        let mut receiver = OpenStream::new(Ssrc(SSRC));
        for number in [0, 2, 3, 1] {
            let again = repeat(&context, &stream, &packets[number]).unwrap();
            assert_eq!(open(&open_context, &mut receiver, &again).as_ref(), Ok(&packets[number]), "{profile:?}");
        }
        let next = seal(&context, &mut stream, &rtp_packet(SSRC, 2, b"next"));
        assert!(next.is_ok(), "the next number is still free");
    }
}

/// To repeat what was never sealed would use its index up unnoticed: the true packet would then share its nonce.
#[test]
fn only_a_remembered_index_is_repeated() {
    for profile in ProtectionProfile::ALL {
        let (context, _) = contexts(profile);
        let mut stream = SealStream::new(Ssrc(SSRC));
        let packet = |number| rtp_packet(SSRC, number, b"payload");
        assert_eq!(repeat(&context, &stream, &packet(10)), Err(SealError::NeverSealed { index: 10 }));
        let newest = 10 + REPLAY_WINDOW as u16;
        for number in [10, 11, newest] {
            seal(&context, &mut stream, &packet(number)).unwrap();
        }
        for (number, expected) in [
            (10, Err(SealError::IndexTooOld { index: 10 })),
            (11, Ok(())),
            (12, Err(SealError::NeverSealed { index: 12 })),
            (newest, Ok(())),
            (newest + 1, Err(SealError::NeverSealed { index: u64::from(newest) + 1 })),
        ] {
            assert_eq!(repeat(&context, &stream, &packet(number)).map(drop), expected, "{profile:?} {number}");
        }
        let mut buf = packet(12);
        buf.resize(buf.len() + MAX_RTP_OVERHEAD, 0);
        let before = buf.clone();
        assert!(context.repeat_rtp(&stream, &mut buf, HEADER_LEN, 19).is_err());
        assert_eq!(buf, before, "a refused packet is left as it was");
        let other = repeat(&context, &stream, &rtp_packet(SSRC + 1, 11, b"payload"));
        assert_eq!(other, Err(SealError::WrongSsrc { expected: Ssrc(SSRC), found: Ssrc(SSRC + 1) }));
    }
}

#[test]
fn sealing_checks_its_bounds_and_its_stream_first() {
    for profile in ProtectionProfile::ALL {
        let (mut context, _) = contexts(profile);
        let mut stream = SealStream::new(Ssrc(SSRC));
        let packet = rtp_packet(SSRC, 1, b"payload");
        let len = packet.len();

        let mut tight = packet.clone();
        tight.resize(len + profile.tag_len() - 1, 0);
        let needed = len + profile.tag_len();
        let no_room = SealError::NoRoom { needed, buffer_len: needed - 1 };
        assert_eq!(context.seal_rtp(&mut stream, &mut tight, HEADER_LEN, len), Err(no_room));

        let mut buf = packet.clone();
        buf.resize(len + MAX_RTP_OVERHEAD, 0);
        for (header_len, plain_len) in [(11, len), (len + 1, len), (12, 11), (12, buf.len() + 1), (12, usize::MAX)] {
            let result = context.seal_rtp(&mut stream, &mut buf, header_len, plain_len);
            assert!(matches!(result, Err(SealError::Bounds { .. })), "{header_len} {plain_len} {result:?}");
        }
        let mut other = SealStream::new(Ssrc(SSRC + 1));
        let wrong = SealError::WrongSsrc { expected: Ssrc(SSRC + 1), found: Ssrc(SSRC) };
        assert_eq!(context.seal_rtp(&mut other, &mut buf, HEADER_LEN, len), Err(wrong));
        assert!(context.seal_rtcp(&mut buf, 7).is_err());
        assert!(context.seal_rtcp(&mut buf, usize::MAX).is_err());
        // None of that has used the index up.
        assert!(context.seal_rtp(&mut stream, &mut buf, HEADER_LEN, len).is_ok());
    }
}

#[test]
fn the_rtcp_index_ends_at_31_bits_and_never_wraps() {
    for profile in ProtectionProfile::ALL {
        let (mut seal_context, open_context) = contexts(profile);
        seal_context.next_rtcp_index = MAX_RTCP_INDEX;
        let last = seal_rtcp(&mut seal_context, &rtcp_packet(SSRC)).unwrap();
        assert!(open_rtcp(&open_context, &mut OpenRtcpStreams::default(), &last).is_ok());
        assert_eq!(seal_rtcp(&mut seal_context, &rtcp_packet(SSRC)), Err(SealError::KeyExhausted));
    }
}

#[test]
fn at_the_limit_of_rtcp_senders_the_one_silent_for_longest_is_forgotten() {
    let (mut seal_context, open_context) = contexts(ProtectionProfile::AeadAes128Gcm);
    let mut streams = OpenRtcpStreams::default();
    let first = seal_rtcp(&mut seal_context, &rtcp_packet(0)).unwrap();
    let second = seal_rtcp(&mut seal_context, &rtcp_packet(1)).unwrap();
    open_rtcp(&open_context, &mut streams, &first).unwrap();
    open_rtcp(&open_context, &mut streams, &second).unwrap();
    for ssrc in 2..MAX_RTCP_SENDERS as u32 {
        let sealed = seal_rtcp(&mut seal_context, &rtcp_packet(ssrc)).unwrap();
        open_rtcp(&open_context, &mut streams, &sealed).unwrap();
    }
    // The first is heard again, so the second has been silent for longest.
    for ssrc in [0, 1000] {
        let sealed = seal_rtcp(&mut seal_context, &rtcp_packet(ssrc)).unwrap();
        open_rtcp(&open_context, &mut streams, &sealed).unwrap();
    }
    assert_eq!(streams.len(), MAX_RTCP_SENDERS);
    assert_eq!(open_rtcp(&open_context, &mut streams, &first), Err(OpenError::Replayed { index: 0 }));
    assert!(open_rtcp(&open_context, &mut streams, &second).is_ok());
}

#[test]
fn keys_and_salts_of_the_wrong_length_are_refused() {
    let profile = ProtectionProfile::AeadAes128Gcm;
    assert_eq!(
        SealContext::new(profile, &[0; 32], &[0; 12]).unwrap_err(),
        KeyError::KeyLength { expected: 16, actual: 32 }
    );
    assert_eq!(
        OpenContext::new(profile, &[0; 16], &[0; 14]).unwrap_err(),
        KeyError::SaltLength { expected: 12, actual: 14 }
    );
}
