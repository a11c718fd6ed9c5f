//! Who speaks, and what a room forwards because of it.

use std::time::{Duration, Instant};

use sfu_core::router::{RouterEvent, RouterOptions, SuspendReason};
use simulation::source::video::{Audio, Video, VideoCodec};
use simulation::{PeerOptions, SinkId, SourceId, World, ms, s};

use super::assert_watchable;

const SILENCE: u8 = 127;
const SPEECH: u8 = 30;

/// A room with participants and a viewer of them all.
struct Room {
    world: World,
    voices: Vec<SourceId>,
    viewer: usize,
    options: PeerOptions,
}

impl Room {
    fn new(seed: u64, options: RouterOptions, participants: usize) -> Self {
        let mut world = World::new(seed);
        let router = world.core.create_router(options);
        let options = PeerOptions { router: Some(router), ..PeerOptions::default() };
        let viewer = world.connected_peer(options.clone());
        let mut room = Self { world, voices: Vec::new(), viewer, options };
        for _ in 0..participants {
            let peer = room.world.connected_peer(room.options.clone());
            let voice = room.world.publish_audio(peer, Audio { level: SILENCE, is_voice: false, ..Audio::default() });
            room.voices.push(voice);
        }
        room
    }

    /// They speak, nobody else does.
    fn speak(&mut self, speakers: &[usize]) {
        for (index, voice) in self.voices.iter().enumerate() {
            let speaks = speakers.contains(&index);
            let audio = &mut self.world.source_mut(*voice).audio;
            (audio.level, audio.is_voice) = (if speaks { SPEECH } else { SILENCE }, speaks);
        }
    }

    fn camera(&mut self, participant: usize) -> SourceId {
        let mut video = Video::single(VideoCodec::Vp8);
        video.encodings[0].bitrates = vec![200_000];
        self.world.publish(self.voices[participant].peer, &video)
    }

    /// Lets `seconds` pass, then says which of these are forwarded.
    fn after(&mut self, seconds: u64, sinks: &[SinkId]) -> Vec<usize> {
        self.world.run_for(s(seconds));
        self.flowing(sinks)
    }

    /// Which of these got anything in the last second.
    fn flowing(&self, sinks: &[SinkId]) -> Vec<usize> {
        let from = self.world.now - s(1);
        let flows = |sink: SinkId| self.world.sink(sink).packets.values().any(|got| got.at >= from);
        (0..sinks.len()).filter(|index| flows(sinks[*index])).collect()
    }

    fn close(&mut self, source: SourceId) {
        let producer = self.world.source(source).producer;
        self.world.core.close_producer(self.world.now, producer);
        self.world.source_mut(source).stop();
        self.world.settle();
    }

    /// The layers that each of these was told last that anybody wants.
    fn wanted(&self, cameras: &[SourceId]) -> Vec<Vec<u8>> {
        let last = |camera: &SourceId| {
            let producer = self.world.source(*camera).producer;
            let mut news = self.world.events.iter().rev();
            let told = news.find_map(|(_, _, event)| match event {
                RouterEvent::ProducerLayersWanted { producer_id, spatial_layers } if *producer_id == producer => {
                    Some(spatial_layers.clone())
                }
                _ => None,
            });
            // Until somebody is told otherwise, everything is wanted.
            told.unwrap_or_else(|| vec![0])
        };
        cameras.iter().map(last).collect()
    }

    /// What was told of these consumers since `from`: which, and whether it is suspended.
    fn suspensions(&self, sinks: &[SinkId], from: Instant) -> Vec<(usize, bool)> {
        let index = |id| sinks.iter().position(|sink| self.world.sink(*sink).info.id == id);
        let events = self.world.events.iter().filter(|(at, _, _)| *at >= from);
        events
            .filter_map(|(_, _, event)| match event {
                RouterEvent::ConsumerSuspended { consumer_id, reason } => {
                    assert_eq!(*reason, SuspendReason::NotSpeaking);
                    Some((index(*consumer_id)?, true))
                }
                RouterEvent::ConsumerUnsuspended { consumer_id } => Some((index(*consumer_id)?, false)),
                _ => None,
            })
            .collect()
    }
}

