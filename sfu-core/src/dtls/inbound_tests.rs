use super::*;

fn fragment(kind: u8, seq: u16, len: usize, offset: usize, data: &[u8]) -> Vec<u8> {
    let u24 = |n: usize| u32::try_from(n).unwrap().to_be_bytes()[1..].to_vec();
    let mut body = vec![kind];
    body.extend(u24(len));
    body.extend(seq.to_be_bytes());
    body.extend(u24(offset));
    body.extend(u24(data.len()));
    body.extend(data);
    let mut out = Vec::new();
    write_plain_record(&mut out, content::HANDSHAKE, 0, &body);
    out
}

fn message(kind: u8, seq: u16, body: &[u8]) -> Item {
    Item::Message(Message { kind, seq, body: body.to_vec() })
}

fn encrypted(content_type: u8, len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    write_plain_record(&mut out, content_type, 0, &vec![0; len]);
    out[4] = 1;
    out
}

#[test]
fn pieces_in_any_order_and_repeated_become_one_message() {
    let pieces = [fragment(1, 0, 6, 0, b"ab"), fragment(1, 0, 6, 2, b"cd"), fragment(1, 0, 6, 3, b"def")];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let mut inbound = Inbound::default();
        let mut items = Vec::new();
        for index in order {
            let received = inbound.accept(&pieces[index], Stage::Handshaking);
            assert!(received.progress && !received.repeat);
            items.extend(received.items);
            assert!(inbound.accept(&pieces[index], Stage::Handshaking).repeat, "a duplicate is told from progress");
        }
        assert_eq!(items, [message(1, 0, b"abcdef")]);
        assert_eq!(inbound.pending_bytes, 0);
    }
}

#[test]
fn messages_come_out_in_sequence_and_only_once() {
    let mut inbound = Inbound::default();
    assert!(inbound.accept(&fragment(16, 1, 1, 0, b"b"), Stage::Handshaking).items.is_empty());
    let received = inbound.accept(&fragment(11, 0, 1, 0, b"a"), Stage::Handshaking);
    assert_eq!(received.items, [message(11, 0, b"a"), message(16, 1, b"b")]);
    let again = inbound.accept(&fragment(16, 1, 1, 0, b"b"), Stage::Handshaking);
    assert!(again.items.is_empty() && again.repeat && !again.progress);
}

#[test]
fn an_empty_message_is_a_message() {
    let received = Inbound::default().accept(&fragment(14, 0, 0, 0, b""), Stage::Handshaking);
    assert_eq!(received.items, [message(14, 0, b"")]);
    assert!(received.progress);
}

#[test]
fn junk_about_the_future_gives_way_to_the_message_that_is_due() {
    let mut inbound = Inbound::default();
    for seq in 1..MAX_MESSAGES + 4 {
        inbound.accept(&fragment(11, seq, MAX_MESSAGE_BYTES, 0, b"x"), Stage::Handshaking);
        assert!(inbound.pending_bytes <= MAX_PENDING_BYTES);
    }
    assert_eq!(inbound.pending_bytes, MAX_PENDING_BYTES, "the limit is reached");
    let due = inbound.accept(&fragment(1, 0, 2, 0, b"ok"), Stage::Handshaking);
    assert_eq!(due.items, [message(1, 0, b"ok")]);
}

#[test]
fn a_message_beyond_the_limit_is_refused() {
    let mut inbound = Inbound::default();
    inbound.accept(&fragment(11, 0, MAX_MESSAGE_BYTES + 1, 0, b"x"), Stage::Handshaking);
    assert_eq!(inbound.pending_bytes, 0);
    inbound.accept(&fragment(11, 0, MAX_MESSAGE_BYTES, 0, b"x"), Stage::Handshaking);
    assert_eq!(inbound.pending_bytes, MAX_MESSAGE_BYTES);
}

