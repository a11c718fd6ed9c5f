//! Many checks: nomination, migration, limits, consent, restart.

use super::*;

#[test]
fn checks_connect_and_a_nomination_completes() {
    let mut agent = agent();
    let now = origin();
    let check = CheckBuilder::new(&agent);
    assert_eq!(agent.state(), IceState::New);
    assert_eq!(
        accepted(&mut agent, now, tuple(1), &check),
        [IceEvent::TupleValidated(tuple(1)), IceEvent::TupleSelected(tuple(1)), changed(IceState::Connected)]
    );
    // A second path is valid, and media stays where it is.
    assert_eq!(accepted(&mut agent, now, tuple(2), &check), [IceEvent::TupleValidated(tuple(2))]);
    assert_eq!(
        accepted(&mut agent, now, tuple(2), &check.clone().nominating()),
        [IceEvent::TupleSelected(tuple(2)), changed(IceState::Completed)]
    );
    assert!(agent.is_validated(&tuple(1)) && agent.is_validated(&tuple(2)) && !agent.is_validated(&tuple(3)));
    // What keeps consent fresh says nothing new.
    assert_eq!(accepted(&mut agent, now, tuple(1), &check), []);
    assert_eq!(accepted(&mut agent, now, tuple(2), &check.nominating()), []);
}

#[test]
fn the_latest_nomination_moves_the_media() {
    let mut agent = agent();
    let now = origin();
    let check = CheckBuilder::new(&agent).nominating();
    accepted(&mut agent, now, tuple(1), &check);
    assert_eq!(
        accepted(&mut agent, now, tuple(2), &check),
        [IceEvent::TupleValidated(tuple(2)), IceEvent::TupleSelected(tuple(2))]
    );
    assert_eq!(agent.selected(), Some(tuple(2)));
    accepted(&mut agent, now, tuple(1), &check);
    assert_eq!(agent.selected(), Some(tuple(1)));
}

#[test]
fn of_numbered_nominations_the_highest_wins() {
    let mut agent = agent();
    let now = origin();
    let plain = CheckBuilder::new(&agent);
    let numbered = |number: u32| plain.clone().with(ATTR_NOMINATION, &number.to_be_bytes());
    accepted(&mut agent, now, tuple(1), &numbered(5));
    assert_eq!(agent.state(), IceState::Completed);
    // A nomination that arrives late, or again.
    accepted(&mut agent, now, tuple(2), &numbered(4).nominating());
    accepted(&mut agent, now, tuple(2), &numbered(5));
    assert_eq!(agent.selected(), Some(tuple(1)));
    accepted(&mut agent, now, tuple(2), &numbered(6));
    assert_eq!(agent.selected(), Some(tuple(2)));
    // A restart starts the numbers anew.
    let (ufrag, password) = agent.restart(&mut StdRng::seed_from_u64(9));
    let restarted = CheckBuilder::with_credentials(ufrag, password).with(ATTR_NOMINATION, &[0, 0, 0, 1]);
    accepted(&mut agent, now, tuple(3), &restarted);
    assert_eq!(agent.selected(), Some(tuple(3)));
}

/// A stranger must not be able to make us another role by one packet, nor the peer itself.
#[test]
fn a_role_conflict_flips_nothing() {
    let mut agent = agent();
    let now = origin();
    let check = CheckBuilder::new(&agent);
    accepted(&mut agent, now, tuple(1), &check.clone().nominating());
    let deadline = agent.poll_timeout();
    let conflict = check.clone().without(ATTR_ICE_CONTROLLING).with(ATTR_ICE_CONTROLLED, &[0xff; 8]).nominating();
    let later = now + Duration::from_secs(5);
    let mut reply = Reply::of(agent.handle_stun(later, tuple(2), &conflict.build()));
    assert_eq!(reply.error(), Some(487));
    assert!(reply.is_signed_with(agent.local_parameters().1));
    assert_eq!((agent.state(), agent.selected()), (IceState::Completed, Some(tuple(1))));
    assert_eq!((agent.poll_event(), agent.poll_timeout()), (None, deadline));
    assert!(!agent.is_validated(&tuple(2)));
    assert_eq!(accepted(&mut agent, later, tuple(1), &check.nominating()), []);
}

#[test]
fn a_stranger_with_the_username_and_no_password_changes_nothing() {
    let mut agent = agent();
    let now = origin();
    let check = CheckBuilder::new(&agent).nominating();
    accepted(&mut agent, now, tuple(1), &check);
    let deadline = agent.poll_timeout();
    for number in 2..50 {
        let forged = check.clone().password((number % 2 == 0).then_some("guess"));
        Reply::of(agent.handle_stun(now + Duration::from_secs(10), tuple(number), &forged.build())).error().unwrap();
        assert!(!agent.is_validated(&tuple(number)));
    }
    assert_eq!((agent.selected(), agent.poll_event(), agent.poll_timeout()), (Some(tuple(1)), None, deadline));
}

