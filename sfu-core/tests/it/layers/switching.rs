//! Wishes and what becomes of them, for each kind of stream on each kind of path.

use std::time::{Duration, Instant};

use sfu_core::producer::key_frame_requester::MIN_REQUEST_INTERVAL;
use simulation::source::video::VideoCodec;
use simulation::source::{KEY_FRAME_DELAY, KEY_FRAME_SPACING};
use simulation::{Link, Loss, ms};

use super::{Form, Pair, Scene, assert_watchable, current, forms, told};

/// From one end to the other.
const LATENCY: Duration = Link::CLEAN.latency;
/// Pictures from one where VP8's pattern lets a temporal layer be added to the next.
const VP8_PERIOD: u32 = 8;
/// Pictures from one of the lowest temporal layer to the next.
const BASE_PERIOD: u32 = 4;

/// How long the viewers of the simulation wait for what is late.
const PATIENCE: Duration = ms(100);

/// A wish, and how long it is left alone.
type Wish = (Pair, u64);

/// Long enough for everything to settle.
const HOLD: u64 = 1500;

const WISHES: [Wish; 15] = [
    // Down and up.
    ((0, 2), HOLD),
    ((2, 2), HOLD),
    // The frame rate alone.
    ((2, 0), HOLD),
    ((2, 1), HOLD),
    ((2, 2), HOLD),
    // Both.
    ((0, 0), HOLD),
    ((1, 2), HOLD),
    ((2, 0), HOLD),
    ((0, 1), HOLD),
    // Hasty.
    ((2, 2), 40),
    ((0, 0), 70),
    ((2, 1), 10),
    ((1, 1), 90),
    ((0, 2), 30),
    ((1, 2), 2 * HOLD),
];

/// A path both ways, and how much later something may come that is lost or late there.
struct Path {
    name: &'static str,
    up: Link,
    down: Link,
    slack: Duration,
    loses: bool,
}

fn paths() -> [Path; 4] {
    let reordering = Link { reordering: 0.05, ..Link::CLEAN };
    let jittery = Link { jitter: ms(30), ..Link::CLEAN };
    // A packet and its repetition may be lost; each is asked for again after 100 ms.
    let lossy = Link { loss: Loss::Bernoulli(0.02), ..Link::CLEAN };
    [
        Path { name: "clean", up: Link::CLEAN, down: Link::CLEAN, slack: Duration::ZERO, loses: false },
        Path { name: "lossy", up: lossy, down: lossy, slack: ms(300), loses: true },
        Path {
            name: "reordering",
            up: reordering,
            down: reordering,
            slack: 2 * Link::CLEAN.reordering_delay + PATIENCE,
            loses: false,
        },
        Path { name: "jittery", up: jittery, down: jittery, slack: ms(3 * 30), loses: false },
    ]
}

/// How soon after a wish all pictures are as wished. `before`: the wish before it, and whether that was left alone.
fn settled_after(form: &Form, path: &Path, before: (Pair, bool), wish: Pair) -> Duration {
    let (from, is_rested) = before;
    let needs_key_frame = wish.0 > from.0 || wish.0 != from.0 && form.is_simulcast() || !is_rested;
    let more_pictures = wish.1 > from.1 || !is_rested;
    // What was sent before the wish is on its way, and a picture's turn comes with the next one.
    let mut after = 2 * LATENCY + form.video.interval + path.slack;
    if needs_key_frame {
        after += LATENCY
            + form.video.interval
            + KEY_FRAME_DELAY.max(if is_rested { Duration::ZERO } else { KEY_FRAME_SPACING });
    }
    if !is_rested {
        after += MIN_REQUEST_INTERVAL;
    }
    if more_pictures {
        let period = if form.video.codec == VideoCodec::Vp8 { 2 * VP8_PERIOD } else { 2 * BASE_PERIOD };
        after += form.video.interval * period;
    }
    after
}

/// The longest time between two pictures while layers change.
fn longest_gap(form: &Form, path: &Path) -> Duration {
    let sparse = if form.highest.1 == 0 { 1 } else { BASE_PERIOD };
    // What is lost is missed with the next picture only.
    let misses = if path.loses { 3 } else { 1 };
    form.video.interval * (sparse * misses + 1) + path.slack
}

