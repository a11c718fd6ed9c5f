//! A codec's own parameters: what SDP writes in `a=fmtp`.

use std::borrow::Borrow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::PayloadType;

/// The value of one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParameterValue {
    /// Given without a value.
    Null,
    /// Accepted in decoding; validation refuses it, as mediasoup does.
    Bool(bool),
    /// A number, whole where it can be.
    Number(ParameterNumber),
    /// Text.
    Text(String),
}

/// A JSON number that remembers whether it was whole, so that 1 does not come back as 1.0.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParameterNumber {
    /// A whole number.
    Integer(i64),
    /// Any other.
    Float(f64),
}

impl ParameterNumber {
    fn as_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl PartialEq for ParameterNumber {
    /// As JSON sees it: 1 and 1.0 are the same number.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => left == right,
            _ => self.as_f64() == other.as_f64(),
        }
    }
}

impl ParameterValue {
    /// Whether the value stands for nothing, as JavaScript judges it: clients write 0, `false`, null and empty text alike.
    pub(crate) fn is_falsy(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(value) => !value,
            Self::Number(number) => *number == ParameterNumber::Integer(0),
            Self::Text(text) => text.is_empty(),
        }
    }
}

impl From<i64> for ParameterValue {
    fn from(value: i64) -> Self {
        Self::Number(ParameterNumber::Integer(value))
    }
}

impl From<&str> for ParameterValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// A codec's or header extension's parameters, in the order they came. A name that comes twice keeps its first place
/// and its last value, as in JavaScript.
#[derive(Debug, Clone, Default)]
pub struct CodecParameters(Vec<(String, ParameterValue)>);

impl CodecParameters {
    /// The parameters, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ParameterValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The same, with values that can be changed.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut ParameterValue> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parameter called `name`.
    pub fn get(&self, name: &str) -> Option<&ParameterValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The parameter called `name`, if it is a whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            ParameterValue::Number(ParameterNumber::Integer(value)) => Some(*value),
            _ => None,
        }
    }

    /// The parameter called `name`, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            ParameterValue::Text(value) => Some(value),
            _ => None,
        }
    }

    /// The payload type in `apt`, if it is one (RFC 4588 section 8.1).
    pub(crate) fn associated_payload_type(&self) -> Option<PayloadType> {
        u8::try_from(self.integer("apt")?).ok().map(PayloadType)
    }

    /// Sets a parameter: in its place if there is one, else at the end.
    pub fn insert(&mut self, name: impl Into<String> + Borrow<str>, value: impl Into<ParameterValue>) {
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| known == name.borrow()) {
            Some((_, place)) => *place = value,
            None => self.0.push((name.into(), value)),
        }
    }

    /// Takes a parameter away, if it is there.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }
}

impl PartialEq for CodecParameters {
    /// The order does not count.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl<N: Into<String> + Borrow<str>, V: Into<ParameterValue>> FromIterator<(N, V)> for CodecParameters {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Self {
        let mut parameters = Self::default();
        for (name, value) in entries {
            parameters.insert(name, value);
        }
        parameters
    }
}

impl Serialize for CodecParameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for CodecParameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ParametersVisitor)
    }
}

struct ParametersVisitor;

impl<'de> Visitor<'de> for ParametersVisitor {
    type Value = CodecParameters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of parameters, each a number, text, boolean or null")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut parameters = CodecParameters::default();
        while let Some(name) = map.next_key::<String>()? {
            // Inserting looks through what is there, so the number of entries must be bounded while decoding already.
            if parameters.len() == MAX_DECODED_PARAMETERS {
                return Err(serde::de::Error::custom(format_args!(
                    "parameters has more than {MAX_DECODED_PARAMETERS} entries"
                )));
            }
            let value = map.next_value::<ParameterValue>().map_err(|error| {
                serde::de::Error::custom(format_args!("parameter `{}`: {error}", name.escape_debug()))
            })?;
            parameters.insert(name, value);
        }
        Ok(parameters)
    }
}

/// How many parameters one codec or header extension may carry; the most in use is about ten (H264, multiopus).
/// Decoding one more fails.
pub(crate) const MAX_DECODED_PARAMETERS: usize = 32;
