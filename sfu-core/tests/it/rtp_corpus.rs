//! Replays the committed corpus, mutations of it and random bytes through the bodies of the RTP fuzz targets.

use std::path::Path;

use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};
use sfu_core::rtp::fuzzing::TARGETS;

/// Mutations of each file, for each target.
const MUTATIONS: usize = 500;
/// Random inputs, for each target.
const RANDOM: usize = 5_000;

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/rtp");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    assert!(files.len() >= 30, "the corpus is gone");
    files
}

/// Runs every target on `input`, and says which bytes broke it.
fn run(name: &str, input: &[u8]) {
    for (target, body) in TARGETS {
        let outcome = std::panic::catch_unwind(|| body(input));
        assert!(outcome.is_ok(), "{target} broke on {name}: {input:02x?}");
    }
}

#[test]
fn the_corpus_breaks_no_target() {
    for (name, bytes) in corpus() {
        run(&name, &bytes);
        for len in 0..bytes.len() {
            run(&name, &bytes[..len]);
        }
    }
}

#[test]
fn mutations_of_the_corpus_break_no_target() {
    let mut rng = SmallRng::seed_from_u64(0x0511_ce01);
    for (name, bytes) in corpus() {
        for _ in 0..MUTATIONS {
            let mut bytes = bytes.clone();
            for _ in 0..rng.random_range(1..=4) {
                mutate(&mut bytes, &mut rng);
            }
            run(&name, &bytes);
        }
    }
}

#[test]
fn random_bytes_break_no_target() {
    let mut rng = SmallRng::seed_from_u64(0x0511_ce02);
    for round in 0..RANDOM {
        let mut bytes = vec![0; rng.random_range(0..200)];
        rng.fill_bytes(&mut bytes);
        // Most of them with a head that the parsers do not refuse at once.
        if round % 4 != 0 && bytes.len() > 16 {
            bytes[0] = 0x80 | bytes[0] & 0x31;
            let at = 12 + 4 * usize::from(bytes[0] & 0x0f);
            let profile: [u8; 2] = if round % 2 == 0 { [0xbe, 0xde] } else { [0x10, 0x00] };
            if let Some(head) = bytes.get_mut(at..at + 4) {
                head.copy_from_slice(&[profile[0], profile[1], 0, (round % 40) as u8]);
            }
        }
        run("random bytes", &bytes);
    }
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut SmallRng) {
    let at = if bytes.is_empty() { 0 } else { rng.random_range(0..bytes.len()) };
    match rng.random_range(0..5) {
        0 => bytes.insert(at, rng.random()),
        1 if !bytes.is_empty() => drop(bytes.remove(at)),
        2 => bytes.truncate(at),
        3 if !bytes.is_empty() => bytes[at] ^= 1 << rng.random_range(0..8),
        _ if !bytes.is_empty() => bytes[at] = rng.random(),
        _ => bytes.push(rng.random()),
    }
}
