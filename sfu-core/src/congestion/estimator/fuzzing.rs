//! What a fuzzer feeds to an estimator: compiled with everything else, so that it cannot rot.

use std::time::{Duration, Instant};

use super::{BandwidthEstimator, EstimatorOptions};
use crate::rtcp::transport_cc::TransportCc;

/// Bytes of the RTCP header that a message begins with.
const HEADER_BYTES: usize = 4;

/// Reads `data` as steps of a transport's life: each begins with a byte that says what it is and how long it takes, and
/// those that are feedback hold a length and a message as a hostile receiver may send it.
///
/// # Panics
/// If the estimate leaves its bounds or a probe exceeds the maximum.
pub fn fuzz_estimator(origin: Instant, data: &[u8]) {
    let options = EstimatorOptions { initial_bps: 300_000, min_bps: 30_000, max_bps: 5_000_000 };
    let mut estimator = BandwidthEstimator::new(origin, options);
    let mut now = origin;
    let mut sequence = 0_u16;
    let mut rest = data;
    while let Some((&kind, tail)) = rest.split_first() {
        rest = tail;
        now += Duration::from_millis(u64::from(kind >> 3));
        match kind & 7 {
            0 | 1 => {
                for _ in 0..16 {
                    sequence = sequence.wrapping_add(1);
                    estimator.handle_sent(now, sequence, 1200, None);
                }
            }
            2 => {
                sequence = sequence.wrapping_add(u16::from(take(&mut rest)) << 6);
                estimator.handle_sent(now, sequence, usize::from(take(&mut rest)), None);
            }
            3 => estimator.set_desired_bps(now, u64::from(take(&mut rest)) << 16),
            4 => {
                now += Duration::from_millis(u64::from(take(&mut rest)) << 4);
                estimator.handle_timeout(now);
            }
            5 => {
                estimator.handle_remb(now, u64::from(take(&mut rest)) << 20);
                estimator.handle_loss(now, f64::from(take(&mut rest)) / 200.0);
                estimator.handle_rtt(now, Duration::from_millis(u64::from(take(&mut rest))));
            }
            _ => {
                let length = usize::from(take(&mut rest)).min(rest.len());
                let (message, tail) = rest.split_at(length);
                rest = tail;
                if let Some(feedback) = read(message) {
                    estimator.handle_feedback(now, &feedback);
                }
            }
        }
        while let Some(probe) = estimator.poll_probe(now) {
            assert!(probe.rate_bps <= options.max_bps, "a probe above the maximum");
            for _ in 0..probe.min_packets {
                sequence = sequence.wrapping_add(1);
                estimator.handle_sent(now, sequence, probe.bytes / probe.min_packets + 1, Some(probe.id));
            }
        }
        let estimate = estimator.estimate_bps();
        assert!((options.min_bps..=options.max_bps).contains(&estimate), "the estimate left its bounds");
    }
}

/// Reads `data` as one feedback message on packets that were sent.
///
/// # Panics
/// If the estimate leaves its bounds.
pub fn fuzz_transport_feedback(origin: Instant, data: &[u8]) {
    let Some(feedback) = read(data) else { return };
    let options = EstimatorOptions::default();
    let mut estimator = BandwidthEstimator::new(origin, options);
    for sent in 0..256 {
        let sequence = feedback.base_sequence_number().wrapping_add(sent);
        estimator.handle_sent(origin + Duration::from_millis(u64::from(sent)), sequence, 1200, None);
    }
    let now = origin + Duration::from_millis(300);
    estimator.handle_feedback(now, &feedback);
    estimator.handle_feedback(now, &feedback);
    assert!((options.min_bps..=options.max_bps).contains(&estimator.estimate_bps()), "the estimate left its bounds");
}

fn read(message: &[u8]) -> Option<TransportCc<&[u8]>> {
    TransportCc::read(message.get(HEADER_BYTES..)?)
}

fn take(rest: &mut &[u8]) -> u8 {
    let Some((&first, tail)) = rest.split_first() else { return 0 };
    *rest = tail;
    first
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use rtc_shared::marshal::Marshal;

    use super::*;
    use crate::congestion::transport_feedback::TransportFeedback;
    use crate::ids::Ssrc;
    use crate::test_support::{ms, mutate, origin, random_bytes};

    /// Messages of an honest receiver behind a path that loses and reorders.
    fn honest_messages(rng: &mut StdRng) -> Vec<Vec<u8>> {
        let mut receiver = TransportFeedback::default();
        let mut messages = Vec::new();
        for packet in 0..600_u16 {
            let now = origin() + ms(u64::from(packet) * 5);
            if rng.random_ratio(4, 5) {
                receiver.handle_packet(now, packet.wrapping_sub(rng.random_range(0..3)));
            }
            while let Some(feedback) = receiver.poll_feedback(now, Ssrc(1), Ssrc(2)) {
                messages.push(feedback.marshal().unwrap().to_vec());
            }
        }
        messages
    }

    #[test]
    fn mutated_feedback_does_no_harm() {
        let mut rng = StdRng::seed_from_u64(0x5eed);
        let messages = honest_messages(&mut rng);
        assert!(messages.len() > 20, "an honest receiver sends feedback");
        for round in 0..4_000 {
            let mut data = messages[round % messages.len()].clone();
            mutate(&mut rng, &mut data);
            fuzz_transport_feedback(origin(), &data);
        }
    }

    #[test]
    fn any_life_does_no_harm() {
        let mut rng = StdRng::seed_from_u64(0x11fe);
        let messages = honest_messages(&mut rng);
        for _ in 0..300 {
            let mut life = vec![3, 200];
            for _ in 0..rng.random_range(1..60) {
                let mut data = messages[rng.random_range(0..messages.len())].clone();
                if rng.random_ratio(1, 2) {
                    mutate(&mut rng, &mut data);
                }
                data.truncate(255);
                life.extend([rng.random::<u8>() & !6, 7, data.len() as u8]);
                life.extend(data);
                life.extend(random_bytes(&mut rng, 6));
            }
            fuzz_estimator(origin(), &life);
        }
    }
}
