//! Pages of other origins may not open sockets here unless they were named: CORS does not hold for websockets
//! (RFC 6455 section 10.2).

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config::Origins;

/// Refuses a request for Socket.IO from a page of a foreign origin. What comes without an origin is no browser's.
pub(super) async fn check(State(frontend): State<Origins>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/socket.io") && is_foreign(request.headers(), host(&request), &frontend) {
        return (StatusCode::FORBIDDEN, "this origin is not one of FRONTEND_URL\n").into_response();
    }
    next.run(request).await
}

/// Where the page went: HTTP/2 says it in the address, and has no such header (RFC 9113 section 8.3.1).
fn host(request: &Request) -> Option<&str> {
    let said = || request.headers().get(header::HOST)?.to_str().ok();
    request.uri().authority().map(Authority::as_str).or_else(said)
}

fn is_foreign(headers: &HeaderMap, host: Option<&str>, frontend: &Origins) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let named = match frontend {
        Origins::Any => true,
        Origins::List(list) => list.contains(origin),
    };
    !named && !is_own(origin, host)
}

/// Whether a page came from here. The scheme is not compared: a proxy may have taken TLS off.
fn is_own(origin: &HeaderValue, host: Option<&str>) -> bool {
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    match (authority, host) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(origin: Option<&'static str>, frontend: &Origins) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        is_foreign(&headers, Some("sfu.example:4000"), frontend)
    }

    #[test]
    fn where_a_page_went_is_in_the_address_or_in_a_header() {
        let request = |uri: &str, host: Option<&str>| {
            let mut request = Request::get(uri).body(axum::body::Body::empty()).unwrap();
            request.headers_mut().extend(host.map(|host| (header::HOST, host.parse().unwrap())));
            super::host(&request).map(str::to_owned)
        };
        assert_eq!(request("/x", Some("a.example")).as_deref(), Some("a.example"));
        assert_eq!(request("https://b.example:1/x", None).as_deref(), Some("b.example:1"));
        assert_eq!(request("/x", None), None);
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
