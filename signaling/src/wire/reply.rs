//! Acks. An operation answers with what it did; the shape is the socket's vocabulary's.

use serde_json::{Map, Value, json};
use sfu_core::engine::{Consumer, WebRtcTransport};
use sfu_core::ids::ProducerId;
use sfu_core::parameters::{ConsumerLayers, IceParameters, RtpCapabilities};

use super::notice::{listed, participant};
use super::shortened;
use crate::error::SignalError;
use crate::room::{Identity, ProducerInfo};
use crate::vocabulary::Vocabulary;

/// What an event achieved.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Done, nothing to say. Room vocabulary: `{}`.
    Done,
    /// Done, nothing to say, and clients of the room vocabulary take any truthy ack for an error: `null`.
    DoneNull,
    /// The router's capabilities.
    Capabilities(Value),
    /// Who and what is in the room, without the asker.
    Joined { others: Vec<Identity>, producers: Vec<ProducerInfo> },
    /// A new transport's parameters.
    Transport(Value),
    /// A new producer.
    Producer(ProducerId),
    /// A new consumer's parameters.
    Consumer(Value),
    /// What is sent in the room, without the asker's own.
    Producers(Vec<ProducerInfo>),
    /// A transport's new ICE credentials.
    IceParameters(Value),
    /// The layers that are preferred now; `None`: the consumer has no layers.
    PreferredLayers(Option<ConsumerLayers>),
    /// A list of statistics.
    Stats(Value),
}

impl Reply {
    /// The router's capabilities.
    pub(crate) fn capabilities(capabilities: &RtpCapabilities) -> Self {
        Self::Capabilities(json!(capabilities))
    }

    /// A new transport.
    pub(crate) fn transport(transport: &WebRtcTransport) -> Self {
        Self::Transport(json!({
            "id": transport.id(),
            "iceParameters": transport.ice_parameters(),
            "iceCandidates": transport.ice_candidates(),
            "dtlsParameters": transport.dtls_parameters(),
        }))
    }

    /// A new consumer of `producer`, which is paused or not.
    pub(crate) fn consumer(consumer: &Consumer, producer: &ProducerInfo, producer_paused: bool) -> Self {
        let mut parameters = json!({
            "id": consumer.id(),
            "producerId": consumer.producer_id(),
            "kind": consumer.kind(),
            "rtpParameters": consumer.rtp_parameters(),
            "type": consumer.consumer_type(),
            "producerPaused": producer_paused,
            "appData": *producer.app_data,
        });
        if let Some(layers) = consumer.preferred_layers() {
            parameters["preferredLayers"] = json!(layers);
        }
        Self::Consumer(parameters)
    }

    /// New ICE credentials.
    pub(crate) fn ice_parameters(parameters: &IceParameters) -> Self {
        Self::IceParameters(json!(parameters))
    }

    /// The ack. A socket that has not told its vocabulary gets the envelope, which clients of both can read; so does one whose
    /// vocabulary has no acks, if it wants one.
    pub(crate) fn into_ack(self, vocabulary: Option<Vocabulary>) -> Value {
        match vocabulary {
            Some(Vocabulary::Room) => self.into_flat(),
            Some(Vocabulary::Call | Vocabulary::PeerToPeer) | None => match self.into_data() {
                Some(data) => json!({"success": true, "data": data}),
                None => json!({"success": true}),
            },
        }
    }

    /// The call vocabulary's `data`.
    fn into_data(self) -> Option<Value> {
        Some(match self {
            Self::Done | Self::DoneNull => return None,
            Self::Capabilities(capabilities) => json!({"rtpCapabilities": capabilities}),
            Self::Joined { others, .. } => {
                let peer = |who: &Identity| json!({"peerId": who.peer.as_str(), "userId": who.user_id});
                json!({"peers": others.iter().map(peer).collect::<Vec<_>>()})
            }
            Self::Transport(transport) => json!({"transport": transport}),
            Self::Producer(id) => json!({"id": id}),
            Self::Consumer(consumer) => json!({"consumer": consumer}),
            Self::Producers(producers) => json!({"producers": list(&producers, Vocabulary::Call)}),
            Self::IceParameters(_) | Self::PreferredLayers(_) | Self::Stats(_) => self.into_flat(),
        })
    }

