//! Which trace of the caller's a request belongs to: W3C Trace Context.

use axum::http::HeaderMap;

/// The trace id of `traceparent` (§3.2), 32 digits. One that is not well-formed is ignored, as the standard asks; of a later
/// version, what every version begins with is read.
pub fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all("traceparent").iter();
    let (Some(only), None) = (all.next(), all.next()) else { return None };
    let mut parts = only.to_str().ok()?.splitn(4, '-');
    let (version, trace, parent, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
    };
    let names = |text: &str, digits: usize| is_hex(text, digits) && text.bytes().any(|byte| byte != b'0');
    let flags = match (version, rest.split_once('-')) {
        ("ff", _) | ("00", Some(_)) => return None,
        (_, Some((flags, _))) => flags,
        (_, None) => rest,
    };
    (is_hex(version, 2) && names(trace, 32) && names(parent, 16) && is_hex(flags, 2)).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn only_what_the_standard_allows_is_a_trace() {
        let zeros = "0".repeat(32);
        for (text, read) in [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), true),
            (format!("01-{TRACE}-00f067aa0ba902b7-01-later"), true),
            (format!("00-{TRACE}-00f067aa0ba902b7-01-later"), false),
            (format!("ff-{TRACE}-00f067aa0ba902b7-01"), false),
            (format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()), false),
            (format!("00-{zeros}-00f067aa0ba902b7-01"), false),
            (format!("00-{TRACE}-0000000000000000-01"), false),
            (format!("00-{TRACE}-00f067aa0ba902b7"), false),
            (format!("00-{TRACE}-00f067aa0ba902b7-1"), false),
            (TRACE.to_owned(), false),
            (String::new(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", text.parse().expect("a header"));
            assert_eq!(trace_id(&headers), read.then_some(TRACE), "{text}");
            headers.append("traceparent", text.parse().expect("a header"));
            assert_eq!(trace_id(&headers), None, "twice");
        }
    }
}
