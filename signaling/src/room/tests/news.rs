//! What the engine tells by itself, and who hears of it.

use sfu_core::engine::AudioLevel;
use sfu_core::engine::SuspendReason::{Bandwidth, NotSpeaking, Overload};
use sfu_core::ids::Ssrc;
use sfu_core::parameters::ConsumerLayers;
use sfu_core::stats::{ConsumerScore, TraceDirection, TraceEvent, TraceInfo, TraceTarget};

use super::*;

/// The events that a consumer's owner is told of it, with the reason where there is one.
fn flow(deliveries: &Deliveries) -> Vec<String> {
    let events = deliveries.iter().map(|(_, notice)| notice.encode(Vocabulary::Room));
    let of_consumer = events.filter(|(event, _)| event.starts_with("consumer"));
    of_consumer.map(|(event, payload)| format!("{event} {}", payload["reason"].as_str().unwrap_or("-"))).collect()
}

#[test]
fn a_consumer_flows_again_when_nothing_keeps_it_any_more() {
    enum Step {
        Producer(bool),
        Suspended(Option<SuspendReason>),
    }
    use Step::{Producer, Suspended};
    let paused = |why: &str| vec![format!("consumerPaused {why}")];
    let resumed = || vec!["consumerResumed -".to_owned()];
    for steps in [
        vec![(Suspended(Some(Bandwidth)), paused("bandwidth")), (Suspended(None), resumed())],
        vec![
            (Suspended(Some(NotSpeaking)), paused("notSpeaking")),
            (Suspended(Some(Overload)), paused("overload")),
            (Suspended(Some(Bandwidth)), paused("bandwidth")),
            (Suspended(Some(Bandwidth)), vec![]),
            (Suspended(None), resumed()),
            (Suspended(None), vec![]),
        ],
        // The producer's pause ends first: what is left is told.
        vec![
            (Suspended(Some(Bandwidth)), paused("bandwidth")),
            (Producer(true), paused("producer")),
            (Producer(false), paused("bandwidth")),
            (Suspended(None), resumed()),
        ],
        // The suspension ends first: no news, for nothing flows yet.
        vec![
            (Producer(true), paused("producer")),
            (Suspended(Some(Bandwidth)), vec![]),
            (Suspended(None), vec![]),
            (Producer(false), resumed()),
        ],
    ] {
        let mut scene = Scene::new();
        let (producer, _) = scene.produce("alice");
        let (consumer, _) = scene.consume("carol", producer);
        for (number, (step, expected)) in steps.into_iter().enumerate() {
            let deliveries = match step {
                Producer(paused) => scene.room.set_producer_paused(&producer, paused),
                Suspended(reason) => scene.room.consumer_news(consumer, ConsumerNews::Suspended(reason)),
            };
            assert_eq!(flow(&deliveries), expected, "step {number}");
        }
    }
}

#[test]
fn news_reaches_the_owner_alone() {
    let mut scene = Scene::new();
    let (producer, _) = scene.produce("alice");
    let (consumer, _) = scene.consume("bob", producer);
    let layers = Some(ConsumerLayers { spatial_layer: 1, temporal_layer: Some(0) });
    let score = ConsumerScore { score: 5, producer_score: 9, producer_scores: vec![9] };
    for (news, event) in [(ConsumerNews::Layers(layers), "layersChanged"), (ConsumerNews::Score(score), "score")] {
        assert_eq!(told(&scene.room.consumer_news(consumer, news)), [("bob", event)]);
    }
    for (news, event) in
        [(ProducerNews::LayersWanted(vec![0]), "producerLayersWanted"), (ProducerNews::Score(Vec::new()), "score")]
    {
        assert_eq!(told(&scene.room.producer_news(producer, news)), [("alice", event)]);
    }
}

