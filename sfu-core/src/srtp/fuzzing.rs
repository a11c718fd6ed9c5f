//! What a fuzzer feeds to the opening half: compiled with everything else, so that it cannot rot.

use super::{OpenContext, OpenRtcpStreams, OpenStream, ProtectionProfile};
use crate::ids::Ssrc;

/// Opens `data` as SRTP and as SRTCP under every profile. The first byte is taken for the header's length.
///
/// # Panics
/// When a packet that no key has sealed is accepted, or leaves a trace.
pub fn fuzz_srtp(data: &[u8]) {
    let (header_len, data) = data.split_first().map_or((12, data), |(&first, rest)| (usize::from(first), rest));
    let ssrc = data.get(8..12).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes));
    for profile in ProtectionProfile::ALL {
        let (key, salt) = ([0x5a; 32], [0xa5; 14]);
        let context = OpenContext::new(
            profile,
            key.get(..profile.key_len()).unwrap_or_default(),
            salt.get(..profile.salt_len()).unwrap_or_default(),
        )
        .expect("a key and salt of the profile's own lengths");
        let mut stream = OpenStream::new(Ssrc(ssrc));
        assert!(context.open_rtp(&mut stream, &mut data.to_vec(), header_len).is_err(), "forged RTP accepted");
        let mut streams = OpenRtcpStreams::default();
        assert!(context.open_rtcp(&mut streams, &mut data.to_vec()).is_err(), "forged RTCP accepted");
        assert!(streams.is_empty(), "a forged packet made state");
    }
}
