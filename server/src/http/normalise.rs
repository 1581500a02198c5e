//! Paths as SDKs really send them.
//!
//! A base URL with a trailing slash gives `/v1//users/…`; Go's SDK doubles the base for one call (`/v1/v1/challenges`).

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Collapses repeated slashes, drops a trailing one, and undoubles `/v1/v1`. Percent-encoded slashes are ids' own.
pub fn path(mut request: Request) -> Request {
    let uri = request.uri();
    let path = uri.path();
    if !(path.contains("//") || path.len() > 1 && path.ends_with('/') || path.starts_with("/v1/v1/")) {
        return request;
    }
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.starts_with(&["v1", "v1"]) {
        parts.remove(0);
    }
    let mut text = format!("/{}", parts.join("/"));
    if let Some(query) = uri.query() {
        text.push('?');
        text.push_str(query);
    }
    if let Ok(path_and_query) = text.parse::<PathAndQuery>() {
        let mut rebuilt = uri.clone().into_parts();
        rebuilt.path_and_query = Some(path_and_query);
        if let Ok(uri) = Uri::from_parts(rebuilt) {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_collapse_and_ids_keep_theirs() {
        for (sent, meant) in [
            ("/v1//users/u/actions/a", "/v1/users/u/actions/a"),
            ("//v1/users/u/", "/v1/users/u"),
            ("/v1/v1/challenges?challengeId=c//d", "/v1/challenges?challengeId=c//d"),
            ("/v1/users/a%2F%2Fb", "/v1/users/a%2F%2Fb"),
            ("/", "/"),
            ("//", "/"),
        ] {
            let request = Request::builder().uri(sent).body(axum::body::Body::empty()).expect("a request");
            assert_eq!(path(request).uri().to_string(), meant, "{sent}");
        }
    }
}
