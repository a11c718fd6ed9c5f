//! One socket's session: a task that carries out the socket's events in order, one at a time, and owns the engine's
//! handles of everything the socket made. Other sockets' sessions run beside it; what they share is in [`crate::room`].

mod calls;
mod media;
mod moderation;
mod online;
mod quality;
mod rooms;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sfu_core::engine::{Consumer, Producer, Router, WebRtcTransport};
use sfu_core::ids::{ConsumerId, ProducerId, TransportId};
use socketioxide::SendError;
use socketioxide::SocketError;
use socketioxide::extract::{AckSender, SocketRef};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::error::SignalError;
use crate::identity::{Access, Grants, Source};
use crate::limits::RECONNECT_WAIT_MS;
use crate::mailbox::{End, Inbox, Mail, Mailbox, Post};
use crate::registry::Room;
use crate::room::PeerId;
use crate::service::Shared;
use crate::vocabulary::Vocabulary;
use crate::wire::notice::Notice;
use crate::wire::reply::{Reply, failure};
use crate::wire::request::{CallEvent, TransportUse};
use crate::wire::{named_room, shortened};

/// An event of the client's.
pub(crate) struct Event {
    /// Its name.
    pub(crate) name: String,
    /// Its first argument, null if it has none.
    pub(crate) payload: Value,
    /// Its callback; answering does nothing if it has none.
    pub(crate) ack: AckSender,
}

/// The state of one socket.
pub(crate) struct Session {
    shared: Arc<Shared>,
    socket: SocketRef,
    peer: PeerId,
    mailbox: Mailbox,
    inbox: Inbox,
    vocabulary: Option<Vocabulary>,
    access: Access,
    /// What the token allows, as administrators of the room have changed it.
    grants: Grants,
    /// By the token, or what `userOnline` or `register-user` said; see [`Self::identify`].
    user_id: Option<String>,
    is_online: bool,
    membership: Option<Membership>,
    /// Came when the server was about to stop already.
    came_late: bool,
}

/// What a session turns to next.
enum Turn {
    Mail(Mail),
    Event(Event),
    /// The server is about to stop, at that time at the latest.
    Draining(Instant),
}

/// What a socket has in the room that it is in.
struct Membership {
    room: Arc<Room>,
    router: Router,
    joined: bool,
    transports: HashMap<TransportId, OwnTransport>,
    /// Counts the transports made, to know the latest.
    transports_made: u64,
    producers: HashMap<ProducerId, OwnProducer>,
    consumers: HashMap<ConsumerId, OwnConsumer>,
}

struct OwnTransport {
    handle: WebRtcTransport,
    used_for: TransportUse,
    number: u64,
}

struct OwnProducer {
    handle: Producer,
    transport: TransportId,
    source: Source,
}

struct OwnConsumer {
    handle: Consumer,
    transport: TransportId,
}

impl Session {
    pub(crate) fn new(
        shared: Arc<Shared>,
        socket: SocketRef,
        (mailbox, inbox): (Mailbox, Inbox),
        access: Access,
    ) -> Self {
        let came_late = shared.draining.borrow().is_some();
        Self {
            shared,
            peer: PeerId::new(socket.id.as_str()),
            socket,
            mailbox,
            inbox,
            vocabulary: None,
            user_id: access.user.as_ref().map(|user| user.id.clone()),
            grants: access.grants.clone(),
            access,
            is_online: false,
            membership: None,
            came_late,
        }
    }

