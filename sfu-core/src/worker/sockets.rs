//! Binding the sockets of a worker or a transport.
#![allow(clippy::disallowed_types, reason = "part of the worker shell")]

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use super::shell::{BoundSockets, SOCKET_BUFFER_BYTES};

/// Connections that the kernel may hold for a listener until the worker accepts them.
const TCP_BACKLOG: i32 = 1024;

/// Binds the same `port` over UDP and TCP on each address.
///
/// # Errors
/// The first bind that failed; nothing stays bound.
pub(crate) fn bind(addresses: &[IpAddr], port: u16, tcp: bool) -> io::Result<BoundSockets> {
    let mut sockets = BoundSockets { udp: Vec::new(), tcp: Vec::new() };
    for &ip in addresses {
        let address = SocketAddr::new(ip, port);
        let udp = open(address, Type::DGRAM, Protocol::UDP)?;
        // The kernel caps both at its own limits; less is no reason not to start.
        let _ = udp.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
        let _ = udp.set_send_buffer_size(SOCKET_BUFFER_BYTES);
        udp.bind(&address.into())?;
        sockets.udp.push((address, udp.into()));
        if tcp {
            let listener = open(address, Type::STREAM, Protocol::TCP)?;
            listener.set_reuse_address(true)?;
            listener.bind(&address.into())?;
            listener.listen(TCP_BACKLOG)?;
            sockets.tcp.push((address, listener.into()));
        }
    }
    Ok(sockets)
}

fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // IPv4 peers have sockets of their own, so that an address has one form.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_port_in_use_is_refused_and_leaves_nothing_bound() {
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let taken = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_eq!(bind(&loopback, port, true).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(taken);
        let bound = bind(&loopback, port, true).unwrap();
        assert_eq!((bound.udp.len(), bound.tcp.len()), (1, 1));
    }
}
