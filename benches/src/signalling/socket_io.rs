//! A Socket.IO 5 client over one WebSocket (Engine.IO 4): events with acknowledgements, and events of the server.
//!
//! A task owns the connection, so that heartbeats are answered whatever its user does, and many answers can be waited for
//! at once.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// How long an answer may take: a server that is joined by thousands at once answers late, not never.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What went wrong with signalling.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// The caller's mistake.
    #[error("--url {url}: {problem}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nobody listens, or not to this protocol.
    #[error("cannot connect to {url}: {problem}")]
    Connect {
        /// Where to.
        url: String,
        /// What happened.
        problem: String,
    },
    /// The server answered with an error.
    #[error("the server refused {event}: {reason}")]
    Refused {
        /// What was asked.
        event: String,
        /// Its words.
        reason: String,
    },
    /// The server answered with something else than the call vocabulary has.
    #[error("the server's answer to {event} makes no sense: {problem}")]
    Answer {
        /// What was asked.
        event: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No answer came.
    #[error("the server did not answer {event} within {ANSWER_TIMEOUT:?}")]
    TimedOut {
        /// What was asked.
        event: String,
    },
    /// The connection is gone.
    #[error("the server closed the connection")]
    Closed,
}

/// What the server says by itself: a name and the first argument.
pub type Event = (String, Value);

/// A connection. Dropping it closes the connection.
#[derive(Debug, Clone)]
pub struct SocketIo {
    requests: mpsc::UnboundedSender<Request>,
}

#[derive(Debug)]
struct Request {
    event: String,
    payload: Value,
    answer: oneshot::Sender<Value>,
}

/// `http://host:port` taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    authority: String,
    websocket_url: String,
}

impl SocketIo {
    /// Connects to the server at `url` (`http://host:port`), showing `token` if it asks for one. The receiver gives what the
    /// server says by itself.
    ///
    /// # Errors
    /// [`SignalError`]: the URL, the connection, a refusal.
    pub async fn connect(
        url: &str,
        token: Option<&str>,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Event>), SignalError> {
        let target = Target::of(url)?;
        let problem = |problem: String| SignalError::Connect { url: url.to_owned(), problem };
        let open = async {
            let stream = TcpStream::connect(&target.authority).await.map_err(|error| problem(error.to_string()))?;
            // Small messages, each of which somebody waits for.
            stream.set_nodelay(true).map_err(|error| problem(error.to_string()))?;
            let (mut socket, _) = tokio_tungstenite::client_async(&target.websocket_url, stream)
                .await
                .map_err(|error| problem(format!("no Socket.IO over WebSocket there: {error}")))?;
            open_namespace(&mut socket, token).await.map_err(problem)?;
            Ok(socket)
        };
        let socket = timeout(CONNECT_TIMEOUT, open)
            .await
            .map_err(|_| problem(format!("no answer in {CONNECT_TIMEOUT:?}")))??;
        let (requests, incoming) = mpsc::unbounded_channel();
        let (events, events_out) = mpsc::unbounded_channel();
        tokio::spawn(serve(socket, incoming, events));
        Ok((Self { requests }, events_out))
    }

    /// Sends an event and waits for its acknowledgement's first argument.
    ///
    /// # Errors
    /// [`SignalError::Closed`], [`SignalError::TimedOut`].
    pub async fn ask(&self, event: &str, payload: Value) -> Result<Value, SignalError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { event: event.to_owned(), payload, answer };
        self.requests.send(request).map_err(|_| SignalError::Closed)?;
        match timeout(ANSWER_TIMEOUT, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(SignalError::Closed),
            Err(_) => Err(SignalError::TimedOut { event: event.to_owned() }),
        }
    }
}

impl Target {
    fn of(url: &str) -> Result<Self, SignalError> {
        let problem = |problem: &str| SignalError::Url { url: url.to_owned(), problem: problem.to_owned() };
        if url.starts_with("https://") || url.starts_with("wss://") {
            return Err(problem("this client speaks no TLS; give the address behind the proxy, http://host:port"));
        }
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("ws://"));
        let rest = rest.ok_or_else(|| problem("expected http://host:port"))?;
        let authority = rest.trim_end_matches('/');
        if authority.is_empty() || authority.contains(['/', '?', '#', '@']) {
            return Err(problem("expected http://host:port and nothing behind it"));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let websocket_url = format!("ws://{authority}/socket.io/?EIO=4&transport=websocket");
        Ok(Self { authority, websocket_url })
    }
}

