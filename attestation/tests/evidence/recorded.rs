//! What real phones sent, and what we make of it.

use std::path::{Path, PathBuf};

use attestation::android::{self, AndroidRules};
use attestation::apple::{self, AppleRules};
use attestation::path::Anchors;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

use crate::at;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(name)
}

/// Compares with the file beside the input, or rewrites it.
fn expect(input: &Path, found: &str) {
    let file = input.with_extension("expected");
    if std::env::var_os("ACCEPT").is_some() {
        std::fs::write(&file, found).expect("written");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(found, expected, "{}", input.display());
}

fn inputs(name: &str, ending: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder(name)).expect("a folder");
    let mut files: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|found| found == ending));
    files.sort();
    files
}

fn told<T: serde::Serialize>(outcome: Result<T, attestation::Refusal>) -> String {
    match outcome {
        Ok(facts) => format!("{}\n", serde_json::to_string_pretty(&facts).expect("JSON")),
        Err(refusal) => format!("{}: {refusal}\n", refusal.code()),
    }
}

#[test]
fn keys_of_real_android_phones_are_what_they_are() {
    let files = inputs("android", "pem");
    assert!(files.len() >= 17, "{}", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("text");
        let line = |name: &str| {
            let prefix = format!("{name}: ");
            text.lines().find_map(|line| line.strip_prefix(&prefix)).expect("a line").to_owned()
        };
        let chain: Vec<Vec<u8>> = text
            .split("-----BEGIN CERTIFICATE-----")
            .skip(1)
            .filter_map(|part| part.split("-----END").next())
            .map(|body| STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).expect("base64"))
            .collect();
        let leaf = Certificate::from_der(&chain[0]).expect("a certificate");
        let key = leaf.tbs_certificate().subject_public_key_info().to_der().expect("DER");
        let challenge = STANDARD.decode(line("challenge")).expect("base64");
        let now = at(&line("now"));

        let strict = AndroidRules::trusting(Anchors::google().expect("roots"));
        let lenient = AndroidRules { expired_factory_keys: true, ..strict.clone() };
        let (found, leniently) = (
            told(android::verify(&chain, &key, &challenge, &strict, now)),
            told(android::verify(&chain, &key, &challenge, &lenient, now)),
        );
        let found = if found == leniently { found } else { format!("{found}with expired factory keys: {leniently}") };
        expect(&file, &found);
    }
}

#[test]
fn apps_on_real_apple_devices_are_what_they_are() {
    for file in inputs("apple", "json") {
        let text = std::fs::read_to_string(&file).expect("text");
        let recorded: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let bytes = |name: &str| STANDARD.decode(recorded[name].as_str().expect("text")).expect("base64");
        let hash: [u8; 32] = crate::maker::sha256(&bytes("challenge")).try_into().expect("32 bytes");
        let rules = |development| AppleRules {
            anchors: Anchors::apple().expect("a root"),
            apps: vec!["OTHER.app".to_owned(), "V8H6LQ9448.io.uebelacker.AppAttestExample".to_owned()],
            development,
        };
        let judged = |development, now| {
            told(apple::verify(&bytes("attestation"), Some(&bytes("keyId")), &hash, &rules(development), now))
        };
        let found = format!(
            "then, as a user: {}then, as a developer: {}much later: {}",
            judged(false, at("2024-02-10T00:00:00Z")),
            judged(true, at("2024-02-10T00:00:00Z")),
            judged(true, at("2026-11-01T00:00:00Z")),
        );
        expect(&file, &found);
    }
}
