//! Wishes and what becomes of them, for each kind of stream on each kind of path.

use std::time::Duration;

use simulation::source::{KEY_FRAME_DELAY, KEY_FRAME_SPACING};
use simulation::{Link, Loss, ms};

use super::{Form, Pair, Scene, assert_watchable, forms, pair, told};

/// From one end to the other.
const LATENCY: Duration = Link::CLEAN.latency;
/// Pictures until temporal layers can be added: two at most, each where the pattern says so, which VP8's does once in eight.
const PATTERN: u32 = 16;
/// Pictures from one of the lowest temporal layer to the next.
const BASE_PERIOD: u32 = 4;

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
    ((1, 2), 2000),
];

/// A path both ways, and how much later something may come that is lost or late there.
struct Path {
    name: &'static str,
    up: Link,
    down: Link,
    slack: Duration,
}

fn paths() -> [Path; 4] {
    let reordering = Link { reordering: 0.05, ..Link::CLEAN };
    let jittery = Link { jitter: ms(30), ..Link::CLEAN };
    // A packet and its repetition may be lost; each is asked for again after 100 ms.
    let lossy = Link { loss: Loss::Bernoulli(0.02), ..Link::CLEAN };
    [
        Path { name: "clean", up: Link::CLEAN, down: Link::CLEAN, slack: Duration::ZERO },
        Path { name: "lossy", up: lossy, down: lossy, slack: ms(300) },
        Path { name: "reordering", up: reordering, down: reordering, slack: 2 * Link::CLEAN.reordering_delay + ms(60) },
        Path { name: "jittery", up: jittery, down: jittery, slack: ms(3 * 30) },
    ]
}

/// How soon after a wish all pictures are as wished.
fn settled_after(form: &Form, path: &Path) -> Duration {
    let key_frame = KEY_FRAME_SPACING.max(KEY_FRAME_DELAY);
    3 * LATENCY + key_frame + form.video.interval * PATTERN + path.slack
}

/// The longest time between two pictures while layers change.
fn longest_gap(form: &Form, path: &Path) -> Duration {
    let sparse = if form.highest.1 == 0 { 1 } else { BASE_PERIOD };
    form.video.interval * (sparse + 1) + path.slack
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
    eprintln!("{what}");
    let mut scene = Scene::new(seed, form);
    scene.set_paths(path.up, path.down);
    let mut before = form.highest;
    for (wish, hold) in WISHES {
        let wish = form.bound(wish);
        let asked = scene.world.now;
        scene.prefer(wish);
        scene.world.run_for(ms(hold));
        if hold >= HOLD {
            check(&scene, form, path, asked, wish, &format!("{what}, from {before:?} to {wish:?}"));
        }
        before = wish;
    }
    assert_watchable(&scene.world, scene.sink, &what);
}

/// After a wish: what was shown, told, and when.
fn check(scene: &Scene, form: &Form, path: &Path, asked: std::time::Instant, wish: Pair, what: &str) {
    let Scene { world, sink, .. } = scene;
    let playback = world.playback(*sink);
    let settled = asked + settled_after(form, path);
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
    let told = told(world, *sink);
    assert_eq!(told.last().unwrap().1, Some(wish), "{what}");
    let _ = pair;
}
