//! What one client, or many, can make the server hold.

use super::*;
use crate::limits::SOCKETS_PER_USER_MAX;

#[test]
fn one_socket_too_many_is_refused_and_those_registered_stay() {
    let mut stage = Stage::new();
    for number in 0..SOCKETS_PER_USER_MAX {
        stage.scene(&[(&format!("a{number} is ann"), &[])]);
    }
    let of_user = "no: userId: too many sockets are registered for that user (at most 16)";
    stage.scene(&[
        ("a99 is ann", &[of_user]),
        // One that is in already is not one more.
        ("a0 is ann Ann", &[]),
        ("b1 is bob", &[]),
    ]);
    assert_eq!(stage.play("b1 calls ann").len(), SOCKETS_PER_USER_MAX);
    // Who is refused keeps what they had: the call rings on.
    stage.scene(&[("b1 is ann", &[of_user])]);
    assert!(stage.play("a0 accepts bob").contains(&"b1: call-accepted \"answer of a0\"".to_owned()));
    for number in SOCKETS_PER_USER_MAX + 1..SOCKETS_MAX {
        stage.scene(&[(&format!("s{number} is user{number}"), &[])]);
    }
    stage.scene(&[
        ("c1 is cleo", &["no: too many sockets are registered (at most 40)"]),
        ("a1 is anna", &[]),
        ("a2 goes", &[]),
        ("c1 is cleo", &[]),
        ("b1 ends ann", &["a0: call-ended"]),
    ]);
}

#[test]
fn one_call_too_many_is_refused_until_another_rings_no_more() {
    let mut stage = Stage::new();
    for pair in 0..=RINGING_MAX {
        stage.scene(&[(&format!("a{pair} is ann{pair}"), &[]), (&format!("b{pair} is bob{pair}"), &[])]);
    }
    for pair in 0..RINGING_MAX {
        assert_eq!(stage.play(&format!("a{pair} calls bob{pair}")).len(), 1);
    }
    let refused = "no: too many calls ring (at most 3)";
    stage.scene(&[
        ("a3 calls bob3", &[refused]),
        // Only calls that ring count.
        ("b0 accepts ann0", &["a0: call-accepted \"answer of b0\""]),
        ("a3 calls bob3", &["b3: incoming-call ann3 (ann3)"]),
        ("a0 ends bob0", &["b0: call-ended"]),
        ("a0 calls bob0", &[refused]),
        ("a1 cancels bob1", &["b1: call-cancelled"]),
        ("a0 calls bob0", &["b0: incoming-call ann0 (ann0)"]),
    ]);
}

#[test]
fn one_candidate_too_many_is_refused_and_the_others_are_handed_over() {
    let mut stage = after(&RINGING);
    for number in 0..HELD_CANDIDATES_MAX {
        stage.scene(&[(&format!("a1 sends {number} bob"), &[])]);
    }
    let refused = "no: candidate: too many before the call is accepted (at most 128)";
    stage.scene(&[("a1 sends x bob", &[refused]), ("b1 sends y ann", &[])]);
    assert_eq!(stage.play("b1 accepts ann").len(), 1 + HELD_CANDIDATES_MAX + 1);
    stage.scene(&[("a1 sends x bob", &["b1: ice-candidate \"x\" of ann"])]);
}
