use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::super::super::decode;
use super::*;

fn refusal<T>(read: Result<T, SignalError>) -> String {
    read.map_or_else(|error| error.to_string(), |_| "taken".to_owned())
}

#[test]
fn every_event_has_one_name() {
    for event in CallEvent::ALL {
        assert_eq!(CallEvent::named(event.name()), Some(event));
    }
    for other in ["register-user", "user-registered", "call-error", "ice_candidate", "", "CALL-ENDED"] {
        assert_eq!(CallEvent::named(other), None, "{other}");
    }
}

#[test]
fn a_user_registers_by_their_id_and_perhaps_a_name() {
    let registers = |payload| decode::<RegisterUser>(payload).and_then(RegisterUser::checked);
    let (id, name) = registers(json!({"userId": "ann", "userName": "Ann", "socketId": 7})).unwrap();
    assert_eq!((&*id, name.as_deref()), ("ann", Some("Ann")), "the socket's id is not the client's to say");
    assert_eq!(registers(json!({"userId": "ann", "userName": null})).unwrap().1, None);
    assert_eq!(registers(json!({"userId": "ann", "userName": ""})).unwrap().1, None);
    for (payload, expected) in [
        (json!(null), "the payload must be an object"),
        (json!("ann"), "the payload must be an object"),
        (json!({}), "missing field `userId`"),
        (json!({"userId": 7}), "userId: invalid type: integer `7`"),
        (json!({"userId": ""}), "userId: must not be empty"),
        (json!({"userId": "u".repeat(USER_ID_BYTES_MAX + 1)}), "userId: longer than 256 bytes"),
        (json!({"userId": "ann", "userName": 7}), "userName: invalid type"),
        (json!({"userId": "ann", "userName": "n".repeat(USER_NAME_BYTES_MAX + 1)}), "userName: longer than 256 bytes"),
    ] {
        let text = refusal(registers(payload));
        assert!(text.starts_with(expected), "{text} should start with {expected}");
    }
}

#[test]
fn the_other_side_is_named_by_either_field() {
    let longest = "u".repeat(USER_ID_BYTES_MAX);
    for (payload, field, user_id) in [
        (json!({"targetUserId": "bob"}), "targetUserId", "bob"),
        (json!({"to": "bob"}), "to", "bob"),
        (json!({"targetUserId": null, "to": "bob"}), "to", "bob"),
        (json!({"targetUserId": "bob", "to": "cleo"}), "targetUserId", "bob"),
        (json!({"to": longest}), "to", &*longest),
    ] {
        let expected = Target { field, user_id: user_id.to_owned() };
        assert_eq!(Target::named_by(&payload).unwrap(), expected, "{payload}");
    }
    for (payload, expected) in [
        (json!(null), "the payload must be an object"),
        (json!(["bob"]), "the payload must be an object"),
        (json!({}), "missing field `targetUserId`"),
        (json!({"to": null}), "missing field `targetUserId`"),
        (json!({"targetUserId": 7, "to": "bob"}), "targetUserId: expected a string"),
        (json!({"to": {}}), "to: expected a string"),
        (json!({"to": ""}), "to: must not be empty"),
        (json!({"to": longest + "u"}), "to: longer than 256 bytes"),
    ] {
        assert_eq!(refusal(Target::named_by(&payload)), expected, "{payload}");
    }
}

#[test]
fn what_is_relayed_is_passed_on_as_it_came() {
    for value in [json!({"type": "offer", "sdp": "v=0\r\n", "more": [1, null]}), json!({}), json!("{\"sdp\":\"\"}")] {
        for field in ["offer", "answer"] {
            assert_eq!(description(&mut json!({field: value}), field).unwrap(), value);
        }
        assert_eq!(candidate(&mut json!({"candidate": value})).unwrap(), value);
    }
    assert_eq!(candidate(&mut json!({"candidate": null})).unwrap(), Value::Null, "the end of candidates");
    for (value, expected) in [
        (json!({}), "missing field `offer`"),
        (json!({"offer": null}), "offer: expected an object or a string"),
        (json!({"offer": 7}), "offer: expected an object or a string"),
        (json!({"offer": ["v=0"]}), "offer: expected an object or a string"),
        (json!({"offer": true}), "offer: expected an object or a string"),
    ] {
        assert_eq!(refusal(description(&mut value.clone(), "offer")), expected, "{value}");
    }
    assert_eq!(refusal(description(&mut json!({"offer": {}}), "answer")), "missing field `answer`");
    for (value, expected) in [
        (json!({}), "missing field `candidate`"),
        (json!({"candidate": 7}), "candidate: expected an object, a string or null"),
        (json!({"candidate": []}), "candidate: expected an object, a string or null"),
    ] {
        assert_eq!(refusal(candidate(&mut value.clone())), expected, "{value}");
    }
}

