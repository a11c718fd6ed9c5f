//! Calls on a path without faults.

use sfu_core::parameters::HeaderExtensionUri;

use simulation::{World, ms, s};

/// Harm prevented: anything at all between two people does not work.
#[test]
fn a_clean_call_carries_every_byte_of_audio_and_video() {
    let mut world = World::new(1);
    let (alice, bob) = (world.peer(), world.peer());
    let audio = world.produce(alice, "opus");
    let video = world.produce(alice, "vp8");
    world.run_for(ms(200));
    let (heard, seen) = (world.consume(bob, audio), world.consume(bob, video));
    for level in [30, 127, 0, 64, 1] {
        world.source_mut(audio).audio.level = level;
        world.source_mut(audio).audio.is_voice = level % 2 == 0;
        world.run_for(s(2));
    }
    world.assert_complete(heard, audio);
    world.assert_complete(seen, video);
    assert!(world.stream(heard, audio).len() > 480);
    // The path is probed with repeats of video: that it got some of it twice is no fault.
    assert_eq!((world.sink(heard).duplicates, world.sink(heard).nacks_sent), (0, 0));
    assert_eq!(world.sink(seen).nacks_sent, 0);
    for pair in world.stream(heard, audio) {
        let level = world.sink(heard).id(&HeaderExtensionUri::SsrcAudioLevel).unwrap();
        let level = pair.got.extensions.iter().find(|(id, _)| *id == level).map(|(_, value)| value[0]);
        assert!(pair.published.level.is_some());
        assert_eq!(level, pair.published.level, "the audio level of {}", pair.number);
    }
}