    /// Runs until the socket is gone, must go, or the server stops.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<Event>, mut stopping: watch::Receiver<bool>) {
        tracing::info!("socket connected");
        let mut draining = self.shared.draining.subscribe();
        let mut is_told = false;
        let end = loop {
            let turn = tokio::select! {
                biased;
                () = stopped(&mut stopping) => return,
                deadline = drained(&mut draining), if !is_told => Turn::Draining(deadline),
                mail = self.inbox.next() => Turn::Mail(mail),
                Some(event) = events.recv() => Turn::Event(event),
            };
            match turn {
                Turn::Mail(Mail::End(end)) => break end,
                Turn::Mail(Mail::Post(Post::Order(order))) => self.carry_out_order(order).await,
                Turn::Mail(Mail::Post(post)) => self.handle_post(post),
                Turn::Event(event) => {
                    let span = match &self.membership {
                        Some(membership) => tracing::info_span!("room", room = membership.room.name()),
                        None => Span::none(),
                    };
                    self.handle_event(event).instrument(span).await;
                }
                Turn::Draining(deadline) => {
                    is_told = true;
                    self.tell(&Notice::ServerDraining(deadline.saturating_duration_since(Instant::now())));
                }
            }
        };
        match end {
            End::Disconnected => {}
            End::FellBehind => tracing::warn!("the client does not read: disconnecting it"),
            End::RoomClosed => {
                tracing::warn!("the room is lost: disconnecting its client");
                while let Some(post) = self.inbox.try_post() {
                    self.handle_post(post);
                }
            }
            End::Removed => {
                tracing::info!("sent away by an administrator");
                while let Some(post) = self.inbox.try_post() {
                    self.handle_post(post);
                }
            }
        }
        self.hang_up();
        self.leave().await;
        self.go_offline();
        if end == End::Removed {
            self.disconnect();
        } else if end != End::Disconnected {
            tokio::select! {
                () = stopped(&mut stopping) => return,
                () = self.send_away() => {}
            }
        }
        tracing::info!("session ended");
    }

    /// Makes the client start afresh. Clients that get a disconnect packet stay away until their user does something. An event
    /// of a reserved name is a breach of the protocol, upon which they drop the connection and open a new one. A client
    /// that takes no notice is disconnected after all.
    async fn send_away(&self) {
        if self.socket.emit("disconnect", &Value::Null).is_ok() {
            tokio::time::sleep(Duration::from_millis(RECONNECT_WAIT_MS)).await;
        }
        self.disconnect();
    }

    /// Says goodbye: the client stays away until its user does something.
    fn disconnect(&self) {
        // A socket that is full cannot be sent a goodbye; its next missed heartbeat ends it.
        if self.socket.connected() && self.socket.clone().disconnect().is_err() {
            tracing::debug!("no goodbye could be sent");
        }
    }

    async fn handle_event(&mut self, Event { name, payload, ack }: Event) {
        if self.vocabulary.is_none() {
            self.vocabulary = Vocabulary::told_by(&name, &payload);
        }
        let answer = match self.carry_out(&name, payload).await {
            Ok(reply) => reply.into_ack(self.vocabulary),
            Err(error) => {
                tracing::debug!(event = shortened(name), %error, "event refused");
                failure(&error, self.vocabulary)
            }
        };
        if let Err(error) = ack.send(&answer) {
            self.sending_failed(&error);
        }
    }

    async fn carry_out(&mut self, event: &str, payload: Value) -> Result<Reply, SignalError> {
        // These may have another payload than an object.
        match event {
            "leaveRoom" => return self.leave_room(&payload).await,
            "userOnline" => return self.user_online(&payload),
            "getOnlineUsers" => return Ok(self.online_users()),
            "register-user" => return self.register_user(payload),
            _ => {}
        }
        if let Some(event) = CallEvent::named(event) {
            return self.call_event(event, payload);
        }
        if !payload.is_object() {
            return Err(SignalError::PayloadNotAnObject);
        }
        let room = named_room(&payload)?;
        match event {
            "createRoom" => self.create_room(room).await,
            "joinRoom" => self.join_room(room, payload).await,
            "getRouterRtpCapabilities" => self.router_capabilities(room).await,
            "getProducers" => self.producers(room).await,
            "createTransport" | "createWebRtcTransport" => self.create_transport(room, payload).await,
            "connectTransport" | "connectWebRtcTransport" => self.connect_transport(room, payload).await,
            "restartIce" => self.restart_ice(room, payload).await,
            "produce" => self.produce(room, payload, false).await,
            "startScreenShare" => self.produce(room, payload, true).await,
            "stopScreenShare" | "producerClosed" | "closeProducer" => self.close_producer(room, payload).await,
            "pauseProducer" => self.set_producer_paused(room, payload, true).await,
            "resumeProducer" => self.set_producer_paused(room, payload, false).await,
            "consume" => self.consume(room, payload).await,
            "pauseConsumer" => self.pause_consumer(room, payload).await,
            "resumeConsumer" => self.resume_consumer(room, payload).await,
            "closeConsumer" => self.close_consumer(room, payload).await,
            "setPreferredLayers" => self.set_preferred_layers(room, payload).await,
            "setPriority" => self.set_priority(room, payload).await,
            "setMaxIncomingBitrate" => self.set_max_incoming_bitrate(room, payload).await,
            "setMaxOutgoingBitrate" => self.set_max_outgoing_bitrate(room, payload).await,
            "getStats" => self.stats(room, payload).await,
            "enableTraceEvent" => self.enable_trace_event(room, payload).await,
            "requestKeyFrame" => self.request_key_frame(room, payload).await,
            "removeParticipant" => self.remove_participant(room, payload),
            "muteProducer" => self.mute_producer(room, payload),
            "updateGrants" => self.update_grants(room, payload),
            "lockRoom" => self.lock_room(room, payload),
            "closeRoom" => self.close_room(room),
            "typing" => self.typing(payload),
            "sendMessage" => self.send_message(room, payload),
            _ => Err(SignalError::UnknownEvent(shortened(event.to_owned()))),
        }
    }

    /// From now on this socket is that user's, also in the rooms that it joins without saying a user's id. The one place
    /// where that is set.
    fn identify(&mut self, user_id: String) {
        if let Some(membership) = &self.membership {
            membership.room.change(|state| (state.identify(&self.peer, &user_id), Vec::new()));
        }
        self.user_id = Some(user_id);
    }

    fn handle_post(&mut self, post: Post) {
        match post {
            Post::Notice(notice) => {
                if let (Notice::ConsumerClosed(id), Some(membership)) = (&*notice, &mut self.membership) {
                    membership.consumers.remove(id);
                }
                self.tell(&notice);
            }
            Post::TransportClosed(id) => self.forget_transport(&id),
            // The session is on its way out of the room: there is nothing left to do it to.
            Post::Order(_) => {}
        }
    }

    fn tell(&self, notice: &Notice) {
        let (event, payload) = notice.encode(self.vocabulary.unwrap_or(Vocabulary::Room));
        if let Err(error) = self.socket.emit(event, &payload) {
            self.sending_failed(&error);
        }
    }

    /// A message lost is a client out of step, unless the socket is on its way out anyway.
    fn sending_failed(&self, error: &SendError) {
        match error {
            SendError::Socket(SocketError::Closed) => {}
            SendError::Socket(SocketError::InternalChannelFull) => self.mailbox.end(End::FellBehind),
            SendError::Serialize(error) => tracing::error!(%error, "a message could not be encoded"),
        }
    }
}

/// Waits until the server is about to stop: when it will.
async fn drained(draining: &mut watch::Receiver<Option<Instant>>) -> Instant {
    match draining.wait_for(Option::is_some).await.ok().and_then(|deadline| *deadline) {
        Some(deadline) => deadline,
        // Nobody is left who could begin it.
        None => std::future::pending().await,
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error: nobody is left who could keep the server going.
    stopping.wait_for(|stopping| *stopping).await.ok();
}
