//! Origins of addresses (RFC 6454, section 4): where a page may return to, and which pages may talk to us.

use axum::http::Uri;

/// `scheme://host[:port]` of an absolute address, in lower case and without the scheme's own port.
///
/// ```
/// assert_eq!(server::origin::of("https://Shop.Example:443/cart?x#y").as_deref(), Some("https://shop.example"));
/// assert_eq!(server::origin::of("https://shop.example@evil.example/"), None);
/// ```
pub fn of(address: &str) -> Option<String> {
    let uri: Uri = address.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let host = uri.host()?.to_ascii_lowercase();
    let plain = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b));
    // Whatever else is there is a port: user information would let `https://shop.example@evil.example` look like the shop.
    let authority = uri.authority()?.as_str().to_ascii_lowercase();
    let port: Option<u16> = match authority.strip_prefix(&*host).filter(|_| plain)? {
        "" => None,
        port => Some(port.strip_prefix(':')?.parse().ok()?),
    };
    let usual = match &*scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    let port = port.filter(|port| Some(*port) != usual).map_or(String::new(), |port| format!(":{port}"));
    Some(format!("{scheme}://{host}{port}"))
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        for (address, origin) in [
            ("https://shop.example", Some("https://shop.example")),
            ("HTTPS://SHOP.example:443/a?b#c", Some("https://shop.example")),
            ("http://shop.example:80", Some("http://shop.example")),
            ("http://shop.example:443", Some("http://shop.example:443")),
            ("https://[::1]:8443/", Some("https://[::1]:8443")),
            ("shop-app://back/here", Some("shop-app://back")),
            ("https://shop.example@evil.example", None),
            ("https://shop.example:80@evil.example", None),
            ("https://shop.example:x", None),
            ("https://shop.example:99999", None),
            ("https://", None),
            ("//shop.example", None),
            ("/cart", None),
            ("https://shop.example\\@evil.example", None),
            ("https://shop .example", None),
            (" https://shop.example", None),
            ("javascript:alert(1)", None),
            ("null", None),
            ("", None),
        ] {
            assert_eq!(of(address).as_deref(), origin, "{address}");
        }
    }
}
