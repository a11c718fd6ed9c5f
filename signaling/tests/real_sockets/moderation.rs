//! What administrators of a room can do, and nobody else.

use serde_json::{Value, json};
use signaling::identity::RoomGrant;
use simulation::vectors;

use crate::access::{grants, guarded, joined, publish, transport};

/// Every event of moderation, about somebody and something.
fn moderation(user: &str, producer: &Value) -> [(&'static str, Value); 5] {
    [
        ("muteProducer", json!({"producerId": producer})),
        ("updateGrants", json!({"userId": user, "grants": {"canPublish": false}})),
        ("removeParticipant", json!({"userId": user})),
        ("lockRoom", json!({"locked": true})),
        ("closeRoom", json!({})),
    ]
}

#[tokio::test]
async fn moderation_is_for_administrators_who_are_in_the_room() {
    let address = guarded().await;
    let mut anna = joined(address, "Anna", &grants(|_| {})).await;
    let producer = publish(&mut anna, "opus", json!({})).await["id"].clone();
    let mut bob = joined(address, "Bob", &grants(|_| {})).await;
    for (event, payload) in moderation("anna", &producer) {
        let answer = bob.ask(event, payload).await;
        assert_eq!(answer["error"], format!("{event}: only an administrator of the room may do that"));
    }
    let mut admin = joined(address, "Admin", &grants(|grants| grants.room_admin = true)).await;
    admin.ask("leaveRoom", json!({})).await;
    for (event, payload) in moderation("anna", &producer) {
        let answer = admin.ask(event, payload).await;
        assert_eq!(answer["error"], "missing field `roomId`: this socket is in no room", "{event}");
    }
    assert!(anna.ask("getProducers", json!({"roomId": "r"})).await["producers"].is_array(), "nothing has happened");
    assert!(anna.events.iter().all(|(event, _)| event == "userJoined" || event == "userLeft"), "{:?}", anna.events);
}

#[tokio::test]
async fn a_slip_is_named_and_changes_nothing() {
    let address = guarded().await;
    let mut admin = joined(address, "Admin", &grants(|grants| grants.room_admin = true)).await;
    let nobody = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
    for (event, payload, error) in [
        ("removeParticipant", json!({}), "userId, socketId: expected one of them"),
        ("removeParticipant", json!({"userId": "a", "socketId": "b"}), "userId, socketId: expected one of them"),
        ("removeParticipant", json!({"userId": ""}), "userId: must not be empty"),
        ("removeParticipant", json!({"userId": "nobody"}), "userId: nobody of that id is in the room"),
        ("removeParticipant", json!("admin"), "the payload must be an object"),
        ("muteProducer", json!({}), "missing field `producerId`"),
        ("muteProducer", json!({"producerId": nobody}), &format!("producerId: producer {nobody} not found")),
        ("updateGrants", json!({"userId": "admin"}), "missing field `grants`"),
        ("updateGrants", json!({"userId": "nobody", "grants": {}}), "userId: nobody of that id is in the room"),
        ("lockRoom", json!({}), "missing field `locked`"),
        (
            "lockRoom",
            json!({"roomId": "elsewhere", "locked": true}),
            "roomId: this socket has joined another room than elsewhere",
        ),
    ] {
        let answer = admin.ask(event, payload.clone()).await;
        assert_eq!(answer["error"], error, "{event} {payload}");
    }
    let unknown = json!({"userId": "admin", "grants": {"canPublsh": false}});
    let answer = admin.ask("updateGrants", unknown).await;
    assert!(answer["error"].as_str().unwrap_or_default().contains("canPublsh"), "{answer}");
}

/// Harm prevented: an administrator of one room reaches into another, or learns what is there.
#[tokio::test]
async fn an_administrator_of_one_room_is_nobody_in_another() {
    let address = guarded().await;
    let mut admin = joined(address, "Admin", &grants(|grants| grants.room_admin = true)).await;
    let mut anna = joined(address, "Anna", &grants(|grants| grants.room = RoomGrant::Any)).await;
    let producer = publish(&mut anna, "opus", json!({})).await["id"].clone();
    anna.ask("joinRoom", json!({"roomId": "elsewhere"})).await;
    let transport = anna.ask("createWebRtcTransport", json!({"roomId": "elsewhere", "direction": "send"})).await;
    let (kind, parameters) = vectors::producer("opus");
    let wish = json!({"transportId": transport["id"], "kind": kind, "rtpParameters": parameters});
    let elsewhere = anna.ask("produce", wish).await["id"].clone();
    for id in [&producer, &elsewhere] {
        let answer = admin.ask("muteProducer", json!({"producerId": id})).await;
        assert_eq!(answer["error"], format!("producerId: producer {} not found", id.as_str().unwrap_or_default()));
    }
    for event in ["removeParticipant", "updateGrants"] {
        let answer = admin.ask(event, json!({"userId": "anna", "grants": {}})).await;
        assert_eq!(answer["error"], "userId: nobody of that id is in the room", "{event}");
    }
    assert!(anna.ask("getProducers", json!({"roomId": "elsewhere"})).await["producers"].is_array());
    assert_eq!(anna.events.iter().find(|(event, _)| event == "producerMuted"), None);
}

#[tokio::test]
async fn who_is_muted_is_told_and_may_unmute() {
    let address = guarded().await;
    let mut admin = joined(address, "Admin", &grants(|grants| grants.room_admin = true)).await;
    let mut anna = joined(address, "Anna", &grants(|_| {})).await;
    let producer = publish(&mut anna, "opus", json!({})).await["id"].clone();
    admin.ask("muteProducer", json!({"producerId": producer})).await;
    anna.told("producerMuted", "producerId", &producer).await;
    admin.told("producerPaused", "producerId", &producer).await;
    anna.ask("resumeProducer", json!({"producerId": producer, "roomId": "r", "kind": "audio"})).await;
    admin.told("producerResumed", "producerId", &producer).await;
}

#[tokio::test]
async fn who_is_removed_is_told_and_disconnected_and_the_others_see_them_leave() {
    let address = guarded().await;
    let mut admin = joined(address, "Admin", &grants(|grants| grants.room_admin = true)).await;
    let mut phone = joined(address, "Anna", &grants(|_| {})).await;
    let mut laptop = joined(address, "Anna", &grants(|_| {})).await;
    assert_eq!(admin.ask("removeParticipant", json!({"userId": "anna"})).await, json!({}));
    for socket in [&mut phone, &mut laptop] {
        socket.told("removed", "roomId", &json!("r")).await;
        socket.sent_away().await;
    }
    admin.told("userLeft", "userId", &json!("anna")).await;
    let again = joined(address, "Anna", &grants(|_| {})).await;
    drop(again);
}

#[tokio::test]
async fn a_locked_room_keeps_newcomers_out_until_it_is_unlocked() {
    let address = guarded().await;
    let mut admin = joined(address, "Admin", &grants(|grants| grants.room_admin = true)).await;
    let mut anna = joined(address, "Anna", &grants(|_| {})).await;
    let mut bob = joined(address, "Bob", &grants(|_| {})).await;
    bob.ask("leaveRoom", json!({})).await;
    admin.ask("lockRoom", json!({"locked": true})).await;
    anna.told("roomLocked", "locked", &json!(true)).await;
    assert_eq!(bob.ask("joinRoom", json!({"roomId": "r"})).await["error"], "roomId: the room is locked");
    assert!(anna.ask("getProducers", json!({"roomId": "r"})).await["producers"].is_array());
    admin.ask("lockRoom", json!({"locked": false})).await;
    assert!(bob.ask("joinRoom", json!({"roomId": "r"})).await["participants"].is_array());
}

/// Harm prevented: a meeting that was ended fills again.
#[tokio::test]
async fn a_closed_room_is_over_for_everybody() {
    let address = guarded().await;
    let mut admin = joined(address, "Admin", &grants(|grants| grants.room_admin = true)).await;
    let mut anna = joined(address, "Anna", &grants(|_| {})).await;
    assert_eq!(admin.ask("closeRoom", json!({})).await, json!({}));
    for socket in [&mut anna, &mut admin] {
        socket.told("roomClosed", "roomId", &json!("r")).await;
        socket.sent_away().await;
    }
}

/// Harm prevented: somebody goes on sending who is not allowed to any more, or does so again after coming back.
#[tokio::test]
async fn changed_grants_hold_at_once_and_for_as_long_as_the_room() {
    let address = guarded().await;
    let mut admin = joined(address, "Admin", &grants(|grants| grants.room_admin = true)).await;
    let mut anna = joined(address, "Anna", &grants(|_| {})).await;
    let camera = publish(&mut anna, "vp8", json!({})).await["id"].clone();
    let microphone = publish(&mut anna, "opus", json!({})).await["id"].clone();
    let of_admin = publish(&mut admin, "opus", json!({})).await["id"].clone();
    let receiving = transport(&mut anna, "recv").await;
    let wish = json!({"transportId": receiving, "producerId": of_admin, "rtpCapabilities": vectors::chromium()});
    let consumer = anna.ask("consume", wish.clone()).await["id"].clone();
    assert!(consumer.is_string());

    let sound_only = json!({"userId": "anna", "grants": {"canPublish": ["microphone"]}});
    assert_eq!(admin.ask("updateGrants", sound_only).await, json!({}));
    let told = anna.told("grantsChanged", "canPublish", &json!(["microphone"])).await;
    assert_eq!(told["canSubscribe"], true);
    anna.told("producerClosed", "producerId", &camera).await;
    admin.told("producerClosed", "producerId", &camera).await;
    assert_eq!(publish(&mut anna, "vp8", json!({})).await["error"], "produce: not allowed to publish camera");
    let closed = anna.ask("pauseProducer", json!({"producerId": microphone, "roomId": "r", "kind": "audio"})).await;
    assert_eq!(closed, json!({}), "the microphone is not touched");

    admin.ask("updateGrants", json!({"userId": "anna", "grants": {"canSubscribe": false}})).await;
    anna.told("consumerClosed", "consumerId", &consumer).await;
    assert_eq!(anna.ask("consume", wish).await["error"], "consume: not allowed");

    drop(anna);
    admin.told("userLeft", "userId", &json!("anna")).await;
    let mut back = joined(address, "Anna", &grants(|_| {})).await;
    assert_eq!(publish(&mut back, "vp8", json!({})).await["error"], "produce: not allowed to publish camera");
    admin.ask("updateGrants", json!({"userId": "anna", "grants": {"canPublish": true}})).await;
    back.told("grantsChanged", "canPublish", &json!(true)).await;
    assert!(publish(&mut back, "vp8", json!({})).await["id"].is_string());
}
