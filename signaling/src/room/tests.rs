use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;

use super::*;
use crate::vocabulary::Vocabulary;

mod news;

/// Two joined peers, `alice` and `bob`, and `carol`, who is in the room for media only.
struct Scene {
    room: RoomState,
    rng: StdRng,
}

impl Scene {
    fn new() -> Self {
        let mut scene = Self { room: RoomState::default(), rng: StdRng::seed_from_u64(1) };
        for name in ["alice", "bob", "carol"] {
            scene.room.enter(&peer(name));
        }
        scene.room.join(identity("alice", "user-a", "Alice"));
        scene.room.join(identity("bob", "user-b", "Bob"));
        scene
    }

    fn produce(&mut self, owner: &str) -> (ProducerId, Deliveries) {
        let id = ProducerId::random(&mut self.rng);
        self.room.expect_producer();
        let deliveries = self.room.add_producer(id, &peer(owner), MediaKind::Video, json!({"n": 1}));
        (id, deliveries)
    }

    fn consume(&mut self, owner: &str, producer: ProducerId) -> (ConsumerId, Option<bool>) {
        let id = ConsumerId::random(&mut self.rng);
        self.room.expect_consumer();
        (id, self.room.add_consumer(id, &peer(owner), producer).0)
    }
}

fn peer(name: &str) -> PeerId {
    PeerId::new(name)
}

fn identity(name: &str, user_id: &str, user_name: &str) -> Identity {
    Identity::new(peer(name), Some(user_id), Some(user_name))
}

/// Who is told which event, in the room vocabulary, sorted.
fn told(deliveries: &Deliveries) -> Vec<(&str, &'static str)> {
    let mut told: Vec<_> =
        deliveries.iter().map(|(to, notice)| (to.as_str(), notice.encode(Vocabulary::Room).0)).collect();
    told.sort_unstable();
    told
}

#[test]
fn joining_is_announced_to_those_who_joined_and_once() {
    let mut scene = Scene::new();
    let carol = identity("carol", "user-c", "Carol");
    assert_eq!(told(&scene.room.join(carol.clone())), [("alice", "userJoined"), ("bob", "userJoined")]);
    assert!(scene.room.join(carol).is_empty());
    let renamed = identity("carol", "user-c", "Caroline");
    assert_eq!(told(&scene.room.join(renamed)), [("alice", "userJoined"), ("bob", "userJoined")]);
    let names: Vec<_> = scene.room.others(&peer("alice")).into_iter().map(|who| who.user_name).collect();
    assert_eq!(names, ["Bob", "Caroline"]);
    assert_eq!(scene.room.joined_count(), 3);
}

#[test]
fn missing_names_are_filled_in() {
    for (user_id, user_name, expected) in [
        (None, None, ("socket-1", "socket-1")),
        (Some("u"), None, ("u", "u")),
        (Some("u"), Some("U"), ("u", "U")),
        (None, Some("U"), ("socket-1", "U")),
    ] {
        let who = Identity::new(peer("socket-1"), user_id, user_name);
        assert_eq!((who.user_id.as_str(), who.user_name.as_str()), expected);
    }
}

