//! A link that becomes thin under one viewer, and wide again.

use std::time::Duration;

use simulation::source::video::{Video, VideoCodec};
use simulation::{Depth, Direction, World, ms, s};

/// Nobody looks at a still picture for longer. The link is full when it becomes thin, and a smaller layer's key picture has to
/// get through it first.
const STILL_MAX: Duration = Duration::from_secs(3);

/// The top layer is back so long after the link is wide again: probes climb step by step, each to what the next layer needs.
const BACK_WITHIN: Duration = Duration::from_secs(12);

/// Harm prevented: the estimate dips while the queue drains, the last layer is paused for it, no feedback comes of what is not
/// sent, and the viewer looks at a still picture for half a minute.
#[test]
fn a_viewer_behind_a_link_that_becomes_thin_keeps_a_picture() {
    for (seed, kbps, depth) in
        [(900, 300, 300), (901, 300, 100), (902, 250, 500), (903, 400, 50), (904, 300, 200), (905, 200, 300)]
    {
        let mut world = World::new(seed);
        let (alice, bob) = (world.peer(), world.peer());
        let mut video = Video::simulcast(VideoCodec::Vp8, 3);
        for (encoding, bps) in video.encodings.iter_mut().zip([100_000, 300_000, 800_000]) {
            encoding.bitrates.iter_mut().for_each(|bitrate| *bitrate = bps);
        }
        let source = world.publish(alice, &video);
        let sink = world.consume(bob, source);
        let steps = [(s(0), 20_000_000), (s(8), kbps * 1000), (s(38), 20_000_000)];
        world.set_capacity(bob, Direction::Down, Depth::Time(ms(depth)), &steps);
        let begun = world.now;
        world.run_for(s(55));

        let shown = &world.playback(sink).shown;
        let stills = shown.windows(2).map(|pair| (pair[1].at - pair[0].at, pair[0].at - begun));
        let longest = stills.filter(|(_, at)| *at > s(6)).max().unwrap();
        assert!(longest.0 < STILL_MAX, "{kbps} kbit/s, {depth} ms: {longest:?}");
        let back = shown.iter().find(|picture| picture.at > begun + s(38) && picture.layers.spatial == 2);
        assert!(back.is_some_and(|picture| picture.at < begun + s(38) + BACK_WITHIN), "{kbps} kbit/s, {depth} ms");
    }
}
