//! Who is let in, and what a token allows and what not.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use signaling::identity::{Grants, Keys, Publish, RoomGrant, Signer, Source, TokenVerifier, User};
use simulation::vectors;

use crate::client::Client;
use crate::server;

const SECRET: &[u8] = b"a secret of this test, long enough";
const HOUR: Duration = Duration::from_secs(3600);

/// A server that takes tokens of this test.
pub(crate) async fn guarded() -> SocketAddr {
    let mut keys = Keys::new();
    keys.add_secret(SECRET).expect("it is long enough");
    server::start_for(TokenVerifier::new(keys)).await
}

/// Grants for the room `r`, changed.
pub(crate) fn grants(change: impl FnOnce(&mut Grants)) -> Grants {
    let mut grants = Grants::for_room(RoomGrant::Only("r".to_owned()));
    change(&mut grants);
    grants
}

/// Auth data with a token of somebody, by name.
fn auth(name: &str, grants: &Grants) -> Value {
    let user = User { id: name.to_lowercase(), name: Some(name.to_owned()) };
    json!({"token": signed(&user, grants, SystemTime::now())})
}

fn signed(user: &User, grants: &Grants, from: SystemTime) -> String {
    let signer = Signer::from_secret(SECRET).expect("it is long enough");
    signer.sign(user, grants, from, HOUR, None).expect("it signs")
}

/// Somebody who has joined `r` with a token.
pub(crate) async fn joined(address: SocketAddr, name: &str, grants: &Grants) -> Client {
    let mut client = Client::try_connect(address, None, &auth(name, grants)).await.expect("the token is good");
    let answer = client.ask("joinRoom", json!({"roomId": "r"})).await;
    assert!(answer["participants"].is_array(), "{answer}");
    client
}

/// A new transport of a client in `r`.
pub(crate) async fn transport(client: &mut Client, direction: &str) -> Value {
    client.ask("createWebRtcTransport", json!({"roomId": "r", "direction": direction})).await["id"].clone()
}

/// The answer to publishing, of a `kind` of [`vectors::producer`], on a transport of its own.
pub(crate) async fn publish(client: &mut Client, kind: &str, app_data: Value) -> Value {
    let transport = transport(client, "send").await;
    let (kind, parameters) = vectors::producer(kind);
    let wish = json!({"transportId": transport, "kind": kind, "rtpParameters": parameters, "appData": app_data});
    client.ask("produce", wish).await
}

#[tokio::test]
async fn nobody_is_let_in_without_a_good_token_and_each_is_told_why() {
    let address = guarded().await;
    let anna = User { id: "anna".to_owned(), name: None };
    let long_ago = SystemTime::now() - 2 * HOUR;
    let other = Signer::from_secret(&[1; 32]).unwrap();
    for (given, why) in [
        (Value::Null, "token: a token is required (auth.token, or the Authorization header)"),
        (json!({}), "token: a token is required (auth.token, or the Authorization header)"),
        (json!("token"), "token: a token is required (auth.token, or the Authorization header)"),
        (json!({"token": 5}), "token: not a JSON Web Token"),
        (json!({"token": "abc"}), "token: not a JSON Web Token"),
        (json!({"token": signed(&anna, &Grants::open(), long_ago)}), "token: it has expired"),
        (
            json!({"token": other.sign(&anna, &Grants::open(), SystemTime::now(), HOUR, None).unwrap()}),
            "token: the signature is wrong",
        ),
    ] {
        let refused = Client::try_connect(address, None, &given).await.err();
        assert_eq!(refused.expect("it is refused")["message"], why, "{given}");
    }
    let token = signed(&anna, &Grants::open(), SystemTime::now());
    let header = format!("Bearer {token}");
    assert!(Client::try_connect(address, Some(&header), &Value::Null).await.is_ok(), "by the header");
    assert!(Client::try_connect(address, Some("Basic YTpi"), &Value::Null).await.is_err());
    assert!(Client::try_connect(address, Some("Basic YTpi"), &json!({"token": token})).await.is_ok());
}

/// Harm prevented: somebody speaks under another's name.
#[tokio::test]
async fn names_of_a_token_win_over_those_of_payloads() {
    let address = guarded().await;
    let mut anna = joined(address, "Anna", &grants(|_| {})).await;
    let token = auth("Bob", &grants(|_| {}));
    let mut bob = Client::try_connect(address, None, &token).await.unwrap();
    bob.ask("userOnline", json!("anna")).await;
    assert_eq!(bob.told("onlineUsersList", "", &Value::Null).await[0]["userId"], "bob");
    bob.ask("joinRoom", json!({"roomId": "r", "userId": "anna", "userName": "Anna"})).await;
    let told = anna.told("userJoined", "userId", &json!("bob")).await;
    assert_eq!(told["userName"], "Bob");
    bob.ask("sendMessage", json!({"roomId": "r", "message": "hi", "senderName": "Anna"})).await;
    let told = anna.told("messageReceived", "message", &json!("hi")).await;
    assert_eq!((&told["senderId"], &told["senderName"]), (&json!("bob"), &json!("Bob")));
}

