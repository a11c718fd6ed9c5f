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
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::test_support::{corpus, mutate};

    #[test]
    fn the_corpus_does_no_harm() {
        let corpus = corpus("rtcp");
        assert!(corpus.len() >= 10, "the corpus is missing");
        corpus.iter().for_each(|data| fuzz_rtcp(data));
    }

    #[test]
    fn mutations_of_the_corpus_do_no_harm() {
        let corpus = corpus("rtcp");
        let mut rng = StdRng::seed_from_u64(0x5eed);
        for _ in 0..20_000 {
            let mut data = corpus[rng.random_range(0..corpus.len())].clone();
            if rng.random_ratio(1, 3) {
                data.extend_from_slice(&corpus[rng.random_range(0..corpus.len())]);
            }
            mutate(&mut rng, &mut data);
            fuzz_rtcp(&data);
        }
    }
}
