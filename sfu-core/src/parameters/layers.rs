//! Layers as clients name them.

use serde::{Deserialize, Serialize};

/// The layers of a video consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerLayers {
    /// The spatial layer: 0 is the smallest.
    pub spatial_layer: u8,
    /// The temporal layer; absent: the highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporal_layer: Option<u8>,
}
