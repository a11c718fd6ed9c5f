//! `GET /api/ice-servers`: the STUN and TURN servers that clients may use, in the form that `RTCPeerConnection` takes.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde::Serialize;
use serde_json::json;
use signaling::identity::{TokenVerifier, bearer};

use crate::config::{IceServerConfig, TurnAuth};

/// Who is asked for a credential without saying who they are.
const ANONYMOUS: &str = "anonymous";

/// One entry of `RTCConfiguration.iceServers`.
#[derive(Debug, PartialEq, Serialize)]
struct IceServer {
    urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

#[derive(Debug)]
struct IceServers {
    config: IceServerConfig,
    tokens: Option<Arc<TokenVerifier>>,
}

/// The route. With `tokens` it is for those who bring one.
pub(crate) fn routes(config: IceServerConfig, tokens: Option<Arc<TokenVerifier>>) -> Router {
    Router::new().route("/api/ice-servers", get(answer)).with_state(Arc::new(IceServers { config, tokens }))
}

async fn answer(State(servers): State<Arc<IceServers>>, headers: HeaderMap) -> Response {
    let user = match &servers.tokens {
        None => ANONYMOUS.to_owned(),
        Some(tokens) => {
            let given = headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.to_str().ok()?));
            match tokens.admit(given.as_deref()).await {
                Ok(access) => access.user.map_or_else(|| ANONYMOUS.to_owned(), |user| user.id),
                Err(error) => {
                    let refused = Json(json!({"error": error.to_string()}));
                    return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response();
                }
            }
        }
    };
    let ttl_s = servers.config.ttl().map(|ttl| ttl.as_secs());
    let ice_servers = servers.config.for_user(&user, SystemTime::now());
    let mut body = json!({"iceServers": ice_servers});
    if let Some(ttl_s) = ttl_s {
        body["ttl"] = json!(ttl_s);
    }
    // Credentials are this client's own.
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

impl IceServerConfig {
    /// For how long what it says is good.
    fn ttl(&self) -> Option<Duration> {
        match &self.turn_auth {
            Some(TurnAuth::Secret { ttl, .. }) if !self.turn_urls.is_empty() => Some(*ttl),
            _ => None,
        }
    }

    fn for_user(&self, user: &str, now: SystemTime) -> Vec<IceServer> {
        let mut servers = Vec::new();
        if !self.stun_urls.is_empty() {
            servers.push(IceServer { urls: self.stun_urls.clone(), username: None, credential: None });
        }
        if !self.turn_urls.is_empty() {
            let (username, credential) = match &self.turn_auth {
                None => (None, None),
                Some(TurnAuth::Static { username, password }) => {
                    (Some(username.clone()), Some(password.expose().to_owned()))
                }
                Some(TurnAuth::Secret { secret, ttl }) => {
                    let (username, credential) = short_lived(secret.expose(), user, now, *ttl);
                    (Some(username), Some(credential))
                }
            };
            servers.push(IceServer { urls: self.turn_urls.clone(), username, credential });
        }
        servers
    }
}

