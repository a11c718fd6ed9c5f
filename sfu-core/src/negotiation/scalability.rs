//! Scalability modes (W3C WebRTC-SVC): the layers inside a stream.

/// How many layers a stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScalabilityMode {
    /// Spatial layers, 1 to 99.
    pub spatial_layers: u8,
    /// Temporal layers, 1 to 99.
    pub temporal_layers: u8,
    /// Whether upper spatial layers depend on lower ones at key frames only (`_KEY`).
    pub key_only: bool,
}

impl ScalabilityMode {
    /// Reads `LxTy` or `SxTy`, with or without `_KEY`. What follows is ignored; anything else is one layer of each.
    pub fn parse(text: Option<&str>) -> Self {
        text.and_then(Self::parse_layers).unwrap_or(Self { spatial_layers: 1, temporal_layers: 1, key_only: false })
    }

    fn parse_layers(text: &str) -> Option<Self> {
        let (spatial_layers, rest) = layer_count(text.strip_prefix(['L', 'S'])?)?;
        let (temporal_layers, rest) = layer_count(rest.strip_prefix('T')?)?;
        Some(Self { spatial_layers, temporal_layers, key_only: rest.starts_with("_KEY") })
    }
}

/// One or two digits, the first not 0, and what follows them.
fn layer_count(text: &str) -> Option<(u8, &str)> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    if number.starts_with('0') {
        return None;
    }
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_read() {
        let table = [
            (Some("L1T1"), (1, 1, false)),
            (Some("L3T3_KEY"), (3, 3, true)),
            (Some("S2T3"), (2, 3, false)),
            (Some("L4T7_KEY_SHIFT"), (4, 7, true)),
            (Some("L2T2h"), (2, 2, false)),
            (Some("L12T34"), (12, 34, false)),
            (None, (1, 1, false)),
            (Some(""), (1, 1, false)),
            (Some("L0T3"), (1, 1, false)),
            (Some("L3"), (1, 1, false)),
            (Some("L123T3"), (1, 1, false)),
            (Some("Lé"), (1, 1, false)),
        ];
        for (text, expected) in table {
            let mode = ScalabilityMode::parse(text);
            assert_eq!((mode.spatial_layers, mode.temporal_layers, mode.key_only), expected, "{text:?}");
        }
    }
}
