use std::time::Duration;

use serde_json::json;
use sfu_core::ids::{ConsumerId, ProducerId, Ssrc};
use sfu_core::parameters::{ConsumerLayers, MediaKind};
use sfu_core::stats::{ConsumerScore, ProducerScore, TraceDirection, TraceEvent, TraceInfo, TraceTarget};

use super::notice::{Loudness, Notice};
use super::request::*;
use super::*;
use crate::limits::{APP_DATA_BYTES_MAX, MESSAGE_BYTES_MAX, USER_ID_BYTES_MAX};
use crate::presence::{Status, UserStatus};
use crate::room::{Identity, PauseReason, PeerId, ProducerInfo};
use crate::vocabulary::Vocabulary;

const ID: &str = "c0ffee00-0000-4000-8000-000000000001";

fn refusal<T: DeserializeOwned>(payload: Value) -> String {
    match decode::<T>(payload) {
        Ok(_) => "taken".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn produce(field: &str, value: Value) -> Value {
    let mut payload = json!({
        "transportId": ID,
        "kind": "video",
        "rtpParameters": {
            "codecs": [{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000}],
            "encodings": [{"ssrc": 1}],
        },
        "appData": {"type": "camera"},
    });
    *payload.pointer_mut(field).unwrap() = value;
    payload
}

fn consume(field: &str, value: Value) -> Value {
    let mut payload = json!({
        "producerId": ID,
        "rtpCapabilities": {"codecs": [], "headerExtensions": []},
        "appData": {},
        "preferredLayers": {"spatialLayer": 1, "temporalLayer": 2},
    });
    *payload.pointer_mut(field).unwrap() = value;
    payload
}

#[test]
fn an_error_names_the_field_with_its_path() {
    for (text, expected) in [
        (refusal::<Produce>(json!({})), "missing field `transportId`"),
        (refusal::<Produce>(json!([])), "the payload must be an object"),
        (refusal::<Produce>(json!(null)), "the payload must be an object"),
        (refusal::<Produce>(produce("/transportId", json!(5))), "transportId: invalid type"),
        (refusal::<Produce>(produce("/transportId", json!("nonsense"))), "transportId: "),
        (refusal::<Produce>(produce("/kind", json!("smell"))), "kind: unknown variant `smell`"),
        (refusal::<Produce>(produce("/appData", json!("text"))), "appData: invalid type"),
        (refusal::<Produce>(produce("/rtpParameters", json!(null))), "rtpParameters: invalid type"),
        (
            refusal::<Produce>(produce("/rtpParameters/codecs/0/payloadType", json!("96"))),
            "rtpParameters.codecs[0].payloadType: invalid type: string \"96\"",
        ),
        (
            refusal::<ConnectTransport>(json!({"transportId": ID, "dtlsParameters": {"role": "client"}})),
            "dtlsParameters: missing field `fingerprints`",
        ),
        (refusal::<Consume>(json!({"producerId": ID})), "missing field `rtpCapabilities`"),
        (refusal::<OfConsumer>(json!({"consumerId": {}})), "consumerId: invalid type"),
        (refusal::<OfProducer>(json!({"producerId": ID, "kind": 1})), "kind: "),
        (refusal::<Consume>(consume("/appData", json!([]))), "appData: invalid type"),
        (refusal::<Consume>(consume("/preferredLayers", json!(2))), "preferredLayers: invalid type"),
        (refusal::<Consume>(consume("/preferredLayers", json!({}))), "preferredLayers: missing field `spatialLayer`"),
        (
            refusal::<Consume>(consume("/preferredLayers", json!({"spatialLayer": 0, "temporalLayer": 256}))),
            "preferredLayers.temporalLayer: invalid value: integer `256`",
        ),
        (refusal::<SetPreferredLayers>(json!({"spatialLayer": 1})), "missing field `consumerId`"),
        (refusal::<SetPreferredLayers>(json!({"consumerId": ID})), "missing field `spatialLayer`"),
        (
            refusal::<SetPreferredLayers>(json!({"consumerId": ID, "spatialLayer": -1})),
            "spatialLayer: invalid value: integer `-1`",
        ),
        (
            refusal::<SetPreferredLayers>(json!({"consumerId": ID, "spatialLayer": 1, "temporalLayer": "high"})),
            "temporalLayer: invalid type",
        ),
        (refusal::<SetPriority>(json!({"consumerId": ID})), "missing field `priority`"),
        (refusal::<SetPriority>(json!({"consumerId": ID, "priority": 0})), "priority: invalid value: integer `0`"),
        (refusal::<SetPriority>(json!({"consumerId": ID, "priority": 256})), "priority: invalid value: integer `256`"),
        (refusal::<SetMaxBitrate>(json!({"transportId": ID})), "missing field `bitrate`"),
        (refusal::<SetMaxBitrate>(json!({"transportId": ID, "bitrate": -1})), "bitrate: invalid value"),
        (refusal::<SetMaxBitrate>(json!({"transportId": ID, "bitrate": "1M"})), "bitrate: invalid type"),
        (refusal::<OfObject>(json!({"producerId": 1})), "producerId: invalid type"),
        (refusal::<StreamTraces>(json!({"consumerId": ID})), "missing field `types`"),
        (refusal::<StreamTraces>(json!({"types": ["nack", "bwe"]})), "types[1]: unknown variant `bwe`"),
        (refusal::<TransportTraces>(json!({"types": ["nack"]})), "types[0]: unknown variant `nack`"),
        (refusal::<JoinRoom>(json!({"userId": 7})), "userId: invalid type"),
        (refusal::<JoinRoom>(json!({"rtpCapabilities": 7})), "rtpCapabilities: invalid type"),
        (refusal::<SendMessage>(json!({"message": ["a"]})), "message: invalid type"),
        (refusal::<CreateTransport>(json!({"direction": "both"})), "direction: unknown variant `both`"),
        (refusal::<CreateTransport>(json!({"producing": "yes"})), "producing: invalid type"),
    ] {
        assert!(text.starts_with(expected), "{text} should start with {expected}");
    }
    assert_eq!(refusal::<Produce>(produce("/appData", json!(null))), "taken");
}

#[test]
fn an_error_does_not_send_back_all_that_was_sent() {
    let text = refusal::<OfTransport>(json!({"transportId": "ä".repeat(100_000)}));
    assert!(text.len() <= ERROR_TEXT_BYTES_MAX + '…'.len_utf8(), "{} bytes", text.len());
}

#[test]
fn a_room_is_named_by_either_field() {
    for (payload, expected) in [
        (json!({"roomId": "r"}), Ok(Some("r"))),
        (json!({"callId": "c"}), Ok(Some("c"))),
        (json!({"roomId": null, "callId": "c"}), Ok(Some("c"))),
        (json!({}), Ok(None)),
        (json!(null), Ok(None)),
        (json!({"roomId": 5}), Err("roomId: expected a string")),
        (json!({"callId": ["c"]}), Err("callId: expected a string")),
        (json!({"roomId": ""}), Err("roomId: must not be empty")),
        (json!({"roomId": "r".repeat(ROOM_ID_BYTES_MAX)}), Ok(Some(&*"r".repeat(ROOM_ID_BYTES_MAX)))),
        (json!({"roomId": "r".repeat(ROOM_ID_BYTES_MAX + 1)}), Err("roomId: longer than 256 bytes")),
    ] {
        let named = named_room(&payload).map_err(|error| error.to_string());
        assert_eq!(named.as_ref().map(Option::as_deref).map_err(String::as_str), expected, "{payload}");
    }
}

#[test]
fn what_a_transport_is_for_is_said_in_two_ways() {
    let said = |payload: Value| {
        let used_for = decode::<CreateTransport>(payload).unwrap().transport_use();
        used_for.map(|used_for| (used_for.sends, used_for.receives, used_for.made_with)).map_err(|e| e.to_string())
    };
    use MadeWith::{Direction, Flags};
    for (payload, expected) in [
        (json!({"direction": "send"}), (true, false, Direction)),
        (json!({"direction": "recv"}), (false, true, Direction)),
        (json!({"direction": "recv", "producing": true}), (false, true, Direction)),
        (json!({"producing": true}), (true, false, Flags)),
        (json!({"consuming": true}), (false, true, Flags)),
        (json!({"producing": false, "consuming": true}), (false, true, Flags)),
        (json!({"producing": true, "consuming": true}), (true, true, Flags)),
    ] {
        assert_eq!(said(payload.clone()), Ok(expected), "{payload}");
    }
    assert_eq!(said(json!({})), Err("missing field `direction`".to_owned()));
    let neither = said(json!({"producing": false, "consuming": false}));
    assert_eq!(neither, Err("producing, consuming: one of them must be true".to_owned()));
}

#[test]
fn a_screen_share_is_marked_as_one_unless_it_has_a_type() {
    let app_data = |app_data: Value, screen| {
        decode::<Produce>(produce("/appData", app_data)).unwrap().take_app_data(screen).unwrap().0
    };
    assert_eq!(app_data(json!({"a": 1}), true), json!({"a": 1, "type": "screen"}));
    assert_eq!(app_data(json!(null), true), json!({"type": "screen"}));
    assert_eq!(app_data(json!({"type": "window"}), true), json!({"type": "window"}));
    assert_eq!(app_data(json!({"a": 1}), false), json!({"a": 1}));
    assert_eq!(app_data(json!(null), false), json!({}));
}

#[test]
fn a_screen_is_known_by_its_type_however_it_was_announced() {
    for (app_data, screen, expected) in [
        (json!({"type": "screen"}), false, true),
        (json!({}), true, true),
        (json!({"type": "window"}), true, false),
        (json!({"type": "screen-audio"}), false, false),
        (json!({"type": ["screen"]}), false, false),
        (json!({}), false, false),
    ] {
        let mut request = decode::<Produce>(produce("/appData", app_data.clone())).unwrap();
        assert_eq!(request.take_app_data(screen).unwrap().is_screen(), expected, "{app_data} {screen}");
    }
}

#[test]
fn app_data_may_be_as_large_as_the_limit_says() {
    // {"x":"…"} has eight bytes around the text.
    for (bytes, expected) in [(APP_DATA_BYTES_MAX, true), (APP_DATA_BYTES_MAX + 1, false)] {
        let app_data = json!({"x": "a".repeat(bytes - 8)});
        let taken = decode::<Produce>(produce("/appData", app_data)).unwrap().take_app_data(false);
        assert_eq!(taken.is_ok(), expected, "{bytes}");
        let app_data = json!({"x": "a".repeat(bytes - 8)});
        let taken = decode::<Consume>(consume("/appData", app_data)).unwrap().checked();
        let refusal = taken.map(drop).map_err(|error| error.to_string());
        let expected = if expected { Ok(()) } else { Err("appData: longer than 16384 bytes".to_owned()) };
        assert_eq!(refusal, expected, "{bytes}");
    }
}

#[test]
fn layers_are_preferred_from_the_start_or_later_or_not_at_all() {
    let layers = |spatial_layer, temporal_layer| ConsumerLayers { spatial_layer, temporal_layer };
    for (payload, expected) in [
        (json!({"spatialLayer": 1, "temporalLayer": 2}), Some(layers(1, Some(2)))),
        (json!({"spatialLayer": 0}), Some(layers(0, None))),
        (json!({"spatialLayer": 0, "temporalLayer": null}), Some(layers(0, None))),
        (json!(null), None),
    ] {
        let asked = decode::<Consume>(consume("/preferredLayers", payload.clone())).unwrap();
        assert_eq!(asked.preferred_layers, expected, "{payload}");
        if let Some(expected) = expected {
            let mut payload = payload;
            payload["consumerId"] = json!(ID);
            assert_eq!(decode::<SetPreferredLayers>(payload).unwrap().layers(), expected);
        }
    }
}

#[test]
fn a_client_lowers_the_servers_limit_of_bitrate_and_never_lifts_it() {
    for (asked, own, expected) in [
        (500_000, None, Some(500_000)),
        (500_000, Some(1_000_000), Some(500_000)),
        (2_000_000, Some(1_000_000), Some(1_000_000)),
        (0, Some(1_000_000), Some(1_000_000)),
        (0, None, None),
    ] {
        let request: SetMaxBitrate = decode(json!({"transportId": ID, "bitrate": asked})).unwrap();
        assert_eq!(request.limit_bps(own), expected, "{asked} {own:?}");
    }
}

#[test]
fn one_object_is_named() {
    let object = |payload| decode::<OfObject>(payload).unwrap().object().map_err(|error| error.to_string());
    assert_eq!(object(json!({"transportId": ID})), Ok(Object::Transport(ID.parse().unwrap())));
    assert_eq!(object(json!({"producerId": ID})), Ok(Object::Producer(ID.parse().unwrap())));
    assert_eq!(object(json!({"consumerId": ID, "producerId": null})), Ok(Object::Consumer(ID.parse().unwrap())));
    for payload in [json!({}), json!({"producerId": ID, "consumerId": ID})] {
        assert_eq!(object(payload), Err("transportId, producerId, consumerId: expected one of them".to_owned()));
    }
}

#[test]
fn an_identity_may_be_left_out_but_not_too_long() {
    let identity = |payload| decode::<JoinRoom>(payload).unwrap().identity().map_err(|error| error.to_string());
    assert_eq!(identity(json!({})), Ok((None, None)));
    assert_eq!(identity(json!({"userId": null, "userName": ""})), Ok((None, None)));
    let full = "u".repeat(USER_ID_BYTES_MAX);
    assert_eq!(identity(json!({"userId": full, "userName": "U"})), Ok((Some(full.clone()), Some("U".to_owned()))));
    assert_eq!(identity(json!({"userId": full + "u"})), Err("userId: longer than 256 bytes".to_owned()));
}

#[test]
fn a_private_message_never_becomes_public_by_a_slip() {
    let checked = |payload| {
        decode::<SendMessage>(payload).unwrap().checked().map(|m| m.recipient_id).map_err(|error| error.to_string())
    };
    assert_eq!(checked(json!({"message": "m"})), Ok(None));
    assert_eq!(checked(json!({"message": "m", "recipientId": "bob"})), Ok(Some("bob".to_owned())));
    assert_eq!(checked(json!({"message": "m", "recipientId": ""})), Err("recipientId: must not be empty".to_owned()));
    assert_eq!(checked(json!({"message": ""})), Err("message: must not be empty".to_owned()));
    let long = "m".repeat(MESSAGE_BYTES_MAX + 1);
    assert_eq!(checked(json!({"message": long})), Err("message: longer than 16384 bytes".to_owned()));
}

#[test]
fn who_is_online_is_a_bare_text() {
    let id = |payload| user_id(&payload).map_err(|error| error.to_string());
    let longest = "u".repeat(USER_ID_BYTES_MAX);
    assert_eq!(id(json!("ann")), Ok("ann".to_owned()));
    assert_eq!(id(json!(longest)), Ok(longest.clone()));
    assert_eq!(id(json!(longest + "u")), Err("userId: longer than 256 bytes".to_owned()));
    assert_eq!(id(json!("")), Err("userId: must not be empty".to_owned()));
    for other in [json!(null), json!(7), json!(["ann"]), json!({"userId": "ann"})] {
        assert_eq!(id(other), Err("userId: expected a string".to_owned()));
    }
}

#[test]
fn typing_names_its_receiver() {
    let checked = |payload| decode::<Typing>(payload).and_then(Typing::checked).map_err(|error| error.to_string());
    assert_eq!(checked(json!({"receiverId": "bob", "isTyping": true})), Ok(("bob".to_owned(), true)));
    for (payload, expected) in [
        (json!({"isTyping": true}), "missing field `receiverId`"),
        (json!({"receiverId": "bob"}), "missing field `isTyping`"),
        (json!({"receiverId": "bob", "isTyping": "yes"}), "isTyping: invalid type"),
        (json!({"receiverId": "", "isTyping": true}), "receiverId: must not be empty"),
        (json!({"receiverId": "b".repeat(USER_ID_BYTES_MAX + 1), "isTyping": true}), "receiverId: longer than"),
    ] {
        let error = checked(payload).unwrap_err();
        assert!(error.starts_with(expected), "{error} should start with {expected}");
    }
}

#[test]
fn presence_reads_as_its_clients_expect_it() {
    let user = |status| UserStatus { user_id: "ann".to_owned(), status, last_seen: "then".to_owned() };
    let ann = |status: &str| json!({"userId": "ann", "status": status, "lastSeen": "then"});
    for (notice, expected) in [
        (Notice::OnlineUsers(vec![user(Status::Online)]), ("onlineUsersList", json!([ann("online")]))),
        (Notice::OnlineUsers(Vec::new()), ("onlineUsersList", json!([]))),
        (Notice::UserStatus(user(Status::Online)), ("userStatusChanged", ann("online"))),
        (Notice::UserStatus(user(Status::Offline)), ("userStatusChanged", ann("offline"))),
        (
            Notice::Typing { sender_id: "ann".to_owned(), is_typing: false },
            ("userTyping", json!({"senderId": "ann", "isTyping": false})),
        ),
    ] {
        assert_eq!(notice.encode(Vocabulary::Room), expected);
        assert!(!notice.is_of_room(), "whoever leaves a room still wants to know");
    }
}

#[test]
fn news_of_media_is_the_same_in_both_vocabularies() {
    let consumer: ConsumerId = ID.parse().unwrap();
    let producer: ProducerId = ID.parse().unwrap();
    let layers = |temporal_layer| Some(ConsumerLayers { spatial_layer: 1, temporal_layer });
    let score =
        |rid: Option<&str>| ProducerScore { encoding_idx: 1, ssrc: Ssrc(7), rid: rid.map(str::to_owned), score: 9 };
    let speaker = ProducerInfo {
        id: producer,
        owner: Identity::new(PeerId::new("socket-a"), Some("ann"), None),
        kind: MediaKind::Audio,
        app_data: json!({}).into(),
    };
    let info = TraceInfo::Nack { ssrc: Ssrc(7), packets: 2 };
    let trace = Box::new(TraceEvent { timestamp: 5, direction: TraceDirection::In, info });
    let loudness = Loudness { producer, user_id: "ann".to_owned(), volume_dbov: -40 };
    for (notice, event, payload) in [
        (
            Notice::ConsumerPaused(consumer, PauseReason::Producer),
            "consumerPaused",
            json!({"consumerId": ID, "reason": "producer"}),
        ),
        (
            Notice::ConsumerPaused(consumer, PauseReason::Bandwidth),
            "consumerPaused",
            json!({"consumerId": ID, "reason": "bandwidth"}),
        ),
        (
            Notice::ConsumerPaused(consumer, PauseReason::NotSpeaking),
            "consumerPaused",
            json!({"consumerId": ID, "reason": "notSpeaking"}),
        ),
        (Notice::ConsumerResumed(consumer), "consumerResumed", json!({"consumerId": ID})),
        (
            Notice::LayersChanged(consumer, layers(Some(2))),
            "layersChanged",
            json!({"consumerId": ID, "spatialLayer": 1, "temporalLayer": 2}),
        ),
        (
            Notice::LayersChanged(consumer, None),
            "layersChanged",
            json!({"consumerId": ID, "spatialLayer": null, "temporalLayer": null}),
        ),
        (
            Notice::ConsumerScore(
                consumer,
                ConsumerScore { score: 10, producer_score: 9, producer_scores: vec![9, 0] },
            ),
            "score",
            json!({"consumerId": ID, "score": {"score": 10, "producerScore": 9, "producerScores": [9, 0]}}),
        ),
        (
            Notice::ProducerScore(producer, vec![score(None), score(Some("r1"))]),
            "score",
            json!({"producerId": ID, "score": [
                {"encodingIdx": 1, "ssrc": 7, "score": 9},
                {"encodingIdx": 1, "ssrc": 7, "rid": "r1", "score": 9},
            ]}),
        ),
        (
            Notice::ProducerLayersWanted(producer, vec![0, 2]),
            "producerLayersWanted",
            json!({"producerId": ID, "spatialLayers": [0, 2]}),
        ),
        (
            Notice::ActiveSpeaker(speaker),
            "activeSpeaker",
            json!({"producerId": ID, "userId": "ann", "peerId": "socket-a"}),
        ),
        (
            Notice::AudioLevels(vec![loudness]),
            "audioLevels",
            json!([{"producerId": ID, "userId": "ann", "volume": -40}]),
        ),
        (Notice::AudioLevels(Vec::new()), "audioLevels", json!([])),
        (
            Notice::Trace(TraceTarget::Consumer(consumer), trace.clone()),
            "trace",
            json!({
                "consumerId": ID,
                "timestamp": 5,
                "direction": "in",
                "type": "nack",
                "info": {"ssrc": 7, "packets": 2},
            }),
        ),
    ] {
        for vocabulary in [Vocabulary::Call, Vocabulary::Room] {
            assert_eq!(notice.encode(vocabulary), (event, payload.clone()));
        }
        assert!(notice.is_of_room());
    }
}

#[test]
fn that_the_server_stops_soon_is_told_to_all_alike_and_no_news_of_a_room() {
    let notice = Notice::ServerDraining(Duration::from_millis(4_000));
    for vocabulary in [Vocabulary::Call, Vocabulary::Room] {
        assert_eq!(notice.encode(vocabulary), ("serverDraining", json!({"timeoutMs": 4000})));
    }
    assert!(!notice.is_of_room());
}