/// Harm prevented: a token for one room opens another, or tells whether it exists.
#[tokio::test]
async fn a_token_opens_its_room_only() {
    let address = guarded().await;
    let mut anna = joined(address, "Anna", &grants(|_| {})).await;
    let elsewhere = Grants::for_room(RoomGrant::Only("elsewhere".to_owned()));
    let mut bob = Client::try_connect(address, None, &auth("Bob", &elsewhere)).await.unwrap();
    for event in ["joinRoom", "createRoom", "getRouterRtpCapabilities", "getProducers", "createWebRtcTransport"] {
        for (field, name) in [("roomId", "r"), ("roomId", "there is none of this name")] {
            let answer = bob.ask(event, json!({field: name, "direction": "send"})).await;
            let error = answer["error"].as_str().unwrap_or_default();
            assert!(error.ends_with("this token is not for that room"), "{event}: {answer}");
        }
    }
    assert!(bob.ask("joinRoom", json!({"roomId": "elsewhere"})).await["participants"].is_array());
    let moved = anna.ask("joinRoom", json!({"roomId": "elsewhere"})).await;
    assert_eq!(moved["error"], "roomId: this token is not for that room");
    assert!(anna.ask("getProducers", json!({"roomId": "r"})).await["producers"].is_array(), "it stays where it is");
}

#[tokio::test]
async fn what_is_not_granted_is_refused_and_the_rest_goes_on() {
    let address = guarded().await;
    let mut anna = joined(address, "Anna", &grants(|_| {})).await;
    let camera = publish(&mut anna, "vp8", json!({})).await["id"].clone();
    assert!(camera.is_string());

    let sound_only = grants(|grants| grants.can_publish = Publish::Only(vec![Source::Microphone]));
    let mut bob = joined(address, "Bob", &sound_only).await;
    let refused = publish(&mut bob, "vp8", json!({})).await;
    assert_eq!(refused["error"], "produce: not allowed to publish camera");
    let refused = publish(&mut bob, "vp8", json!({"type": "screen"})).await;
    assert_eq!(refused["error"], "produce: not allowed to publish screen");
    assert!(publish(&mut bob, "opus", json!({})).await["id"].is_string());

    let mute = grants(|grants| {
        (grants.can_publish, grants.can_subscribe, grants.can_publish_data) = (Publish::All(false), false, false);
    });
    let mut carol = joined(address, "Carol", &mute).await;
    let receiving = transport(&mut carol, "recv").await;
    let wish =
        json!({"transportId": receiving, "producerId": camera, "rtpCapabilities": vectors::chromium(), "roomId": "r"});
    assert_eq!(carol.ask("consume", wish).await["error"], "consume: not allowed");
    let refused = carol.ask("sendMessage", json!({"roomId": "r", "message": "hi"})).await;
    assert_eq!(refused["error"], "sendMessage: not allowed");
    assert_eq!(
        carol.ask("typing", json!({"receiverId": "anna", "isTyping": true})).await["error"],
        "typing: not allowed"
    );
    assert_eq!(publish(&mut carol, "opus", json!({})).await["error"], "produce: not allowed to publish microphone");
}

/// Harm prevented: a listener whom nobody is to notice is noticed.
#[tokio::test]
async fn nobody_learns_of_who_is_hidden() {
    let address = guarded().await;
    let mut anna = joined(address, "Anna", &grants(|_| {})).await;
    anna.ask("userOnline", json!("anna")).await;
    let mut ghost = joined(address, "Ghost", &grants(|grants| grants.hidden = true)).await;
    ghost.ask("userOnline", json!("ghost")).await;
    assert_eq!(publish(&mut ghost, "opus", json!({})).await["error"], "produce: not allowed to publish microphone");
    let refused = ghost.ask("sendMessage", json!({"roomId": "r", "message": "boo"})).await;
    assert_eq!(refused["error"], "sendMessage: not allowed");
    anna.ask("sendMessage", json!({"roomId": "r", "message": "anybody there?"})).await;
    ghost.told("messageReceived", "message", &json!("anybody there?")).await;
    ghost.ask("leaveRoom", json!({"roomId": "r"})).await;
    let bob = joined(address, "Bob", &grants(|_| {})).await;
    // What was told of the ghost would have come before.
    anna.told("userJoined", "userId", &json!("bob")).await;
    let of_ghost = |(_, payload): &&(String, Value)| payload.to_string().to_lowercase().contains("ghost");
    assert_eq!(anna.events.iter().find(of_ghost), None);
    drop(bob);
}