/// A user's name and password that the TURN server can check by itself, until they expire
/// (draft-uberti-behave-turn-rest-00, section 2.2; coturn's `use-auth-secret`).
fn short_lived(secret: &str, user: &str, now: SystemTime, ttl: Duration) -> (String, String) {
    let expires_s = (now.duration_since(UNIX_EPOCH).unwrap_or_default() + ttl).as_secs();
    let username = format!("{expires_s}:{user}");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let credential = STANDARD.encode(hmac::sign(&key, username.as_bytes()));
    (username, credential)
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use serde_json::Value;
    use signaling::identity::{Grants, Keys, RoomGrant, Signer, User};
    use tower::ServiceExt;

    use super::*;
    use crate::config::Secret;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn config(turn_auth: Option<TurnAuth>) -> IceServerConfig {
        let urls = |urls: &[&str]| urls.iter().map(ToString::to_string).collect();
        IceServerConfig {
            stun_urls: urls(&["stun:stun.example:3478"]),
            turn_urls: urls(&["turn:t.example:3478", "turns:t.example:5349?transport=tcp"]),
            turn_auth,
        }
    }

    fn shared_secret() -> Option<TurnAuth> {
        Some(TurnAuth::Secret { secret: Secret::new("north".to_owned()), ttl: Duration::from_secs(600) })
    }

    async fn ask(routes: Router, authorization: Option<&str>) -> (StatusCode, Value) {
        let mut request = Request::builder().uri("/api/ice-servers");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let response = routes.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status();
        if status == StatusCode::OK {
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
        (status, serde_json::from_slice(&to_bytes(response.into_body(), 1 << 16).await.unwrap()).unwrap())
    }

    /// What `turnadmin`-made and coturn-checked credentials look like: base64 of HMAC-SHA1 over `expiry:user`, as
    /// `printf '%s' 1700000600:anna | openssl dgst -sha1 -hmac north -binary | base64` prints it.
    #[test]
    fn credentials_are_those_that_a_turn_server_works_out_itself() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let (username, credential) = short_lived("north", "anna", now, Duration::from_secs(600));
        assert_eq!((username.as_str(), credential.as_str()), ("1700000600:anna", "QArDp18zdKr4CT8tvpVplSgsreQ="));
    }

    #[tokio::test]
    async fn an_open_server_tells_everybody() {
        let (status, body) = ask(routes(config(shared_secret()), None), None).await;
        assert_eq!((status, &body["ttl"]), (StatusCode::OK, &json!(600)));
        assert_eq!(body["iceServers"][0], json!({"urls": ["stun:stun.example:3478"]}));
        let turn = &body["iceServers"][1];
        assert_eq!(turn["urls"], json!(["turn:t.example:3478", "turns:t.example:5349?transport=tcp"]));
        assert!(turn["username"].as_str().unwrap().ends_with(":anonymous") && turn["credential"].is_string());
    }

    #[tokio::test]
    async fn credentials_that_stay_and_none_at_all_are_told_as_they_are() {
        let stays = TurnAuth::Static { username: "meet".to_owned(), password: Secret::new("pw".to_owned()) };
        let (_, body) = ask(routes(config(Some(stays)), None), None).await;
        assert_eq!(
            (&body["iceServers"][1]["username"], &body["iceServers"][1]["credential"]),
            (&json!("meet"), &json!("pw"))
        );
        assert_eq!(body.get("ttl"), None);
        let (_, body) = ask(routes(config(None), None), None).await;
        assert_eq!(body["iceServers"][1].get("credential"), None);
        let (_, body) = ask(routes(IceServerConfig::default(), None), None).await;
        assert_eq!(body, json!({"iceServers": []}));
    }

    /// Harm prevented: strangers relay their traffic at the expense of who runs the TURN server.
    #[tokio::test]
    async fn a_server_with_tokens_tells_those_who_have_one() {
        let mut keys = Keys::new();
        keys.add_secret(SECRET).unwrap();
        let tokens = Arc::new(TokenVerifier::new(keys));
        let routes = || routes(config(shared_secret()), Some(Arc::clone(&tokens)));
        for authorization in [None, Some("Bearer nonsense"), Some("Basic YTpi")] {
            let (status, body) = ask(routes(), authorization).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED);
            assert!(
                body["error"].as_str().unwrap().starts_with("token: ") && body.get("iceServers").is_none(),
                "{body}"
            );
        }
        let anna = User { id: "anna".to_owned(), name: None };
        let signer = Signer::from_secret(SECRET).unwrap();
        let grants = Grants::for_room(RoomGrant::Any);
        let token = signer.sign(&anna, &grants, SystemTime::now(), Duration::from_secs(60), None).unwrap();
        let (status, body) = ask(routes(), Some(&format!("Bearer {token}"))).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body["iceServers"][1]["username"].as_str().unwrap().ends_with(":anna"));
    }
}
