//! One request, one answer.

use rtc_stun::attributes::{ATTR_DATA, ATTR_MESSAGE_INTEGRITY_SHA256, ATTR_NONCE};
use rtc_stun::message::{
    BINDING_ERROR, BINDING_SUCCESS, CLASS_INDICATION, CLASS_REQUEST, METHOD_ALLOCATE, METHOD_BINDING,
};
use rtc_stun::uattrs::UnknownAttributes;
use rtc_stun::xoraddr::XorMappedAddress;

use super::*;

#[derive(Debug, PartialEq)]
enum Answer {
    Success,
    Error(u16),
    Silence(StunDrop),
}

/// The whole table of what a request gets. All but the successes must leave the agent as it was.
#[test]
fn each_request_gets_its_answer_and_a_refused_one_changes_nothing() {
    let seen = agent();
    let valid = CheckBuilder::new(&seen);
    let nominating = valid.clone().nominating();
    let (_, password) = seen.local_parameters().1.split_at(1);
    let no_fingerprint = CheckBuilder { fingerprint: false, ..nominating.clone() };
    let indication = MessageType::new(METHOD_BINDING, CLASS_INDICATION);
    let allocate = MessageType::new(METHOD_ALLOCATE, CLASS_REQUEST);
    let other = CheckBuilder::with_credentials("somebodyelse", "secret");
    let table = [
        ("valid", valid.clone(), Answer::Success),
        ("nominating", nominating.clone(), Answer::Success),
        ("by a peer that names no role", valid.clone().without(ATTR_ICE_CONTROLLING), Answer::Success),
        ("unknown but optional", valid.clone().with(AttrType(0xc057), &[0; 4]), Answer::Success),
        ("known but out of place", valid.clone().with(ATTR_NONCE, b"x"), Answer::Success),
        ("no fingerprint", no_fingerprint, Answer::Silence(StunDrop::Fingerprint)),
        ("no username", nominating.clone().without(ATTR_USERNAME), Answer::Silence(StunDrop::NotForUs)),
        ("another username", other.nominating(), Answer::Silence(StunDrop::NotForUs)),
        ("unsigned", nominating.clone().password(None), Answer::Error(400)),
        ("another password", nominating.clone().password(Some(password)), Answer::Error(401)),
        ("an empty password", nominating.clone().password(Some("")), Answer::Error(401)),
        ("no priority", nominating.clone().without(ATTR_PRIORITY), Answer::Error(400)),
        ("unknown and required", nominating.clone().with(ATTR_DATA, b"x"), Answer::Error(420)),
        ("controlled", nominating.clone().with(ATTR_ICE_CONTROLLED, &[9; 8]), Answer::Error(487)),
        ("an indication", nominating.clone().typ(indication), Answer::Silence(StunDrop::Indication)),
        ("another method", nominating.clone().typ(allocate), Answer::Silence(StunDrop::OtherMethod)),
        ("a success", nominating.clone().typ(BINDING_SUCCESS), Answer::Silence(StunDrop::Response)),
        ("an error", nominating.clone().typ(BINDING_ERROR), Answer::Silence(StunDrop::Response)),
        (
            "signed by another hash alone",
            nominating.password(None).with(ATTR_MESSAGE_INTEGRITY_SHA256, &[0; 32]),
            Answer::Error(400),
        ),
    ];
    for (name, check, expected) in table {
        let mut agent = agent();
        let outcome = agent.handle_stun(origin(), tuple(1), &check.build());
        let answer = match &outcome {
            StunOutcome::Dropped(why) => Answer::Silence(*why),
            StunOutcome::Reply(_) => Reply::of(outcome).error().map_or(Answer::Success, Answer::Error),
        };
        assert_eq!(answer, expected, "{name}");
        let stats = agent.stats();
        if expected == Answer::Success {
            assert!(agent.is_validated(&tuple(1)), "{name}");
            assert_eq!(stats, IceStats { accepted: 1, ..IceStats::default() });
        } else {
            assert_eq!(agent.state(), IceState::New, "{name}");
            assert_eq!((agent.poll_event(), agent.poll_timeout(), agent.selected()), (None, None, None), "{name}");
            assert_eq!(stats.refused + stats.dropped, 1);
        }
    }
}

#[test]
fn success_is_signed_and_tells_the_peer_its_address() {
    for remote in ["203.0.113.5:1234", "[2001:db8::5]:1234"] {
        let mut agent = agent();
        let check = CheckBuilder::new(&agent).build();
        let tuple = Tuple { remote: remote.parse().unwrap(), ..tuple(1) };
        let mut reply = Reply::of(agent.handle_stun(origin(), tuple, &check));
        assert!(reply.is_signed_with(agent.local_parameters().1));
        let mut mapped = XorMappedAddress::default();
        mapped.get_from(&reply.message).unwrap();
        assert_eq!((mapped.ip, mapped.port), (tuple.remote.ip(), tuple.remote.port()));
    }
}

