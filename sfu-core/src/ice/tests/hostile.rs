//! Datagrams that no peer would send.

use rand::{Rng, RngCore};

use super::*;
use crate::test_support::{mutate, random_bytes};

#[test]
fn random_and_mutated_datagrams_neither_panic_nor_change_anything() {
    let mut rng = StdRng::seed_from_u64(5);
    let now = origin();
    // The agent of the fuzz body, so that mutations begin at a check which is all but valid.
    let seen = IceLite::new(&mut StdRng::seed_from_u64(0));
    let signed = CheckBuilder::new(&seen).nominating().build();
    let unsigned = CheckBuilder::new(&seen).nominating().password(None).build();
    for round in 0..20_000 {
        let mut data = match round % 3 {
            0 => random_bytes(&mut rng, 200),
            1 => signed.clone(),
            _ => unsigned.clone(),
        };
        mutate(&mut rng, &mut data);
        if data != signed {
            fuzzing::fuzz_ice(now, &data);
        }
    }
}

/// What a peer that knows its password may do to us at worst: any attributes at all, correctly signed.
#[test]
fn random_attributes_under_a_valid_signature_never_panic_and_stay_within_limits() {
    let mut rng = StdRng::seed_from_u64(6);
    let mut agent = agent();
    let now = origin();
    for _ in 0..5000 {
        let mut check = CheckBuilder::new(&agent);
        for _ in 0..rng.random_range(0..6) {
            let mut value = vec![0; rng.random_range(0..24)];
            rng.fill_bytes(&mut value);
            let typ = [0x0006, 0x0008, 0x0020, 0x0024, 0x0025, 0x8020, 0x8028, 0x8029, 0xc001, rng.random()];
            let typ = AttrType(typ[rng.random_range(0..typ.len())]);
            // The helper refuses to sign behind a fingerprint; behind the signature it takes anything.
            if typ.value() == 0x8028 || rng.random_bool(0.3) {
                check = check.after_integrity(typ, &value);
            } else {
                check = check.with(typ, &value);
            }
        }
        let datagram = check.build();
        let _ = local_ufrag(&datagram);
        let outcome = agent.handle_stun(now, tuple(rng.random()), &datagram);
        if let StunOutcome::Reply(reply) = outcome {
            assert!(reply.len() <= datagram.len() + 100);
        }
        assert!(events(&mut agent).len() <= 5);
    }
    assert!(agent.stats().accepted > 100 && agent.stats().refused > 100);
    assert_eq!((0..=255).filter(|&number| agent.is_validated(&tuple(number))).count(), MAX_TUPLES);
}
