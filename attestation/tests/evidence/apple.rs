//! Objects of a maker of our own: right in all but one thing each.

use attestation::Refusal;
use attestation::apple::{AppFacts, AppleRules, verify};
use attestation::path::Anchors;

use crate::at;
use crate::maker::{Apple, Maker};

const HASH: [u8; 32] = [3; 32];

fn rules(maker: &Maker) -> AppleRules {
    AppleRules {
        anchors: Anchors::from_pem(&maker.root_pem()).expect("a root"),
        apps: vec!["TEAM123456.com.example.bank".to_owned()],
        development: false,
    }
}

fn judge(maker: &Maker, object: &[u8], key_id: Option<&[u8]>) -> Result<AppFacts, Refusal> {
    verify(object, key_id, &HASH, &rules(maker), at("2026-03-01T00:00:00Z"))
}

#[test]
fn a_genuine_app_vouches_for_what_it_was_asked() {
    let maker = Maker::new();
    let (object, key_id) = maker.apple(&Apple::good(&HASH));
    let facts = AppFacts { app: "TEAM123456.com.example.bank".to_owned(), development: false };
    assert_eq!(judge(&maker, &object, Some(&key_id)), Ok(facts.clone()));
    assert_eq!(judge(&maker, &object, None), Ok(facts));
}

#[test]
fn an_object_that_is_not_as_it_should_be_is_refused() {
    let maker = Maker::new();
    let (good, key_id) = maker.apple(&Apple::good(&HASH));
    let changed = |change: fn(&mut Apple)| {
        let mut apple = Apple::good(&HASH);
        change(&mut apple);
        maker.apple(&apple).0
    };
    let cases: Vec<(&str, Vec<u8>, Refusal)> = vec![
        ("another hash", changed(|apple| apple.client_data_hash = vec![4; 32]), Refusal::WrongChallenge),
        ("another app", changed(|apple| apple.app = "TEAM123456.com.example.fake"), Refusal::OtherApp),
        ("a used key", changed(|apple| apple.counter = 1), Refusal::UsedKey),
        ("a developer's build", changed(|apple| apple.aaguid = *b"appattestdevelop"), Refusal::Development),
        ("an unknown device", changed(|apple| apple.aaguid = [0; 16]), Refusal::WrongFormat),
        ("another format", changed(|apple| apple.format = "packed"), Refusal::WrongFormat),
        ("nothing", vec![], Refusal::Malformed),
        ("bytes after the end", [good.clone(), vec![0]].concat(), Refusal::Malformed),
        ("cut short", good[..good.len() - 1].to_vec(), Refusal::Malformed),
        ("an array", vec![0x83, 0x01, 0x02, 0x03], Refusal::Malformed),
        ("a map without end", [vec![0xbf], good[1..].to_vec(), vec![0xff]].concat(), Refusal::Malformed),
        (
            "a member twice",
            [
                vec![0xa3],
                vec![0x63],
                b"fmt".to_vec(),
                vec![0x6f],
                b"apple-appattest".to_vec(),
                vec![0x63],
                b"fmt".to_vec(),
            ]
            .concat(),
            Refusal::Malformed,
        ),
        ("deep arrays", vec![0x81; 30_000], Refusal::Malformed),
        (
            "deep maps",
            [vec![0xa3, 0x67], b"attStmt".to_vec(), [0xa1, 0x00].repeat(10_000)].concat(),
            Refusal::Malformed,
        ),
        ("a length beyond memory", vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Refusal::Malformed),
        ("a large object", vec![0; 32 * 1024 + 1], Refusal::TooLarge),
        ("another maker's object", Maker::new().apple(&Apple::good(&HASH)).0, Refusal::BadSignature),
    ];
    for (name, object, expected) in cases {
        assert_eq!(judge(&maker, &object, None), Err(expected), "{name}");
    }
    assert_eq!(judge(&maker, &good, Some(&[0; 32])), Err(Refusal::OtherKey));
    assert_eq!(judge(&maker, &good, Some(&key_id[..31])), Err(Refusal::OtherKey));
    let late = verify(&good, None, &HASH, &rules(&maker), at("2049-03-01T00:00:00Z"));
    assert_eq!(late, Err(Refusal::Expired));
}
