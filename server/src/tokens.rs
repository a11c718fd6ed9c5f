//! The keys of access tokens: read at the start, and fetched again where they come from elsewhere.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use signaling::identity::{KeyError, KeyRefresh, Keys, TokenVerifier};

use crate::config::{KeySource, TokenConfig};
use crate::limits::{KEY_SET_BYTES_MAX, KEY_SET_FETCH_MAX, KEY_SET_FETCH_PAUSE, KEY_SET_MAX_AGE};

/// Why no token could be checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokensError {
    #[error("{setting}: {problem}")]
    Key { setting: &'static str, problem: KeyError },
    #[error("{setting} is `{path}`: {problem}")]
    File { setting: &'static str, path: String, problem: String },
    #[error("no connection can be secured: {0}")]
    Client(#[from] reqwest::Error),
}

/// Why keys could not be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("the answer is longer than {KEY_SET_BYTES_MAX} bytes")]
    TooLong,
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Reads the keys. Those that come from elsewhere are fetched from now on.
pub(crate) async fn verifier(config: &TokenConfig) -> Result<Arc<TokenVerifier>, TokensError> {
    let keys = local_keys(config)?;
    let Some(KeySource::Url(url)) = &config.key_set else {
        return Ok(Arc::new(TokenVerifier::new(keys)));
    };
    let source = Source { url: url.clone(), client: client()?, local: keys.clone() };
    let (verifier, refresh) = TokenVerifier::refreshed(keys);
    let verifier = Arc::new(verifier);
    source.refresh(&verifier).await;
    tokio::spawn(follow(source, Arc::clone(&verifier), refresh));
    Ok(verifier)
}

/// The keys that are here, and what tokens must say.
fn local_keys(config: &TokenConfig) -> Result<Keys, TokensError> {
    let mut keys = Keys::new().demanding(config.issuer.clone(), config.audience.clone());
    if let Some(secret) = &config.secret {
        let added = keys.add_secret(secret.expose().as_bytes());
        added.map_err(|problem| TokensError::Key { setting: "JWT_SECRET", problem })?;
    }
    if let Some(path) = &config.public_key_file {
        add_file("JWT_PUBLIC_KEY_FILE", path, |pem| keys.add_pem(pem))?;
    }
    if let Some(KeySource::File(path)) = &config.key_set {
        add_file("JWT_KEY_SET", path, |json| keys.add_key_set(json))?;
    }
    Ok(keys)
}

fn add_file(
    setting: &'static str,
    path: &Path,
    add: impl FnOnce(&str) -> Result<(), KeyError>,
) -> Result<(), TokensError> {
    let failed = |problem: String| TokensError::File { setting, path: path.display().to_string(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
    add(&text).map_err(|error| failed(error.to_string()))
}

fn client() -> Result<reqwest::Client, TokensError> {
    // An error: it is installed already.
    rustls::crypto::ring::default_provider().install_default().ok();
    // Keys that another address is asked for are another's keys.
    let client = reqwest::Client::builder().timeout(KEY_SET_FETCH_MAX).redirect(reqwest::redirect::Policy::none());
    Ok(client.build()?)
}

/// Where keys are fetched.
struct Source {
    url: String,
    client: reqwest::Client,
    local: Keys,
}

impl Source {
    /// Fetches the keys. While they cannot be had the old ones stay.
    async fn refresh(&self, verifier: &TokenVerifier) {
        match self.fetch().await {
            Ok(keys) => verifier.set_keys(keys),
            Err(error) => tracing::warn!(url = self.url, %error, "JWT_KEY_SET could not be fetched"),
        }
    }

    async fn fetch(&self) -> Result<Keys, FetchError> {
        let mut answer = self.client.get(&self.url).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > KEY_SET_BYTES_MAX {
                return Err(FetchError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        let mut keys = self.local.clone();
        keys.add_key_set(&String::from_utf8_lossy(&body))?;
        Ok(keys)
    }
}

/// Fetches keys when one is missing, which anybody can pretend, so not too often; and now and then, for keys that are no
/// longer to be trusted.
async fn follow(source: Source, verifier: Arc<TokenVerifier>, refresh: KeyRefresh) {
    let mut fetched = Instant::now();
    loop {
        let is_wanted = tokio::select! {
            () = refresh.wanted() => true,
            () = tokio::time::sleep_until((fetched + KEY_SET_MAX_AGE).into()) => false,
        };
        if !is_wanted || fetched.elapsed() >= KEY_SET_FETCH_PAUSE {
            source.refresh(&verifier).await;
            fetched = Instant::now();
        }
        refresh.answered();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::Router;
    use axum::routing::get;
    use signaling::identity::TokenError;

    use super::*;
    use crate::config::Secret;

    /// RFC 7515, appendix A.3: a token signed with ES256, and its key.
    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    const KEY_SET: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

    async fn served(body: Arc<Mutex<String>>) -> String {
        let app = Router::new().route("/keys", get(move || async move { body.lock().unwrap().clone() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    fn from_url(url: String) -> TokenConfig {
        TokenConfig { key_set: Some(KeySource::Url(url)), ..TokenConfig::default() }
    }

    /// Whether the key is known: that token lacks what we ask of one.
    fn is_known(refused: Result<signaling::identity::Access, TokenError>) -> bool {
        matches!(refused, Err(TokenError::BadClaim(_)))
    }

    #[tokio::test]
    async fn keys_are_fetched_and_what_is_no_set_of_keys_leaves_the_old_ones() {
        let body = Arc::new(Mutex::new(KEY_SET.to_owned()));
        let url = served(Arc::clone(&body)).await;
        let verifier = verifier(&from_url(url.clone())).await.unwrap();
        assert!(is_known(verifier.verify(TOKEN).await));
        let source = Source { url, client: client().unwrap(), local: Keys::new() };
        for broken in ["{}", "<html>", &" ".repeat(KEY_SET_BYTES_MAX + 1)] {
            broken.clone_into(&mut body.lock().unwrap());
            source.refresh(&verifier).await;
            assert!(is_known(verifier.verify(TOKEN).await), "{}", &broken[..broken.len().min(9)]);
        }
    }

    /// Harm prevented: after its issuer has changed its key nobody gets in until the server is restarted.
    #[tokio::test]
    async fn a_key_that_is_missing_is_looked_for() {
        let body = Arc::new(Mutex::new(KEY_SET.to_owned()));
        let source = Source { url: served(body).await, client: client().unwrap(), local: Keys::new() };
        let (verifier, refresh) = TokenVerifier::refreshed(Keys::new());
        let verifier = Arc::new(verifier);
        let answering = Arc::clone(&verifier);
        tokio::spawn(async move {
            refresh.wanted().await;
            source.refresh(&answering).await;
            refresh.answered();
        });
        assert!(is_known(verifier.verify(TOKEN).await));
    }

    #[tokio::test]
    async fn a_key_that_is_none_stops_the_server_with_the_settings_name() {
        let secret = TokenConfig { secret: Some(Secret::new("short".to_owned())), ..TokenConfig::default() };
        let file = |name: &str| Some(Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
        let absent = TokenConfig { public_key_file: file("there is none"), ..TokenConfig::default() };
        let no_pem = TokenConfig { public_key_file: file("Cargo.toml"), ..TokenConfig::default() };
        let no_set = TokenConfig { key_set: file("Cargo.toml").map(KeySource::File), ..TokenConfig::default() };
        for (config, begin, end) in [
            (secret, "JWT_SECRET: ", "at least 32 bytes long"),
            (absent, "JWT_PUBLIC_KEY_FILE is `", "cannot be read: No such file or directory (os error 2)"),
            (no_pem, "JWT_PUBLIC_KEY_FILE is `", "in PEM"),
            (no_set, "JWT_KEY_SET is `", "line 1 column 2"),
        ] {
            let error = verifier(&config).await.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with(begin) && error.ends_with(end), "{error}");
        }
    }
}