#[test]
fn everybody_hears_in_their_own_vocabulary() {
    let mut scene = Scene::new();
    let (id, _) = scene.produce("alice");
    let info = scene.room.producer(&id).unwrap();
    let who = info.owner.clone();
    for (notice, call, room) in [
        (
            Notice::PeerJoined(who.clone()),
            ("peerJoined", json!({"peerId": "alice", "userId": "user-a"})),
            ("userJoined", json!({"userId": "user-a", "userName": "Alice", "socketId": "alice"})),
        ),
        (
            Notice::PeerLeft(who),
            ("peerLeft", json!({"peerId": "alice", "userId": "user-a"})),
            ("userLeft", json!({"userId": "user-a", "socketId": "alice"})),
        ),
        (
            Notice::NewProducer(info.clone()),
            (
                "newProducer",
                json!({"producerId": id, "peerId": "alice", "userId": "user-a", "kind": "video", "appData": {"n": 1}}),
            ),
            (
                "newProducer",
                json!({"producerId": id, "userId": "user-a", "kind": "video", "appData": {"n": 1}, "socketId": "alice"}),
            ),
        ),
        (
            Notice::ProducerClosed(info.clone()),
            ("producerClosed", json!({"producerId": id, "peerId": "alice", "userId": "user-a"})),
            ("producerClosed", json!({"producerId": id, "userId": "user-a", "socketId": "alice"})),
        ),
        (
            Notice::ProducerPaused(info),
            ("producerPaused", json!({"producerId": id, "peerId": "alice", "userId": "user-a", "kind": "video"})),
            ("producerPaused", json!({"producerId": id, "userId": "user-a", "kind": "video"})),
        ),
    ] {
        assert_eq!(notice.encode(Vocabulary::Call), call);
        assert_eq!(notice.encode(Vocabulary::Room), room);
    }
}

#[test]
fn a_producer_is_announced_listed_and_closed_once() {
    let mut scene = Scene::new();
    let (id, deliveries) = scene.produce("alice");
    assert_eq!(told(&deliveries), [("bob", "newProducer")]);
    let listed =
        |room: &RoomState, asker| room.producers_for(&peer(asker)).into_iter().map(|p| p.id).collect::<Vec<_>>();
    assert_eq!(listed(&scene.room, "bob"), [id]);
    assert_eq!(listed(&scene.room, "alice"), []);
    assert_eq!(told(&scene.room.close_producer(&id)), [("bob", "producerClosed")]);
    assert!(scene.room.close_producer(&id).is_empty());
    assert_eq!(listed(&scene.room, "bob"), []);
}

#[test]
fn media_of_one_who_has_not_joined_is_announced_too() {
    let mut scene = Scene::new();
    let (id, deliveries) = scene.produce("carol");
    assert_eq!(told(&deliveries), [("alice", "newProducer"), ("bob", "newProducer")]);
    assert_eq!(scene.room.producer(&id).unwrap().owner.user_id, "carol");
    // Who was never announced does not leave.
    assert_eq!(told(&scene.room.leave(&peer("carol"))), [("alice", "producerClosed"), ("bob", "producerClosed")]);
}

#[test]
fn closing_a_producer_closes_its_consumers_and_theirs_alone() {
    let mut scene = Scene::new();
    let (first, _) = scene.produce("alice");
    let (second, _) = scene.produce("alice");
    let (consumer, _) = scene.consume("carol", first);
    let (other, _) = scene.consume("carol", second);
    let deliveries = scene.room.close_producer(&first);
    assert_eq!(told(&deliveries), [("bob", "producerClosed"), ("carol", "consumerClosed")]);
    assert!(deliveries.iter().any(|(_, notice)| **notice == Notice::ConsumerClosed(consumer)));
    // The engine's own word of it comes later and is no news.
    assert!(scene.room.consumer_closed(&consumer).is_empty());
    assert_eq!(told(&scene.room.consumer_closed(&other)), [("carol", "consumerClosed")]);
}

#[test]
fn a_consumer_of_a_producer_that_has_just_closed_is_not_taken() {
    let mut scene = Scene::new();
    let (id, _) = scene.produce("alice");
    scene.room.close_producer(&id);
    assert_eq!(scene.consume("bob", id).1, None);
}

#[test]
fn pausing_is_told_to_the_room_and_to_consumers_owners() {
    let mut scene = Scene::new();
    let (id, _) = scene.produce("alice");
    assert_eq!(scene.consume("carol", id).1, Some(false));
    let paused = scene.room.set_producer_paused(&id, true);
    assert_eq!(told(&paused), [("bob", "producerPaused"), ("carol", "consumerPaused")]);
    assert!(scene.room.set_producer_paused(&id, true).is_empty());
    // Whoever comes late learns it with the consumer.
    assert_eq!(scene.consume("bob", id).1, Some(true));
    let resumed = scene.room.set_producer_paused(&id, false);
    assert_eq!(told(&resumed), [("bob", "consumerResumed"), ("bob", "producerResumed"), ("carol", "consumerResumed")]);
}

