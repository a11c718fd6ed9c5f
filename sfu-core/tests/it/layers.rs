//! Layers as a viewer sees them: which picture comes after a wish, and that each that comes can be decoded.

mod clocks;
mod dynacast;
mod liveness;
mod properties;
mod speakers;
mod stills;
mod switching;

use std::time::{Duration, Instant};

use sfu_core::parameters::{ConsumerLayers, RtpCapabilities};
use sfu_core::router::RouterEvent;
use simulation::source::video::{Video, VideoCodec};
use simulation::{Direction, Link, PeerOptions, SinkId, SourceId, World, s, vectors};

/// Spatial and temporal.
pub(crate) type Pair = (u8, u8);

/// A kind of stream with layers, and what there is of them.
pub(crate) struct Form {
    pub(crate) name: &'static str,
    pub(crate) video: Video,
    pub(crate) highest: Pair,
}

impl Form {
    fn is_simulcast(&self) -> bool {
        self.video.encodings.len() > 1
    }

    /// What there is of a wish.
    fn bound(&self, (spatial, temporal): Pair) -> Pair {
        (spatial.min(self.highest.0), temporal.min(self.highest.1))
    }

    /// Which part of the source's pictures comes of so many temporal layers.
    fn share(&self, temporal: u8) -> f64 {
        0.5_f64.powi(i32::from(self.highest.1 - temporal))
    }

    /// The pictures' size in pixels.
    fn size(&self, spatial: u8) -> (u16, u16) {
        match &self.video.encodings[..] {
            [only] => only.sizes[usize::from(spatial)],
            all => all[usize::from(spatial)].sizes[0],
        }
    }
}

fn simulcast(name: &'static str, codec: VideoCodec) -> Form {
    let temporal = if codec == VideoCodec::H264 { 0 } else { 2 };
    Form { name, video: thin(Video::simulcast(codec, 3)), highest: (2, temporal) }
}

fn svc(name: &'static str, codec: VideoCodec, mode: &str, highest: Pair) -> Form {
    Form { name, video: thin(Video::svc(codec, mode)), highest }
}

/// With fewer packets, so that many worlds take little time; key frames still have several, the largest layer's others two.
fn thin(mut video: Video) -> Video {
    for bps in video.encodings.iter_mut().flat_map(|encoding| &mut encoding.bitrates) {
        *bps /= 2;
    }
    video
}

/// Everything that browsers send with layers.
pub(crate) fn forms() -> Vec<Form> {
    use VideoCodec::{Av1, H264, Vp8, Vp9};
    vec![
        simulcast("VP8 simulcast", Vp8),
        simulcast("H264 simulcast", H264),
        simulcast("VP9 simulcast", Vp9),
        simulcast("AV1 simulcast", Av1),
        svc("VP9 L1T2", Vp9, "L1T2", (0, 1)),
        svc("VP9 L1T3", Vp9, "L1T3", (0, 2)),
        svc("VP9 L2T2", Vp9, "L2T2", (1, 1)),
        svc("VP9 L3T3", Vp9, "L3T3", (2, 2)),
        svc("VP9 L3T3_KEY", Vp9, "L3T3_KEY", (2, 2)),
        svc("AV1 L1T3", Av1, "L1T3", (0, 2)),
        svc("AV1 L3T3", Av1, "L3T3", (2, 2)),
        svc("AV1 L3T3_KEY", Av1, "L3T3_KEY", (2, 2)),
    ]
}

/// A browser that says nothing of its path: everything is sent to it, so that layers change by wishes alone.
pub(crate) fn without_bandwidth_feedback() -> RtpCapabilities {
    let mut capabilities = vectors::chromium();
    for codec in &mut capabilities.codecs {
        codec.rtcp_feedback.retain(|feedback| !feedback.is("transport-cc", "") && !feedback.is("goog-remb", ""));
    }
    capabilities
}

