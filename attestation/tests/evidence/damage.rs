//! Real evidence with bytes changed, cut and doubled proves nothing, and breaks nothing. `PROPTEST_CASES` makes it many.

use attestation::android::{self, AndroidRules};
use attestation::apple::{self, AppleRules};
use attestation::path::Anchors;
use attestation::play::{self, PlayKeys, PlayRules};
use proptest::prelude::*;

use crate::at;
use crate::maker::{Apple, Authority, Described, Maker};

/// One change of some bytes.
fn damage() -> impl Strategy<Value = (prop::sample::Index, u8, usize)> {
    (any::<prop::sample::Index>(), any::<u8>(), 0_usize..4)
}

fn damaged(bytes: &[u8], (place, value, kind): (prop::sample::Index, u8, usize)) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let place = place.index(bytes.len());
    match kind {
        0 => bytes[place] = value,
        1 => bytes.truncate(place),
        2 => bytes.insert(place, value),
        _ => {
            let again = bytes[place..].to_vec();
            bytes.extend(again);
        }
    }
    bytes
}

proptest! {
    #[test]
    fn a_damaged_chain_proves_nothing(change in damage(), at_certificate in 0_usize..2) {
        let maker = Maker::new();
        let key = Authority::new("phone");
        let mut chain = maker.android(&key.spki(), &Described::good(&[5; 32]));
        let whole = chain[at_certificate].clone();
        chain[at_certificate] = damaged(&whole, change);
        let rules = AndroidRules::trusting(Anchors::from_pem(&maker.root_pem()).expect("a root"));
        let verdict = android::verify(&chain, &key.spki(), &[5; 32], &rules, at("2026-03-01T00:00:00Z"));
        prop_assert!(verdict.is_err() || chain[at_certificate] == whole);
    }

    #[test]
    fn a_damaged_object_proves_nothing(change in damage()) {
        let maker = Maker::new();
        let (whole, _) = maker.apple(&Apple::good(&[3; 32]));
        let object = damaged(&whole, change);
        let rules = AppleRules {
            anchors: Anchors::from_pem(&maker.root_pem()).expect("a root"),
            apps: vec![Apple::good(&[]).app.to_owned()],
            development: true,
        };
        let verdict = apple::verify(&object, None, &[3; 32], &rules, at("2026-03-01T00:00:00Z"));
        // The receipt is for Apple, and nothing here says what it is.
        prop_assert!(verdict.is_err() || object.len() == whole.len());
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), text in "\\PC{0,80}") {
        let now = at("2026-03-01T00:00:00Z");
        let android = AndroidRules::trusting(Anchors::google().expect("roots"));
        prop_assert!(android::verify(&[bytes.clone(), bytes.clone()], &bytes, &bytes, &android, now).is_err());
        let apple = AppleRules { anchors: Anchors::apple().expect("a root"), apps: vec![], development: true };
        prop_assert!(apple::verify(&bytes, Some(&bytes), &[0; 32], &apple, now).is_err());
        let key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKAceh7omSMN6vcWgR8IMx38KsvKU5VgkirsONzd5XaW+FVFdeBGyOmU1Tl9cQQNNXkODqaoAo6cHQgcqQWlnSg==";
        let keys = PlayKeys::from_base64("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", key).expect("keys");
        let play = PlayRules { keys, packages: vec![] };
        prop_assert!(play::verify(&text, &text, &play, now).is_err());
    }
}
