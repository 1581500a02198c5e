//! Where a request really comes from.
//!
//! The headers that proxies write are believed only when the connection comes from a proxy we trust, and only as far
//! as trusted proxies wrote them: from the right, up to the first address that is not one of ours (T-47).

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use ipnet::IpNet;

/// The client's canonical address.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(&peer) {
        return peer;
    }
    let mut nearest = peer;
    for hop in hops(headers).into_iter().rev() {
        // A hop we cannot read ends what we can believe.
        let Some(address) = hop else { return nearest };
        nearest = address;
        if !is_trusted(&address) {
            return address;
        }
    }
    nearest
}

/// The hops that proxies noted, nearest last. `Forwarded` (RFC 7239) is used only without `X-Forwarded-For`.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let list = |name| {
        let texts = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?"));
        // Several headers are one list in the order they stand (RFC 9110 §5.3).
        texts.flat_map(|text| text.split(',')).map(|part| part.trim().to_owned()).collect::<Vec<_>>()
    };
    if headers.contains_key("x-forwarded-for") {
        return list(axum::http::HeaderName::from_static("x-forwarded-for")).iter().map(|hop| address(hop)).collect();
    }
    list(header::FORWARDED).iter().map(|element| forwarded_for(element)).collect()
}

/// The `for` parameter of one `Forwarded` element.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let value = element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
    })?;
    address(value.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(value))
}

/// An address with or without brackets and port: `203.0.113.9`, `203.0.113.9:443`, `2001:db8::1`, `[2001:db8::1]:443`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = if let Some(rest) = text.strip_prefix('[') {
        rest.split_once(']')?.0
    } else if text.matches(':').count() == 1 {
        text.split_once(':')?.0
    } else {
        text
    };
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            map.append(name, HeaderValue::from_str(value).expect("a header value"));
        }
        map
    }

    fn trusted() -> Vec<IpNet> {
        ["10.0.0.0/8", "2001:db8:ffff::/48"].iter().map(|text| text.parse().expect("a network")).collect()
    }

    #[test]
    fn headers_are_believed_only_from_the_right_and_only_through_our_proxies() {
        let xff = "x-forwarded-for";
        for (peer, lines, expected) in [
            ("203.0.113.9", vec![(xff, "198.51.100.1")], "203.0.113.9"),
            ("::ffff:203.0.113.9", vec![], "203.0.113.9"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec![(xff, "198.51.100.1")], "198.51.100.1"),
            ("::ffff:10.0.0.1", vec![(xff, "198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", vec![(xff, "1.1.1.1, 198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", vec![(xff, "198.51.100.1, 10.9.9.9")], "198.51.100.1"),
            ("10.0.0.1", vec![(xff, "198.51.100.1"), (xff, "10.9.9.9")], "198.51.100.1"),
            ("10.0.0.1", vec![(xff, "1.1.1.1"), (xff, "198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", vec![(xff, "10.1.1.1, 10.2.2.2")], "10.1.1.1"),
            ("10.0.0.1", vec![(xff, "198.51.100.1, unknown")], "10.0.0.1"),
            ("10.0.0.1", vec![(xff, "198.51.100.1, ")], "10.0.0.1"),
            ("10.0.0.1", vec![(xff, "198.51.100.1:4711")], "198.51.100.1"),
            ("10.0.0.1", vec![(xff, "[2001:db8::5]:443")], "2001:db8::5"),
            ("10.0.0.1", vec![(xff, "2001:db8::5")], "2001:db8::5"),
            ("10.0.0.1", vec![(xff, "::ffff:198.51.100.1")], "198.51.100.1"),
            ("2001:db8:ffff::1", vec![(xff, "198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", vec![("forwarded", "for=198.51.100.1;proto=https")], "198.51.100.1"),
            ("10.0.0.1", vec![("forwarded", "for=1.1.1.1, For=\"[2001:db8::5]:1\"")], "2001:db8::5"),
            ("10.0.0.1", vec![("forwarded", "for=_hidden")], "10.0.0.1"),
            ("10.0.0.1", vec![("forwarded", "for=1.1.1.1"), (xff, "198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", vec![("x-real-ip", "198.51.100.1")], "10.0.0.1"),
        ] {
            let peer: IpAddr = peer.parse().expect("an address");
            let client = client_address(peer, &headers(&lines), &trusted());
            assert_eq!(client, expected.parse::<IpAddr>().expect("an address"), "{peer} {lines:?}");
        }
    }

    proptest! {
        #[test]
        fn what_a_client_adds_on_the_left_never_changes_the_result(forged in "[0-9a-f:., ]{0,40}", hop in any::<[u8; 4]>()) {
            let hop = IpAddr::from(hop).to_string();
            let peer = IpAddr::from([10, 0, 0, 1]);
            let honest = client_address(peer, &headers(&[("x-forwarded-for", &hop)]), &trusted());
            prop_assume!(!trusted().iter().any(|network| network.contains(&honest)));
            let longer = format!("{forged},{hop}");
            prop_assert_eq!(client_address(peer, &headers(&[("x-forwarded-for", &longer)]), &trusted()), honest);
        }
    }
}
