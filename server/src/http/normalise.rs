//! Paths as SDKs really send them.
//!
//! A base URL with a trailing slash gives `/v1//users/…`; Go's SDK doubles the base for one call (`/v1/v1/challenges`);
//! Java's forgets the `?` in the same one (`/v1/challengesuserId=…`).

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// The one path behind which a query may be glued, and the query's names.
const GLUED: &str = "challenges";
const GLUED_NAMES: [&str; 4] = ["challengeId=", "userId=", "action=", "verificationMethod="];

/// Collapses repeated slashes, drops a trailing one, undoubles `/v1/v1` and puts a forgotten `?` back. Percent-encoded
/// slashes are ids' own.
pub fn path(mut request: Request) -> Request {
    let uri = request.uri();
    let path = uri.path();
    let glued = uri.query().is_none() && glued_query(path).is_some();
    if !(path.contains("//") || path.len() > 1 && path.ends_with('/') || path.starts_with("/v1/v1/") || glued) {
        return request;
    }
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.starts_with(&["v1", "v1"]) {
        parts.remove(0);
    }
    let mut text = format!("/{}", parts.join("/"));
    if let (Some((path, query)), true) = (glued_query(&text), glued) {
        text = format!("{path}?{query}");
    } else if let Some(query) = uri.query() {
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

/// `/v1/challengesuserId=u` as its path and its query.
fn glued_query(path: &str) -> Option<(&str, &str)> {
    let (head, last) = path.rsplit_once('/')?;
    let query = last.strip_prefix(GLUED).filter(|rest| GLUED_NAMES.iter().any(|name| rest.starts_with(name)))?;
    path.get(..head.len() + 1 + GLUED.len()).map(|path| (path, query))
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
            ("/v1/challengesuserId=u%2F1&action=a", "/v1/challenges?userId=u%2F1&action=a"),
            ("/v1/v1/challengeschallengeId=c", "/v1/challenges?challengeId=c"),
            ("/v1/challengesuserId=u?action=a", "/v1/challengesuserId=u?action=a"),
            ("/v1/challengesX=1", "/v1/challengesX=1"),
            ("/", "/"),
            ("//", "/"),
        ] {
            let request = Request::builder().uri(sent).body(axum::body::Body::empty()).expect("a request");
            assert_eq!(path(request).uri().to_string(), meant, "{sent}");
        }
    }
}