#[test]
fn what_is_relayed_may_be_as_large_as_the_limit_says() {
    // {"sdp":"…"} has ten bytes around the text.
    let sized = |bytes: usize| json!({"sdp": "a".repeat(bytes - 10)});
    for (over, expected) in
        [(0, ["taken"; 2]), (1, ["answer: longer than 65536 bytes", "candidate: longer than 2048 bytes"])]
    {
        let mut payload = json!({
            "answer": sized(DESCRIPTION_BYTES_MAX + over),
            "candidate": sized(CANDIDATE_BYTES_MAX + over),
        });
        assert_eq!([refusal(description(&mut payload, "answer")), refusal(candidate(&mut payload))], expected);
    }
}

/// A JSON value as somebody hostile, or careless, might send it.
fn any_value(rng: &mut StdRng, depth: usize) -> Value {
    match rng.random_range(0..if depth == 0 { 8 } else { 10 }) {
        0 => Value::Null,
        1 => json!(rng.random::<bool>()),
        2 => json!(rng.random::<i64>()),
        3 => json!(rng.random::<f64>()),
        4 => json!(""),
        5 => json!("ann"),
        6 => json!("\u{1F600}".repeat(rng.random_range(0..200))),
        7 => json!("x".repeat(rng.random_range(0..3 * CANDIDATE_BYTES_MAX))),
        8 => (0..rng.random_range(0..4)).map(|_| any_value(rng, depth - 1)).collect(),
        _ => any_object(rng, depth - 1),
    }
}

fn any_object(rng: &mut StdRng, depth: usize) -> Value {
    const FIELDS: [&str; 10] =
        ["userId", "userName", "socketId", "targetUserId", "to", "from", "callerId", "offer", "answer", "candidate"];
    let mut object = json!({});
    for _ in 0..rng.random_range(0..6) {
        object[FIELDS[rng.random_range(0..FIELDS.len())]] = any_value(rng, depth);
    }
    object
}

/// Harm prevented: a payload ends the session's task, or gets something past the limits.
#[test]
fn whatever_is_sent_is_taken_within_the_limits_or_refused_in_a_sentence() {
    let rng = &mut StdRng::seed_from_u64(0x5eed);
    let mut taken = [0; 4];
    for _ in 0..20_000 {
        let sent = if rng.random_ratio(1, 20) { any_value(rng, 3) } else { any_object(rng, 3) };
        let errors = [
            match decode::<RegisterUser>(sent.clone()).and_then(RegisterUser::checked) {
                Ok((id, name)) => {
                    taken[0] += 1;
                    assert_eq!(sent["userId"], json!(id));
                    assert!((1..=USER_ID_BYTES_MAX).contains(&id.len()));
                    assert!(name.is_none_or(|name| (1..=USER_NAME_BYTES_MAX).contains(&name.len())));
                    None
                }
                Err(error) => Some(error),
            },
            match Target::named_by(&sent) {
                Ok(Target { field, user_id }) => {
                    taken[1] += 1;
                    assert_eq!(sent[field], json!(user_id));
                    assert!((1..=USER_ID_BYTES_MAX).contains(&user_id.len()));
                    None
                }
                Err(error) => Some(error),
            },
            match description(&mut sent.clone(), "offer") {
                Ok(offer) => {
                    taken[2] += 1;
                    assert_eq!(sent["offer"], offer);
                    assert!(offer.to_string().len() <= DESCRIPTION_BYTES_MAX);
                    None
                }
                Err(error) => Some(error),
            },
            match candidate(&mut sent.clone()) {
                Ok(candidate) => {
                    taken[3] += 1;
                    assert_eq!(sent["candidate"], candidate);
                    assert!(candidate.to_string().len() <= CANDIDATE_BYTES_MAX);
                    None
                }
                Err(error) => Some(error),
            },
        ];
        for error in errors.into_iter().flatten() {
            assert!((1..200).contains(&error.to_string().len()), "{error}");
        }
    }
    // Else nothing was looked at.
    assert!(taken.iter().all(|count| *count > 300), "{taken:?}");
}
