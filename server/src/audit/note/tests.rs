use super::*;

/// The example key and note of the signed-note reference implementation.
const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const SIGNER: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const SIGNATURE: &str =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn reference_signer() -> LogSigner {
    let key = STANDARD.decode(SIGNER.splitn(5, '+').last().unwrap()).unwrap();
    LogSigner::from_seed("PeterNeumann", key[1..].try_into().unwrap()).unwrap()
}

#[test]
fn the_reference_note_is_signed_byte_for_byte() {
    let signer = reference_signer();
    assert_eq!(signer.verifier().to_string(), VERIFIER);
    assert_eq!(signer.sign(TEXT), format!("{TEXT}\n{SIGNATURE}"));
}

#[test]
fn the_reference_note_opens_and_no_change_of_it_does() {
    let key = LogKey::parse(VERIFIER).unwrap();
    let note = format!("{TEXT}\n{SIGNATURE}");
    assert_eq!(key.open(&note), Ok(TEXT));
    for at in 0..note.len() {
        for bit in 0..8 {
            let mut bent = note.clone().into_bytes();
            bent[at] ^= 1 << bit;
            let Ok(bent) = String::from_utf8(bent) else { continue };
            assert!(key.open(&bent).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn texts_that_are_not_notes_are_refused() {
    let key = LogKey::parse(VERIFIER).unwrap();
    let cases = [
        String::new(),
        TEXT.to_owned(),
        format!("{TEXT}\n"),
        format!("{TEXT}{SIGNATURE}"),
        format!("{TEXT}\n{}", SIGNATURE.trim_end()),
        format!("{TEXT}\n{}", SIGNATURE.replace('—', "-")),
        format!("{TEXT}\n— PeterNeumann\n{SIGNATURE}"),
        format!("{TEXT}\n— Peter+Neumann x08go/ZJ\n{SIGNATURE}"),
        format!("{TEXT}\n{}", SIGNATURE.repeat(101)),
        format!("\u{1}{TEXT}\n{SIGNATURE}"),
    ];
    for note in cases {
        assert_eq!(key.open(&note), Err(InvalidNote::Malformed), "{note:?}");
    }
}

#[test]
fn other_signers_lines_are_skipped() {
    let other = LogSigner::from_seed("example.com/witness", &[7; 32]).unwrap();
    let line = other.sign(TEXT).split_off(TEXT.len() + 1);
    let key = LogKey::parse(VERIFIER).unwrap();
    assert_eq!(key.open(&format!("{TEXT}\n{line}{SIGNATURE}")), Ok(TEXT));
    assert_eq!(key.open(&format!("{TEXT}\n{line}")), Err(InvalidNote::NotSigned));
    assert_eq!(other.verifier().open(&format!("{TEXT}\n{SIGNATURE}{line}")), Ok(TEXT));
    // The same name with another key is another signer.
    let impostor = LogSigner::from_seed("PeterNeumann", &[7; 32]).unwrap();
    assert_eq!(key.open(&impostor.sign(TEXT)), Err(InvalidNote::NotSigned));
}

#[test]
fn keys_that_are_not_keys_are_refused() {
    let cases = [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ];
    for text in cases {
        assert!(LogKey::parse(text).is_err(), "{text}");
    }
    for name in ["", "with space", "with+plus", "with\nline"] {
        assert!(LogSigner::from_seed(name, &[7; 32]).is_err(), "{name:?}");
    }
}

#[test]
fn a_checkpoint_is_three_lines_and_opens_with_its_own_logs_key_only() {
    let signer = LogSigner::from_seed("mfa.example.com/log", &[9; 32]).unwrap();
    let checkpoint = Checkpoint { origin: signer.name().to_owned(), size: 20_852_163, root: [5; 32] };
    assert_eq!(checkpoint.text(), "mfa.example.com/log\n20852163\nBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=\n");
    assert_eq!(Checkpoint::open(&signer.sign(&checkpoint.text()), &signer.verifier()), Ok(checkpoint.clone()));
    let foreign = Checkpoint { origin: "other.example.com/log".to_owned(), ..checkpoint };
    assert_eq!(Checkpoint::open(&signer.sign(&foreign.text()), &signer.verifier()), Err(InvalidNote::WrongOrigin));
    for text in
        ["log\n020\nBQUF\n", "log\n\n", "log\n-1\nBQUF\n", "log\n1\nBQUF\n", "log\n99999999999999999999\nBQUF\n"]
    {
        assert_eq!(Checkpoint::parse(text), Err(InvalidNote::NotACheckpoint), "{text:?}");
    }
}
