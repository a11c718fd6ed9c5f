use super::*;
use crate::identity::{Publish, RoomGrant, Source};
use crate::room::Identity;

fn room(people: &[(&str, &str)]) -> RoomState {
    let mut room = RoomState::default();
    for (socket, user) in people {
        let peer = PeerId::new(socket);
        room.enter(&peer);
        room.join(Identity::new(peer, Some(user), None));
    }
    room
}

fn change(can_publish: bool) -> GrantChange {
    GrantChange { can_publish: Some(Publish::All(can_publish)), ..GrantChange::default() }
}

#[test]
fn a_user_is_all_their_sockets_and_a_socket_is_one() {
    let room = room(&[("phone", "anna"), ("bob's", "bob"), ("laptop", "anna")]);
    let named = |name| room.peers_named(name).iter().map(|peer| peer.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(named("anna"), ["phone", "laptop"]);
    assert_eq!(named("laptop"), ["laptop"]);
    assert_eq!(named("carol"), Vec::<String>::new());
}

/// Harm prevented: who was forbidden to send comes back with the same token and sends.
#[test]
fn what_an_administrator_changes_outlasts_the_socket() {
    let mut room = room(&[("phone", "anna"), ("laptop", "anna"), ("bob's", "bob")]);
    let token = Grants::for_room(RoomGrant::Any);
    let concerned = room.change_grants("phone", change(false)).unwrap();
    assert_eq!(concerned, [PeerId::new("phone"), PeerId::new("laptop")], "both of them are Anna");
    for peer in concerned {
        room.leave(&peer);
    }
    assert!(!room.grants_of("anna", &token).allows_publishing(Source::Camera));
    assert!(room.grants_of("bob", &token).allows_publishing(Source::Camera));
    assert!(matches!(room.change_grants("anna", change(true)), Err(SignalError::ParticipantNotFound)));
}

#[test]
fn later_changes_go_on_top_of_earlier_ones_and_there_is_an_end_to_them() {
    let mut room = room(&[("a", "anna")]);
    room.change_grants("anna", change(false)).unwrap();
    room.change_grants("anna", GrantChange { can_subscribe: Some(false), ..GrantChange::default() }).unwrap();
    let grants = room.grants_of("anna", &Grants::open());
    assert!(!grants.can_subscribe && !grants.allows_publishing(Source::Camera) && grants.can_publish_data);
    for number in 1..GRANT_CHANGES_MAX {
        let peer = PeerId::new("x");
        room.enter(&peer);
        room.join(Identity::new(peer, Some(&format!("user {number}")), None));
        room.change_grants("x", change(false)).unwrap();
    }
    let peer = PeerId::new("x");
    room.join(Identity::new(peer, Some("one too many"), None));
    assert!(matches!(room.change_grants("x", change(false)), Err(SignalError::TooManyGrantChanges { .. })));
    room.change_grants("anna", change(true)).unwrap();
}

#[test]
fn a_lock_is_told_once() {
    let mut room = room(&[("a", "anna"), ("b", "bob")]);
    assert_eq!(room.set_locked(true).len(), 2);
    assert!(room.is_locked() && room.set_locked(true).is_empty());
    assert_eq!(room.set_locked(false).len(), 2);
}

/// Harm prevented: a listener whom nobody is to notice is noticed.
#[test]
fn who_is_hidden_is_not_announced_nor_listed_nor_found() {
    let mut room = room(&[("a", "anna")]);
    let ghost = PeerId::new("g");
    room.enter(&ghost);
    assert!(room.join(Identity { is_hidden: true, ..Identity::new(ghost.clone(), Some("ghost"), None) }).is_empty());
    assert!(room.others(&PeerId::new("a")).is_empty());
    assert_eq!(room.others(&ghost).len(), 1, "it sees the others");
    let anna = PeerId::new("a");
    let message = |to| room.message(&anna, None, "hi".to_owned(), to, String::new());
    assert!(message(Some("ghost")).is_none());
    assert_eq!(message(None).map(|deliveries| deliveries.len()), Some(2), "it hears what is said to all");
    assert!(room.leave(&ghost).is_empty());
}
