use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};

use super::*;
use crate::identity::{RoomGrant, Source};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn keys() -> Keys {
    let mut keys = Keys::new();
    keys.add_secret(SECRET).unwrap();
    keys
}

/// A token with these claims and this header, signed with the secret.
fn token(header: &Header, claims: &Value) -> String {
    crypto::install();
    encode(header, claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

fn hs256(claims: &Value) -> String {
    token(&Header::new(Algorithm::HS256), claims)
}

#[test]
fn a_token_says_who_somebody_is_and_what_they_may_do() {
    let signed = hs256(&json!({
        "sub": "anna", "name": "Anna", "exp": 2_000, "nbf": 900, "room": "standup", "canPublish": ["microphone"],
        "roomAdmin": true, "email": "what is not known is left alone",
    }));
    let access = keys().verify(&signed, at(1_000)).unwrap();
    assert_eq!(access.user, Some(User { id: "anna".to_owned(), name: Some("Anna".to_owned()) }));
    assert!(access.grants.room.allows("standup") && !access.grants.room.allows("other"));
    assert!(access.grants.allows_publishing(Source::Microphone) && !access.grants.allows_publishing(Source::Camera));
    assert!(access.grants.room_admin && access.grants.can_subscribe);
    assert!(
        !access.is_expired(at(2_000 + TOKEN_CLOCK_SKEW_S - 1)) && access.is_expired(at(2_000 + TOKEN_CLOCK_SKEW_S))
    );
}

#[test]
fn a_token_is_good_from_its_beginning_to_its_end_by_clocks_that_differ_a_little() {
    let signed = hs256(&json!({"sub": "a", "nbf": 1_000, "exp": 2_000.5}));
    for (now, expected) in [
        (1_000 - TOKEN_CLOCK_SKEW_S - 1, Some(TokenError::NotYetValid)),
        (1_000 - TOKEN_CLOCK_SKEW_S, None),
        (1_500, None),
        (2_000 + TOKEN_CLOCK_SKEW_S, None),
        (2_001 + TOKEN_CLOCK_SKEW_S, Some(TokenError::Expired)),
    ] {
        assert_eq!(keys().verify(&signed, at(now)).err(), expected, "at {now}");
    }
}

/// Harm prevented: a claim of the wrong type is taken for one that is missing, and what it limits is not limited.
#[test]
fn a_claim_that_is_missing_or_of_the_wrong_type_is_refused_by_name() {
    for (claims, named) in [
        (json!({"sub": "a"}), "exp"),
        (json!({"exp": 2_000}), "sub"),
        (json!({"sub": 5, "exp": 2_000}), "string"),
        (json!({"sub": "", "exp": 2_000}), "sub: must not be empty"),
        (json!({"sub": "a".repeat(USER_ID_BYTES_MAX + 1), "exp": 2_000}), "sub: longer"),
        (json!({"sub": "a", "name": "a".repeat(USER_NAME_BYTES_MAX + 1), "exp": 2_000}), "name: longer"),
        (json!({"sub": "a", "exp": "2000"}), "f64"),
        (json!({"sub": "a", "exp": 2_000, "nbf": "1"}), "f64"),
        (json!({"sub": "a", "exp": 2_000, "canSubscribe": "no"}), "boolean"),
        (json!({"sub": "a", "exp": 2_000, "canPublish": ["webcam"]}), "variant"),
        (json!({"sub": "a", "exp": 2_000, "room": 5}), "string"),
    ] {
        match keys().verify(&hs256(&claims), at(1_000)) {
            Err(TokenError::BadClaim(problem)) => assert!(problem.contains(named), "{claims}: {problem}"),
            other => panic!("{claims}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_token_or_was_changed_is_refused() {
    let good = hs256(&json!({"sub": "a", "exp": 2_000}));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let mut other_secret = Keys::new();
    other_secret.add_secret(&[7; 32]).unwrap();
    assert_eq!(other_secret.verify(&good, at(1_000)).err(), Some(TokenError::WrongSignature));
    assert_eq!(Keys::new().verify(&good, at(1_000)).err(), Some(TokenError::UnknownKey));
    let other_claims = hs256(&json!({"sub": "b", "exp": 2_000}));
    let (other_head, _) = other_claims.rsplit_once('.').unwrap();
    for (token, expected) in [
        (String::new(), TokenError::Malformed),
        ("a.b.c".to_owned(), TokenError::Malformed),
        (head.to_owned(), TokenError::Malformed),
        (format!("{head}."), TokenError::WrongSignature),
        (format!("{other_head}.{signature}"), TokenError::WrongSignature),
        ("x".repeat(TOKEN_BYTES_MAX + 1), TokenError::TooLong),
    ] {
        assert_eq!(keys().verify(&token, at(1_000)).err(), Some(expected), "{token}");
    }
    // {"alg":"none"}, the oldest trick.
    assert!(keys().verify("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwiZXhwIjoyMDAwfQ.", at(1_000)).is_err());
}

#[test]
fn issuer_and_audience_are_looked_at_where_they_are_demanded() {
    let demanding = || keys().demanding(Some("us".to_owned()), Some("sfu".to_owned()));
    for (claims, expected) in [
        (json!({"sub": "a", "exp": 2_000, "iss": "us", "aud": "sfu"}), None),
        (json!({"sub": "a", "exp": 2_000, "iss": "us", "aud": ["web", "sfu"]}), None),
        (json!({"sub": "a", "exp": 2_000, "iss": "them", "aud": "sfu"}), Some(TokenError::WrongIssuer)),
        (json!({"sub": "a", "exp": 2_000, "aud": "sfu"}), Some(TokenError::WrongIssuer)),
        (json!({"sub": "a", "exp": 2_000, "iss": "us", "aud": ["web"]}), Some(TokenError::WrongAudience)),
        (json!({"sub": "a", "exp": 2_000, "iss": "us"}), Some(TokenError::WrongAudience)),
    ] {
        assert_eq!(demanding().verify(&hs256(&claims), at(1_000)).err(), expected, "{claims}");
        assert_eq!(keys().verify(&hs256(&claims), at(1_000)).err(), None, "{claims}: nothing is demanded");
    }
}

fn ec_key() -> (Signer, String) {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    (Signer::from_pem(&pair.serialize_pem()).unwrap(), pair.public_key_pem())
}

fn anna() -> User {
    User { id: "anna".to_owned(), name: None }
}

#[test]
fn keys_of_each_kind_sign_and_verify_and_only_their_own() {
    let (ec, ec_public) = ec_key();
    let (rsa, rsa_public) = (include_str!("test_rsa_private.pem"), include_str!("test_rsa_public.pem"));
    let rsa = Signer::from_pem(rsa).unwrap();
    let hmac = Signer::from_secret(SECRET).unwrap();
    let (mut with_ec, mut with_rsa) = (Keys::new(), Keys::new());
    with_ec.add_pem(&ec_public).unwrap();
    with_rsa.add_pem(rsa_public).unwrap();
    let grants = Grants::for_room(RoomGrant::Any);
    for (index, signer) in [&hmac, &ec, &rsa].into_iter().enumerate() {
        let signed = signer.sign(&anna(), &grants, at(1_000), Duration::from_secs(60), None).unwrap();
        for (other, keys) in [&keys(), &with_ec, &with_rsa].into_iter().enumerate() {
            let verified = keys.verify(&signed, at(1_000));
            if index == other {
                assert_eq!(verified.unwrap().user, Some(anna()));
            } else {
                assert_eq!(verified.err(), Some(TokenError::UnknownKey), "{index} with {other}");
            }
        }
    }
}

/// Harm prevented: who knows a public key, which everybody does, signs tokens with it as if it were a secret.
#[test]
fn a_public_key_is_no_secret() {
    let (_, public) = ec_key();
    let mut keys = Keys::new();
    keys.add_pem(&public).unwrap();
    let claims = json!({"sub": "a", "exp": 2_000});
    let forged = encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(public.as_bytes())).unwrap();
    assert_eq!(keys.verify(&forged, at(1_000)).err(), Some(TokenError::UnknownKey));
}

#[test]
fn a_set_of_keys_is_told_apart_by_their_ids() {
    // RFC 7515, appendix A.3: an EC key; its private half signs here.
    let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    let set = |id: &str| {
        json!({"keys": [
            {"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "alg": "ES256", "x": x, "y": y},
            {"kty": "EC", "crv": "P-256", "kid": "for encryption", "use": "enc", "x": x, "y": y},
            {"kty": "oct", "kid": "a secret", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        ]})
        .to_string()
    };
    let signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let mut keys = Keys::new();
    keys.add_key_set(&set("one")).unwrap();
    assert_eq!(keys.keys.len(), 1, "neither the key for encryption nor the secret");
    // It lacks `sub`, but the signature is right.
    assert!(matches!(keys.verify(signed, at(1_000)), Err(TokenError::BadClaim(problem)) if problem.contains("sub")));
    let named = token(&Header { kid: Some("two".to_owned()), ..Header::new(Algorithm::HS256) }, &json!({}));
    let es256 = format!("{}.{}", "eyJhbGciOiJFUzI1NiIsImtpZCI6InR3byJ9", named.split_once('.').unwrap().1);
    assert_eq!(keys.verify(&es256, at(1_000)).err(), Some(TokenError::UnknownKey), "another key's id");
}

#[test]
fn keys_that_are_none_are_refused_with_what_is_expected() {
    let mut keys = Keys::new();
    assert_eq!(keys.add_secret(b"too short"), Err(KeyError::ShortSecret));
    assert_eq!(keys.add_pem("no PEM"), Err(KeyError::NotAPem));
    assert!(matches!(keys.add_key_set("{}"), Err(KeyError::NotAKeySet(_))));
    assert_eq!(keys.add_key_set(r#"{"keys": []}"#), Err(KeyError::NoUsableKey));
    for _ in 0..TOKEN_KEYS_MAX {
        keys.add_secret(SECRET).unwrap();
    }
    assert_eq!(keys.add_secret(SECRET), Err(KeyError::TooManyKeys));
    assert_eq!(Signer::from_secret(b"too short").err(), Some(KeyError::ShortSecret));
    assert_eq!(Signer::from_pem("no PEM").err(), Some(KeyError::NotAPem));
}

/// Harm prevented: keys in a log file.
#[test]
fn keys_are_not_printed() {
    let printed = format!("{:?} {:?}", keys(), Signer::from_secret(SECRET).unwrap());
    assert!(!printed.contains("0123") && !printed.contains("48, 49"), "{printed}");
}
