use serde_json::json;

use super::notice::Notice;
use super::request::*;
use super::*;
use crate::limits::{APP_DATA_BYTES_MAX, MESSAGE_BYTES_MAX, USER_ID_BYTES_MAX};
use crate::presence::{Status, UserStatus};
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
        decode::<Produce>(produce("/appData", app_data)).unwrap().take_app_data(screen).unwrap()
    };
    assert_eq!(app_data(json!({"a": 1}), true), json!({"a": 1, "type": "screen"}));
    assert_eq!(app_data(json!(null), true), json!({"type": "screen"}));
    assert_eq!(app_data(json!({"type": "window"}), true), json!({"type": "window"}));
    assert_eq!(app_data(json!({"a": 1}), false), json!({"a": 1}));
    assert_eq!(app_data(json!(null), false), json!({}));
}

#[test]
fn app_data_may_be_as_large_as_the_limit_says() {
    // {"x":"…"} has eight bytes around the text.
    for (bytes, expected) in [(APP_DATA_BYTES_MAX, true), (APP_DATA_BYTES_MAX + 1, false)] {
        let app_data = json!({"x": "a".repeat(bytes - 8)});
        let taken = decode::<Produce>(produce("/appData", app_data)).unwrap().take_app_data(false);
        assert_eq!(taken.is_ok(), expected, "{bytes}");
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
