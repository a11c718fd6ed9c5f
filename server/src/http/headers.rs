//! Headers that every answer has.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

/// What pages of ours may load and connect to: their own origin; WebSockets, which older browsers do not count as the own
/// origin; media and pictures made in the page; styles that are set by script.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; \
    media-src 'self' blob: mediastream:; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; object-src 'none'; \
    base-uri 'self'; form-action 'self'; frame-ancestors 'self'";

/// Camera, microphone and screen for pages of ours, not for what they might embed.
const PERMISSIONS_POLICY: &str = "camera=(self), microphone=(self), display-capture=(self)";

const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
    (HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS_POLICY)),
    // The address of a page may be the key to its room.
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// Adds them.
pub(super) async fn secure(mut response: Response) -> Response {
    response.headers_mut().extend(HEADERS);
    response
}
