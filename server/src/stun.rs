//! This machine's address as the outside sees it, asked of a STUN server (RFC 8489).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Getter, Message, TransactionId};
use rtc_stun::xoraddr::XorMappedAddress;
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::timeout;

/// How long each of the requests to one server waits for its answer. RFC 8489 section 6.2.1 begins with half a second and doubles; who
/// has not answered the third is not going to.
pub(crate) const WAITS: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// How long a name may take to be looked up.
const LOOKUP_MAX: Duration = Duration::from_secs(3);

/// An answer is some 100 bytes; what is cut off is none.
const ANSWER_BYTES_MAX: usize = 1_500;

/// Asks one server after the other, from this socket, until one answers. The error says of each why it did not.
pub(crate) async fn public_address(
    socket: &UdpSocket,
    servers: &[String],
    waits: &[Duration],
) -> Result<SocketAddr, String> {
    let mut failures = Vec::new();
    for server in servers {
        match ask(socket, server, waits).await {
            Ok(address) => return Ok(address),
            Err(error) => failures.push(format!("{server}: {error}")),
        }
    }
    Err(failures.join("; "))
}

async fn ask(socket: &UdpSocket, server: &str, waits: &[Duration]) -> io::Result<SocketAddr> {
    let own = socket.local_addr()?;
    let found =
        timeout(LOOKUP_MAX, lookup_host(server)).await.map_err(|_| io::Error::other("its name is not found"))??;
    let address = { found }.find(|address| address.is_ipv4() == own.is_ipv4());
    let address = address.ok_or_else(|| io::Error::other("it has no address of this family"))?;
    // From now on only its datagrams come in, and errors that routers report.
    socket.connect(address).await?;
    let mut request = Message::new();
    request.build(&[Box::new(TransactionId::new()), Box::new(BINDING_REQUEST)]).map_err(io::Error::other)?;
    for wait in waits {
        socket.send(&request.raw).await?;
        if let Ok(answer) = timeout(*wait, answer_to(socket, request.transaction_id)).await {
            return answer;
        }
    }
    Err(io::Error::other("no answer"))
}

/// Waits for the answer to this request; what else comes is passed over.
async fn answer_to(socket: &UdpSocket, request: TransactionId) -> io::Result<SocketAddr> {
    let mut datagram = [0; ANSWER_BYTES_MAX];
    loop {
        let length = socket.recv(&mut datagram).await?;
        if let Some(address) = mapped_address(&datagram[..length], request) {
            return Ok(address);
        }
    }
}

fn mapped_address(datagram: &[u8], request: TransactionId) -> Option<SocketAddr> {
    let mut answer = Message::new();
    answer.unmarshal_binary(datagram).ok()?;
    if answer.typ != BINDING_SUCCESS || answer.transaction_id != request {
        return None;
    }
    let mut mapped = XorMappedAddress::default();
    mapped.get_from(&answer).ok()?;
    Some(SocketAddr::new(mapped.ip, mapped.port))
}

#[cfg(test)]
mod tests {
    use rtc_stun::message::Setter;

    use super::*;

    fn public() -> SocketAddr {
        "203.0.113.7:40000".parse().unwrap()
    }

    async fn socket() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").await.unwrap()
    }

    fn answer(to: TransactionId, address: SocketAddr) -> Vec<u8> {
        let mapped = XorMappedAddress { ip: address.ip(), port: address.port() };
        let setters: [Box<dyn Setter>; 3] = [Box::new(to), Box::new(BINDING_SUCCESS), Box::new(mapped)];
        let mut answer = Message::new();
        answer.build(&setters).unwrap();
        answer.raw
    }

    /// A server that loses the first request, and sends what is not meant before the answer.
    async fn bad_server() -> String {
        let server = socket().await;
        let name = server.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let mut datagram = [0; ANSWER_BYTES_MAX];
            server.recv(&mut datagram).await.unwrap();
            let (length, from) = server.recv_from(&mut datagram).await.unwrap();
            let mut request = Message::new();
            request.unmarshal_binary(&datagram[..length]).unwrap();
            let foreign = answer(TransactionId([1; 12]), "198.51.100.1:1".parse().unwrap());
            let right = answer(request.transaction_id, public());
            for reply in [&b"no STUN"[..], &[], &right[..right.len() - 4], &foreign, &request.raw, &right] {
                server.send_to(reply, from).await.unwrap();
            }
        });
        name
    }

    /// The first request is lost; for the answer to the second there is time on the busiest machine.
    const PATIENCE: [Duration; 2] = [Duration::from_millis(1), Duration::from_secs(60)];

    #[tokio::test]
    async fn a_lost_request_is_repeated_and_only_its_answer_counts() {
        let (asking, server) = (socket().await, bad_server().await);
        assert_eq!(public_address(&asking, &[server], &PATIENCE).await.unwrap(), public());
    }

    /// Harm prevented: the server hangs at its start, or does not say who should have answered.
    #[tokio::test]
    async fn who_does_not_answer_is_named_and_the_next_is_asked() {
        let (asking, server) = (socket().await, bad_server().await);
        let other_family = "[::1]:3478".to_owned();
        let servers = [other_family.clone(), server];
        assert_eq!(public_address(&asking, &servers, &PATIENCE).await.unwrap(), public());

        let (asking, silent) = (socket().await, socket().await);
        let name = silent.local_addr().unwrap().to_string();
        let error = public_address(&asking, &[name.clone(), other_family], &[Duration::from_millis(1); 3]).await;
        assert_eq!(error.unwrap_err(), format!("{name}: no answer; [::1]:3478: it has no address of this family"));
    }
}
