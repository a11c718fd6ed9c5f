use super::*;
use crate::transport::tuple::{Protocol, Tuple};
use crate::worker::transmit::{TransmitClass, TransmitQueue};

fn bound() -> std::net::UdpSocket {
    let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn datagram(number: usize, len: usize) -> Vec<u8> {
    let mut bytes = vec![number as u8; len];
    bytes[..2].copy_from_slice(&(number as u16).to_be_bytes());
    bytes
}

/// Sends what a queue holds from one port to two others and returns what each of these got.
fn exchange(joins: bool, datagrams: &[(usize, usize)]) -> [Vec<Vec<u8>>; 2] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let from = bound();
        let to = [bound(), bound()];
        let tuples = to.each_ref().map(|socket| Tuple {
            protocol: Protocol::Udp,
            local: from.local_addr().unwrap(),
            remote: socket.local_addr().unwrap(),
        });
        let from = UdpPort::new(from, 1 << 20).unwrap();
        from.joins.set(joins && from.joins());
        let to = to.map(|socket| UdpPort::new(socket, 1 << 20).unwrap());
        let mut queue = TransmitQueue::default();
        for (number, &(port, len)) in datagrams.iter().enumerate() {
            queue.slot()[..len].copy_from_slice(&datagram(number, len));
            queue.commit(tuples[port], TransmitClass::Video, len);
        }
        from.writable().await.unwrap();
        assert_eq!(from.send(&mut Sender::new(), queue.runs()), Outcome::default());

        let mut receiver = Receiver::new();
        let mut got = [vec![], vec![]];
        for (port, got) in to.iter().zip(&mut got) {
            // On loopback all of it is there when it has been sent.
            port.readable().await.unwrap();
            while port.receive(&mut receiver) {
                receiver.take(|_, datagram| got.push(datagram.to_vec()));
            }
        }
        got
    })
}

/// Harm prevented: datagrams that were joined come out cut at the wrong places, or to somebody else.
#[test]
fn what_is_joined_arrives_as_it_was_joined_or_not() {
    let datagrams: Vec<(usize, usize)> = (0..10)
        .flat_map(|frame| [(0, 1200), (0, 1200), (0, 300 + frame), (1, 1200), (1, 1200), (1, 300 + frame), (1, 90)])
        .collect();
    for joins in [false, true] {
        let got = exchange(joins, &datagrams);
        for (port, got) in got.iter().enumerate() {
            let sent: Vec<Vec<u8>> = datagrams
                .iter()
                .enumerate()
                .filter(|(_, (to, _))| *to == port)
                .map(|(number, &(_, len))| datagram(number, len))
                .collect();
            assert!(*got == sent, "to port {port}, joined: {joins}");
        }
    }
}

/// Harm prevented: one destination that cannot be reached costs the others of its batch their packets.
#[test]
fn a_datagram_that_is_refused_is_counted_and_the_others_are_sent() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let (from, to) = (bound(), bound());
        let local = from.local_addr().unwrap();
        let good = Tuple { protocol: Protocol::Udp, local, remote: to.local_addr().unwrap() };
        // Port 0 is nobody's, and the kernel says so at once.
        let bad = Tuple { remote: ([127, 0, 0, 1], 0).into(), ..good };
        let from = UdpPort::new(from, 1 << 20).unwrap();
        let mut queue = TransmitQueue::default();
        for (tuple, len) in [(good, 100), (bad, 100), (bad, 100), (good, 101), (bad, 60), (good, 102)] {
            queue.slot()[..len].fill(7);
            queue.commit(tuple, TransmitClass::Video, len);
        }
        from.writable().await.unwrap();
        assert_eq!(from.send(&mut Sender::new(), queue.runs()), Outcome { unsent: 3 });
        let (mut buffer, mut lengths) = ([0; 2048], vec![]);
        while let Ok((len, _)) = to.recv_from(&mut buffer) {
            lengths.push(len);
        }
        assert_eq!(lengths, [100, 101, 102]);
    });
}

/// Harm prevented: a peer behind a narrow path, whose joined datagrams are refused for their length, costs all others the joining.
#[test]
fn joining_ends_only_when_nothing_joined_is_ever_taken() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let port = UdpPort::new(bound(), 1 << 20).unwrap();
        port.joins.set(true);
        let refused = io::Error::from(io::ErrorKind::InvalidInput);
        for _ in 1..REFUSALS_MAX {
            port.count_refusal(&refused);
        }
        assert!(port.joins());
        port.count_refusal(&refused);
        assert!(!port.joins());
    });
}

/// Harm prevented: what a socket does not take for a moment is lost, or comes after what was sent later.
#[test]
fn what_the_socket_does_not_take_waits_and_keeps_its_order() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let (from, to) = (bound(), bound());
        let tuple =
            Tuple { protocol: Protocol::Udp, local: from.local_addr().unwrap(), remote: to.local_addr().unwrap() };
        let from = UdpPort::new(from, 1 << 20).unwrap();
        let mut sender = Sender::new();
        // Before the runtime has looked at a socket it takes nothing.
        for number in 0..3 {
            let mut queue = TransmitQueue::default();
            queue.push(tuple, &datagram(number, 100));
            assert_eq!(from.send(&mut sender, queue.runs()), Outcome::default());
        }
        from.backlogged().await;
        from.writable().await.unwrap();
        assert_eq!(from.send_waiting(&mut sender), Outcome::default());
        assert!(from.backlog.borrow().is_empty());
        let mut buffer = [0; 2048];
        for number in 0..3 {
            let len = to.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..len], datagram(number, 100));
        }
    });
}
