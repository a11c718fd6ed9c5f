//! The glue to socketioxide: takes in a socket's events in the order they came, without waiting.

use std::future::ready;
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};

use serde::Deserialize;
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Event as EventName, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use tokio::sync::mpsc;
use tracing::Instrument;

use crate::error::SignalError;
use crate::identity::{Access, TokenError, TokenVerifier, bearer};
use crate::limits::PENDING_EVENTS_MAX;
use crate::mailbox::{End, Inbox, Mailbox};
use crate::service::{Shared, Signaling};
use crate::session::{Event, Session};
use crate::wire::reply::failure;

/// What a session starts with; waits in the socket's extensions from before the client is told that it is connected
/// until the session takes it.
#[derive(Clone)]
struct Seed(Arc<Mutex<Option<Start>>>);

struct Start {
    events: mpsc::Receiver<Event>,
    mail: (Mailbox, Inbox),
    access: Access,
}

/// What a client brings when it connects (`auth` of `io()`).
#[derive(Deserialize)]
struct Auth {
    #[serde(default)]
    token: Value,
}

impl Signaling {
    /// Serves the namespace `/` of `io`.
    pub fn attach(&self, io: &SocketIo) {
        let shared = self.shared.clone();
        let tokens = self.shared.tokens.clone();
        let on_connect = move |socket: SocketRef| {
            start_session(&shared, socket);
            ready(())
        };
        // The handlers are set before the client hears that it is connected: no event of a quick one is missed.
        io.ns(
            "/",
            on_connect.with(move |socket: SocketRef, TryData(auth): TryData<Auth>| {
                let tokens = tokens.clone();
                async move {
                    // No object, or none at all: no token.
                    let token = auth.map_or(Value::Null, |auth| auth.token);
                    let access = let_in(tokens.as_deref(), &socket, token).await?;
                    take_in_events(&socket, access);
                    Ok::<(), TokenError>(())
                }
            }),
        );
    }
}

/// Who that is and what they may do. A client that is refused gets the error as `connect_error`.
async fn let_in(tokens: Option<&TokenVerifier>, socket: &SocketRef, token: Value) -> Result<Access, TokenError> {
    let Some(tokens) = tokens else { return Ok(Access::open()) };
    let given = match token {
        Value::Null => {
            let header = socket.req_parts().headers.get("authorization");
            header.and_then(|header| bearer(header.to_str().ok()?))
        }
        Value::String(token) => Some(token),
        _ => return Err(TokenError::Malformed),
    };
    let admitted = tokens.admit(given.as_deref()).await;
    admitted.inspect_err(|error| tracing::info!(socket = %socket.id, %error, "a client is refused"))
}

fn take_in_events(socket: &SocketRef, access: Access) {
    let (mailbox, inbox) = Mailbox::new();
    let (events, waiting) = mpsc::channel(PENDING_EVENTS_MAX);
    // Handlers are called one after the other as packets come in; only the futures they return run beside each other.
    // So the queueing is done in the call, and the future is empty.
    socket.on_fallback(move |EventName(name): EventName, TryData(payload): TryData<Value>, ack: AckSender| {
        // An event without arguments has no payload to decode.
        let payload = payload.unwrap_or(Value::Null);
        if let Err(mpsc::error::TrySendError::Full(event)) = events.try_send(Event { name, payload, ack }) {
            // If that answer finds no room either, the client is not reading and will be found out by its next event.
            event.ack.send(&failure(&SignalError::TooManyEvents, None)).ok();
        }
        ready(())
    });
    let bell = mailbox.clone();
    socket.on_disconnect(move || {
        bell.end(End::Disconnected);
        ready(())
    });
    let start = Start { events: waiting, mail: (mailbox, inbox), access };
    socket.extensions.insert(Seed(Arc::new(Mutex::new(Some(start)))));
}

fn start_session(shared: &Arc<Shared>, socket: SocketRef) {
    let seed = socket.extensions.remove::<Seed>();
    let Some(Start { events, mail, access }) =
        seed.and_then(|Seed(seed)| seed.lock().unwrap_or_else(PoisonError::into_inner).take())
    else {
        return;
    };
    let span = tracing::info_span!("peer", socket = %socket.id);
    let counted = Counted::new(shared.clone());
    let stopping = shared.stopping.subscribe();
    let session = Session::new(shared.clone(), socket, mail, access);
    tokio::spawn(
        async move {
            session.run(events, stopping).await;
            drop(counted);
        }
        .instrument(span),
    );
}

/// One session in the count, until dropped.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: Arc<Shared>) -> Self {
        shared.sessions.send_modify(|count| *count += 1);
        Self(shared)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.sessions.send_modify(|count| *count -= 1);
    }
}
