//! The link: two ends, a delay, a rule that says which datagrams are lost, and the clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};

use super::super::{Dtls, DtlsState, Role};
use super::origin;

/// One end of the link.
pub(in crate::dtls) trait End {
    fn take(&mut self, now: Instant, datagram: &[u8]);
    fn give(&mut self) -> Option<Vec<u8>>;
    fn wake_at(&self) -> Option<Instant>;
    fn wake(&mut self, now: Instant);
    fn is_done(&self) -> bool;
}

impl End for Dtls {
    fn take(&mut self, now: Instant, datagram: &[u8]) {
        self.handle_datagram(now, datagram);
    }

    fn give(&mut self) -> Option<Vec<u8>> {
        self.poll_transmit()
    }

    fn wake_at(&self) -> Option<Instant> {
        self.poll_timeout().map(|(at, _)| at)
    }

    fn wake(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn is_done(&self) -> bool {
        !matches!(self.state(), DtlsState::New | DtlsState::Connecting)
    }
}

/// The bare crate, as another implementation would use it.
pub(in crate::dtls) struct Bare {
    pub(in crate::dtls) endpoint: Endpoint,
    pub(in crate::dtls) complete: bool,
    pub(in crate::dtls) closed: bool,
}

impl Bare {
    pub(in crate::dtls) const US: std::net::SocketAddr =
        std::net::SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 1));

    pub(in crate::dtls) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, complete: false, closed: false }
    }
}

impl End for Bare {
    fn take(&mut self, now: Instant, datagram: &[u8]) {
        for event in self.endpoint.read(now, Self::US, None, BytesMut::from(datagram)).unwrap_or_default() {
            self.complete |= matches!(event, EndpointEvent::HandshakeComplete);
            self.closed |= matches!(event, EndpointEvent::PeerClosed);
        }
    }

    fn give(&mut self) -> Option<Vec<u8>> {
        self.endpoint.poll_transmit().map(|transmit| transmit.message.to_vec())
    }

    fn wake_at(&self) -> Option<Instant> {
        self.endpoint.poll_timeout(&Self::US)
    }

    fn wake(&mut self, now: Instant) {
        let _ = self.endpoint.handle_timeout(Self::US, now);
    }

    fn is_done(&self) -> bool {
        self.complete
    }
}

/// A link with a constant one-way delay.
pub(in crate::dtls) struct Link {
    pub(in crate::dtls) now: Instant,
    pub(in crate::dtls) delay: Duration,
    in_flight: VecDeque<(Instant, Role, Vec<u8>)>,
    /// How many datagrams each end, client first, has sent.
    pub(in crate::dtls) sent: [usize; 2],
}

impl Link {
    pub(in crate::dtls) fn new() -> Self {
        Self { now: origin(), delay: Duration::from_millis(10), in_flight: VecDeque::new(), sent: [0; 2] }
    }

    pub(in crate::dtls) fn elapsed(&self) -> Duration {
        self.now - origin()
    }

    /// Runs until both ends are done or nothing happens any more or `limit` has passed. `fate` gets the sender, the
    /// number of its datagram from 0 and its bytes, and says how many copies arrive.
    pub(in crate::dtls) fn run(
        &mut self,
        client: &mut impl End,
        server: &mut impl End,
        limit: Duration,
        mut fate: impl FnMut(Role, usize, &[u8]) -> usize,
    ) {
        let end = self.now + limit;
        loop {
            for (index, role) in [Role::Client, Role::Server].into_iter().enumerate() {
                while let Some(datagram) = if role == Role::Client { client.give() } else { server.give() } {
                    let copies = fate(role, self.sent[index], &datagram);
                    self.sent[index] += 1;
                    for _ in 0..copies {
                        self.in_flight.push_back((self.now + self.delay, role, datagram.clone()));
                    }
                }
            }
            if client.is_done() && server.is_done() && self.in_flight.is_empty() {
                return;
            }
            let arrival = self.in_flight.front().map(|(at, ..)| *at);
            let Some(next) = [arrival, client.wake_at(), server.wake_at()].into_iter().flatten().min() else { return };
            if next > end {
                return;
            }
            self.now = self.now.max(next);
            while let Some((at, ..)) = self.in_flight.front()
                && *at <= self.now
                && let Some((_, from, datagram)) = self.in_flight.pop_front()
            {
                match from {
                    Role::Client => server.take(self.now, &datagram),
                    Role::Server => client.take(self.now, &datagram),
                }
            }
            if client.wake_at().is_some_and(|at| at <= self.now) {
                client.wake(self.now);
            }
            if server.wake_at().is_some_and(|at| at <= self.now) {
                server.wake(self.now);
            }
        }
    }
}
