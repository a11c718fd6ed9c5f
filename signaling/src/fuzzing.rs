//! The body of the fuzz target of events' payloads. It is compiled in every build, so that it cannot rot.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::SignalError;
use crate::limits::{
    APP_DATA_BYTES_MAX, ERROR_TEXT_BYTES_MAX, MESSAGE_BYTES_MAX, ROOM_ID_BYTES_MAX, USER_ID_BYTES_MAX,
};
use crate::vocabulary::Vocabulary;
use crate::wire::reply::failure;
use crate::wire::request::{
    ConnectTransport, Consume, CreateTransport, JoinRoom, OfConsumer, OfObject, OfProducer, OfTransport, Produce,
    SendMessage, SetMaxBitrate, SetPreferredLayers, SetPriority, StreamTraces, TransportTraces, Typing, user_id,
};
use crate::wire::{decode, named_room};

/// What an error's answer has around its text.
const ENVELOPE_BYTES: usize = 64;

/// `data` is an event's name, a line's end, and its first argument as JSON. It is read as the payload of every event.
///
/// # Panics
/// If what is taken is beyond its limits, or the answer to what is refused is.
pub fn fuzz_payload(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (name, payload) = data.split_at(end);
    let Ok(payload) = serde_json::from_slice::<Value>(payload) else { return };
    let vocabulary = Vocabulary::told_by(&String::from_utf8_lossy(name), &payload);
    let refused = |error: SignalError| {
        let answer = failure(&error, vocabulary).to_string();
        // A control character takes six bytes in JSON.
        assert!(answer.len() <= ERROR_TEXT_BYTES_MAX * 6 + ENVELOPE_BYTES, "the answer has {} bytes", answer.len());
    };

    match named_room(&payload) {
        Ok(room) => assert!(room.is_none_or(|room| (1..=ROOM_ID_BYTES_MAX).contains(&room.len()))),
        Err(error) => refused(error),
    }
    match user_id(&payload) {
        Ok(id) => assert!((1..=USER_ID_BYTES_MAX).contains(&id.len())),
        Err(error) => refused(error),
    }
    for error in [
        read::<ConnectTransport>(&payload, |_| Ok(())),
        read::<Consume>(&payload, |consume| consume.checked().map(drop)),
        read::<CreateTransport>(&payload, |create| {
            create.transport_use().map(|used_for| assert!(used_for.sends || used_for.receives))
        }),
        read::<JoinRoom>(&payload, |join| join.identity().map(drop)),
        read::<OfConsumer>(&payload, |_| Ok(())),
        read::<OfObject>(&payload, |of| of.object().map(drop)),
        read::<OfProducer>(&payload, |_| Ok(())),
        read::<OfTransport>(&payload, |_| Ok(())),
        read::<Produce>(&payload, |mut produce| {
            let app_data = produce.take_app_data(true)?;
            assert!(app_data.0.to_string().len() <= APP_DATA_BYTES_MAX && app_data.0.is_object());
            Ok(())
        }),
        read::<SendMessage>(&payload, |message| {
            message.checked().map(|chat| assert!(chat.text.len() <= MESSAGE_BYTES_MAX))
        }),
        read::<SetMaxBitrate>(&payload, |set| {
            assert!(set.limit_bps(Some(1)).is_some_and(|limit| limit <= 1), "a client lifts the server's limit");
            Ok(())
        }),
        read::<SetPreferredLayers>(&payload, |set| {
            set.layers();
            Ok(())
        }),
        read::<SetPriority>(&payload, |_| Ok(())),
        read::<StreamTraces>(&payload, |_| Ok(())),
        read::<TransportTraces>(&payload, |_| Ok(())),
        read::<Typing>(&payload, |typing| typing.checked().map(drop)),
    ]
    .into_iter()
    .flatten()
    {
        refused(error);
    }
}

/// Why the payload is refused as that of an event, if it is.
fn read<T: DeserializeOwned>(payload: &Value, check: impl FnOnce(T) -> Result<(), SignalError>) -> Option<SignalError> {
    decode::<T>(payload.clone()).and_then(check).err()
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use serde_json::json;
    use simulation::vectors;

    use super::*;

    const ID: &str = "c0ffee00-0000-4000-8000-000000000001";

    /// Every field that any event has, and what fills limits.
    fn seeds() -> Vec<Value> {
        let (kind, parameters) = vectors::producer("vp8-simulcast3");
        vec![
            json!({"transportId": ID, "kind": kind, "rtpParameters": parameters, "appData": {"type": "screen", "roomId": "r"}}),
            json!({"producerId": ID, "rtpCapabilities": vectors::chromium(), "preferredLayers": {"spatialLayer": 1}}),
            json!({"transportId": ID, "dtlsParameters": {"role": "auto", "fingerprints": [{"algorithm": "sha-256", "value": "AB"}]}}),
            json!({"roomId": "r", "callId": "r", "userId": "u", "userName": "n", "producing": true, "consuming": false, "direction": "send"}),
            json!({"consumerId": ID, "spatialLayer": 2, "temporalLayer": 1, "priority": 255, "kind": "audio"}),
            json!({"transportId": ID, "bitrate": 1_000_000, "types": ["rtp", "keyframe", "bwe", "probation"]}),
            json!({"message": "m".repeat(1000), "senderName": "s", "recipientId": "u", "receiverId": "u", "isTyping": true}),
            json!("somebody"),
        ]
    }

    /// Harm prevented: a payload takes the session's task down, or is answered with as much as was sent.
    #[test]
    fn payloads_of_every_event_and_damaged_ones_do_no_harm() {
        let names = ["createRoom", "joinRoom", "sendMessage", "consume", ""];
        let mut rng = StdRng::seed_from_u64(10);
        for seed in seeds() {
            let text = seed.to_string();
            for round in 0..3_000 {
                let mut data = format!("{}\n{text}", names[round % names.len()]).into_bytes();
                for _ in 0..rng.random_range(0..4) {
                    if data.is_empty() {
                        break;
                    }
                    let at = rng.random_range(0..data.len());
                    match rng.random_range(0..5) {
                        // Digits, quotes and braces in each other's place: most of it stays JSON.
                        0 => data[at] = b"0123456789\"{}[],:-.e"[rng.random_range(0..20)],
                        1 => data[at] = rng.random(),
                        2 => {
                            let more = vec![data[at]; rng.random_range(1..2_000)];
                            data.splice(at..at, more);
                        }
                        3 => drop(data.drain(at..(at + 5).min(data.len()))),
                        _ => data.truncate(at + 1),
                    }
                }
                fuzz_payload(&data);
            }
        }
    }
}
