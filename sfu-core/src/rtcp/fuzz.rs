//! The body of the RTCP fuzz target. It is compiled in every build, so that it cannot rot; the corpus is replayed
//! and mutated by the tests below.

use super::incoming::{MAX_NACKED_PER_DATAGRAM, MAX_PACKETS_PER_DATAGRAM, RtcpEvent, read_datagram};

/// Reads `data` as a decrypted datagram from a hostile peer.
///
/// # Panics
/// If the reader breaks its bounds, which is what fuzzing looks for.
pub fn fuzz_rtcp(data: &[u8]) {
    let mut events = 0;
    let mut nacked = 0;
    // A violation is the expected outcome; only a panic or a broken bound is a finding.
    let _violation = read_datagram(data, |event| {
        events += 1;
        if let RtcpEvent::Nack { sequences, .. } = event {
            nacked += sequences.len();
        }
    });
    // The most talkative packet is a report: 31 blocks and the report itself. FIR has eight bytes an entry.
    assert!(events <= MAX_PACKETS_PER_DATAGRAM * 32 + data.len() / 8);
    assert!(nacked <= MAX_NACKED_PER_DATAGRAM);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn corpus() -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/rtcp");
        let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
    }

    #[test]
    fn the_corpus_does_no_harm() {
        let corpus = corpus();
        assert!(corpus.len() >= 10, "the corpus is missing");
        corpus.iter().for_each(|data| fuzz_rtcp(data));
    }

    #[test]
    fn mutations_of_the_corpus_do_no_harm() {
        let corpus = corpus();
        let mut rng = StdRng::seed_from_u64(0x5eed);
        for _ in 0..20_000 {
            let mut data = corpus[rng.random_range(0..corpus.len())].clone();
            for _ in 0..rng.random_range(1..6) {
                mutate(&mut data, &corpus, &mut rng);
            }
            fuzz_rtcp(&data);
        }
    }

    fn mutate(data: &mut Vec<u8>, corpus: &[Vec<u8>], rng: &mut StdRng) {
        if data.is_empty() {
            data.push(rng.random());
        }
        let at = rng.random_range(0..data.len());
        match rng.random_range(0..6) {
            0 => data[at] ^= 1 << rng.random_range(0..8),
            1 => data[at] = *[0, 1, 0x7f, 0x80, 0xff].get(rng.random_range(0..5)).unwrap(),
            2 => data.truncate(at),
            3 => data.insert(at, rng.random()),
            4 => data.extend_from_slice(&corpus[rng.random_range(0..corpus.len())]),
            _ => drop(data.drain(at..(at + 4).min(data.len()))),
        }
    }
}