/// Harm prevented: somebody who sees a check sends it again from elsewhere, and gets the media, or has it sent to a victim.
#[test]
fn a_check_that_came_before_neither_validates_a_tuple_nor_moves_the_media() {
    let mut agent = agent();
    let now = origin();
    let check = CheckBuilder::new(&agent).nominating();
    let [first, second] = [check.build(), check.build()];
    assert!(matches!(agent.handle_stun(now, tuple(1), &first), StunOutcome::Reply(_)));
    assert!(matches!(agent.handle_stun(now, tuple(2), &second), StunOutcome::Reply(_)));
    assert_eq!(agent.selected(), Some(tuple(2)));
    events(&mut agent);
    for seen in [&first, &second] {
        assert_eq!(agent.handle_stun(now, tuple(66), seen), StunOutcome::Dropped(StunDrop::Replayed));
        assert!(matches!(agent.handle_stun(now, tuple(2), seen), StunOutcome::Reply(_)), "a peer's repeat is answered");
    }
    assert!(!agent.is_validated(&tuple(66)));
    assert_eq!((agent.selected(), events(&mut agent)), (Some(tuple(2)), vec![]));

    // Of a tuple that somebody has validated by being faster than the peer, the peer's own copy takes the media back; the
    // other's next copy does not.
    let raced = check.build();
    agent.handle_stun(now, tuple(66), &raced);
    assert_eq!(agent.selected(), Some(tuple(66)));
    agent.handle_stun(now, tuple(2), &raced);
    assert_eq!(agent.selected(), Some(tuple(2)));
    agent.handle_stun(now, tuple(66), &raced);
    assert_eq!(agent.selected(), Some(tuple(2)));
}

#[test]
fn at_the_limit_the_tuple_silent_for_longest_makes_room_but_never_the_selected_one() {
    let mut agent = agent();
    let start = origin();
    let check = CheckBuilder::new(&agent);
    accepted(&mut agent, start, tuple(0), &check.clone().nominating());
    for number in 1..MAX_TUPLES as u8 {
        accepted(&mut agent, start + Duration::from_secs(u64::from(number)), tuple(number), &check);
    }
    let mut now = start + Duration::from_secs(9);
    // Tuple 1 is heard again, so tuple 2 is the one.
    accepted(&mut agent, now, tuple(1), &check);
    assert_eq!(
        accepted(&mut agent, now, tuple(100), &check),
        [IceEvent::TupleRemoved(tuple(2)), IceEvent::TupleValidated(tuple(100))]
    );
    for number in 101..=200 {
        now += Duration::from_millis(1);
        let events = accepted(&mut agent, now, tuple(number), &check);
        assert!(matches!(events[..], [IceEvent::TupleRemoved(_), IceEvent::TupleValidated(_)]));
    }
    assert_eq!((0..=200).filter(|&number| agent.is_validated(&tuple(number))).count(), MAX_TUPLES);
    assert_eq!(agent.selected(), Some(tuple(0)));
}

#[test]
fn silence_ends_the_consent_and_a_check_brings_it_back() {
    let mut agent = agent();
    let start = origin();
    let check = CheckBuilder::new(&agent).nominating();
    agent.handle_timeout(start + 2 * CONSENT_TIMEOUT);
    assert_eq!((agent.state(), agent.poll_timeout()), (IceState::New, None));

    accepted(&mut agent, start, tuple(1), &check);
    let second = start + Duration::from_secs(20);
    accepted(&mut agent, second, tuple(2), &check);
    let (deadline, timer) = agent.poll_timeout().unwrap();
    assert_eq!((deadline, timer), (second + CONSENT_TIMEOUT, IceTimer::Consent));
    agent.handle_timeout(deadline - Duration::from_millis(1));
    assert_eq!(agent.state(), IceState::Completed);
    agent.handle_timeout(deadline);
    assert_eq!(
        events(&mut agent),
        [
            IceEvent::TupleRemoved(tuple(1)),
            IceEvent::TupleRemoved(tuple(2)),
            IceEvent::StateChanged { state: IceState::Disconnected, reason: Some(DisconnectReason::ConsentExpired) },
        ]
    );
    assert_eq!((agent.selected(), agent.poll_timeout()), (None, None));
    assert!(!agent.is_validated(&tuple(2)), "without consent nothing may be taken from a tuple");

    let events = accepted(&mut agent, deadline, tuple(3), &check);
    assert_eq!(events.last(), Some(&changed(IceState::Completed)));
}

#[test]
fn the_time_of_consent_can_be_chosen() {
    let timeout = Duration::from_secs(5);
    let mut agent = IceLite::with_consent_timeout(&mut StdRng::seed_from_u64(1), timeout);
    let now = origin();
    let check = CheckBuilder::new(&agent);
    accepted(&mut agent, now, tuple(1), &check);
    assert_eq!(agent.poll_timeout(), Some((now + timeout, IceTimer::Consent)));
}