    /// The room vocabulary's ack.
    fn into_flat(self) -> Value {
        match self {
            Self::Done => json!({}),
            Self::DoneNull => Value::Null,
            // One kind of client loads the ack itself, the other a field of it.
            Self::Capabilities(capabilities) => with_copy(capabilities, "rtpCapabilities"),
            Self::Joined { others, producers } => json!({
                "participants": others.iter().map(participant).collect::<Vec<_>>(),
                "activeProducers": list(&producers, Vocabulary::Room),
            }),
            Self::Transport(parameters) | Self::Consumer(parameters) => with_copy(parameters, "params"),
            Self::Producer(id) => json!({"id": id, "producerId": id}),
            Self::Producers(producers) => json!({"producers": list(&producers, Vocabulary::Room)}),
            Self::IceParameters(parameters) => json!({"iceParameters": parameters}),
            Self::PreferredLayers(layers) => json!({"preferredLayers": layers}),
            Self::Stats(stats) => json!({"stats": stats}),
        }
    }
}

/// The ack of an event that was not carried out.
pub(crate) fn failure(error: &SignalError, vocabulary: Option<Vocabulary>) -> Value {
    let text = shortened(error.to_string());
    match vocabulary {
        Some(Vocabulary::Room) => json!({"error": text}),
        Some(Vocabulary::Call | Vocabulary::PeerToPeer) | None => json!({"success": false, "error": text}),
    }
}

fn list(producers: &[ProducerInfo], vocabulary: Vocabulary) -> Vec<Value> {
    producers.iter().map(|producer| listed(producer, vocabulary)).collect()
}

/// An object that has itself once more in a field.
fn with_copy(value: Value, field: &str) -> Value {
    let mut fields = match value.clone() {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    fields.insert(field.to_owned(), value);
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_come_in_both_places_for_the_room_vocabulary() {
        let capabilities = json!({"codecs": [1], "headerExtensions": [2]});
        assert_eq!(
            Reply::Capabilities(capabilities.clone()).into_ack(Some(Vocabulary::Room)),
            json!({"codecs": [1], "headerExtensions": [2], "rtpCapabilities": capabilities})
        );
        assert_eq!(
            Reply::Capabilities(capabilities.clone()).into_ack(Some(Vocabulary::Call)),
            json!({"success": true, "data": {"rtpCapabilities": capabilities}})
        );
    }

    #[test]
    fn a_transport_is_flat_with_params_or_in_an_envelope() {
        let transport = json!({"id": "t", "iceParameters": {}});
        assert_eq!(
            Reply::Transport(transport.clone()).into_ack(Some(Vocabulary::Room)),
            json!({"id": "t", "iceParameters": {}, "params": transport})
        );
        assert_eq!(
            Reply::Transport(transport.clone()).into_ack(Some(Vocabulary::Call)),
            json!({"success": true, "data": {"transport": transport}})
        );
    }

    #[test]
    fn an_answer_without_content_has_three_shapes() {
        let room = Some(Vocabulary::Room);
        assert_eq!(Reply::Done.into_ack(room), json!({}));
        assert_eq!(Reply::DoneNull.into_ack(room), Value::Null);
        assert_eq!(Reply::DoneNull.into_ack(Some(Vocabulary::Call)), json!({"success": true}));
        assert_eq!(Reply::Done.into_ack(Some(Vocabulary::PeerToPeer)), json!({"success": true}));
        assert_eq!(Reply::Done.into_ack(None), json!({"success": true}));
    }

    #[test]
    fn what_clients_of_both_vocabularies_ask_alike_differs_in_the_envelope_only() {
        let layers = ConsumerLayers { spatial_layer: 1, temporal_layer: Some(2) };
        for (reply, fields) in [
            (
                || Reply::PreferredLayers(Some(ConsumerLayers { spatial_layer: 1, temporal_layer: Some(2) })),
                json!({"preferredLayers": layers}),
            ),
            (|| Reply::PreferredLayers(None), json!({"preferredLayers": null})),
            (|| Reply::Stats(json!([{"type": "transport"}])), json!({"stats": [{"type": "transport"}]})),
            (|| Reply::IceParameters(json!({"iceLite": true})), json!({"iceParameters": {"iceLite": true}})),
        ] as [(fn() -> Reply, Value); 4]
        {
            assert_eq!(reply().into_ack(Some(Vocabulary::Room)), fields);
            assert_eq!(reply().into_ack(Some(Vocabulary::Call)), json!({"success": true, "data": fields}));
        }
    }

    #[test]
    fn a_failure_reads_as_one_in_each_vocabulary() {
        let error = SignalError::PayloadNotAnObject;
        let text = "the payload must be an object";
        assert_eq!(failure(&error, Some(Vocabulary::Room)), json!({"error": text}));
        assert_eq!(failure(&error, Some(Vocabulary::Call)), json!({"success": false, "error": text}));
        assert_eq!(failure(&error, Some(Vocabulary::PeerToPeer)), json!({"success": false, "error": text}));
        assert_eq!(failure(&error, None), json!({"success": false, "error": text}));
    }
}
