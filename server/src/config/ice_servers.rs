//! STUN and TURN servers for clients.

use std::time::Duration;

use super::ConfigError;
use super::secret::Secret;
use super::settings::Values;

/// What clients are told.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct IceServerConfig {
    pub(crate) stun_urls: Vec<String>,
    pub(crate) turn_urls: Vec<String>,
    /// How the TURN servers know who may use them. `None`: they let everybody.
    pub(crate) turn_auth: Option<TurnAuth>,
}

/// How a TURN server knows who may use it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TurnAuth {
    /// By a user's name and password that all clients share.
    Static { username: String, password: Secret },
    /// By a secret that this server shares with it: each client gets a password of its own, which expires.
    Secret { secret: Secret, ttl: Duration },
}

pub(super) fn stun_urls(text: &str) -> Result<Vec<String>, String> {
    urls(text, &["stun:", "stuns:"]).ok_or_else(|| "expected addresses such as stun:stun.example.org:3478".to_owned())
}

pub(super) fn turn_urls(text: &str) -> Result<Vec<String>, String> {
    urls(text, &["turn:", "turns:"]).ok_or_else(|| "expected addresses such as turn:turn.example.org:3478".to_owned())
}

/// Separated by commas, each with a scheme and something behind it (RFC 7064, RFC 7065).
fn urls(text: &str, schemes: &[&str]) -> Option<Vec<String>> {
    let url = |part: &str| {
        let part = part.trim();
        let rest = schemes.iter().find_map(|scheme| part.strip_prefix(scheme))?;
        let is_good = !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace);
        is_good.then(|| part.to_owned())
    };
    text.split(',').map(url).collect()
}

/// A day at most: a password that leaks is to be good for nothing soon.
pub(super) fn credential_ttl(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (60..=86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "expected seconds, 60 to 86400".to_owned())
}

pub(super) fn ice_servers(values: &Values, problems: &mut Vec<ConfigError>) -> IceServerConfig {
    let (username, password, secret) =
        (&values.turn_server_username, &values.turn_server_password, &values.turn_secret);
    let turn_auth = match (&username.value, &password.value, &secret.value) {
        (None, None, None) => None,
        (None, None, Some(secret)) => {
            Some(TurnAuth::Secret { secret: secret.clone(), ttl: values.turn_credential_ttl_s.value })
        }
        (Some(username), Some(password), None) => {
            Some(TurnAuth::Static { username: username.clone(), password: password.clone() })
        }
        (_, _, Some(_)) => {
            problems.push(secret.conflict("TURN_SERVER_USERNAME or TURN_SERVER_PASSWORD is set too: one or the other"));
            None
        }
        (Some(_), None, None) => {
            problems.push(username.conflict("TURN_SERVER_PASSWORD is not set"));
            None
        }
        (None, Some(_), None) => {
            problems.push(password.conflict("TURN_SERVER_USERNAME is not set"));
            None
        }
    };
    IceServerConfig {
        stun_urls: values.stun_server_url.value.clone().unwrap_or_default(),
        turn_urls: values.turn_server_url.value.clone().unwrap_or_default(),
        turn_auth,
    }
}
