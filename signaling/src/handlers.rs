//! The glue to socketioxide: takes in a socket's events in the order they came, without waiting.

use std::future::ready;
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};

use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Event as EventName, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use tokio::sync::mpsc;
use tracing::Instrument;

use crate::error::SignalError;
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
}

impl Signaling {
    /// Serves the namespace `/` of `io`.
    pub fn attach(&self, io: &SocketIo) {
        let shared = self.shared.clone();
        let on_connect = move |socket: SocketRef| {
            start_session(&shared, socket);
            ready(())
        };
        // The handlers are set before the client hears that it is connected: no event of a quick one is missed.
        io.ns(
            "/",
            on_connect.with(async |socket: SocketRef| {
                take_in_events(&socket);
                Ok::<(), std::convert::Infallible>(())
            }),
        );
    }
}

fn take_in_events(socket: &SocketRef) {
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
    let start = Start { events: waiting, mail: (mailbox, inbox) };
    socket.extensions.insert(Seed(Arc::new(Mutex::new(Some(start)))));
}

fn start_session(shared: &Arc<Shared>, socket: SocketRef) {
    let seed = socket.extensions.remove::<Seed>();
    let Some(Start { events, mail }) =
        seed.and_then(|Seed(seed)| seed.lock().unwrap_or_else(PoisonError::into_inner).take())
    else {
        return;
    };
    let span = tracing::info_span!("peer", socket = %socket.id);
    let counted = Counted::new(shared.clone());
    let stopping = shared.stopping.subscribe();
    let session = Session::new(shared.clone(), socket, mail);
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