#[test]
fn what_happens_to_an_object_is_shown_to_its_owner_alone() {
    let mut scene = Scene::new();
    let (producer, _) = scene.produce("alice");
    let (consumer, _) = scene.consume("bob", producer);
    let (transport, unknown) = (TransportId::random(&mut scene.rng), TransportId::random(&mut scene.rng));
    scene.room.add_transport(transport, &peer("carol"));
    let info = TraceInfo::Pli { ssrc: Ssrc(1) };
    let event = Box::new(TraceEvent { timestamp: 0, direction: TraceDirection::In, info });
    for (target, owner) in [
        (TraceTarget::Transport(transport), Some("carol")),
        (TraceTarget::Producer(producer), Some("alice")),
        (TraceTarget::Consumer(consumer), Some("bob")),
        (TraceTarget::Transport(unknown), None),
    ] {
        let deliveries = scene.room.trace(target, event.clone());
        assert_eq!(told(&deliveries), owner.map(|owner| (owner, "trace")).into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_consumer_being_made_misses_nothing() {
    let mut scene = Scene::new();
    let (producer, _) = scene.produce("alice");
    let (made, other) = (ConsumerId::random(&mut scene.rng), ConsumerId::random(&mut scene.rng));
    scene.room.expect_consumer();
    scene.room.expect_consumer();
    for (id, news) in [
        (made, ConsumerNews::Suspended(Some(Bandwidth))),
        (other, ConsumerNews::Suspended(Some(NotSpeaking))),
        (made, ConsumerNews::Layers(None)),
    ] {
        assert!(scene.room.consumer_news(id, news).is_empty(), "nobody is known to be told");
    }
    let (paused, deliveries) = scene.room.add_consumer(made, &peer("bob"), producer);
    assert_eq!(paused, Some(false));
    assert_eq!(told(&deliveries), [("bob", "consumerPaused"), ("bob", "layersChanged")]);
    assert_eq!(flow(&deliveries), ["consumerPaused bandwidth"]);
    assert_eq!(flow(&scene.room.add_consumer(other, &peer("carol"), producer).1), ["consumerPaused notSpeaking"]);
    assert_eq!(flow(&scene.room.consumer_news(made, ConsumerNews::Suspended(None))), ["consumerResumed -"]);
}

#[test]
fn a_consumer_of_a_paused_producer_learns_of_its_suspension_when_that_is_what_is_left() {
    let mut scene = Scene::new();
    let (producer, _) = scene.produce("alice");
    scene.room.set_producer_paused(&producer, true);
    let made = ConsumerId::random(&mut scene.rng);
    scene.room.expect_consumer();
    scene.room.consumer_news(made, ConsumerNews::Suspended(Some(Bandwidth)));
    let (paused, deliveries) = scene.room.add_consumer(made, &peer("bob"), producer);
    assert_eq!((paused, flow(&deliveries)), (Some(true), Vec::new()));
    assert_eq!(flow(&scene.room.set_producer_paused(&producer, false)), ["consumerPaused bandwidth"]);
}

#[test]
fn a_producer_being_made_misses_nothing() {
    let mut scene = Scene::new();
    let id = ProducerId::random(&mut scene.rng);
    scene.room.expect_producer();
    assert!(scene.room.producer_news(id, ProducerNews::LayersWanted(Vec::new())).is_empty());
    let deliveries = scene.room.add_producer(id, &peer("alice"), MediaKind::Video, json!({}));
    assert_eq!(told(&deliveries), [("alice", "producerLayersWanted"), ("bob", "newProducer")]);
}

#[test]
fn news_of_what_was_refused_or_is_gone_is_told_to_nobody() {
    let mut scene = Scene::new();
    let (producer, _) = scene.produce("alice");
    let (gone, _) = scene.consume("bob", producer);
    scene.room.remove_consumer(&gone);
    assert!(scene.room.consumer_news(gone, ConsumerNews::Layers(None)).is_empty());
    let refused = ProducerId::random(&mut scene.rng);
    scene.room.expect_producer();
    scene.room.producer_news(refused, ProducerNews::LayersWanted(Vec::new()));
    scene.room.producer_not_made();
    scene.room.expect_producer();
    let deliveries = scene.room.add_producer(refused, &peer("alice"), MediaKind::Video, json!({}));
    assert_eq!(told(&deliveries), [("bob", "newProducer")]);
    let refused = ConsumerId::random(&mut scene.rng);
    scene.room.expect_consumer();
    scene.room.consumer_news(refused, ConsumerNews::Layers(None));
    scene.room.consumer_not_made();
    scene.room.expect_consumer();
    assert!(scene.room.add_consumer(refused, &peer("bob"), producer).1.is_empty());
}

#[test]
fn who_speaks_is_told_to_all_who_have_joined_and_to_who_joins() {
    let mut scene = Scene::new();
    let (voice, _) = scene.produce("alice");
    assert_eq!(told(&scene.room.speaks(voice)), [("alice", "activeSpeaker"), ("bob", "activeSpeaker")]);
    let carol = identity("carol", "user-c", "Carol");
    let deliveries = scene.room.join(carol.clone());
    assert_eq!(told(&deliveries), [("alice", "userJoined"), ("bob", "userJoined"), ("carol", "activeSpeaker")]);
    let speaker = deliveries.iter().find(|(to, _)| *to == peer("carol")).unwrap();
    let payload = json!({"producerId": voice, "userId": "user-a", "peerId": "alice"});
    assert_eq!(speaker.1.encode(Vocabulary::Room), ("activeSpeaker", payload));
    // Once is enough, under whatever name.
    let renamed = identity("carol", "user-c", "Caroline");
    assert_eq!(told(&scene.room.join(renamed)), [("alice", "userJoined"), ("bob", "userJoined")]);

    scene.room.close_producer(&voice);
    scene.room.leave(&peer("carol"));
    scene.room.enter(&peer("carol"));
    assert_eq!(told(&scene.room.join(carol)), [("alice", "userJoined"), ("bob", "userJoined")]);
    assert!(scene.room.speaks(voice).is_empty(), "who is gone does not speak");
}

#[test]
fn audio_levels_name_who_is_heard() {
    let mut scene = Scene::new();
    let (from_alice, _) = scene.produce("alice");
    let (gone, _) = scene.produce("bob");
    scene.room.close_producer(&gone);
    let level = |producer_id, volume_dbov| AudioLevel { producer_id, volume_dbov };
    let deliveries = scene.room.audio_levels(&[level(gone, -10), level(from_alice, -40)]);
    assert_eq!(told(&deliveries), [("alice", "audioLevels"), ("bob", "audioLevels")]);
    let expected = json!([{"producerId": from_alice, "userId": "user-a", "volume": -40}]);
    assert_eq!(deliveries[0].1.encode(Vocabulary::Call).1, expected);
    assert_eq!(told(&scene.room.audio_levels(&[])), [("alice", "audioLevels"), ("bob", "audioLevels")], "silence too");
}
