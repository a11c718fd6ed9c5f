//! What the tests of several modules need: a beginning of time, and bytes that no peer would send.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, RngCore};

/// A made-up beginning, the same for the whole test. Tests add durations to it and never read the clock again.
#[expect(clippy::disallowed_methods, reason = "an Instant can only be made from the clock; tests add to this one")]
pub(crate) fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// Milliseconds.
pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The files of a fuzz target's corpus, in the order of their names.
pub(crate) fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Fewer than `end` random bytes.
pub(crate) fn random_bytes(rng: &mut StdRng, end: usize) -> Vec<u8> {
    let mut data = vec![0; rng.random_range(0..end)];
    rng.fill_bytes(&mut data);
    data
}

/// Damages `data` in one to five places, as a hostile peer might.
pub(crate) fn mutate(rng: &mut StdRng, data: &mut Vec<u8>) {
    /// Where headers have their lengths and numbers, and lies pay.
    const HEADER_BYTES: usize = 25;

    for _ in 0..rng.random_range(1..6) {
        if data.is_empty() {
            data.push(rng.random());
        }
        let at = rng.random_range(0..data.len());
        match rng.random_range(0..7) {
            0 => data.truncate(at),
            1 => data[at] = [0, 1, 0x7f, 0x80, 0xff][rng.random_range(0..5)],
            2 => data[at] ^= 1 << rng.random_range(0..8),
            3 => data[at % HEADER_BYTES] = rng.random(),
            4 => data.insert(at, rng.random()),
            5 => data.extend_from_within(at..),
            _ => drop(data.drain(at..(at + 4).min(data.len()))),
        }
    }
}
