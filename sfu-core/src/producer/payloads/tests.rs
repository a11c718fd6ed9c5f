use serde_json::json;

use super::*;
use crate::negotiation::{default_media_codecs, producer_rtp_parameters_mapping, router_rtp_capabilities};
use crate::test_support::random_bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;

const RED: PayloadType = PayloadType(63);
const OPUS: PayloadType = PayloadType(111);

/// A microphone that Chromium sends with redundancy, and the router's payload types of RED and Opus.
fn microphone() -> (PayloadTable, PayloadType, PayloadType) {
    let mut parameters: RtpParameters = serde_json::from_value(json!({
        "mid": "0",
        "codecs": [
            {"mimeType": "audio/red", "payloadType": 63, "clockRate": 48000, "channels": 2, "parameters": {"111/111": ""}},
            {"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2,
             "rtcpFeedback": [{"type": "nack"}]},
        ],
        "encodings": [{"ssrc": 1}],
    }))
    .unwrap();
    let capabilities = router_rtp_capabilities(&default_media_codecs()).unwrap();
    let mapping =
        producer_rtp_parameters_mapping(&mut parameters, &capabilities, &mut StdRng::seed_from_u64(1)).unwrap();
    let mapped = |payload_type| mapping.mapped_payload_type(payload_type).unwrap();
    (PayloadTable::new(&parameters, &mapping), mapped(RED), mapped(OPUS))
}

/// One repeated block of three bytes, then the primary block of two.
const REDUNDANT: [u8; 10] = [0x80 | 111, 0x0f, 0x00, 0x03, 111, 1, 2, 3, 4, 5];

#[test]
fn redundant_audio_is_the_media_of_its_primary_block() {
    let (table, _, opus) = microphone();
    let media = table.media(RED).unwrap();
    assert_eq!(Some(media), table.media(OPUS));
    assert_eq!((media.codec, media.mapped, media.clock_rate_hz, media.nack), (Codec::Opus, opus, 48_000, true));
}

#[test]
fn a_packet_serves_consumers_of_both_kinds() {
    let (table, red, opus) = microphone();
    let packet = table.red(RED, &REDUNDANT).unwrap().unwrap();
    assert_eq!(packet.mapped(), red);
    assert_eq!(packet.primary(&REDUNDANT), [4, 5]);
    let mut copy = REDUNDANT;
    packet.renumber(&mut copy);
    assert_eq!(copy, [0x80 | opus.0, 0x0f, 0x00, 0x03, opus.0, 1, 2, 3, 4, 5]);
}

#[test]
fn plain_opus_and_padding_are_no_redundant_audio() {
    let (table, ..) = microphone();
    assert!(table.red(OPUS, &REDUNDANT).unwrap().is_none());
    assert!(table.red(RED, &[]).unwrap().is_none());
    assert!(table.red(PayloadType(9), &REDUNDANT).unwrap().is_none());
}

/// A block that no consumer has a decoder for must not be passed off as Opus.
#[test]
fn a_primary_block_of_another_codec_is_refused() {
    let (table, ..) = microphone();
    let found = PayloadType(13);
    assert_eq!(table.red(RED, &[13, 1, 2]).unwrap_err(), RedError::ForeignPrimary { found, expected: OPUS });
}

#[test]
fn whatever_comes_never_panics() {
    let (table, ..) = microphone();
    let mut rng = StdRng::seed_from_u64(2);
    for _ in 0..5_000 {
        let mut payload = random_bytes(&mut rng, 40);
        if let Ok(Some(packet)) = table.red(RED, &payload) {
            assert!(payload.ends_with(packet.primary(&payload)));
            packet.renumber(&mut payload);
        }
    }
}
