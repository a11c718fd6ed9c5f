//! Shared screens, which the engine treats unlike cameras: they are forwarded whoever speaks, and sharp before fluent.

use serde_json::{Value, json};
use sfu_core::engine::RouterOptions;

use crate::member::{Member, Vocabulary};
use crate::server;
/// Harm prevented: a shared screen goes dark as soon as somebody else speaks, or becomes a blur on a thin link, for the engine
/// takes it for a camera.
#[tokio::test]
async fn the_engine_knows_a_screen_however_its_client_says_so() {
    use Vocabulary::{Call, RoomByDirection, RoomByProducing};
    let screen = || Some(json!({"type": "screen"}));
    let cases = [
        (Call, "produce", screen(), true),
        (Call, "produce", Some(json!({"type": "camera"})), false),
        (RoomByDirection, "produce", screen(), true),
        (RoomByDirection, "startScreenShare", screen(), true),
        (RoomByDirection, "startScreenShare", None, true),
        (RoomByDirection, "produce", None, false),
        (RoomByProducing, "startScreenShare", Some(json!({"roomId": "r"})), true),
        (RoomByProducing, "produce", Some(json!({"roomId": "r", "type": "screen"})), true),
        (RoomByProducing, "produce", Some(json!({"roomId": "r"})), false),
    ];
    // One camera alone is forwarded, the first one's, and every screen.
    let address = server::start(RouterOptions { last_n: Some(1), ..RouterOptions::default() }).await;
    let mut speaker = Member::join(address, "r", "speaker", RoomByDirection).await;
    speaker.publish("produce", Some(json!({"type": "camera"}))).await;
    let mut viewer = Member::join(address, "r", "viewer", RoomByDirection).await;
    let transport = viewer.transport(false).await;
    let mut seen = Vec::new();
    for (number, (vocabulary, event, app_data, is_screen)) in cases.into_iter().enumerate() {
        let mut sharer = Member::join(address, "r", &format!("sharer {number}"), vocabulary).await;
        let producer = sharer.publish(event, app_data.clone()).await;
        let consumer = viewer.consume(&transport, &producer).await;
        seen.push((sharer, consumer, is_screen, format!("{vocabulary:?} {event} {app_data:?}")));
    }
    // The last one is a camera: what was told of it was told after everything about the others.
    for (_, consumer, _, case) in seen.iter().filter(|(_, _, is_screen, _)| !is_screen) {
        let told = viewer.client.told("consumerPaused", "consumerId", consumer).await;
        assert_eq!(told["reason"], "notSpeaking", "{case}");
    }
    for (_, consumer, _, case) in seen.iter().filter(|(_, _, is_screen, _)| *is_screen) {
        let paused =
            |(name, payload): &&(String, Value)| name == "consumerPaused" && payload["consumerId"] == *consumer;
        assert_eq!(viewer.client.events.iter().find(paused), None, "{case}");
    }
}

/// Harm prevented: the place of who leaves stays empty for everybody, or is filled and nobody is told.
#[tokio::test]
async fn who_is_forwarded_in_place_of_another_is_told() {
    let address = server::start(RouterOptions { last_n: Some(1), ..RouterOptions::default() }).await;
    let mut first = Member::join(address, "r", "first", Vocabulary::RoomByDirection).await;
    let mut second = Member::join(address, "r", "second", Vocabulary::RoomByDirection).await;
    let cameras = [first.publish("produce", None).await, second.publish("produce", None).await];
    let mut viewer = Member::join(address, "r", "viewer", Vocabulary::RoomByDirection).await;
    let transport = viewer.transport(false).await;
    viewer.consume(&transport, &cameras[0]).await;
    let consumer = viewer.consume(&transport, &cameras[1]).await;
    viewer.client.told("consumerPaused", "consumerId", &consumer).await;
    first.client.ask("closeProducer", json!({"producerId": cameras[0]})).await;
    viewer.client.told("consumerResumed", "consumerId", &consumer).await;
}
