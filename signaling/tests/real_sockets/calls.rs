//! Calls between two, whose clients use no acks: everything is an event.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use signaling::limits::{CANDIDATE_BYTES_MAX, DESCRIPTION_BYTES_MAX, USER_ID_BYTES_MAX};
use signaling::{Signaling, SignalingOptions};

use crate::client::Client;
use crate::server;

/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(3_600);

async fn start(call_timeout: Duration) -> (SocketAddr, Signaling) {
    server::start_with(SignalingOptions { call_timeout, ..SignalingOptions::default() }).await
}

/// A new socket of that user's.
async fn registered(address: SocketAddr, user_id: &str) -> Client {
    let mut client = Client::connect(address).await;
    let claimed = json!({"userId": user_id, "userName": user_id.to_uppercase(), "socketId": "whatever"});
    client.tell("register-user", claimed).await;
    let answer = client.heard("user-registered").await;
    assert_eq!((&answer["userId"], &answer["success"]), (&json!(user_id), &json!(true)));
    assert!(answer["socketId"].as_str().is_some_and(|id| !id.is_empty() && id != "whatever"), "{answer}");
    client
}

/// Whether a user can be called. What this socket is to be told of what was answered before, it was told by then.
async fn available(client: &mut Client, user_id: &str) -> Value {
    client.tell("check-user-availability", json!({"targetUserId": user_id})).await;
    client.heard("user-availability-response").await
}

/// What this socket was told and has not heard yet, by name.
async fn unheard(client: &mut Client) -> Vec<String> {
    available(client, "nobody").await;
    client.events.iter().map(|(name, _)| name.clone()).collect()
}

/// Ann's call to bob is accepted.
async fn call(ann: &mut Client, bob: &mut Client) {
    ann.tell("initiate-call", json!({"targetUserId": "bob", "offer": {}})).await;
    bob.heard("incoming-call").await;
    bob.tell("call-accepted", json!({"targetUserId": "ann", "answer": {}})).await;
    ann.heard("call-accepted").await;
}

