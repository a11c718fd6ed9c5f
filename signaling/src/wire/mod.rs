//! What goes over the wire: the payloads of events, the acks and the announcements, in each vocabulary. Only here is
//! serde spoken; the rooms know none of it.

pub(crate) mod notice;
pub(crate) mod reply;
pub(crate) mod request;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::SignalError;
use crate::limits::{ERROR_TEXT_BYTES_MAX, ROOM_ID_BYTES_MAX};

/// Reads a payload. The error names the field with its path, as in `rtpParameters.codecs[0].payloadType: invalid type…`.
pub(crate) fn decode<T: DeserializeOwned>(payload: Value) -> Result<T, SignalError> {
    if !payload.is_object() {
        return Err(SignalError::PayloadNotAnObject);
    }
    serde_path_to_error::deserialize(payload).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        let text = if path == "." { inner.to_string() } else { format!("{path}: {inner}") };
        SignalError::BadPayload(shortened(text))
    })
}

/// The room that a payload names, by `roomId` or `callId`, if any.
pub(crate) fn named_room(payload: &Value) -> Result<Option<String>, SignalError> {
    for field in ["roomId", "callId"] {
        match payload.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::String(name)) => return text(field, name, ROOM_ID_BYTES_MAX).map(Some),
            Some(_) => return Err(SignalError::BadPayload(format!("{field}: expected a string"))),
        }
    }
    Ok(None)
}

/// Text that must be there and not too long.
pub(crate) fn text(field: &'static str, text: &str, limit: usize) -> Result<String, SignalError> {
    if text.is_empty() {
        return Err(SignalError::Empty { field });
    }
    if text.len() > limit {
        return Err(SignalError::TooLong { field, limit });
    }
    Ok(text.to_owned())
}

/// Text that may be left out; empty counts as left out.
pub(crate) fn optional_text(
    field: &'static str,
    value: Option<String>,
    limit: usize,
) -> Result<Option<String>, SignalError> {
    match value {
        Some(value) if !value.is_empty() => text(field, &value, limit).map(Some),
        _ => Ok(None),
    }
}

/// Cuts an error text that quotes too much of what the client sent.
pub(crate) fn shortened(mut text: String) -> String {
    if text.len() > ERROR_TEXT_BYTES_MAX {
        let mut end = ERROR_TEXT_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
