use super::*;
use crate::vocabulary::Vocabulary;

/// What happens, and who is told what of it.
enum Step {
    Come(&'static str, &'static str),
    Go(&'static str),
}
use Step::{Come, Go};

const SOCKETS_MAX: usize = 4;

fn socket(name: &str) -> PeerId {
    PeerId::new(name)
}

/// `to: userId status lastSeen` of each, sorted.
fn told(deliveries: &Deliveries) -> Vec<String> {
    let mut told: Vec<_> = deliveries
        .iter()
        .map(|(to, notice)| match &**notice {
            Notice::UserStatus(user) => format!("{to}: {} {:?} {}", user.user_id, user.status, user.last_seen),
            other => format!("{to}: {}", other.encode(Vocabulary::Room).0),
        })
        .collect();
    told.sort_unstable();
    told
}

fn listed(state: &PresenceState) -> Vec<String> {
    state.online().into_iter().map(|user| format!("{} {}", user.user_id, user.last_seen)).collect()
}

#[test]
fn a_user_is_online_from_the_first_socket_to_the_last() {
    let mut state = PresenceState::new(SOCKETS_MAX);
    for (now, (step, expected_told, expected_online)) in [
        (Come("a1", "ann"), &[][..], &["ann 0"][..]),
        // Saying it again is no news, to nobody.
        (Come("a1", "ann"), &[], &["ann 0"]),
        (Come("b1", "bob"), &["a1: bob Online 2"], &["ann 0", "bob 2"]),
        // A second window: seen again, but not coming online again.
        (Come("a2", "ann"), &[], &["ann 3", "bob 2"]),
        (Go("a1"), &[], &["ann 3", "bob 2"]),
        // One who never said who they are.
        (Go("c1"), &[], &["ann 3", "bob 2"]),
        (Go("a2"), &["b1: ann Offline 6"], &["bob 2"]),
        (Go("a2"), &[], &["bob 2"]),
        (Come("a3", "ann"), &["b1: ann Online 8"], &["bob 2", "ann 8"]),
        // The same socket under another id: the old one is gone.
        (Come("a3", "anna"), &["b1: ann Offline 9", "b1: anna Online 9"], &["bob 2", "anna 9"]),
        // From one user to another who is online.
        (Come("a3", "bob"), &["b1: anna Offline 10"], &["bob 10"]),
        (Go("b1"), &[], &["bob 10"]),
        (Go("a3"), &[], &[]),
    ]
    .into_iter()
    .enumerate()
    {
        let time = now.to_string();
        let deliveries = match step {
            Come(name, user_id) => state.come(&socket(name), user_id, &time).unwrap(),
            Go(name) => state.go(&socket(name), &time),
        };
        assert_eq!(told(&deliveries), expected_told, "told by step {now}");
        assert_eq!(listed(&state), expected_online, "online after step {now}");
    }
    assert!(state.users.is_empty() && state.user_ids.is_empty(), "nothing is kept of those who are gone");
}

#[test]
fn one_socket_too_many_is_refused_and_those_online_stay() {
    let mut state = PresenceState::new(SOCKETS_MAX);
    for name in ["a", "b", "c", "d"] {
        state.come(&socket(name), name, "0").unwrap();
    }
    let refused = state.come(&socket("e"), "e", "1");
    assert!(matches!(refused, Err(SignalError::TooManyOnline { limit: SOCKETS_MAX })));
    // Another socket of a user who is online counts like any other: it is sockets that are told.
    assert!(state.come(&socket("e"), "a", "1").is_err());
    assert_eq!(state.online().len(), SOCKETS_MAX);
    // Those who are in may still change who they are.
    state.come(&socket("a"), "anna", "2").unwrap();
    state.go(&socket("b"), "3");
    state.come(&socket("e"), "e", "4").unwrap();
    assert_eq!(listed(&state), ["c 0", "d 0", "anna 2", "e 4"]);
}

#[test]
fn typing_reaches_every_socket_of_the_receiver_and_names_the_sender_by_what_the_socket_said() {
    let mut state = PresenceState::new(SOCKETS_MAX);
    for (name, user_id) in [("a", "ann"), ("b1", "bob"), ("b2", "bob"), ("c", "cleo")] {
        state.come(&socket(name), user_id, "0").unwrap();
    }
    let deliveries = state.typing(&socket("a"), "bob", true).unwrap();
    assert_eq!(told(&deliveries), ["b1: userTyping", "b2: userTyping"]);
    let expected = Notice::Typing { sender_id: "ann".to_owned(), is_typing: true };
    assert!(deliveries.iter().all(|(_, notice)| **notice == expected));

    assert!(matches!(state.typing(&socket("stranger"), "bob", true), Err(SignalError::NotOnline("typing"))));
    assert!(matches!(state.typing(&socket("a"), "dan", true), Err(SignalError::ReceiverNotFound)));
}
