use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};
use socketioxide::SocketIo;
use tower::ServiceExt;

use super::*;
use crate::limits::SOCKET_PAYLOAD_BYTES_MAX;

fn server(frontend: &Origins) -> Router {
    server_that(false, frontend)
}

fn server_that(is_draining: bool, frontend: &Origins) -> Router {
    let stats = Stats {
        rooms: 1,
        peers: 2,
        workers: 3,
        sockets: 4,
        transports: 5,
        producers: 6,
        consumers: 7,
        calls: 8,
        strangers_dropped: 9,
        packets_refused: 10,
    };
    let source: StatsSource = Arc::new(move || {
        let stats = stats.clone();
        Box::pin(async move { stats })
    });
    let (layer, io) = SocketIo::builder().max_payload(SOCKET_PAYLOAD_BYTES_MAX as u64).build_layer();
    io.ns("/", async || {});
    app(source, Arc::new(move || is_draining), Router::new(), layer, frontend)
}

fn listed() -> Origins {
    Origins::List(vec![HeaderValue::from_static("https://meet.example.org")])
}

async fn ask(frontend: &Origins, method: &str, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server(frontend).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn body(response: Response<Body>) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

fn header_of(response: &Response<Body>, name: &str) -> String {
    response.headers().get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn health_is_as_documented() {
    let response = ask(&listed(), "GET", "/health", &[]).await;
    assert_eq!(header_of(&response, "content-type"), "application/json");
    let health: Value = serde_json::from_str(&body(response).await).unwrap();
    assert_eq!((&health["status"], &health["service"]), (&json!("healthy"), &json!("webrtc")));
    let timestamp = health["timestamp"].as_str().unwrap();
    assert!(OffsetDateTime::parse(timestamp, &Rfc3339).is_ok(), "{timestamp}");
}

/// Harm prevented: a balancer sends people to a server that takes nobody any more.
#[tokio::test]
async fn a_server_that_is_about_to_stop_is_not_healthy() {
    let request = Request::get("/health").body(Body::empty()).unwrap();
    let response = server_that(true, &listed()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let health: Value = serde_json::from_str(&body(response).await).unwrap();
    assert_eq!(health["status"], json!("draining"));
}

#[tokio::test]
async fn stats_have_the_documented_fields_and_more() {
    let response = ask(&listed(), "GET", "/stats", &[]).await;
    let stats: Value = serde_json::from_str(&body(response).await).unwrap();
    let expected = json!({
        "rooms": 1, "peers": 2, "workers": 3, "sockets": 4, "transports": 5, "producers": 6, "consumers": 7,
        "calls": 8, "strangersDropped": 9, "packetsRefused": 10,
    });
    assert_eq!(stats, expected);
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    for path in ["/health", "/", "/room/x", "/no.file", "/socket.io/?EIO=4&transport=polling"] {
        let response = ask(&listed(), "GET", path, &[]).await;
        assert_eq!(header_of(&response, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header_of(&response, "referrer-policy"), "no-referrer", "{path}");
        assert!(header_of(&response, "permissions-policy").contains("display-capture=(self)"), "{path}");
        let policy = header_of(&response, "content-security-policy");
        assert!(
            policy.contains("connect-src 'self' ws: wss:") && policy.contains("media-src 'self' blob:"),
            "{policy}"
        );
    }
}

#[tokio::test]
async fn long_polling_opens_a_session_that_knows_the_payload_limit() {
    let response = ask(&listed(), "GET", "/socket.io/?EIO=4&transport=polling", &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
    let text = body(response).await;
    let open: Value = serde_json::from_str(text.strip_prefix('0').unwrap()).unwrap();
    assert_eq!(open["maxPayload"], json!(SOCKET_PAYLOAD_BYTES_MAX));
    assert_eq!(open["upgrades"], json!(["websocket"]));
}

#[tokio::test]
async fn a_long_polling_session_lasts_over_requests() {
    let server = server(&listed());
    let send = async |method: &str, path: &str, content: &'static str| {
        let request = Request::builder().method(method).uri(path).header("content-type", "text/plain;charset=UTF-8");
        body(server.clone().oneshot(request.body(Body::from(content)).unwrap()).await.unwrap()).await
    };
    let opened = send("GET", "/socket.io/?EIO=4&transport=polling", "").await;
    let open: Value = serde_json::from_str(opened.strip_prefix('0').unwrap()).unwrap();
    let session = format!("/socket.io/?EIO=4&transport=polling&sid={}", open["sid"].as_str().unwrap());
    assert_eq!(send("POST", &session, "40").await, "ok");
    let connected = send("GET", &session, "").await;
    assert!(connected.starts_with("40{\"sid\":"), "{connected}");
}

#[tokio::test]
async fn only_configured_origins_may_read() {
    let none = Origins::List(vec![]);
    for path in ["/stats", "/socket.io/?EIO=4&transport=polling"] {
        for (frontend, origin, expected) in [
            (&listed(), "https://meet.example.org", "https://meet.example.org"),
            (&listed(), "https://evil.example.org", ""),
            (&Origins::Any, "https://evil.example.org", "*"),
            (&none, "https://meet.example.org", ""),
        ] {
            let response = ask(frontend, "GET", path, &[("origin", origin)]).await;
            assert_eq!(header_of(&response, "access-control-allow-origin"), expected, "{path} {origin} {frontend:?}");
        }
    }
}

#[tokio::test]
async fn a_preflight_for_long_polling_is_answered() {
    let headers = [
        ("origin", "https://meet.example.org"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let response = ask(&listed(), "OPTIONS", "/socket.io/?EIO=4&transport=polling", &headers).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header_of(&response, "access-control-allow-origin"), "https://meet.example.org");
    assert_eq!(header_of(&response, "access-control-allow-credentials"), "true");
    assert!(header_of(&response, "access-control-allow-methods").contains("POST"));
    assert!(header_of(&response, "access-control-allow-headers").contains("content-type"));
}

#[tokio::test]
async fn nothing_of_the_client_can_be_written_to() {
    let response = ask(&listed(), "POST", "/room/x", &[]).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(ask(&listed(), "DELETE", "/health", &[]).await.status(), StatusCode::METHOD_NOT_ALLOWED);
}
