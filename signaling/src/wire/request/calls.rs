//! The payloads of the peer-to-peer vocabulary. Two kinds of client exist: one names the other side `targetUserId`, the
//! other `to`. Who the sender is, is never read from a payload but `register-user`'s.

use serde::Deserialize;
use serde_json::Value;

use super::super::{optional_text, text};
use crate::error::SignalError;
use crate::limits::{CANDIDATE_BYTES_MAX, DESCRIPTION_BYTES_MAX, USER_ID_BYTES_MAX, USER_NAME_BYTES_MAX};

/// An event about another user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallEvent {
    CheckUserAvailability,
    InitiateCall,
    CallAccepted,
    CallRejected,
    CancelCall,
    CallEnded,
    IceCandidate,
}

impl CallEvent {
    pub(crate) const ALL: [Self; 7] = [
        Self::CheckUserAvailability,
        Self::InitiateCall,
        Self::CallAccepted,
        Self::CallRejected,
        Self::CancelCall,
        Self::CallEnded,
        Self::IceCandidate,
    ];

    /// The event of that name, if it is one of these.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CheckUserAvailability => "check-user-availability",
            Self::InitiateCall => "initiate-call",
            Self::CallAccepted => "call-accepted",
            Self::CallRejected => "call-rejected",
            Self::CancelCall => "cancel-call",
            Self::CallEnded => "call-ended",
            Self::IceCandidate => "ice-candidate",
        }
    }
}

/// `register-user`. Its `socketId` is not read: the server knows which socket this is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegisterUser {
    user_id: String,
    user_name: Option<String>,
}

impl RegisterUser {
    /// The user's id, and their name if they gave one.
    pub(crate) fn checked(self) -> Result<(String, Option<String>), SignalError> {
        Ok((
            text("userId", &self.user_id, USER_ID_BYTES_MAX)?,
            optional_text("userName", self.user_name, USER_NAME_BYTES_MAX)?,
        ))
    }
}

/// The user that an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The field that named them, for errors to name it.
    pub(crate) field: &'static str,
    pub(crate) user_id: String,
}

impl Target {
    /// Whom the payload names, by `targetUserId` or `to`.
    pub(crate) fn named_by(payload: &Value) -> Result<Self, SignalError> {
        if !payload.is_object() {
            return Err(SignalError::PayloadNotAnObject);
        }
        for field in ["targetUserId", "to"] {
            match payload.get(field) {
                None | Some(Value::Null) => {}
                Some(Value::String(id)) => return Ok(Self { field, user_id: text(field, id, USER_ID_BYTES_MAX)? }),
                Some(_) => return Err(SignalError::BadPayload(format!("{field}: expected a string"))),
            }
        }
        Err(SignalError::BadPayload("missing field `targetUserId`".to_owned()))
    }
}

/// Takes out an offer or an answer. What is in it is the other browser's business; some clients send it as text.
pub(crate) fn description(payload: &mut Value, field: &'static str) -> Result<Value, SignalError> {
    match relayed(payload, field, DESCRIPTION_BYTES_MAX)? {
        value @ (Value::Object(_) | Value::String(_)) => Ok(value),
        _ => Err(SignalError::BadPayload(format!("{field}: expected an object or a string"))),
    }
}

/// Takes out a candidate. Null stands for the end of candidates, which some clients send on.
pub(crate) fn candidate(payload: &mut Value) -> Result<Value, SignalError> {
    match relayed(payload, "candidate", CANDIDATE_BYTES_MAX)? {
        value @ (Value::Object(_) | Value::String(_) | Value::Null) => Ok(value),
        _ => Err(SignalError::BadPayload("candidate: expected an object, a string or null".to_owned())),
    }
}

fn relayed(payload: &mut Value, field: &'static str, limit: usize) -> Result<Value, SignalError> {
    let value = payload.get_mut(field).map(Value::take);
    let value = value.ok_or_else(|| SignalError::BadPayload(format!("missing field `{field}`")))?;
    if value.to_string().len() > limit {
        return Err(SignalError::TooLong { field, limit });
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
