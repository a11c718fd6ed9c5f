//! The ports of the range, and who has which.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::worker::{BoundSockets, bind};

/// The port range of an engine. A port is taken once for UDP and TCP on every listen address.
#[derive(Debug)]
pub(crate) struct PortPool {
    pub(crate) min: u16,
    pub(crate) max: u16,
    taken: Mutex<State>,
}

#[derive(Debug)]
struct State {
    taken: HashSet<u16>,
    /// Where the next search begins, so that a port just freed rests before it is taken again: datagrams of its last
    /// owner may still come.
    next: u16,
}

impl PortPool {
    pub(crate) fn new(min: u16, max: u16) -> Self {
        Self { min, max, taken: Mutex::new(State { taken: HashSet::new(), next: min }) }
    }

    /// Binds the next port that is free on all `addresses`. Ports that others on the machine use are passed over.
    ///
    /// # Errors
    /// What the last attempt said, once every port of the range was tried; or at once what no other port would mend
    /// (an address that is not this machine's).
    pub(crate) fn bind(&self, addresses: &[IpAddr], tcp: bool) -> io::Result<(u16, BoundSockets)> {
        let mut state = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in self.min..=self.max {
            let port = state.next;
            state.next = if port == self.max { self.min } else { port + 1 };
            if state.taken.contains(&port) {
                continue;
            }
            match bind(addresses, port, tcp) {
                Ok(sockets) => {
                    state.taken.insert(port);
                    return Ok((port, sockets));
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {
                    last = error;
                }
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Gives a port back.
    pub(crate) fn release(&self, port: u16) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).taken.remove(&port);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};

    use super::*;

    const LOOPBACK: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::LOCALHOST)];

    /// A free port, from the kernel.
    fn free_port() -> u16 {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn a_used_up_range_is_an_error_and_a_released_port_comes_back() {
        let port = free_port();
        let pool = PortPool::new(port, port);
        let (first, sockets) = pool.bind(&LOOPBACK, true).unwrap();
        assert_eq!(first, port);
        assert_eq!(pool.bind(&LOOPBACK, true).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(sockets);
        assert!(pool.bind(&LOOPBACK, true).is_err(), "unbound but still taken");
        pool.release(port);
        assert!(pool.bind(&LOOPBACK, true).is_ok());
    }

    #[test]
    fn an_address_of_another_machine_fails_at_once_and_by_name() {
        let pool = PortPool::new(40_000, 49_999);
        let error = pool.bind(&["192.0.2.1".parse().unwrap()], false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
