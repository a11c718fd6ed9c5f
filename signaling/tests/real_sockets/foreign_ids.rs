//! Ids of others: whoever has learnt one can do nothing with it, and is not even told that it is one.

use serde_json::{Value, json};
use sfu_core::engine::RouterOptions;
use simulation::vectors;

use crate::member::{Member, Vocabulary};
use crate::server;

/// Of nothing that ever was.
const NOBODYS: &str = "c0ffee00-0000-4000-8000-000000000001";

/// Events that are about no object of media.
const ABOUT_NOTHING: [&str; 12] = [
    "leaveRoom",
    "userOnline",
    "getOnlineUsers",
    "createRoom",
    "joinRoom",
    "getRouterRtpCapabilities",
    "getProducers",
    "createTransport",
    "createWebRtcTransport",
    "typing",
    "sendMessage",
    "register-user",
];

/// Events of administrators, which anybody else is refused before an id is looked at. What administrators are answered about ids of
/// another room is asked in the tests of moderation.
const OF_ADMINISTRATORS: [&str; 5] = ["removeParticipant", "muteProducer", "updateGrants", "lockRoom", "closeRoom"];

/// What somebody hears when an object of theirs, or one that they consume, changes.
const CHANGES: [&str; 8] = [
    "producerClosed",
    "producerPaused",
    "producerResumed",
    "consumerClosed",
    "consumerPaused",
    "consumerResumed",
    "layersChanged",
    "trace",
];

/// An event about an object: its name, the field that has the object's id, and the rest of a sound payload.
type Question = (&'static str, &'static str, Value);

/// Every event about an object, for each kind that it may be of. `transport` is the asker's own, to receive on.
fn questions(transport: &Value) -> Vec<Question> {
    let value = ["AB"; 32].join(":");
    let fingerprint = json!({"algorithm": "sha-256", "value": value});
    let dtls = json!({"role": "client", "fingerprints": [fingerprint]});
    let (kind, parameters) = vectors::producer("vp8");
    let produce = json!({"kind": kind, "rtpParameters": parameters});
    let mut questions = vec![
        ("connectTransport", "transportId", json!({"dtlsParameters": dtls})),
        ("connectWebRtcTransport", "transportId", json!({"dtlsParameters": dtls})),
        ("restartIce", "transportId", json!({})),
        ("produce", "transportId", produce.clone()),
        ("startScreenShare", "transportId", produce),
        ("consume", "transportId", json!({"producerId": NOBODYS, "rtpCapabilities": vectors::chromium()})),
        ("consume", "producerId", json!({"transportId": transport, "rtpCapabilities": vectors::chromium()})),
        ("setMaxIncomingBitrate", "transportId", json!({"bitrate": 1})),
        ("setMaxOutgoingBitrate", "transportId", json!({"bitrate": 1})),
        ("setPreferredLayers", "consumerId", json!({"spatialLayer": 0})),
        ("setPriority", "consumerId", json!({"priority": 1})),
    ];
    for event in ["closeProducer", "producerClosed", "stopScreenShare", "pauseProducer", "resumeProducer"] {
        questions.push((event, "producerId", json!({})));
    }
    for event in ["pauseConsumer", "resumeConsumer", "closeConsumer", "requestKeyFrame"] {
        questions.push((event, "consumerId", json!({})));
    }
    for field in ["transportId", "producerId", "consumerId"] {
        questions.push(("getStats", field, json!({})));
        questions.push(("enableTraceEvent", field, json!({"types": []})));
    }
    questions
}

/// The names of the events that sessions carry out, out of the source.
fn events_carried_out() -> Vec<&'static str> {
    let source = include_str!("../../src/session/mod.rs");
    let begin = source.find("async fn carry_out").expect("events are carried out there");
    let end = begin + source[begin..].find("UnknownEvent").expect("an event may be unknown");
    let arms = source[begin..end].lines().filter_map(|line| line.split_once("=>")).map(|(names, _)| names);
    arms.flat_map(|names| names.split('"').skip(1).step_by(2)).collect()
}

/// Harm prevented: a new event lets anybody at anybody's media, and nothing here asks it.
#[test]
fn every_event_is_asked() {
    let events = events_carried_out();
    assert!(events.len() > 30, "{events:?}");
    let questions = questions(&Value::Null);
    for event in events {
        let is_asked = questions.iter().any(|(name, ..)| *name == event)
            || ABOUT_NOTHING.contains(&event)
            || OF_ADMINISTRATORS.contains(&event);
        assert!(is_asked, "{event} is neither in `questions` nor about nothing");
    }
}

/// What is answered about an id, with the id taken out.
async fn answer(member: &mut Member, (event, field, rest): &Question, id: &str) -> String {
    let mut payload = rest.clone();
    payload[*field] = json!(id);
    member.client.ask(event, payload).await.to_string().replace(id, "this id")
}

/// Somebody's objects.
struct Belongings {
    transports: [Value; 2],
    producer: Value,
    consumer: Value,
}

impl Belongings {
    fn of_field(&self, field: &str) -> Vec<&str> {
        let ids = match field {
            "transportId" => self.transports.iter().collect(),
            "producerId" => vec![&self.producer],
            _ => vec![&self.consumer],
        };
        ids.into_iter().filter_map(Value::as_str).collect()
    }
}