#[tokio::test]
async fn a_call_from_the_first_event_to_the_last_in_both_shapes() {
    let (address, signaling) = start(NEVER).await;
    let (mut ann, mut bob) = (registered(address, "ann").await, registered(address, "bob").await);
    let offer = json!({"type": "offer", "sdp": "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n", "more": [1, {"a": null}]});
    let answer = json!({"type": "answer", "sdp": "v=0\r\n"});
    let candidate = |text: &str| json!({"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "u"});
    // The other kind of client names both sides; whom it names as itself does not count.
    for is_to in [false, true] {
        let to = |user_id: &str, mut payload: Value| {
            payload[if is_to { "to" } else { "targetUserId" }] = json!(user_id);
            payload
        };
        assert_eq!(available(&mut ann, "bob").await, json!({"isAvailable": true}));
        let claims = if is_to {
            json!({"from": "eve", "offer": offer})
        } else {
            json!({"callerId": "eve", "callerName": "Eve", "offer": offer})
        };
        ann.tell("initiate-call", to("bob", claims)).await;
        let incoming = json!({"callerId": "ann", "callerName": "ANN", "offer": offer, "from": "ann"});
        assert_eq!(bob.heard("incoming-call").await, incoming);
        // Candidates trickle while it rings: held back until there is an answer.
        ann.tell("ice-candidate", to("bob", json!({"candidate": candidate("a1")}))).await;
        assert_eq!(available(&mut ann, "bob").await, json!({"isAvailable": false}));
        assert!(unheard(&mut bob).await.is_empty());
        assert_eq!(signaling.stats().calls, 0);
        bob.tell("call-accepted", to("ann", json!({"answer": answer}))).await;
        assert_eq!(ann.heard("call-accepted").await, json!({"answer": answer}));
        assert_eq!(bob.heard("ice-candidate").await, json!({"candidate": candidate("a1"), "userId": "ann"}));
        assert_eq!(signaling.stats().calls, 1);
        ann.tell("ice-candidate", to("bob", json!({"candidate": candidate("a2")}))).await;
        assert_eq!(bob.heard("ice-candidate").await, json!({"candidate": candidate("a2"), "userId": "ann"}));
        bob.tell("ice-candidate", to("ann", json!({"candidate": null}))).await;
        assert_eq!(ann.heard("ice-candidate").await, json!({"candidate": null, "userId": "bob"}));
        // Both hang up at once: nobody hears of an error.
        ann.tell("call-ended", to("bob", json!({}))).await;
        bob.tell("call-ended", to("ann", json!({}))).await;
        let told = (unheard(&mut ann).await, unheard(&mut bob).await);
        let once = || vec!["call-ended".to_owned()];
        assert!(told == (once(), vec![]) || told == (vec![], once()), "{told:?}");
        ann.events.clear();
        bob.events.clear();
        assert_eq!(signaling.stats().calls, 0);
        ann.tell("initiate-call", to("bob", json!({"offer": "as text"}))).await;
        assert_eq!(bob.heard("incoming-call").await["offer"], "as text");
        bob.tell("call-rejected", to("ann", json!({}))).await;
        ann.heard("call-rejected").await;
        ann.tell("initiate-call", to("bob", json!({"offer": {}}))).await;
        bob.heard("incoming-call").await;
        ann.tell("cancel-call", to("bob", json!({}))).await;
        bob.heard("call-cancelled").await;
        assert_eq!((unheard(&mut ann).await, unheard(&mut bob).await), (vec![], vec![]));
    }
}

#[tokio::test]
async fn a_call_rings_on_every_socket_of_the_callee_until_one_answers() {
    let (address, _) = start(NEVER).await;
    let (mut ann, mut laptop, mut phone) =
        (registered(address, "ann").await, registered(address, "bob").await, registered(address, "bob").await);
    ann.tell("initiate-call", json!({"to": "bob", "offer": {"sdp": "o"}})).await;
    laptop.heard("incoming-call").await;
    phone.heard("incoming-call").await;
    phone.tell("call-accepted", json!({"to": "ann", "answer": {"sdp": "p"}})).await;
    assert_eq!(ann.heard("call-accepted").await["answer"]["sdp"], "p");
    laptop.heard("call-cancelled").await;
    laptop.tell("call-accepted", json!({"to": "ann", "answer": {"sdp": "l"}})).await;
    assert_eq!(laptop.heard("call-error").await["message"], "to: no call of that user rings here");
    // A third party, a tab that is closed: the call goes on.
    drop(laptop);
    let mut cleo = registered(address, "cleo").await;
    for user in ["ann", "bob"] {
        cleo.tell("ice-candidate", json!({"to": user, "candidate": {"candidate": "evil"}})).await;
        let refused = json!({"message": "to: this socket is in no call with that user"});
        assert_eq!(cleo.heard("call-error").await, refused);
        cleo.tell("call-ended", json!({"to": user})).await;
        assert_eq!(cleo.heard("call-error").await, refused);
        cleo.tell("initiate-call", json!({"to": user, "offer": {}})).await;
        assert_eq!(cleo.heard("call-error").await["message"], "to: that user is in another call");
        assert_eq!(available(&mut cleo, user).await, json!({"isAvailable": false}));
    }
    assert_eq!((unheard(&mut ann).await, unheard(&mut phone).await), (vec![], vec![]));
    drop(phone);
    ann.heard("call-ended").await;
}

/// Harm prevented: who loses the connection leaves the other one in a call that is none, or rings for nobody.
#[tokio::test]
async fn a_side_that_is_gone_ends_the_call() {
    let (address, signaling) = start(NEVER).await;
    let mut bob = registered(address, "bob").await;
    for is_accepted in [false, true] {
        let mut ann = registered(address, "ann").await;
        if is_accepted {
            call(&mut ann, &mut bob).await;
        } else {
            ann.tell("initiate-call", json!({"to": "bob", "offer": {}})).await;
            bob.heard("incoming-call").await;
        }
        drop(ann);
        bob.heard("call-ended").await;
        assert_eq!(available(&mut bob, "ann").await, json!({"isAvailable": false}));
        assert_eq!(signaling.stats().calls, 0);
    }
    // The callee before the answer, from the last of two sockets.
    let mut ann = registered(address, "ann").await;
    let (one, mut two) = (bob, registered(address, "bob").await);
    ann.tell("initiate-call", json!({"to": "bob", "offer": {}})).await;
    two.heard("incoming-call").await;
    drop(one);
    drop(two);
    ann.heard("call-ended").await;
    assert!(unheard(&mut ann).await.is_empty());
}

#[tokio::test]
async fn a_call_that_nobody_answers_is_given_up_and_both_can_call_again() {
    let (address, _) = start(Duration::from_millis(100)).await;
    let (mut ann, mut bob) = (registered(address, "ann").await, registered(address, "bob").await);
    for _ in 0..2 {
        ann.tell("initiate-call", json!({"to": "bob", "offer": {}})).await;
        bob.heard("incoming-call").await;
        bob.heard("call-cancelled").await;
        assert_eq!(ann.heard("call-error").await, json!({"message": "the call was not answered"}));
        bob.tell("call-accepted", json!({"to": "ann", "answer": {}})).await;
        assert_eq!(bob.heard("call-error").await["message"], "to: no call of that user rings here");
        assert_eq!(available(&mut ann, "bob").await, json!({"isAvailable": true}));
    }
    assert_eq!((unheard(&mut ann).await, unheard(&mut bob).await), (vec![], vec![]));
}

/// Harm prevented: a mistake is answered with silence, as there is no ack, or hurts the call that is going on.
#[tokio::test]
async fn what_is_wrong_is_told_by_an_event_with_an_ack_or_without_and_disturbs_no_call() {
    let (address, signaling) = start(NEVER).await;
    let (mut ann, mut bob, mut cleo) =
        (registered(address, "ann").await, registered(address, "bob").await, registered(address, "cleo").await);
    call(&mut ann, &mut bob).await;
    let no_target = "missing field `targetUserId`";
    let mut cases = vec![
        ("initiate-call", json!({"targetUserId": "bob"}), "missing field `offer`"),
        ("initiate-call", json!({"targetUserId": "bob", "offer": 7}), "offer: expected an object or a string"),
        (
            "initiate-call",
            json!({"to": "bob", "offer": "o".repeat(DESCRIPTION_BYTES_MAX)}),
            "offer: longer than 65536 bytes",
        ),
        ("initiate-call", json!({"to": "nobody", "offer": {}}), "to: nobody of that id is registered"),
        ("initiate-call", json!({"to": "cleo", "offer": {}}), "to: nobody can call themselves"),
        ("initiate-call", json!({"to": "bob", "offer": {}}), "to: that user is in another call"),
        ("call-accepted", json!({"to": "ann"}), "missing field `answer`"),
        ("call-accepted", json!({"to": "ann", "answer": []}), "answer: expected an object or a string"),
        ("call-accepted", json!({"to": "ann", "answer": {}}), "to: no call of that user rings here"),
        ("call-rejected", json!({"to": "ann"}), "to: this socket is in no call with that user"),
        ("cancel-call", json!({"to": "bob"}), "to: this socket is in no call with that user"),
        ("call-ended", json!({"targetUserId": "nobody"}), "targetUserId: this socket is in no call with that user"),
        ("ice-candidate", json!({"to": "ann"}), "missing field `candidate`"),
        ("ice-candidate", json!({"to": "ann", "candidate": 1}), "candidate: expected an object, a string or null"),
        (
            "ice-candidate",
            json!({"to": "ann", "candidate": "c".repeat(CANDIDATE_BYTES_MAX)}),
            "candidate: longer than 2048 bytes",
        ),
        ("ice-candidate", json!({"to": "ann", "candidate": {}}), "to: this socket is in no call with that user"),
    ];
    for event in [
        "check-user-availability",
        "initiate-call",
        "call-accepted",
        "call-rejected",
        "cancel-call",
        "call-ended",
        "ice-candidate",
    ] {
        cases.extend([
            (event, json!(null), "the payload must be an object"),
            (event, json!("bob"), "the payload must be an object"),
            (event, json!({}), no_target),
            (event, json!({"targetUserId": 5}), "targetUserId: expected a string"),
            (event, json!({"to": ""}), "to: must not be empty"),
            (event, json!({"to": "x".repeat(USER_ID_BYTES_MAX + 1)}), "to: longer than 256 bytes"),
        ]);
    }
    for (event, payload, expected) in cases {
        cleo.tell(event, payload.clone()).await;
        assert_eq!(cleo.heard("call-error").await, json!({"message": expected}), "{event} {payload}");
        let ack = cleo.ask(event, payload.clone()).await;
        assert_eq!(ack, json!({"success": false, "error": expected}), "{event} {payload}");
        assert_eq!(cleo.heard("call-error").await, json!({"message": expected}), "{event} {payload}");
    }
    assert_eq!((unheard(&mut ann).await, unheard(&mut bob).await), (vec![], vec![]));
    assert_eq!(signaling.stats().calls, 1);
    // An event that nobody knows is none of a call's: clients would take the error for its end.
    let ack = cleo.ask("toggle-video", json!({"to": "ann"})).await;
    assert_eq!(ack, json!({"success": false, "error": "toggle-video: unknown event"}));
    assert!(unheard(&mut cleo).await.is_empty());
}

#[tokio::test]
async fn who_is_not_registered_is_told_so_and_can_still_do_it() {
    let (address, _) = start(NEVER).await;
    let mut client = Client::connect(address).await;
    for (payload, expected) in [
        (json!(null), "the payload must be an object"),
        (json!("ann"), "the payload must be an object"),
        (json!({"userName": "Ann"}), "missing field `userId`"),
        (json!({"userId": ""}), "userId: must not be empty"),
        (json!({"userId": "ann", "userName": {}}), "userName: invalid type: map, expected a string"),
    ] {
        client.tell("register-user", payload.clone()).await;
        let answer = client.heard("user-registered").await;
        assert_eq!((&answer["success"], &answer["error"]), (&json!(false), &json!(expected)), "{payload}");
        assert_eq!(answer["userId"], payload["userId"], "{payload}");
        assert_eq!(client.ask("register-user", payload).await, json!({"success": false, "error": expected}));
        client.heard("user-registered").await;
    }
    for event in ["check-user-availability", "call-rejected", "cancel-call", "call-ended"] {
        client.tell(event, json!({"targetUserId": "bob"})).await;
        let expected = format!("{event}: register-user must come first");
        assert_eq!(client.heard("call-error").await, json!({"message": expected}));
    }
    assert!(client.events.is_empty(), "each was told once: {:?}", client.events);
    assert_eq!(client.ask("register-user", json!({"userId": "ann"})).await, json!({"success": true}));
    assert_eq!(client.heard("user-registered").await["success"], true);
}

/// Harm prevented: a socket that speaks of rooms and of calls is somebody else in the one than in the other.
#[tokio::test]
async fn one_socket_may_speak_of_rooms_and_of_calls() {
    let (address, _) = start(NEVER).await;
    let (mut ann, mut bob) = (registered(address, "ann").await, Client::connect(address).await);
    // Its first event told that it speaks the room vocabulary: acks are flat, also of what is not of it.
    bob.ask("joinRoom", json!({"roomId": "r", "userId": "bob"})).await;
    assert_eq!(bob.ask("register-user", json!({"userId": "bob"})).await, json!({}));
    bob.heard("user-registered").await;
    let refused = bob.ask("call-ended", json!({"to": "ann"})).await;
    assert_eq!(refused, json!({"error": "to: this socket is in no call with that user"}));
    bob.heard("call-error").await;
    // Without saying so in the room: it is who registered. The ack is in the shape for who uses none.
    let joined = ann.ask("joinRoom", json!({"roomId": "r"})).await;
    assert_eq!((&joined["success"], &joined["data"]["peers"][0]["userId"]), (&json!(true), &json!("bob")));
    bob.told("userJoined", "userId", &json!("ann")).await;
    bob.events.clear();
    ann.tell("initiate-call", json!({"to": "bob", "offer": {}})).await;
    bob.heard("incoming-call").await;
    // Leaving the room is not hanging up.
    bob.ask("leaveRoom", json!({"roomId": "r"})).await;
    ann.heard("userLeft").await;
    bob.tell("call-accepted", json!({"to": "ann", "answer": {}})).await;
    ann.heard("call-accepted").await;
    assert!(unheard(&mut bob).await.is_empty());
}