#[test]
fn when_a_connection_closes_the_tuple_heard_last_takes_over() {
    let mut agent = agent();
    let start = origin();
    let check = CheckBuilder::new(&agent);
    let tcp = Tuple { protocol: Protocol::Tcp, ..tuple(1) };
    accepted(&mut agent, start, tcp, &check.clone().nominating());
    accepted(&mut agent, start + Duration::from_secs(2), tuple(2), &check);
    accepted(&mut agent, start + Duration::from_secs(1), tuple(3), &check);
    let now = start + Duration::from_secs(3);
    agent.handle_tuple_closed(now, tcp);
    assert_eq!(events(&mut agent), [IceEvent::TupleRemoved(tcp), IceEvent::TupleSelected(tuple(2))]);
    agent.handle_tuple_closed(now, tcp);
    assert_eq!(events(&mut agent), [], "a tuple that is not known closes nothing");
    agent.handle_tuple_closed(now, tuple(3));
    assert_eq!(events(&mut agent), [IceEvent::TupleRemoved(tuple(3))]);
    agent.handle_tuple_closed(now, tuple(2));
    let reason = Some(DisconnectReason::LastTupleClosed);
    assert_eq!(
        events(&mut agent),
        [IceEvent::TupleRemoved(tuple(2)), IceEvent::StateChanged { state: IceState::Disconnected, reason }]
    );
}

/// Its network may have gone to somebody else.
#[test]
fn a_tuple_silent_for_the_time_of_consent_does_not_take_over() {
    let mut agent = agent();
    let start = origin();
    let check = CheckBuilder::new(&agent);
    accepted(&mut agent, start, tuple(2), &check);
    let later = start + CONSENT_TIMEOUT + Duration::from_secs(1);
    accepted(&mut agent, later, tuple(1), &check.nominating());
    agent.handle_tuple_closed(later, tuple(1));
    assert_eq!(agent.state(), IceState::Disconnected);
    assert!(!agent.is_validated(&tuple(2)));
}

#[test]
fn after_a_restart_the_old_credentials_serve_until_the_new_ones_are_used() {
    let mut agent = agent();
    let now = origin();
    let old = CheckBuilder::new(&agent);
    let old_ufrag = agent.local_parameters().0.to_owned();
    accepted(&mut agent, now, tuple(1), &old.clone().nominating());
    let (ufrag, password) = agent.restart(&mut StdRng::seed_from_u64(2));
    let (ufrag, new) = (ufrag.to_owned(), CheckBuilder::with_credentials(ufrag, password));
    assert_ne!(ufrag, old_ufrag);
    assert!(agent.accepts_ufrag(&ufrag) && agent.accepts_ufrag(&old_ufrag));
    assert_eq!((agent.state(), agent.selected()), (IceState::Completed, Some(tuple(1))));
    // The media goes on by the old checks meanwhile.
    assert_eq!(accepted(&mut agent, now, tuple(1), &old), []);
    // A stranger's guess at the new credentials retires nothing.
    Reply::of(agent.handle_stun(now, tuple(9), &new.clone().password(Some("guess")).build())).error().unwrap();
    assert!(agent.accepts_ufrag(&old_ufrag));

    assert_eq!(
        accepted(&mut agent, now, tuple(2), &new.nominating()),
        [
            IceEvent::UfragRetired(old_ufrag.clone()),
            IceEvent::TupleValidated(tuple(2)),
            IceEvent::TupleSelected(tuple(2)),
        ]
    );
    assert!(!agent.accepts_ufrag(&old_ufrag));
    let outcome = agent.handle_stun(now, tuple(1), &old.build());
    assert_eq!(outcome, StunOutcome::Dropped(StunDrop::NotForUs));
}

#[test]
fn restarts_that_the_peer_never_sees_leave_the_credentials_in_use_working() {
    let mut agent = agent();
    let now = origin();
    let in_use = CheckBuilder::new(&agent);
    accepted(&mut agent, now, tuple(1), &in_use);
    let mut rng = StdRng::seed_from_u64(2);
    let unseen = agent.restart(&mut rng).0.to_owned();
    for _ in 0..100 {
        agent.restart(&mut rng);
    }
    assert_eq!(agent.poll_event(), Some(IceEvent::UfragRetired(unseen.clone())));
    assert!(!agent.accepts_ufrag(&unseen));
    assert_eq!(events(&mut agent).len(), 99, "each generation but the first and the last is retired");
    assert_eq!(accepted(&mut agent, now, tuple(1), &in_use), []);
}

#[test]
fn a_closed_agent_answers_nothing() {
    let mut agent = agent();
    let now = origin();
    let check = CheckBuilder::new(&agent);
    accepted(&mut agent, now, tuple(1), &check);
    agent.close();
    agent.close();
    assert_eq!(events(&mut agent), [IceEvent::TupleRemoved(tuple(1)), changed(IceState::Closed)]);
    assert_eq!(agent.handle_stun(now, tuple(1), &check.build()), StunOutcome::Dropped(StunDrop::Closed));
    assert_eq!((agent.poll_timeout(), agent.selected()), (None, None));
}

#[test]
fn states_are_spelled_as_mediasoup_spells_them() {
    let states = [IceState::New, IceState::Connected, IceState::Completed, IceState::Disconnected, IceState::Closed];
    let spelled = serde_json::json!(["new", "connected", "completed", "disconnected", "closed"]);
    assert_eq!(serde_json::to_value(states).unwrap(), spelled);
}