#[test]
fn a_peer_is_named_by_what_is_known_of_them_until_they_join_under_a_name() {
    let mut scene = Scene::new();
    scene.room.identify(&peer("carol"), "user-c");
    let (early, deliveries) = scene.produce("carol");
    assert_eq!(told(&deliveries), [("alice", "newProducer"), ("bob", "newProducer")]);
    assert_eq!(scene.room.producer(&early).unwrap().owner, identity("carol", "user-c", "user-c"));
    // Who has joined was announced under that name.
    scene.room.identify(&peer("alice"), "somebody-else");
    assert_eq!(scene.room.others(&peer("bob")), [identity("alice", "user-a", "Alice")]);
    scene.room.identify(&peer("nobody"), "user-n");
    assert_eq!(scene.room.peer_count(), 3);
}

#[test]
fn leaving_takes_everything_along() {
    let mut scene = Scene::new();
    let (from_alice, _) = scene.produce("alice");
    let (from_bob, _) = scene.produce("bob");
    scene.consume("bob", from_alice);
    let (own, _) = scene.consume("alice", from_bob);
    let transport = TransportId::random(&mut scene.rng);
    scene.room.add_transport(transport, &peer("alice"));

    let deliveries = scene.room.leave(&peer("alice"));
    assert_eq!(told(&deliveries), [("bob", "consumerClosed"), ("bob", "producerClosed"), ("bob", "userLeft")]);
    assert!(scene.room.consumer_closed(&own).is_empty());
    assert_eq!(scene.room.remove_transport(&transport), None);
    assert_eq!(scene.room.peer_count(), 2);
    assert!(scene.room.leave(&peer("alice")).is_empty());
}

#[test]
fn two_sockets_of_one_user_are_two_peers() {
    let mut scene = Scene::new();
    scene.room.join(identity("carol", "user-a", "Alice"));
    let deliveries = scene.room.leave(&peer("alice"));
    assert_eq!(told(&deliveries), [("bob", "userLeft"), ("carol", "userLeft")]);
    let left: Vec<_> = scene.room.others(&peer("bob")).into_iter().map(|who| who.peer).collect();
    assert_eq!(left, [peer("carol")]);
}

#[test]
fn a_message_reaches_the_room_or_its_recipient_and_sender() {
    let mut scene = Scene::new();
    let send = |room: &RoomState, recipient: Option<&str>| {
        let deliveries = room.message(&peer("alice"), None, "hi".to_owned(), recipient, "now".to_owned())?;
        let mut to: Vec<_> = deliveries.iter().map(|(to, _)| to.as_str().to_owned()).collect();
        to.sort_unstable();
        Some((to.join(" "), deliveries[0].1.encode(Vocabulary::Room).1))
    };
    let message = |private: bool| json!({"senderId": "user-a", "senderName": "Alice", "message": "hi", "timestamp": "now", "isPrivate": private});
    assert_eq!(send(&scene.room, None), Some(("alice bob".to_owned(), message(false))));
    assert_eq!(send(&scene.room, Some("user-b")), Some(("alice bob".to_owned(), message(true))));
    assert_eq!(send(&scene.room, Some("bob")), Some(("alice bob".to_owned(), message(true))));
    assert_eq!(send(&scene.room, Some("user-a")), Some(("alice".to_owned(), message(true))));
    assert_eq!(send(&scene.room, Some("nobody")), None);
    // In the room but not joined: not to be written to.
    assert_eq!(send(&scene.room, Some("carol")), None);
    scene.room.join(identity("carol", "user-b", "Bob on the phone"));
    assert_eq!(send(&scene.room, Some("user-b")), Some(("alice bob carol".to_owned(), message(true))));
}
