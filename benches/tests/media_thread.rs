//! A generator thread against the far end of its sockets, played here: what it counts, answers and sends.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use benches::association::Association;
use benches::dtls::SrtpKeys;
use benches::endpoint::rtcp::{self, Heard};
use benches::endpoint::subscriber::StreamSetup;
use benches::endpoint::{Publisher, Reception};
use benches::media_thread::{MediaThread, Producers};
use benches::rtp::{Datagram, Header, HeaderWriter};
use benches::signalling::parameters::{MediaKind, RTX_PAYLOAD_TYPE, VP8_PAYLOAD_TYPE};
use benches::source::{OutgoingStream, VideoLayer, VideoSource};
use benches::srtp::{KEY_BYTES, Keys, SALT_BYTES};
use benches::stamp;
use benches::stats::Snapshot;
use nix::sys::socket::{setsockopt, sockopt};

/// What any one wait may take. Far more than it needs, so that only what never comes fails.
const DEADLINE: Duration = Duration::from_secs(20);
const SSRC: u32 = 77;
const RTX_SSRC: u32 = 78;

/// The server's end of a transport.
struct Far {
    socket: UdpSocket,
    keys: SrtpKeys,
    rtcp_index: u32,
}

fn keys(send: u8, receive: u8) -> SrtpKeys {
    let of = |byte| Keys::derive(&[byte; KEY_BYTES], &[byte; SALT_BYTES]);
    SrtpKeys { send: of(send), receive: of(receive) }
}

fn transport() -> (Far, Association) {
    let far = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let near = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    near.connect(far.local_addr().unwrap()).unwrap();
    far.connect(near.local_addr().unwrap()).unwrap();
    far.set_read_timeout(Some(DEADLINE)).unwrap();
    near.set_nonblocking(true).unwrap();
    let far = Far { socket: far, keys: keys(1, 2), rtcp_index: 0 };
    (far, Association { socket: near, keys: keys(2, 1), check: vec![0, 1] })
}

impl Far {
    /// A sealed packet, stamped, numbered for the transport too.
    fn packet(&self, number: u16) -> Vec<u8> {
        let mut packet = Vec::new();
        let header = HeaderWriter::begin(&mut packet, 101, false, number, 0, SSRC).extension(5, &number.to_be_bytes());
        let header_len = header.end();
        packet.resize(header_len + 200, 0);
        stamp::write(&mut packet, stamp::wall_ns());
        self.keys.send.seal_rtp(&mut packet, header_len, SSRC, u64::from(number));
        packet
    }

    /// Gives the kernel several packets of one length as one.
    fn send_joined(&self, numbers: &[u16]) {
        let packets: Vec<Vec<u8>> = numbers.iter().map(|number| self.packet(*number)).collect();
        setsockopt(&self.socket, sockopt::UdpGsoSegment, &(packets[0].len() as i32)).unwrap();
        self.socket.send(&packets.concat()).unwrap();
    }

    fn send_rtcp(&mut self, mut compound: Vec<u8>) {
        self.keys.send.seal_rtcp(&mut compound, self.rtcp_index);
        self.rtcp_index += 1;
        self.socket.send(&compound).unwrap();
    }

    /// The next datagram of a kind that `of` makes something of.
    fn next<T>(&self, kind: Datagram, mut of: impl FnMut(&mut [u8], &SrtpKeys) -> Option<T>) -> T {
        let mut buffer = [0; 2048];
        let begun = Instant::now();
        while begun.elapsed() < DEADLINE {
            let len = self.socket.recv(&mut buffer).expect("something comes");
            if Datagram::of(&buffer[..len]) == kind
                && let Some(found) = of(&mut buffer[..len], &self.keys)
            {
                return found;
            }
        }
        panic!("what was waited for did not come");
    }

    /// What is asked for in the next message that asks for anything.
    fn next_nack(&self) -> Vec<u16> {
        self.next(Datagram::Rtcp, |datagram, keys| {
            let len = keys.receive.open_rtcp(datagram).expect("it is sealed for us");
            let mut asked = Vec::new();
            rtcp::read(&datagram[..len], |heard| {
                if let Heard::Nack { ssrc: SSRC, sequence_number } = heard {
                    asked.push(sequence_number);
                }
            });
            (!asked.is_empty()).then_some(asked)
        })
    }

    /// The next packet of a stream: its sequence number, and its payload.
    fn next_rtp(&self, ssrc: u32, first: u64) -> (u16, Vec<u8>) {
        self.next(Datagram::Rtp, |datagram, keys| {
            let header = Header::read(datagram).filter(|header| header.ssrc == ssrc)?;
            let index = first + u64::from(header.sequence_number.wrapping_sub(first as u16));
            let payload = keys.receive.open_rtp(datagram, header.len, ssrc, index).expect("it is sealed for us");
            Some((header.sequence_number, payload.to_vec()))
        })
    }
}

fn subscribed(thread: &MediaThread, gro: bool) -> Far {
    let (far, association) = transport();
    thread.subscribe(1, association, 5, Reception { gro, time_stamps: true });
    thread.add_stream(
        1,
        StreamSetup {
            id: 1,
            producer: None,
            kind: MediaKind::Video,
            ssrc: SSRC,
            rtx_ssrc: Some(RTX_SSRC),
            transport_cc_id: Some(5),
            is_sampled: true,
            asks: true,
            joining_since: Instant::now(),
        },
    );
    far
}

