//! The list of media codecs that rooms offer.

use std::path::Path;

use sfu_core::negotiation::{MediaCodec, default_media_codecs, router_rtp_capabilities};

use super::{CodecSource, ConfigError};

/// Names separated by commas (a name stands for all profiles that there are by default), or the path of a JSON file.
pub(super) fn source(text: &str) -> Result<CodecSource, String> {
    if Path::new(text).extension().is_some_and(|extension| extension == "json") {
        return Ok(CodecSource::File(text.into()));
    }
    let all = default_media_codecs();
    let mut chosen: Vec<MediaCodec> = Vec::new();
    for name in text.split(',').map(str::trim) {
        let mut named = all.iter().filter(|codec| codec.mime_type.is_codec(name)).cloned().peekable();
        if named.peek().is_none() {
            return Err(format!("there is no codec `{name}`, only {}", names(&all).join(", ")));
        }
        if chosen.iter().any(|codec| codec.mime_type.is_codec(name)) {
            return Err(format!("the codec `{name}` is there twice"));
        }
        chosen.extend(named);
    }
    checked(chosen).map(CodecSource::List)
}

/// Reads a JSON file: an array of codecs as in mediasoup's `mediaCodecs`.
pub(crate) fn read_codec_file(path: &Path) -> Result<Vec<MediaCodec>, ConfigError> {
    let problem = |problem: String| ConfigError::BadValue {
        name: "MEDIA_CODECS".to_owned(),
        value: path.display().to_string(),
        problem,
    };
    let text = std::fs::read_to_string(path).map_err(|error| problem(format!("cannot be read: {error}")))?;
    let codecs = serde_json::from_str(&text).map_err(|error| problem(error.to_string()))?;
    checked(codecs).map_err(problem)
}

fn checked(codecs: Vec<MediaCodec>) -> Result<Vec<MediaCodec>, String> {
    if codecs.is_empty() {
        return Err("the list is empty".to_owned());
    }
    router_rtp_capabilities(&codecs).map_err(|error| error.to_string())?;
    Ok(codecs)
}

fn names(codecs: &[MediaCodec]) -> Vec<String> {
    let mut names: Vec<_> = codecs.iter().map(|codec| codec.mime_type.name().to_ascii_lowercase()).collect();
    names.dedup();
    names
}
