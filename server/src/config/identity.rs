//! Whose tokens are taken, and whether the server may run without.

use std::net::IpAddr;
use std::path::PathBuf;

use signaling::limits::TOKEN_SECRET_BYTES_MIN;

use super::ConfigError;
use super::secret::Secret;
use super::settings::Values;

/// What access tokens are signed with, and what they must say. There is at least one key.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TokenConfig {
    pub(crate) secret: Option<Secret>,
    pub(crate) public_key_file: Option<PathBuf>,
    pub(crate) key_set: Option<KeySource>,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
}

/// Where a set of keys comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySource {
    File(PathBuf),
    /// Fetched at the start, and again now and then.
    Url(String),
}

/// A secret that cannot be guessed.
pub(super) fn jwt_secret(text: &str) -> Result<Secret, String> {
    if text.len() < TOKEN_SECRET_BYTES_MIN {
        return Err(format!("expected {TOKEN_SECRET_BYTES_MIN} bytes or more"));
    }
    Ok(Secret::new(text.to_owned()))
}

/// A path, or a URL. Keys that come unprotected are anybody's.
pub(super) fn key_source(text: &str) -> Result<KeySource, String> {
    let is_loopback = |rest: &str| {
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
        host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    };
    match text.split_once("://") {
        None => Ok(KeySource::File(text.into())),
        Some(("https", _)) => Ok(KeySource::Url(text.to_owned())),
        Some(("http", rest)) if is_loopback(rest) => Ok(KeySource::Url(text.to_owned())),
        Some(_) => Err("expected a path, or an address that begins with https://".to_owned()),
    }
}

pub(super) fn tokens(values: &Values) -> Option<TokenConfig> {
    let tokens = TokenConfig {
        secret: values.jwt_secret.value.clone(),
        public_key_file: values.jwt_public_key_file.value.clone(),
        key_set: values.jwt_key_set.value.clone(),
        issuer: values.jwt_issuer.value.clone(),
        audience: values.jwt_audience.value.clone(),
    };
    let has_key = tokens.secret.is_some() || tokens.public_key_file.is_some() || tokens.key_set.is_some();
    has_key.then_some(tokens)
}

/// That a server which others can reach is not open by oversight.
pub(super) fn guarded(values: &Values, problems: &mut Vec<ConfigError>) {
    let keys_are_sound =
        values.jwt_secret.is_sound() && values.jwt_public_key_file.is_sound() && values.jwt_key_set.is_sound();
    let addresses = values.http_listen_ip.value.as_ref().unwrap_or(&values.listen_ip.value);
    let reason = if values.node_env.value.as_deref() == Some("production") {
        "NODE_ENV is `production`"
    } else if !addresses.iter().all(IpAddr::is_loopback) {
        "HTTP_LISTEN_IP (or LISTEN_IP) lets others reach this machine"
    } else {
        return;
    };
    if keys_are_sound && tokens(values).is_none() && !values.allow_anonymous.value {
        let problem = format!(
            "{reason}, and anybody could enter every room: set JWT_SECRET, JWT_PUBLIC_KEY_FILE or JWT_KEY_SET, or \
             ALLOW_ANONYMOUS=on if that is meant"
        );
        problems.push(values.allow_anonymous.conflict(problem));
    }
}