#[test]
fn the_pieces_of_a_message_are_limited() {
    let mut inbound = Inbound::default();
    for index in 0..MAX_PIECES + 10 {
        inbound.accept(&fragment(11, 0, MAX_MESSAGE_BYTES, 2 * index, b"x"), Stage::Handshaking);
    }
    assert_eq!(inbound.pending[&0].have.len(), MAX_PIECES);
    let whole = inbound.accept(&fragment(11, 0, MAX_MESSAGE_BYTES, 0, &[7; MAX_MESSAGE_BYTES]), Stage::Handshaking);
    assert_eq!(whole.items, [message(11, 0, &[7; MAX_MESSAGE_BYTES])], "pieces that swallow others still fit");
}

#[test]
fn a_newer_message_replaces_an_unfinished_one_of_the_same_number() {
    let mut inbound = Inbound::default();
    inbound.accept(&fragment(9, 0, 100, 0, b"junk"), Stage::Handshaking);
    let received = inbound.accept(&fragment(1, 0, 2, 0, b"ok"), Stage::Handshaking);
    assert_eq!(received.items, [message(1, 0, b"ok")]);
    assert_eq!(inbound.pending_bytes, 0);
}

#[test]
fn what_the_crate_would_keep_is_limited() {
    let mut inbound = Inbound::default();
    let mut passed = 0;
    for _ in 0..10_000 {
        for item in inbound.accept(&encrypted(content::HANDSHAKE, 40), Stage::Handshaking).items {
            assert!(matches!(item, Item::Record(_)));
            passed += 1;
        }
    }
    assert_eq!(passed, MAX_RETAINED_BYTES / MIN_RETAINED_BYTES);
    assert!(inbound.accept(&encrypted(content::ALERT, 40), Stage::Handshaking).items.is_empty());
    let complete = Stage::Complete(Role::Server);
    assert_eq!(inbound.accept(&encrypted(content::ALERT, 40), complete).items.len(), 1, "close_notify still counts");
}

#[test]
fn records_that_would_make_the_crate_send_a_fatal_alert_stay_out() {
    let mut inbound = Inbound::default();
    let plain = |content_type: u8, body: &[u8]| {
        let mut out = Vec::new();
        write_plain_record(&mut out, content_type, 0, body);
        out
    };
    for (kind, body) in [
        (content::APPLICATION_DATA, &b"data"[..]),
        (99, b"unknown"),
        (content::CHANGE_CIPHER_SPEC, &[2]),
        (content::CHANGE_CIPHER_SPEC, &[]),
        (content::ALERT, &[2]),
        (content::ALERT, &[1, 90]),
    ] {
        assert!(inbound.accept(&plain(kind, body), Stage::Handshaking).items.is_empty(), "{kind} {body:?}");
    }
    assert_eq!(inbound.accept(&plain(content::ALERT, &[2, 40]), Stage::Handshaking).items, [Item::PlainFatal(40)]);
    assert_eq!(inbound.accept(&plain(content::ALERT, &[1, 0]), Stage::Handshaking).items, [Item::PlainClose]);
    // Harm: one spoofed plaintext alert would end an established call.
    for body in [&[2, 40][..], &[1, 0]] {
        assert!(inbound.accept(&plain(content::ALERT, body), Stage::Complete(Role::Server)).items.is_empty());
    }
}

#[test]
fn a_finished_client_ignores_repeats_and_a_finished_server_is_told_of_them() {
    let mut inbound = Inbound::default();
    inbound.accept(&fragment(11, 0, 1, 0, b"a"), Stage::Handshaking);
    let repeat = fragment(11, 0, 1, 0, b"a");
    assert!(!inbound.accept(&repeat, Stage::Complete(Role::Client)).repeat);
    assert!(inbound.accept(&encrypted(content::HANDSHAKE, 40), Stage::Complete(Role::Client)).items.is_empty());
    assert!(inbound.accept(&repeat, Stage::Complete(Role::Server)).repeat);
    assert_eq!(inbound.accept(&encrypted(content::HANDSHAKE, 40), Stage::Complete(Role::Server)).items.len(), 1);
}

#[test]
fn application_data_is_counted_and_dropped() {
    for stage in [Stage::Handshaking, Stage::Complete(Role::Client)] {
        let received = Inbound::default().accept(&encrypted(content::APPLICATION_DATA, 40), stage);
        assert!(received.items.is_empty());
        assert_eq!(received.application_data, 1);
    }
}
