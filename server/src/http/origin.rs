//! Pages of other origins may not open sockets here unless they were named: CORS does not hold for websockets
//! (RFC 6455 section 10.2).

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config::Origins;

/// Refuses a request for Socket.IO from a page of a foreign origin. What comes without an origin is no browser's.
pub(super) async fn check(State(frontend): State<Origins>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/socket.io") && is_foreign(request.headers(), &frontend) {
        return (StatusCode::FORBIDDEN, "this origin is not one of FRONTEND_URL\n").into_response();
    }
    next.run(request).await
}

fn is_foreign(headers: &HeaderMap, frontend: &Origins) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let named = match frontend {
        Origins::Any => true,
        Origins::List(list) => list.contains(origin),
    };
    !named && !is_own(origin, headers.get(header::HOST))
}

/// Whether a page came from here. The scheme is not compared: a proxy may have taken TLS off.
fn is_own(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    match (authority, host.and_then(|host| host.to_str().ok())) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(origin: Option<&'static str>, frontend: &Origins) -> bool {
        let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("sfu.example:4000"))]);
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        is_foreign(&headers, frontend)
    }

    #[test]
    fn only_own_and_named_origins_may_open_sockets() {
        let closed = Origins::List(vec![]);
        let named = Origins::List(vec![HeaderValue::from_static("https://app.example")]);
        for (origin, frontend, expected) in [
            (None, &closed, false),
            (Some("http://sfu.example:4000"), &closed, false),
            (Some("https://SFU.example:4000"), &closed, false),
            (Some("http://sfu.example"), &closed, true),
            (Some("https://evil.example"), &closed, true),
            (Some("null"), &closed, true),
            (Some("https://app.example"), &named, false),
            (Some("https://app.example.evil.example"), &named, true),
            (Some("https://evil.example"), &Origins::Any, false),
        ] {
            assert_eq!(foreign(origin, frontend), expected, "{origin:?} with {frontend:?}");
        }
    }
}
