//! Calls whose media goes directly between two browsers: the server relays what they say to each other. Clients of this
//! vocabulary listen to events and use no acks, so what goes wrong is told by an event, besides the ack.

use serde_json::Value;

use super::Session;
use crate::calls::Leaving;
use crate::error::SignalError;
use crate::wire::notice::{CallNotice, Notice};
use crate::wire::reply::Reply;
use crate::wire::request::{CallEvent, RegisterUser, Target, candidate, description};
use crate::wire::{decode, shortened};

impl Session {
    /// `register-user`: from now on this socket is that user's, as with `userOnline`, and can call and be called.
    pub(super) fn register_user(&mut self, payload: Value) -> Result<Reply, SignalError> {
        let claimed = payload.get("userId").and_then(Value::as_str).map(|id| shortened(id.to_owned()));
        let registered = self.register_as_said(payload);
        let (user_id, error) = match &registered {
            Ok(user_id) => (Some(user_id.clone()), None),
            Err(error) => (claimed, Some(shortened(error.to_string()))),
        };
        let socket_id = self.peer.as_str().to_owned();
        self.tell(&Notice::Call(CallNotice::Registered { user_id, socket_id, error }));
        registered.map(|_| Reply::Done)
    }

    /// Any other event of the peer-to-peer vocabulary.
    pub(super) fn call_event(&self, event: CallEvent, payload: Value) -> Result<Reply, SignalError> {
        let done = self.carry_out_call_event(event, payload);
        if let Err(error) = &done {
            self.tell(&Notice::Call(CallNotice::Error { message: shortened(error.to_string()) }));
        }
        done.map(|()| Reply::Done)
    }

    /// The socket is gone.
    pub(super) fn hang_up(&self) {
        self.shared.calls.go(&self.peer);
    }

    /// The one place where it is decided who somebody is in calls: by what their token says, or else by what they said. The answer
    /// is that user's id.
    fn register_as_said(&mut self, payload: Value) -> Result<String, SignalError> {
        let (mut user_id, mut user_name) = decode::<RegisterUser>(payload)?.checked()?;
        if let Some(user) = &self.access.user {
            user_id.clone_from(&user.id);
            user_name = user.name.clone().or(user_name);
        }
        self.shared.calls.register(&self.peer, &self.mailbox, &user_id, user_name.as_deref())?;
        self.identify(user_id.clone());
        Ok(user_id)
    }

    fn carry_out_call_event(&self, event: CallEvent, mut payload: Value) -> Result<(), SignalError> {
        let (calls, socket) = (&self.shared.calls, &self.peer);
        let target = Target::named_by(&payload)?;
        let leave = |how| calls.change(|state| state.leave(socket, &target, how, event.name()));
        match event {
            CallEvent::CheckUserAvailability => {
                let is_available = calls.read(|state| state.is_available(socket, &target))?;
                self.tell(&Notice::Call(CallNotice::Availability { is_available }));
                Ok(())
            }
            CallEvent::InitiateCall => {
                let offer = description(&mut payload, "offer")?;
                calls.change(|state| state.place(socket, &target, offer))
            }
            CallEvent::CallAccepted => {
                let answer = description(&mut payload, "answer")?;
                calls.change(|state| state.accept(socket, &target, answer))
            }
            CallEvent::IceCandidate => {
                let candidate = candidate(&mut payload)?;
                calls.change(|state| state.candidate(socket, &target, candidate))
            }
            CallEvent::CallRejected => leave(Leaving::Reject),
            CallEvent::CancelCall => leave(Leaving::Cancel),
            CallEvent::CallEnded => leave(Leaving::End),
        }
    }
}