#[test]
fn wishes_come_true_on_a_clean_path() {
    run_all("clean");
}

#[test]
fn wishes_come_true_on_a_lossy_path() {
    run_all("lossy");
}

#[test]
fn wishes_come_true_on_a_path_that_reorders() {
    run_all("reordering");
}

#[test]
fn wishes_come_true_on_a_jittery_path() {
    run_all("jittery");
}

fn run_all(path: &str) {
    let path = paths().into_iter().find(|known| known.name == path).unwrap();
    for (index, form) in forms().iter().enumerate() {
        if std::env::var("ONLY").is_ok_and(|only| !form.name.contains(&only)) {
            continue;
        }
        run(1000 + index as u64, form, &path);
    }
}

fn run(seed: u64, form: &Form, path: &Path) {
    let what = format!("{}, {} path", form.name, path.name);
    let mut scene = Scene::new(seed, form);
    scene.set_paths(path.up, path.down);
    let mut before = (form.highest, true);
    for (wish, hold) in WISHES {
        let wish = form.bound(wish);
        let asked = scene.world.now;
        scene.prefer(wish);
        scene.world.run_for(ms(hold));
        if hold >= HOLD {
            check(&scene, form, path, asked, before, wish);
        }
        before = (wish, hold >= HOLD);
    }
    if path.name == "clean" {
        assert_told_as_shown(&scene, form, &what);
    }
    assert_watchable(&scene.world, scene.sink, &what);
}

/// After a wish: what was shown, told, and when.
fn check(scene: &Scene, form: &Form, path: &Path, asked: Instant, before: (Pair, bool), wish: Pair) {
    let what = &format!("{}, {} path, from {before:?} to {wish:?}", form.name, path.name);
    let Scene { world, sink, .. } = scene;
    let playback = world.playback(*sink);
    let settled = asked + settled_after(form, path, before, wish);
    let shown = playback.between(settled, world.now);
    let size = form.size(wish.0);
    let other = shown.iter().filter(|shown| shown.size != size || shown.layers.temporal > wish.1).count();
    // An encoder may leave out a picture's upper layer.
    let may_be_smaller = if form.video.left_out > 0.0 { shown.len() / 10 } else { 0 };
    assert!(other <= may_be_smaller, "{what}: {other} of {} are others than {size:?}", shown.len());
    let window = world.now - settled;
    let expected = window.as_secs_f64() / form.video.interval.as_secs_f64() * form.share(wish.1);
    let late = path.slack.as_secs_f64() / window.as_secs_f64() * expected;
    let off = (shown.len() as f64 - expected).abs();
    assert!(off <= 2.0 + late, "{what}: {} pictures instead of {expected:.0}", shown.len());
    let times: Vec<_> = playback.between(asked - ms(200), world.now).iter().map(|shown| shown.at).collect();
    let gap = times.windows(2).map(|two| two[1] - two[0]).max().unwrap();
    assert!(gap <= longest_gap(form, path), "{what}: nothing new for {gap:?}");
    assert_eq!(current(world, *sink), Some(wish), "{what}");
    let news = told(world, *sink).iter().filter(|(at, _)| *at >= asked).count();
    let sizes = before.0.0.abs_diff(wish.0);
    // From any encoding to any other is one step.
    let sizes = if form.is_simulcast() { sizes.min(1) } else { sizes };
    let steps = usize::from(sizes + before.0.1.abs_diff(wish.1));
    assert!(!before.1 || news <= steps && (news > 0) == (steps > 0), "{what}: told {news} times");
}

/// Every change of size was told, once, and no other; and no picture was cut short.
fn assert_told_as_shown(scene: &Scene, form: &Form, what: &str) {
    let playback = scene.world.playback(scene.sink);
    let mut told: Vec<u8> = told(&scene.world, scene.sink).iter().map(|(_, layers)| layers.unwrap().0).collect();
    told.dedup();
    let shown: Vec<u8> = playback.spatial_changes().iter().map(|(_, spatial)| *spatial).collect();
    if form.video.left_out == 0.0 {
        assert_eq!(told, shown, "{what}");
    }
    assert_eq!((playback.cut, playback.lost), (0, 0), "{what}");
    assert!(scene.world.sink(scene.sink).holes().is_empty(), "{what}: what is left out is no loss");
}
