//! The first ClientHello: in pieces, in any order, doubled, lost.

use std::time::Duration;

use super::super::record::{content, fragments, records, write_plain_record};
use super::super::{Dtls, Role};
use super::{Link, assert_equal_keys, origin, started};

/// Splits the ClientHello in `datagram` into `count` datagrams, as Chromium's does for being longer than a datagram.
pub(super) fn split(datagram: &[u8], count: usize, sequence: u64) -> Vec<Vec<u8>> {
    let record = records(datagram).next().unwrap();
    let whole = fragments(record.body).next().unwrap();
    assert_eq!(whole.data.len(), whole.message_len);
    let size = whole.message_len.div_ceil(count);
    whole
        .data
        .chunks(size)
        .enumerate()
        .map(|(index, piece)| {
            let u24 = |n: usize| u32::try_from(n).unwrap().to_be_bytes()[1..].to_vec();
            let mut body = vec![whole.message_type];
            body.extend(u24(whole.message_len));
            body.extend(whole.message_seq.to_be_bytes());
            body.extend(u24(index * size));
            body.extend(u24(piece.len()));
            body.extend(piece);
            let mut out = Vec::new();
            write_plain_record(&mut out, content::HANDSHAKE, sequence + index as u64, &body);
            out
        })
        .collect()
}

fn finish(mut client: Dtls, mut server: Dtls) {
    Link::new().run(&mut client, &mut server, Duration::from_secs(2), |_, _, _| 1);
    assert_equal_keys(&mut client, &mut server);
}

#[test]
fn pieces_in_any_order_and_doubled_begin_the_handshake_at_once() {
    for order in [&[0, 1][..], &[1, 0], &[0, 0, 1], &[1, 1, 0], &[0, 1, 0, 1], &[1, 0, 1, 0]] {
        let (mut client, mut server) = (started(Role::Client), started(Role::Server));
        let pieces = split(&client.poll_transmit().unwrap(), 2, 0);
        for index in order {
            server.handle_datagram(origin(), &pieces[*index]);
        }
        let answers: Vec<_> = std::iter::from_fn(|| server.poll_transmit()).collect();
        assert_eq!(answers.len(), 1, "{order:?}: one HelloVerifyRequest");
        client.handle_datagram(origin(), &answers[0]);
        finish(client, server);
    }
}

#[test]
fn a_lost_piece_is_made_good_by_the_clients_repeat() {
    for lost in [0, 1] {
        let (mut client, mut server) = (started(Role::Client), started(Role::Server));
        let hello = client.poll_transmit().unwrap();
        server.handle_datagram(origin(), &split(&hello, 2, 0)[1 - lost]);
        assert_eq!(server.poll_transmit(), None);
        assert_eq!(server.poll_timeout(), None, "nothing has been sent that could be repeated");
        // The repeat loses the other piece, or comes whole and cut elsewhere.
        server.handle_datagram(origin(), &split(&hello, 3, 2)[lost * 2]);
        for piece in split(&hello, 3, 5) {
            server.handle_datagram(origin(), &piece);
        }
        finish(client, server);
    }
}

#[test]
fn junk_in_the_place_of_the_client_hello_does_not_hinder_it() {
    let (mut client, mut server) = (started(Role::Client), started(Role::Server));
    let hello = client.poll_transmit().unwrap();
    for kind in [1, 2, 14] {
        let mut junk = Vec::new();
        let body = [kind, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 9, 9];
        write_plain_record(&mut junk, content::HANDSHAKE, 0, &body);
        server.handle_datagram(origin(), &junk);
        assert_eq!(server.poll_transmit(), None);
    }
    server.handle_datagram(origin(), &hello);
    finish(client, server);
}

/// The second ClientHello, with the cookie, is as long as the first.
#[test]
fn every_client_flight_may_come_in_pieces() {
    let (mut client, mut server) = (started(Role::Client), started(Role::Server));
    for _ in 0..2 {
        let hello = client.poll_transmit().unwrap();
        for piece in split(&hello, 4, 0).iter().rev() {
            server.handle_datagram(origin(), piece);
        }
        while let Some(answer) = server.poll_transmit() {
            client.handle_datagram(origin(), &answer);
        }
    }
    finish(client, server);
}