/// A publisher and its viewer.
struct Scene {
    world: World,
    source: SourceId,
    sink: SinkId,
}

impl Scene {
    /// On clean paths, with everything flowing.
    fn new(seed: u64, form: &Form) -> Self {
        Self::prepared(seed, form, |_, _| {})
    }

    /// The same, after something was done to the source that has not sent anything yet.
    fn prepared(seed: u64, form: &Form, prepare: impl FnOnce(&mut World, SourceId)) -> Self {
        Self::placed(seed, form, false, prepare)
    }

    /// The same, the viewer perhaps on another worker.
    fn placed(seed: u64, form: &Form, on_branch: bool, prepare: impl FnOnce(&mut World, SourceId)) -> Self {
        let mut world = World::new(seed);
        if on_branch {
            let router = world.router;
            world.span(router);
        }
        let alice = world.peer();
        let bob = world.connected_peer(PeerOptions { on_branch, ..PeerOptions::default() });
        let source = world.publish(alice, &form.video);
        prepare(&mut world, source);
        let sink = world.consume_as(bob, source, without_bandwidth_feedback(), false).unwrap();
        let mut scene = Self { world, source, sink };
        scene.run_until_current(s(2), form.highest);
        scene.world.run_for(s(1));
        scene
    }

    /// What the publisher sends goes this way up, what the viewer gets that way down.
    fn set_paths(&mut self, up: Link, down: Link) {
        *self.world.network.link(self.source.peer, Direction::Up) = up;
        *self.world.network.link(self.sink.peer, Direction::Down) = down;
    }

    fn prefer(&mut self, layers: Pair) {
        prefer(&mut self.world, self.sink, layers);
    }

    /// Lets time pass until these layers are told to flow.
    fn run_until_current(&mut self, limit: Duration, layers: Pair) {
        let sink = self.sink;
        let what = format!("layers {layers:?} flow");
        self.world.run_until(&what, limit, |world| current(world, sink) == Some(layers));
    }
}

pub(crate) fn prefer(world: &mut World, sink: SinkId, (spatial, temporal): Pair) {
    let id = world.sink(sink).info.id;
    let layers = ConsumerLayers { spatial_layer: spatial, temporal_layer: Some(temporal) };
    let now = world.now;
    world.core_of(sink.peer).set_preferred_layers(now, id, layers).unwrap();
    world.settle();
}

/// What a consumer's owner was told to flow, and when.
fn told(world: &World, sink: SinkId) -> Vec<(Instant, Option<Pair>)> {
    let id = world.sink(sink).info.id;
    world
        .events
        .iter()
        .filter_map(|(at, _, event)| match event {
            RouterEvent::ConsumerLayersChanged { consumer_id, layers } if *consumer_id == id => {
                Some((*at, layers.map(|layers| (layers.spatial_layer, layers.temporal_layer.unwrap()))))
            }
            _ => None,
        })
        .collect()
}

/// What flows as far as the consumer's owner knows.
pub(crate) fn current(world: &World, sink: SinkId) -> Option<Pair> {
    told(world, sink).last().and_then(|(_, layers)| *layers)
}

/// What no viewer may see, whatever becomes of the packets: a picture that cannot be decoded through no loss, numbers or times
/// that go back, news of a change that is none.
pub(crate) fn assert_watchable(world: &World, sink: SinkId, what: &str) {
    world.assert_decodable(sink);
    let packets: Vec<_> = world.sink(sink).packets.values().collect();
    let goes_back = packets.windows(2).find(|two| two[1].timestamp.wrapping_sub(two[0].timestamp) >= 1 << 31);
    assert!(goes_back.is_none(), "{what}: a timestamp goes back: {:?}", goes_back.map(|two| two[0].timestamp));
    let told = told(world, sink);
    let again = told.windows(2).find(|two| two[0].1 == two[1].1);
    assert!(again.is_none(), "{what}: told twice: {again:?}");
}