/// Harm prevented: in a room of a hundred cameras each viewer pays for all of them, or sees those who are silent.
#[test]
fn only_the_cameras_of_the_latest_speakers_are_forwarded_and_screens_always() {
    let options = RouterOptions { last_n: Some(2), ..RouterOptions::default() };
    let mut room = Room::new(6000, options, 4);
    let cameras: Vec<_> = (0..4).map(|participant| room.camera(participant)).collect();
    let mut screen = Video::screen(VideoCodec::Vp8);
    screen.encodings[0].bitrates = vec![100_000];
    let screen = room.world.publish_screen(room.voices[3].peer, &screen);
    let viewer = room.viewer;
    let sinks: Vec<_> = cameras.iter().map(|camera| room.world.consume(viewer, *camera)).collect();
    let screen = room.world.consume(viewer, screen);
    room.world.run_for(s(3));
    assert_eq!(room.flowing(&sinks), [0, 1], "who came first, while nobody has spoken");
    let begun = room.world.origin;
    assert_eq!(room.suspensions(&sinks, begun), [(2, true), (3, true)]);
    // Who speaks, whose cameras are seen then, and what is told.
    type Turn = (usize, [usize; 2], &'static [(usize, bool)]);
    let turns: [Turn; 5] = [
        (2, [0, 2], &[(1, true), (2, false)]),
        (3, [2, 3], &[(0, true), (3, false)]),
        (2, [2, 3], &[]),
        (0, [0, 2], &[(3, true), (0, false)]),
        (1, [0, 1], &[(2, true), (1, false)]),
    ];
    for (speaker, seen, told) in turns {
        let from = room.world.now;
        room.speak(&[speaker]);
        room.world.run_for(s(4));
        assert_eq!(room.flowing(&sinks), seen, "{speaker} speaks");
        let mut news = room.suspensions(&sinks, from);
        news.sort();
        let mut expected = told.to_vec();
        expected.sort();
        assert_eq!(news, expected, "{speaker} speaks");
    }
    assert!(room.world.playback(screen).freezes(room.world.now).is_empty());
    assert_eq!(room.suspensions(&[screen], begun), []);
    for sink in sinks.into_iter().chain([screen]) {
        assert_watchable(&room.world, sink, "a camera");
        assert!(room.world.sink(sink).holes().is_empty(), "what is not forwarded is no loss");
    }
}

/// Harm prevented: somebody joins, sees three people and a black tile, and nothing says why.
#[test]
fn who_comes_late_or_resumes_is_told_who_is_not_forwarded() {
    let options = RouterOptions { last_n: Some(1), ..RouterOptions::default() };
    let mut room = Room::new(6010, options, 2);
    let cameras = [room.camera(0), room.camera(1)];
    room.speak(&[0]);
    room.world.run_for(s(3));
    let joined = room.world.now;
    let late = room.world.connected_peer(room.options.clone());
    let sinks = cameras.map(|camera| room.world.consume(late, camera));
    assert_eq!(room.after(2, &sinks), [0]);
    assert_eq!(room.suspensions(&sinks, joined), [(1, true)], "who joins");
    let paused = room.world.connected_peer(room.options.clone());
    let from = room.world.now;
    let capabilities = simulation::vectors::chromium();
    let sinks = cameras.map(|camera| room.world.consume_as(paused, camera, capabilities.clone(), true).unwrap());
    room.world.run_for(s(2));
    assert_eq!(room.suspensions(&sinks, from), [], "paused by their owner");
    for sink in sinks {
        let (id, now) = (room.world.sink(sink).info.id, room.world.now);
        room.world.core.resume_consumer(now, id).unwrap();
        room.world.settle();
    }
    assert_eq!(room.after(2, &sinks), [0]);
    assert_eq!(room.suspensions(&sinks, from), [(1, true)], "who resumes");
    // A source that was switched off meanwhile is no reason to forget it.
    let (producer, now) = (room.world.source(cameras[1]).producer, room.world.now);
    room.world.core.pause_producer(now, producer).unwrap();
    room.world.run_for(s(1));
    let back = room.world.now;
    room.world.core.resume_producer(back, producer).unwrap();
    room.world.run_for(s(1));
    assert_eq!(room.suspensions(&sinks, back), [(1, true)], "whose producer resumes");
    room.speak(&[1]);
    assert_eq!(room.after(4, &sinks), [1]);
    assert_eq!(room.suspensions(&sinks, back), [(1, true), (0, true), (1, false)]);
}

/// Harm prevented: who switches off the camera keeps others from being seen; who shows two and switches off one is not seen any
/// more.
#[test]
fn a_place_is_held_by_whoever_shows_a_camera() {
    let options = RouterOptions { last_n: Some(1), ..RouterOptions::default() };
    let mut room = Room::new(6020, options, 2);
    let cameras = [room.camera(0), room.camera(0), room.camera(1)];
    let viewer = room.viewer;
    let sinks = cameras.map(|camera| room.world.consume(viewer, camera));
    assert_eq!(room.after(3, &sinks), [0, 1], "both cameras of one participant");
    room.close(cameras[0]);
    assert_eq!(room.after(3, &sinks), [1]);
    room.close(cameras[1]);
    assert_eq!(room.after(3, &sinks), [2]);
}

/// Harm prevented: whoever begins to speak is heard and stays invisible; whom nobody sees sends a camera to nobody.
#[test]
fn a_speaker_is_seen_at_once_and_the_camera_of_who_is_not_is_not_wanted() {
    // Nobody asked to be told who speaks.
    let options = RouterOptions { last_n: Some(1), active_speaker: false, ..RouterOptions::default() };
    let mut room = Room::new(6030, options, 4);
    let cameras: Vec<_> = (0..4).map(|participant| room.camera(participant)).collect();
    let viewer = room.viewer;
    let sinks: Vec<_> = cameras.iter().map(|camera| room.world.consume(viewer, *camera)).collect();
    room.world.run_for(s(4));
    for speaker in [1, 2, 3, 1] {
        let from = room.world.now;
        room.speak(&[speaker]);
        assert_eq!(room.after(5, &sinks), [speaker]);
        let id = room.world.sink(sinks[speaker]).info.id;
        let mut told = room.world.events.iter().filter(|(at, _, _)| *at >= from);
        let selected = told.find(
            |(_, _, event)| matches!(event, RouterEvent::ConsumerUnsuspended { consumer_id } if *consumer_id == id),
        );
        let selected = selected.expect("that it flows again is told").0;
        let seen = room.world.playback(sinks[speaker]).between(selected, room.world.now)[0].at;
        assert!(seen - selected < ms(400), "{speaker} is seen {:?} after being selected", seen - selected);
        let wanted = room.wanted(&cameras);
        let expected: Vec<_> = (0..4).map(|camera| if camera == speaker { vec![0] } else { Vec::new() }).collect();
        assert_eq!(wanted, expected, "while {speaker} speaks");
    }
    let is_remark = |event: &RouterEvent| matches!(event, RouterEvent::ActiveSpeaker { .. });
    assert!(!room.world.events.iter().any(|(_, _, event)| is_remark(event)), "told though nobody asked");
}

/// Harm prevented: a viewer who hears the loudest alone takes everything else for lost packets, and conceals it with noise.
#[test]
fn only_the_loudest_are_forwarded_and_nothing_seems_lost() {
    let options = RouterOptions { loudest_n: Some(2), ..RouterOptions::default() };
    let mut room = Room::new(6100, options, 4);
    let viewer = room.viewer;
    let sinks: Vec<_> = room.voices.clone().into_iter().map(|voice| room.world.consume(viewer, voice)).collect();
    for (speakers, heard) in [([2, 3], [2, 3]), ([0, 2], [0, 2]), ([1, 0], [0, 1]), ([1, 3], [1, 3])] {
        room.speak(&speakers);
        room.world.run_for(s(4));
        assert_eq!(room.flowing(&sinks), heard, "{speakers:?} speak");
    }
    room.world.assert_sound();
    for sink in sinks {
        let sink = room.world.sink(sink);
        assert!(sink.holes().is_empty() && sink.nacks_sent == 0, "{:?}", sink.holes());
        let times: Vec<u32> = sink.packets.values().map(|got| got.timestamp).collect();
        assert!(times.windows(2).all(|two| two[1].wrapping_sub(two[0]) < 1 << 31), "time goes back");
    }
}

/// Harm prevented: when a voice leaves a full room, those who are left stay silent in its place; when one comes, there is one too
/// many.
#[test]
fn a_voice_that_comes_finds_all_places_taken_and_one_that_goes_leaves_its_own() {
    let options = RouterOptions { loudest_n: Some(1), ..RouterOptions::default() };
    let mut room = Room::new(6110, options, 2);
    let viewer = room.viewer;
    let voices = [room.voices[0], room.voices[1]];
    let sinks = voices.map(|voice| room.world.consume(viewer, voice));
    assert_eq!(room.after(3, &sinks), [0]);
    room.close(voices[0]);
    assert_eq!(room.after(3, &sinks), [1]);
}

/// Harm prevented: the room shows who coughs instead of who talks, or tells nobody who does.
#[test]
fn who_speaks_and_how_loud_is_told() {
    let mut room = Room::new(6200, RouterOptions::default(), 3);
    room.world.run_for(s(2));
    let producers: Vec<_> = room.voices.iter().map(|voice| room.world.source(*voice).producer).collect();
    for speaker in [1, 2, 0, 2] {
        let from = room.world.now;
        room.speak(&[speaker]);
        room.world.run_for(s(4));
        let events: Vec<_> = room.world.events.iter().filter(|(at, _, _)| *at >= from).collect();
        let dominant: Vec<(Duration, _)> = events
            .iter()
            .filter_map(|(at, _, event)| match event {
                RouterEvent::ActiveSpeaker { producer_id } => Some((*at - from, *producer_id)),
                _ => None,
            })
            .collect();
        assert_eq!(dominant.len(), 1, "told once");
        assert_eq!(dominant[0].1, producers[speaker]);
        assert!(dominant[0].0 < s(3), "{:?}", dominant[0].0);
        let mut levels = events.iter().filter_map(|(_, _, event)| match event {
            RouterEvent::AudioLevels { levels } => Some(levels),
            _ => None,
        });
        let last = levels.next_back().expect("levels");
        let loudest: Vec<_> = last.iter().map(|level| (level.producer_id, level.volume_dbov)).collect();
        assert_eq!(loudest, [(producers[speaker], -(SPEECH as i8))]);
        // A cough is no speech.
        let other = (speaker + 1) % 3;
        let coughed = room.world.now;
        room.speak(&[other]);
        room.world.run_for(ms(60));
        room.speak(&[speaker]);
        room.world.run_for(s(2));
        let moved = room
            .world
            .events
            .iter()
            .any(|(at, _, event)| *at >= coughed && matches!(event, RouterEvent::ActiveSpeaker { .. }));
        assert!(!moved, "a cough takes the floor");
    }
    let quiet = room.world.now;
    room.speak(&[]);
    room.world.run_for(s(4));
    let silent = |event: &RouterEvent| matches!(event, RouterEvent::AudioLevels { levels } if levels.is_empty());
    let told = room.world.events.iter().filter(|(at, _, event)| *at >= quiet && silent(event)).count();
    assert_eq!(told, 1, "silence is told once");
}
