//! Which language a page speaks. Each file in `assets/lang` is a language: a new one needs no code.

use std::sync::LazyLock;

use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::pages::Assets;

/// The language of a browser that asks for none that we have.
const FALLBACK: &str = "en";
/// The most ranges of an `Accept-Language` header that are looked at.
const MOST_RANGES: usize = 32;

/// A language and its texts.
pub(super) struct Language {
    /// Its BCP 47 code, which is the name of its file.
    pub(super) code: String,
    texts: Map<String, Value>,
}

impl Language {
    /// A text by its key; empty if there is none.
    pub(super) fn text(&self, key: &str) -> &str {
        self.texts.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
    let files = Assets::iter()
        .filter_map(|path| Some((path.strip_prefix("lang/")?.strip_suffix(".json")?.to_owned(), Assets::get(&path)?)));
    let read = |(code, file): (String, rust_embed::EmbeddedFile)| {
        let texts = serde_json::from_slice(&file.data).unwrap_or_default();
        Language { code, texts }
    };
    let mut languages: Vec<Language> = files.map(read).collect();
    languages.sort_by(|one, other| one.code.cmp(&other.code));
    languages
});

/// Every language, by code.
pub(super) fn all() -> &'static [Language] {
    &LANGUAGES
}

/// The language that the browser likes best of those we have.
pub(super) fn chosen(asked: &HeaderMap) -> Option<&'static Language> {
    let header = asked.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let codes: Vec<&str> = all().iter().map(|language| language.code.as_str()).collect();
    let code = best(header, &codes).unwrap_or(FALLBACK);
    all().iter().find(|language| language.code == code)
}

/// The best of `codes` for an `Accept-Language` header (RFC 9110 §12.5.4): by weight, then by place. A region is ignored.
fn best<'a>(header: &str, codes: &[&'a str]) -> Option<&'a str> {
    let mut found: Option<(f32, &str)> = None;
    for range in header.split(',').take(MOST_RANGES) {
        let mut parts = range.split(';');
        let tag = parts.next().unwrap_or_default().trim();
        let primary = tag.split('-').next().unwrap_or_default();
        let weight = parts.find_map(|part| part.trim().strip_prefix("q=").map(str::parse::<f32>));
        let weight = match weight {
            None => 1.0,
            Some(Ok(weight)) if (0.0..=1.0).contains(&weight) => weight,
            Some(_) => continue,
        };
        let Some(code) = codes.iter().find(|code| code.eq_ignore_ascii_case(primary)) else { continue };
        if weight > 0.0 && found.is_none_or(|(best, _)| weight > best) {
            found = Some((weight, code));
        }
    }
    found.map(|(_, code)| code)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::pages::Assets;
    use super::{all, best};
    use crate::error::Problem;

    #[test]
    fn the_language_is_the_one_liked_best() {
        for (header, code) in [
            ("", None),
            ("de", Some("de")),
            ("de-CH, fr;q=0.9", Some("de")),
            ("fr;q=0.5, ja;q=0.9, en;q=0.7", Some("ja")),
            ("tlh, ES;q=0.1", Some("es")),
            ("de;q=0, fr;q=0.2", Some("fr")),
            ("de;q=2, ar;q=x, fr;q=0.2", Some("fr")),
            ("*", None),
            (",,;q=,-", None),
        ] {
            assert_eq!(best(header, &["ar", "de", "en", "es", "fr", "ja"]), code, "{header}");
        }
    }

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name)).collect()
    }

    #[test]
    fn every_language_has_every_key_with_the_same_placeholders() {
        let shape = |language: &'static super::Language| -> BTreeMap<&str, BTreeSet<&str>> {
            language
                .texts
                .iter()
                .map(|(key, text)| {
                    let text = text.as_str().unwrap_or_default();
                    assert!(!text.trim().is_empty(), "{}: `{key}` is empty", language.code);
                    (key.as_str(), placeholders(text))
                })
                .collect()
        };
        let codes: Vec<&str> = all().iter().map(|language| language.code.as_str()).collect();
        for code in ["ar", "de", "en", "es", "fr", "ja"] {
            assert!(codes.contains(&code), "there is no {code} in {codes:?}");
        }
        let english = shape(all().iter().find(|language| language.code == "en").expect("English is there"));
        for language in all() {
            assert_eq!(shape(language), english, "{}", language.code);
        }
    }

    /// The texts that a page or a script names: `data-text="key"`, `data-label="key"`, `text('key'`.
    fn named(source: &str) -> BTreeSet<String> {
        let ends = |rest: &str| rest.split(['"', '\'']).next().unwrap_or_default().to_owned();
        ["data-text=\"", "data-label=\"", "text('"]
            .iter()
            .flat_map(|start| source.split(start).skip(1).map(ends))
            .filter(|key| key.contains('.'))
            .collect()
    }

    #[test]
    fn every_text_that_is_named_exists_and_every_text_is_named() {
        let english = all().iter().find(|language| language.code == "en").expect("English is there");
        let mut used = BTreeSet::new();
        let mut everything = String::new();
        for path in Assets::iter().filter(|path| path.ends_with(".html") || path.ends_with(".js")) {
            if path.starts_with("vendor/") || path.starts_with("demo") {
                continue;
            }
            let file = Assets::get(&path).expect("a listed file");
            let source = std::str::from_utf8(&file.data).expect("UTF-8");
            everything.push_str(source);
            for key in named(source) {
                assert!(english.texts.contains_key(&key), "{path} names `{key}`");
                used.insert(key);
            }
        }
        // Pages put theirs in on the server; refusals are named by the codes of the wire.
        let codes: BTreeSet<&str> = Problem::ALL.iter().map(|problem| problem.entry().code).collect();
        let refusal = |key: &'static str| key.strip_prefix("refused.")?.rsplit_once('.').map(|(code, _)| code);
        for key in english.texts.keys() {
            let is_named = used.contains(key)
                || everything.contains(&format!("'{key}'"))
                || key == "direction"
                || key.starts_with("page.")
                || refusal(key).is_some_and(|code| codes.contains(code));
            assert!(is_named, "nothing names `{key}`");
        }
    }
}
