//! Peers, a network and a clock, all made up: a call of hours takes moments, and its seed replays it.
//!
//! A [`World`] is one [`Core`](sfu_core::worker::Core) and the peers around it. Peers are made of other parts than the core is, and
//! behave as Chromium does; what they send is made up, but its descriptors are real and its bytes tell what they belong to.
//!
//! ```
//! use simulation::source::video::{Audio, Video, VideoCodec};
//! use simulation::{Depth, Direction, Link, PeerOptions, World, ms, s};
//!
//! let mut world = World::new(1);
//! let alice = world.peer();
//! let bob = world.connected_peer(PeerOptions { down: Link::thin(3_000_000, 200), ..PeerOptions::default() });
//!
//! // What a peer publishes, from now on.
//! let camera = world.publish(alice, &Video::simulcast(VideoCodec::Vp8, 3));
//! let voice = world.publish_audio(alice, Audio::default());
//! let (seen, heard) = (world.consume(bob, camera), world.consume(bob, voice));
//! world.run_for(s(2));
//!
//! // The uppermost encoding stops, and the level changes.
//! world.set_active(camera, 2, false);
//! world.source_mut(voice).audio.level = 127;
//! // Five seconds from now the link carries less, and after ten again as much.
//! let steps = [(s(0), 3_000_000), (s(5), 500_000), (s(10), 3_000_000)];
//! world.set_capacity(bob, Direction::Down, Depth::Time(ms(200)), &steps);
//! let from = world.now;
//! world.run_for(s(3));
//!
//! // What the viewer saw, and what became of the link.
//! let verdict = world.verdict_since(seen, from);
//! assert!(verdict.frame_rate > 10.0 && verdict.undecodable == 0);
//! let link = world.network.stats(bob, Direction::Down);
//! assert!(link.wait_percentile(0.95, from, world.now) < ms(200));
//! assert!(world.sink(heard).packet_count > 100);
//! world.assert_sound();
//! ```
//!
//! | to | use |
//! |---|---|
//! | make a peer with given links, DTLS role, kind of feedback | [`World::connected_peer`] with [`PeerOptions`] |
//! | publish a camera, simulcast, SVC, screen | [`World::publish`] with a [`Video`](source::video::Video): `single`, `simulcast`, `svc`, `screen`, or its fields |
//! | publish a microphone, RED, DTX | [`World::publish_audio`] with an [`Audio`](source::video::Audio) |
//! | publish small frames all alike | [`World::produce`] with a case of the negotiation's vectors |
//! | switch layers on and off | [`World::set_active`], [`Source::set_spatial_layers`](source::Source::set_spatial_layers) |
//! | change rates | [`Layer::bitrates`](source::Layer::bitrates), [`Source::frame_interval`](source::Source::frame_interval) |
//! | lose, delay, reorder, cut | [`Link`], [`Network::link`](network::Network::link), [`World::cut_off`], [`Network::drop_if`](network::Network::drop_if) |
//! | make a link thin, over time, or share it | [`World::set_capacity`], [`Network::share`](network::Network::share) |
//! | ask what a link carried and how long things waited | [`Network::stats`](network::Network::stats) |
//! | ask what a viewer saw | [`World::verdict_since`], [`World::playback`] |
//! | demand that all could be decoded | [`World::assert_decodable`] |
//! | follow each packet | [`World::pairs`], [`World::stream`], [`World::assert_complete`] |
//! | measure what the core does with each input | [`World::next_input`] |
//! | have some peers served by another worker | [`World::span`], [`PeerOptions::on_branch`] |
//! | simulate hours | [`World::forget_packets`] first |

pub mod branch;
pub mod checks;
pub mod network;
pub mod peer;
pub mod sink;
pub mod source;
pub mod truth;
pub mod vectors;
pub mod world;

pub use network::link::{Depth, Link, Loss, Rate};
pub use network::{Direction, Kind};
pub use peer::options::{BandwidthFeedback, PeerOptions};
pub use world::{Input, SinkId, SourceId, World};

use std::time::Duration;

/// Milliseconds.
pub const fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// Seconds.
pub const fn s(number: u64) -> Duration {
    Duration::from_secs(number)
}