async fn open_namespace(socket: &mut WebSocketStream<TcpStream>, token: Option<&str>) -> Result<(), String> {
    let open = text(socket.next().await).ok_or("the connection was closed at once")?;
    if !open.starts_with('0') {
        return Err(format!("Engine.IO did not open, but said {open}"));
    }
    let auth = token.map_or_else(String::new, |token| json!({ "token": token }).to_string());
    socket.send(Message::text(format!("40{auth}"))).await.map_err(|error| error.to_string())?;
    let mut joined = String::from("2");
    // A server may ask for a heartbeat at once.
    while joined == "2" {
        joined = text(socket.next().await).ok_or("the connection was closed when the namespace was joined")?;
        if joined == "2" {
            socket.send(Message::text("3")).await.map_err(|error| error.to_string())?;
        }
    }
    match joined.strip_prefix("44") {
        Some(refusal) => Err(format!("the server refused the connection: {refusal}")),
        None if joined.starts_with("40") => Ok(()),
        None => Err(format!("the namespace was not joined, but the server said {joined}")),
    }
}

fn text(message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) -> Option<String> {
    match message?.ok()? {
        Message::Text(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

/// Carries requests out and answers back until either side is gone.
async fn serve(
    mut socket: WebSocketStream<TcpStream>,
    mut requests: mpsc::UnboundedReceiver<Request>,
    events: mpsc::UnboundedSender<Event>,
) {
    let mut waiting: HashMap<u64, oneshot::Sender<Value>> = HashMap::new();
    let mut next_id = 0;
    loop {
        tokio::select! {
            request = requests.recv() => {
                let Some(Request { event, payload, answer }) = request else { break };
                waiting.insert(next_id, answer);
                let packet = format!("42{next_id}{}", json!([event, payload]));
                next_id += 1;
                if socket.send(Message::text(packet)).await.is_err() {
                    return;
                }
            }
            message = socket.next() => {
                match message {
                    Some(Ok(Message::Text(packet))) => match Packet::read(&packet) {
                        Packet::Ping => {
                            if socket.send(Message::text("3")).await.is_err() {
                                return;
                            }
                        }
                        Packet::Ack(id, value) => {
                            if let Some(answer) = waiting.remove(&id) {
                                // Who asked may have stopped waiting.
                                drop(answer.send(value));
                            }
                        }
                        // Nobody may be listening any more.
                        Packet::Event(event) => drop(events.send(event)),
                        Packet::Disconnect => return,
                        Packet::Other => {}
                    },
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                }
            }
        }
    }
    // A server that is told need not find out.
    drop(socket.close(None).await);
}

#[derive(Debug, PartialEq)]
enum Packet {
    Ping,
    Ack(u64, Value),
    Event(Event),
    Disconnect,
    Other,
}

impl Packet {
    fn read(packet: &str) -> Self {
        let first = |body: &str| serde_json::from_str::<Vec<Value>>(body).ok();
        if packet == "2" {
            return Self::Ping;
        }
        if packet == "1" || packet.starts_with("41") {
            return Self::Disconnect;
        }
        if let Some(rest) = packet.strip_prefix("43") {
            let digits = rest.find('[').unwrap_or(rest.len());
            let (id, body) = rest.split_at(digits);
            return match (id.parse(), first(body)) {
                (Ok(id), Some(arguments)) => Self::Ack(id, arguments.into_iter().next().unwrap_or_default()),
                _ => Self::Other,
            };
        }
        if let Some(rest) = packet.strip_prefix("42") {
            // An event that wants an acknowledgement has a number before its arguments.
            let body = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            let mut arguments = first(body).unwrap_or_default().into_iter();
            if let Some(Value::String(name)) = arguments.next() {
                return Self::Event((name, arguments.next().unwrap_or_default()));
            }
        }
        Self::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_and_a_port_without_tls() {
        let target = Target::of("http://127.0.0.1:4000/").unwrap();
        assert_eq!(target.authority, "127.0.0.1:4000");
        assert_eq!(target.websocket_url, "ws://127.0.0.1:4000/socket.io/?EIO=4&transport=websocket");
        assert_eq!(Target::of("http://sfu").unwrap().authority, "sfu:80");
        for bad in ["https://sfu", "sfu:4000", "http://", "http://sfu/room", "ftp://sfu"] {
            let error = Target::of(bad).unwrap_err().to_string();
            assert!(error.contains(bad), "names what is wrong: {error}");
        }
    }

    #[test]
    fn packets_are_told_apart() {
        assert_eq!(Packet::read("2"), Packet::Ping);
        assert_eq!(Packet::read("41"), Packet::Disconnect);
        assert_eq!(Packet::read("4312[{\"success\":true}]"), Packet::Ack(12, json!({ "success": true })));
        assert_eq!(Packet::read("431[]"), Packet::Ack(1, Value::Null));
        assert_eq!(Packet::read("42[\"score\",{\"a\":1}]"), Packet::Event(("score".to_owned(), json!({ "a": 1 }))));
        assert_eq!(Packet::read("427[\"draining\"]"), Packet::Event(("draining".to_owned(), Value::Null)));
        for odd in ["", "4", "43", "43x[1]", "42", "42{}", "42[1]", "6", "0{}"] {
            assert_eq!(Packet::read(odd), Packet::Other, "{odd}");
        }
    }
}
