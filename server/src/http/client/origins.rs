//! Which web pages may talk to us from a browser: for CORS and, more important, for the socket (T-49).
//!
//! A page is allowed when the tenant lists its origin. Without a list that is our own public origin and pages of this very
//! machine: safe for a demo, and useless to a stranger's page.

use axum::http::{HeaderMap, header};

use crate::app::App;
use crate::origin;

/// What the `Origin` header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// No browser, or a page of ours that sent none.
    Absent,
    /// This page.
    Page(String),
    /// Something that is no origin: `null`, two headers, garbage.
    Opaque,
}

impl Origin {
    /// Reads the header.
    pub fn of(headers: &HeaderMap) -> Origin {
        let mut values = headers.get_all(header::ORIGIN).iter();
        match (values.next(), values.next()) {
            (None, _) => Origin::Absent,
            (Some(value), None) => match value.to_str().ok().and_then(normal) {
                Some(origin) => Origin::Page(origin),
                None => Origin::Opaque,
            },
            (Some(_), Some(_)) => Origin::Opaque,
        }
    }

    /// Whether this tenant lets it in.
    pub fn is_allowed(&self, app: &App, tenant: &str) -> bool {
        match self {
            Origin::Absent => true,
            Origin::Opaque => false,
            Origin::Page(page) => {
                let listed = app.config.tenant(tenant).allowed_origins;
                allowed(page, &listed, &app.config.server.public_url)
            }
        }
    }

    /// Whether any tenant lets it in: a preflight request does not say whose it is.
    pub fn is_known(&self, app: &App) -> bool {
        let tenants = app.config.tenants.keys().map(String::as_str);
        std::iter::once("").chain(tenants).any(|tenant| self.is_allowed(app, tenant))
    }
}

fn allowed(page: &str, listed: &[String], public_url: &str) -> bool {
    let same = |url: &str| normal(url).is_some_and(|origin| origin == page);
    if same(public_url) {
        return true;
    }
    if listed.is_empty() { is_loopback(page) } else { listed.iter().any(|origin| same(origin)) }
}

/// The origin of a page on the web.
fn normal(url: &str) -> Option<String> {
    origin::of(url.trim()).filter(|origin| origin.starts_with("https://") || origin.starts_with("http://"))
}

fn is_loopback(origin: &str) -> bool {
    let Some((_, authority)) = origin.split_once("://") else { return false };
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map_or(v6, |(host, _)| host),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    // `::ffff:127.0.0.1` is loopback only in its canonical form.
    host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_list_only_we_and_this_machine_are_let_in() {
        for (page, yes) in [
            ("https://mfa.example.com", true),
            ("https://mfa.example.com:443", true),
            ("http://mfa.example.com", false),
            ("https://mfa.example.com.evil.example", false),
            ("https://evil.example", false),
            ("http://localhost:3000", true),
            ("http://demo.localhost", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://[::ffff:127.0.0.1]:8080", true),
            ("http://127.0.0.1.evil.example", false),
            ("http://localhost.evil.example", false),
        ] {
            let page = normal(page).unwrap_or_default();
            assert_eq!(allowed(&page, &[], "https://mfa.example.com/"), yes, "{page}");
        }
    }

    #[test]
    fn a_list_closes_the_machine_and_keeps_ourselves() {
        let listed = ["https://Shop.Example".to_owned()];
        for (page, yes) in [
            ("https://shop.example", true),
            ("https://mfa.example.com", true),
            ("http://localhost:3000", false),
            ("https://shop.example:8443", false),
        ] {
            assert_eq!(allowed(page, &listed, "https://mfa.example.com"), yes, "{page}");
        }
    }

    #[test]
    fn what_is_no_origin_is_opaque() {
        for value in ["null", "", "file://", "https://", "https://a b", "javascript:1", "https://user@host"] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, value.parse().expect("a header value"));
            assert_eq!(Origin::of(&headers), Origin::Opaque, "{value}");
        }
        assert_eq!(Origin::of(&HeaderMap::new()), Origin::Absent);
    }
}
