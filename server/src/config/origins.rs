//! Origins as the operator writes them. What cannot match is refused at start: a list that lets nobody in looks like a bug.

use crate::origin;

const EXAMPLES: &str = "write scheme and host, as in `https://shop.example` or `http://localhost:3000`";

/// Refuses what is not a scheme, a host and perhaps a port, and says what to write.
pub(super) fn judge(text: &str) -> Result<(), String> {
    let origin = origin::of(text).ok_or_else(|| format!("`{text}` is no origin; {EXAMPLES}"))?;
    // What stands behind the host is never compared: whoever wrote it expects that it is.
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    match rest.find(['/', '?', '#']).map(|at| &rest[at..]) {
        None | Some("/") => Ok(()),
        Some(behind) => Err(format!("`{text}` has `{behind}` behind the host; write `{origin}`")),
    }
}

/// The same for pages of the web: an app's own scheme is refused.
pub(super) fn judge_web(text: &str) -> Result<(), String> {
    judge(text)?;
    let of_the_web =
        origin::of(text).is_some_and(|origin| ["https://", "http://"].iter().any(|scheme| origin.starts_with(scheme)));
    if of_the_web { Ok(()) } else { Err(format!("`{text}` is no page of the web; {EXAMPLES}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_can_match_and_anything_else_is_told_how_it_is_written() {
        for (text, says) in [
            ("https://shop.example", None),
            ("https://Shop.Example:8443", None),
            ("https://shop.example/", None),
            ("http://localhost:3000", None),
            ("http://[::1]:3000", None),
            ("shop.example", Some("is no origin")),
            ("*", Some("is no origin")),
            ("https://*.shop.example", Some("is no origin")),
            ("null", Some("is no origin")),
            ("", Some("is no origin")),
            (" https://shop.example", Some("is no origin")),
            ("https://shop.example@evil.example", Some("is no origin")),
            ("https://shop.example/cart", Some("`/cart` behind the host; write `https://shop.example`")),
            ("https://shop.example?a", Some("write `https://shop.example`")),
            ("https://shop.example//", Some("write `https://shop.example`")),
        ] {
            for judged in [judge(text), judge_web(text)] {
                match says {
                    None => assert_eq!(judged, Ok(()), "{text}"),
                    Some(says) => assert!(judged.as_ref().is_err_and(|why| why.contains(says)), "{text}: {judged:?}"),
                }
            }
        }
    }

    #[test]
    fn an_app_is_returned_to_by_its_scheme_and_is_no_page() {
        assert_eq!(judge("shop-app://back"), Ok(()));
        assert!(judge_web("shop-app://back").is_err_and(|why| why.contains("`shop-app://back` is no page of the web")));
    }
}