#[test]
fn a_peer_behind_a_dual_stack_socket_learns_its_ipv4_address() {
    let mut agent = agent();
    let check = CheckBuilder::new(&agent).build();
    let tuple = Tuple { remote: "[::ffff:203.0.113.5]:1234".parse().unwrap(), ..tuple(1) };
    let reply = Reply::of(agent.handle_stun(origin(), tuple, &check));
    let mut mapped = XorMappedAddress::default();
    mapped.get_from(&reply.message).unwrap();
    assert_eq!(mapped.ip.to_string(), "203.0.113.5");
}

#[test]
fn unknown_required_attributes_are_listed() {
    let mut agent = agent();
    let check = CheckBuilder::new(&agent).with(AttrType(0x7001), b"x").with(AttrType(0x7002), b"");
    let mut reply = Reply::of(agent.handle_stun(origin(), tuple(1), &check.build()));
    let mut unknown = UnknownAttributes(vec![]);
    unknown.get_from(&reply.message).unwrap();
    assert_eq!(unknown.0, [AttrType(0x7001), AttrType(0x7002)]);
    assert!(reply.is_signed_with(agent.local_parameters().1));
}

/// Otherwise a request with a forged source would turn us on a victim.
#[test]
fn the_shortest_unauthenticated_request_gets_no_longer_reply() {
    let mut agent = agent();
    let username = format!("{}:", agent.local_parameters().0);
    let mut shortest = CheckBuilder::new(&agent).with(ATTR_USERNAME, username.as_bytes());
    shortest.attributes.drain(..3);
    for (check, code) in [(shortest.clone().password(None), 400), (shortest.password(Some("wrong")), 401)] {
        let request = check.build();
        let reply = Reply::of(agent.handle_stun(origin(), tuple(1), &request));
        assert_eq!(reply.error(), Some(code));
        assert!(reply.len <= request.len(), "{} bytes for {}", reply.len, request.len());
    }
}

/// Anybody on the path can add to the end of a request and mend the checksum.
#[test]
fn what_follows_the_signature_is_ignored() {
    let mut agent = agent();
    let now = origin();
    let check = CheckBuilder::new(&agent)
        .after_integrity(ATTR_USE_CANDIDATE, &[])
        .after_integrity(ATTR_NOMINATION, &[0, 0, 0, 9])
        .after_integrity(ATTR_ICE_CONTROLLED, &[9; 8])
        .after_integrity(AttrType(0x7001), b"x");
    accepted(&mut agent, now, tuple(1), &check);
    assert_eq!(agent.state(), IceState::Connected);
    let username = (ATTR_USERNAME, format!("{}:x", agent.local_parameters().0).into_bytes());
    let check = CheckBuilder::new(&agent).without(ATTR_USERNAME).after_integrity(username.0, &username.1);
    let outcome = agent.handle_stun(now, tuple(2), &check.build());
    assert_eq!(outcome, StunOutcome::Dropped(StunDrop::NotForUs));
}

#[test]
fn bytes_beyond_the_message_are_malformed() {
    let mut agent = agent();
    let mut check = CheckBuilder::new(&agent).build();
    check.push(0);
    let malformed = StunOutcome::Dropped(StunDrop::Malformed);
    assert_eq!(agent.handle_stun(origin(), tuple(1), &check), malformed);
    let long = CheckBuilder::new(&agent).with(AttrType(0xc001), &[0; MAX_STUN_LEN]).build();
    assert_eq!(agent.handle_stun(origin(), tuple(1), &long), malformed);
}

#[test]
fn the_local_username_fragment_is_found_without_verification() {
    let agent = agent();
    let (ufrag, _) = agent.local_parameters();
    assert_eq!(ufrag.len(), UFRAG_LEN);
    assert_eq!(agent.local_parameters().1.len(), PASSWORD_LEN);
    assert_eq!(local_ufrag(&CheckBuilder::new(&agent).build()), Some(ufrag));
    assert_eq!(local_ufrag(&CheckBuilder::new(&agent).password(Some("wrong")).build()), Some(ufrag));
    assert_eq!(local_ufrag(&CheckBuilder::new(&agent).without(ATTR_USERNAME).build()), None);
    let no_colon = CheckBuilder::new(&agent).without(ATTR_USERNAME).with(ATTR_USERNAME, b"abcdef");
    assert_eq!(local_ufrag(&no_colon.build()), None);
    let long = CheckBuilder::new(&agent).without(ATTR_USERNAME).with(ATTR_USERNAME, &[b':'; 514]);
    assert_eq!(local_ufrag(&long.build()), None);
    assert_eq!(local_ufrag(b"\x16\xfe\xfd a record of something else"), None);
}

#[test]
fn credentials_differ_from_agent_to_agent() {
    let mut rng = StdRng::seed_from_u64(1);
    let (first, second) = (IceLite::new(&mut rng), IceLite::new(&mut rng));
    assert_ne!(first.local_parameters().0, second.local_parameters().0);
    assert_ne!(first.local_parameters().1, second.local_parameters().1);
    assert!(!format!("{first:?}").contains(first.local_parameters().1), "a password must not be printed");
}
