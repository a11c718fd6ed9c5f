//! HTTP: health and numbers, and everything else is the web client. Socket.IO is a layer in front of it.

mod assets;
mod headers;
pub(crate) mod ice_servers;
mod origin;
pub(crate) mod tls;

use std::pin::Pin;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use socketioxide::layer::SocketIoLayer;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tower::Layer;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::config::Origins;

/// `GET /stats`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stats {
    /// Rooms that somebody is in.
    pub(crate) rooms: usize,
    /// Peers that have joined a room.
    pub(crate) peers: usize,
    /// Media workers.
    pub(crate) workers: usize,
    /// Sockets connected.
    pub(crate) sockets: usize,
    pub(crate) transports: usize,
    pub(crate) producers: usize,
    pub(crate) consumers: usize,
    /// Calls of two whose media does not come here.
    pub(crate) calls: usize,
    /// Datagrams so far from addresses that nobody has validated.
    pub(crate) strangers_dropped: u64,
    /// Packets so far that were forged, repeated or malformed.
    pub(crate) packets_refused: u64,
}

/// Asks for the numbers.
pub(crate) type StatsSource = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Stats> + Send>> + Send + Sync>;

/// Whether the server is about to stop.
pub(crate) type IsDraining = Arc<dyn Fn() -> bool + Send + Sync>;

/// `GET /health`.
#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
    /// RFC 3339, UTC.
    timestamp: String,
    service: &'static str,
}

/// The whole of HTTP, with Socket.IO where it is given. `api` is what is asked for by programs.
pub(crate) fn app(
    stats: StatsSource,
    is_draining: IsDraining,
    api: Router,
    socket_io: SocketIoLayer,
    frontend: &Origins,
) -> Router {
    let pages = Router::new()
        .route("/health", get(move || std::future::ready(health(is_draining()))))
        .route("/stats", get(read_stats))
        .with_state(stats)
        .merge(api)
        .fallback(assets::serve);
    // Layered once, by hand: a router applies a layer to each of its routes by itself, and to a fallback for each request,
    // and every application is a Socket.IO server of its own, which does not know the others' sessions.
    Router::new()
        .fallback_service(socket_io.layer(pages))
        .layer(axum::middleware::from_fn_with_state(frontend.clone(), origin::check))
        .layer(cors(frontend))
        .layer(axum::middleware::map_response(headers::secure))
}

/// Balancers send nobody to a server that does not answer with 200.
fn health(is_draining: bool) -> (StatusCode, Json<Health>) {
    // Formatting fails for years beyond 9999 only.
    let timestamp = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    let (code, status) =
        if is_draining { (StatusCode::SERVICE_UNAVAILABLE, "draining") } else { (StatusCode::OK, "healthy") };
    (code, Json(Health { status, timestamp, service: "webrtc" }))
}

async fn read_stats(State(stats): State<StatsSource>) -> Json<Stats> {
    Json(stats().await)
}

/// Pages of these origins may read answers. Listed ones may send credentials, as clients with `withCredentials` do.
fn cors(frontend: &Origins) -> CorsLayer {
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION]);
    match frontend {
        Origins::Any => layer.allow_origin(Any),
        Origins::List(list) if list.is_empty() => CorsLayer::new(),
        Origins::List(list) => layer.allow_origin(AllowOrigin::list(list.to_vec())).allow_credentials(true),
    }
}

#[cfg(test)]
mod tests;
