//! The embedded web client. A path that is no file of it and does not look like one gets `index.html`: it is one of the
//! client's own routes.

use std::borrow::Cow;
use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::Embed;

#[derive(Embed)]
#[folder = "../web/dist"]
struct Client;

/// A file of the client.
struct Asset {
    data: Cow<'static, [u8]>,
    sha256: [u8; 32],
}

fn embedded(path: &str) -> Option<Asset> {
    Client::get(path).map(|file| Asset { data: file.data, sha256: file.metadata.sha256_hash() })
}

const INDEX: &str = "index.html";

/// Names in this folder have a hash of their content in them.
const HASHED: &str = "assets/";

pub(super) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    respond(uri.path().trim_start_matches('/'), &headers, embedded)
}

fn respond(path: &str, headers: &HeaderMap, get: impl Fn(&str) -> Option<Asset>) -> Response {
    if !path.is_empty()
        && let Some(found) = get(path)
    {
        return file(path, found, headers);
    }
    let looks_like_a_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if looks_like_a_file {
        return StatusCode::NOT_FOUND.into_response();
    }
    match get(INDEX) {
        Some(index) => file(INDEX, index, headers),
        None => (StatusCode::NOT_FOUND, "This binary was built without the web client.\n").into_response(),
    }
}

fn file(path: &str, found: Asset, headers: &HeaderMap) -> Response {
    let cache = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let tag = entity_tag(&found.sha256);
    let mut response = if headers.get(header::IF_NONE_MATCH) == Some(&tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Body::from(found.data.into_owned()).into_response();
        if let Ok(content_type) = HeaderValue::from_str(content_type(path).as_ref()) {
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        }
        response
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response.headers_mut().insert(header::ETAG, tag);
    response
}

fn content_type(path: &str) -> String {
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    let text = mime.type_() == "text" || mime.subtype() == "javascript";
    if text { format!("{mime}; charset=utf-8") } else { mime.to_string() }
}

fn entity_tag(sha256: &[u8; 32]) -> HeaderValue {
    let mut tag = String::from("\"");
    for byte in sha256 {
        // Writing to a string does not fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    HeaderValue::from_str(&tag).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(path: &str) -> Option<Asset> {
        let files = ["index.html", "assets/app-1a2b.js", "favicon.svg"];
        files.contains(&path).then(|| Asset { data: path.as_bytes().to_vec().into(), sha256: [7; 32] })
    }

    fn header_of(response: &Response, name: header::HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn files_and_client_routes_are_told_apart() {
        for (path, status, content_type, cache) in [
            ("", 200, "text/html; charset=utf-8", "no-cache"),
            ("index.html", 200, "text/html; charset=utf-8", "no-cache"),
            ("room/blue-whale", 200, "text/html; charset=utf-8", "no-cache"),
            ("assets/app-1a2b.js", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
            ("favicon.svg", 200, "image/svg+xml", "no-cache"),
            // A page from before an update must hear that its script is gone, not get HTML for it.
            ("assets/app-old.js", 404, "", ""),
            ("../Cargo.toml", 404, "", ""),
        ] {
            let response = respond(path, &HeaderMap::new(), built);
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(header_of(&response, header::CONTENT_TYPE), content_type, "{path}");
            assert_eq!(header_of(&response, header::CACHE_CONTROL), cache, "{path}");
        }
    }

    #[test]
    fn an_unchanged_file_is_not_sent_again() {
        let first = respond("", &HeaderMap::new(), built);
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(respond("", &headers, built).status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn a_binary_without_the_client_says_so() {
        assert_eq!(respond("", &HeaderMap::new(), |_| None).status(), StatusCode::NOT_FOUND);
    }
}