/// A snapshot once so many packets were received, and how many latencies were read until then.
async fn received(thread: &MediaThread, count: u64) -> (Snapshot, u64) {
    let begun = Instant::now();
    let mut samples = 0;
    loop {
        let snapshot = thread.snapshot().await.unwrap();
        samples += snapshot.latency[MediaKind::Video as usize].len();
        if snapshot.received[MediaKind::Video as usize] >= count {
            return (snapshot, samples);
        }
        assert!(begun.elapsed() < DEADLINE, "{:?}", snapshot.totals);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Harm prevented: packets that the kernel hands over as one would count as one.
#[tokio::test]
async fn joined_packets_are_counted_and_opened_one_by_one() {
    for gro in [true, false] {
        let thread = MediaThread::start(0, Instant::now()).unwrap();
        let far = subscribed(&thread, gro);
        far.send_joined(&[1, 2, 3, 4]);
        far.send_joined(&[5, 6]);
        let (snapshot, samples) = received(&thread, 6).await;
        assert_eq!(snapshot.expected, [0, 6]);
        assert_eq!((snapshot.totals.datagrams_in, snapshot.totals.not_opened, samples), (6, 0, 6), "gro: {gro}");
        assert_eq!((snapshot.streams[0].expected, snapshot.streams[0].received), (6, 6));
    }
}

#[tokio::test]
async fn what_is_missing_is_asked_for_and_counts_when_it_comes_again() {
    let thread = MediaThread::start(0, Instant::now()).unwrap();
    let far = subscribed(&thread, true);
    far.send_joined(&[1, 2]);
    far.send_joined(&[5]);
    assert_eq!(far.next_nack(), [3, 4]);
    // One in its own stream (RFC 4588), one as it was.
    let mut repeat = Vec::new();
    let header_len = HeaderWriter::begin(&mut repeat, 102, false, 9, 0, RTX_SSRC).extension(5, &[0, 9]).end();
    repeat.extend(3u16.to_be_bytes());
    repeat.extend([0; 100]);
    far.keys.send.seal_rtp(&mut repeat, header_len, RTX_SSRC, 9);
    far.socket.send(&repeat).unwrap();
    far.send_joined(&[4]);
    let (snapshot, _) = received(&thread, 5).await;
    assert_eq!((snapshot.expected, snapshot.totals.repeats_in), ([0, 5], 1));
}

#[tokio::test]
async fn a_publisher_serves_requests_for_key_frames_and_for_packets() {
    let thread = MediaThread::start(0, Instant::now()).unwrap();
    let (mut far, association) = transport();
    let now = Instant::now();
    let first = 100;
    let stream = OutgoingStream::new(SSRC, VP8_PAYLOAD_TYPE, "0", None, Some((RTX_SSRC, RTX_PAYLOAD_TYPE)), first);
    let video = VideoSource::new(vec![VideoLayer::new(stream, 300_000.0, false)], now);
    let producers = Producers { audio: None, video: Some(0) };
    thread.publish(1, producers, association, Publisher::new(now, Some(video), None, true));

    let is_key_frame = |payload: &[u8]| payload[0] & 0x10 != 0 && payload[4] & 1 == 0;
    let (number, payload) = far.next_rtp(SSRC, u64::from(first));
    assert!(number == first && is_key_frame(&payload), "it begins with a key frame");

    let mut nack = Vec::new();
    rtcp::write_nack(&mut nack, 1, SSRC, &[first]);
    far.send_rtcp(nack);
    let (_, repeated) = far.next_rtp(RTX_SSRC, u64::from(first));
    assert_eq!((&repeated[..2], &repeated[2..]), (&first.to_be_bytes()[..], &payload[..]));

    let mut pli = Vec::new();
    rtcp::write_pli(&mut pli, 1, SSRC);
    far.send_rtcp(pli);
    while !is_key_frame(&far.next_rtp(SSRC, u64::from(first)).1) {}
    assert_eq!(thread.snapshot().await.unwrap().totals.key_frames_asked, 1);
}

#[tokio::test]
async fn a_publisher_that_is_not_active_is_silent_until_it_is_told() {
    let thread = MediaThread::start(0, Instant::now()).unwrap();
    let (far, association) = transport();
    let now = Instant::now();
    let stream = OutgoingStream::new(SSRC, VP8_PAYLOAD_TYPE, "0", None, None, 0);
    let video = VideoSource::new(vec![VideoLayer::new(stream, 300_000.0, false)], now);
    let producers = Producers { audio: None, video: Some(3) };
    thread.publish(1, producers, association, Publisher::new(now, Some(video), None, false));
    assert_eq!(thread.snapshot().await.unwrap().producers, [(3, 0)]);
    thread.set_active(1, true);
    let (number, payload) = far.next_rtp(SSRC, 0);
    assert!(number == 0 && payload[4] & 1 == 0, "its first picture is a key frame");
    thread.remove(1);
    assert!(thread.snapshot().await.unwrap().producers.is_empty());
}