/// Harm prevented: somebody who has an id out of an announcement, a log or a guess closes, pauses, watches or diverts what is not
/// theirs, in their room or another, or learns that it is there.
#[tokio::test]
async fn the_id_of_anothers_object_is_answered_like_one_that_never_was() {
    use Vocabulary::{Call, RoomByDirection, RoomByProducing};
    let address = server::start(RouterOptions::default()).await;
    for owners in [Call, RoomByDirection] {
        let room = format!("{owners:?}");
        let mut bob = Member::join(address, &room, "bob", owners).await;
        let watched = bob.publish("produce", None).await;
        let mut alice = Member::join(address, &room, "alice", owners).await;
        let transports = [alice.transport(true).await, alice.transport(false).await];
        let producer = alice.publish("produce", None).await;
        let consumer = alice.consume(&transports[1], &watched).await;
        let hers = Belongings { transports, producer, consumer };
        let viewing = bob.transport(false).await;
        bob.consume(&viewing, &hers.producer).await;
        (alice.client.events, bob.client.events) = (Vec::new(), Vec::new());

        for stranger_room in [room.clone(), format!("not {room}")] {
            for vocabulary in [Call, RoomByDirection, RoomByProducing] {
                let mut mallory = Member::join(address, &stranger_room, "mallory", vocabulary).await;
                let transport = mallory.transport(false).await;
                for question in questions(&transport) {
                    let (event, field, _) = &question;
                    if (*event, *field, &stranger_room) == ("consume", "producerId", &room) {
                        // That is what others' producers are for.
                        continue;
                    }
                    let expected = answer(&mut mallory, &question, NOBODYS).await;
                    assert!(expected.contains("not found"), "{event}: {expected}");
                    for id in hers.of_field(field) {
                        assert_eq!(
                            answer(&mut mallory, &question, id).await,
                            expected,
                            "{vocabulary:?} {event} {field}"
                        );
                    }
                }
                let told = mallory.client.events.iter().map(|(_, payload)| payload.to_string());
                let mut names = told.filter(|_| stranger_room != room);
                assert_eq!(names.find(|text| text.contains("alice") || text.contains("bob")), None);
            }
        }

        // All is as it was: she connects first, and has what she had.
        let connect = if owners == Call { "connectTransport" } else { "connectWebRtcTransport" };
        let (_, _, dtls) = &questions(&Value::Null)[0];
        for transport in &hers.transports {
            let mut payload = dtls.clone();
            payload["transportId"] = transport.clone();
            let connected = alice.client.ask(connect, payload).await;
            assert!(connected.is_null() || connected["success"] == true, "{connected}");
        }
        for (field, id) in [("producerId", &hers.producer), ("consumerId", &hers.consumer)] {
            let mut payload = json!({});
            payload[field] = id.clone();
            let stats = alice.client.ask("getStats", payload).await;
            assert!(stats.get("error").is_none(), "{stats}");
        }
        for member in [&mut alice, &mut bob] {
            // What they were told is told before this answer.
            member.client.ask("getProducers", json!({})).await;
            let changed = member.client.events.iter().find(|(name, _)| CHANGES.contains(&name.as_str()));
            assert_eq!(changed, None, "they were told of a change");
        }
    }
}

/// Harm prevented: the names of rooms, or who is in them, are found out by asking.
#[tokio::test]
async fn who_is_in_one_room_learns_nothing_of_another_by_its_name() {
    let address = server::start(RouterOptions::default()).await;
    let mut alice = Member::join(address, "there", "alice", Vocabulary::RoomByDirection).await;
    let producer = alice.publish("produce", None).await;
    for vocabulary in [Vocabulary::Call, Vocabulary::RoomByDirection] {
        let mut mallory = Member::join(address, "here", "mallory", vocabulary).await;
        let transport = mallory.transport(false).await;
        let field = if vocabulary == Vocabulary::Call { "callId" } else { "roomId" };
        let mut asked: Vec<Question> = questions(&transport);
        let make = if vocabulary == Vocabulary::Call { "createTransport" } else { "createWebRtcTransport" };
        asked.extend([
            ("getProducers", field, json!({})),
            ("getRouterRtpCapabilities", field, json!({})),
            (make, field, json!({"direction": "recv"})),
            ("sendMessage", field, json!({"message": "psst", "recipientId": "alice"})),
        ]);
        for (event, object, mut rest) in asked {
            if object != field {
                rest[object] = producer.clone();
            }
            let [there, nowhere] = ["there", "nowhere"].map(|room| (event, field, rest.clone(), room));
            let mut answers = Vec::new();
            for (event, field, rest, room) in [there, nowhere] {
                answers.push(answer(&mut mallory, &(event, field, rest), room).await);
            }
            assert_eq!(answers[0], answers[1], "{event}");
            assert!(answers[0].contains("another room"), "{event}: {}", answers[0]);
        }
        // In her own room: somebody who is elsewhere is nobody.
        let question = ("sendMessage", "recipientId", json!({"message": "psst"}));
        let expected = answer(&mut mallory, &question, NOBODYS).await;
        assert_eq!(answer(&mut mallory, &question, "alice").await, expected);
        assert!(mallory.client.events.iter().all(|(_, payload)| !payload.to_string().contains("alice")));
    }
    alice.client.ask("getProducers", json!({"roomId": "there"})).await;
    assert!(!alice.client.events.iter().any(|(name, _)| name == "messageReceived"), "{:?}", alice.client.events);
}
