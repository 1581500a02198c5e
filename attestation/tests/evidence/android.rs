//! Chains of a maker of our own: right in all but one thing each.

use attestation::Refusal;
use attestation::android::{AndroidRules, KeyFacts, SecurityLevel, UserVerification, verify};
use attestation::path::Anchors;
use attestation::revocation::Revoked;

use crate::at;
use crate::maker::{Authority, BATCH_SERIAL, Certificate, DESCRIPTION, Described, Maker, sequence};

const CHALLENGE: [u8; 32] = [5; 32];

struct Case {
    maker: Maker,
    key: Authority,
    rules: AndroidRules,
}

impl Case {
    fn new() -> Case {
        let maker = Maker::new();
        let rules = AndroidRules::trusting(Anchors::from_pem(&maker.root_pem()).expect("a root"));
        Case { maker, key: Authority::new("phone"), rules }
    }

    fn judge(&self, chain: &[Vec<u8>]) -> Result<KeyFacts, Refusal> {
        verify(chain, &self.key.spki(), &CHALLENGE, &self.rules, at("2026-03-01T00:00:00Z"))
    }

    fn described(&self, change: impl FnOnce(&mut Described)) -> Result<KeyFacts, Refusal> {
        let mut described = Described::good(&CHALLENGE);
        change(&mut described);
        self.judge(&self.maker.android(&self.key.spki(), &described))
    }

    fn good(&self) -> Vec<Vec<u8>> {
        self.maker.android(&self.key.spki(), &Described::good(&CHALLENGE))
    }

    fn leaf(&self) -> Certificate {
        let extension = Described::good(&CHALLENGE).extension();
        Certificate::leaf(&self.key.spki(), vec![(DESCRIPTION, false, extension)])
    }
}

#[test]
fn a_key_in_hardware_is_told_with_what_it_asks_for() {
    let case = Case::new();
    let facts = case.judge(&case.good()).expect("good");
    assert_eq!(facts.level, SecurityLevel::TrustedEnvironment);
    assert_eq!(facts.verification, UserVerification::Biometric);
    assert_eq!((facts.patch_level, facts.packages.as_slice()), (Some(202_602), &["com.example.bank".to_owned()][..]));

    let strong = case.described(|described| (described.key_level, described.attestation_level) = (2, 2));
    assert_eq!(strong.expect("good").level, SecurityLevel::StrongBox);
    // Who describes it lives in a weaker place.
    let mixed = case.described(|described| (described.key_level, described.attestation_level) = (2, 1));
    assert_eq!(mixed.expect("good").level, SecurityLevel::TrustedEnvironment);
    // A phone of before roots of trust, and a chain without its root.
    assert!(case.described(|described| described.boot = None).is_ok());
    assert!(case.judge(&case.good()[..2]).is_ok());
}

#[test]
fn t26_only_hardware_that_asks_each_time_verifies_the_user() {
    let case = Case::new();
    type Change = fn(&mut Described);
    let cases: [(Change, UserVerification); 9] = [
        (|described| described.user_auth_type = Some(1), UserVerification::Pin),
        (|described| described.user_auth_type = Some(2), UserVerification::Biometric),
        (|described| described.user_auth_type = Some(3), UserVerification::PinOrBiometric),
        (|described| described.user_auth_type = Some(0xffff_ffff), UserVerification::PinOrBiometric),
        (|described| described.user_auth_type = Some(0), UserVerification::Nothing),
        (|described| described.user_auth_type = None, UserVerification::Nothing),
        (|described| described.no_auth_required = true, UserVerification::Nothing),
        (|described| described.auth_timeout_s = Some(30), UserVerification::Nothing),
        (|described| described.auth_timeout_s = Some(0), UserVerification::Biometric),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        assert_eq!(case.described(change).expect("good").verification, expected, "case {number}");
    }
}

#[test]
fn a_key_that_is_not_as_it_should_be_is_refused() {
    let case = Case::new();
    type Change = fn(&mut Described);
    let cases: [(Change, Refusal); 14] = [
        (|described| described.challenge = vec![6; 32], Refusal::WrongChallenge),
        (|described| described.challenge = vec![], Refusal::WrongChallenge),
        (|described| described.key_level = 0, Refusal::SoftwareKey),
        (|described| described.attestation_level = 0, Refusal::SoftwareKey),
        (|described| described.key_level = 3, Refusal::MalformedDescription),
        (|described| described.purposes = vec![], Refusal::WrongPurpose),
        (|described| described.purposes = vec![2, 0], Refusal::WrongPurpose),
        (|described| described.algorithm = 1, Refusal::WrongPurpose),
        // What the operating system enforces is its own word.
        (|described| described.by_software = true, Refusal::WrongPurpose),
        (|described| described.origin = Some(2), Refusal::NotGenerated),
        (|described| described.origin = None, Refusal::NotGenerated),
        (|described| described.boot = Some((false, 0)), Refusal::UnverifiedBoot),
        (|described| described.boot = Some((true, 1)), Refusal::UnverifiedBoot),
        (|described| described.boot = Some((true, 2)), Refusal::UnverifiedBoot),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        assert_eq!(case.described(change), Err(expected), "case {number}");
    }
}

#[test]
fn t25_evidence_about_one_key_is_worth_nothing_for_another() {
    let case = Case::new();
    let other = Authority::new("another phone");
    let chain = case.maker.android(&other.spki(), &Described::good(&CHALLENGE));
    assert_eq!(case.judge(&chain), Err(Refusal::OtherKey));
}

#[test]
fn only_the_apps_of_the_tenant_count() {
    let mut case = Case::new();
    case.rules.packages = vec!["com.example.shop".to_owned()];
    assert_eq!(case.judge(&case.good()), Err(Refusal::OtherApp));
    case.rules.packages.push("com.example.bank".to_owned());
    assert!(case.judge(&case.good()).is_ok());
    case.rules.signers = vec![[1; 32]];
    assert_eq!(case.judge(&case.good()), Err(Refusal::OtherApp));
    case.rules.signers.push(crate::maker::SIGNER);
    assert!(case.judge(&case.good()).is_ok());
}

#[test]
fn a_chain_leads_from_the_leaf_to_the_root_by_right() {
    let case = Case::new();
    let Case { maker, key, .. } = &case;
    let good = case.good();
    let [leaf, batch, root] = [good[0].clone(), good[1].clone(), good[2].clone()];
    let authority = |change: fn(&mut Certificate)| {
        let mut certificate = Certificate::authority(&maker.batch, 2);
        change(&mut certificate);
        vec![leaf.clone(), maker.root.issue(&certificate), root.clone()]
    };
    // One authority more, which must be one.
    let between = |change: fn(&mut Certificate)| {
        let second = Authority::new("Test Second");
        let mut certificate = Certificate::authority(&second, 2);
        change(&mut certificate);
        let batch = second.issue(&Certificate::authority(&maker.batch, 3));
        vec![leaf.clone(), batch, maker.root.issue(&certificate), root.clone()]
    };
    let stranger = Maker::new();
    let mut damaged = leaf.clone();
    *damaged.last_mut().expect("bytes") ^= 1;
    let extended = {
        // The phone's own key, which was attested, signs for a key in software.
        let software =
            Certificate::leaf(&key.spki(), vec![(DESCRIPTION, false, Described::good(&CHALLENGE).extension())]);
        let attested = Authority::new("Android Keystore Key");
        let middle = maker.android(&attested.spki(), &Described::good(&[1; 32]));
        vec![attested.issue(&software), middle[0].clone(), batch.clone(), root.clone()]
    };
    let without = maker.with_leaf(&Certificate::leaf(&key.spki(), vec![]));
    let twice = {
        let mut leaf = case.leaf();
        leaf.extensions.push(leaf.extensions[0].clone());
        maker.with_leaf(&leaf)
    };
    let critical = {
        let mut leaf = case.leaf();
        leaf.extensions.push(("1.2.3.4", true, vec![0x05, 0x00]));
        maker.with_leaf(&leaf)
    };
    let long = {
        let extension = vec![("1.2.3.4", false, vec![0; 9_000])];
        maker.with_leaf(&Certificate::leaf(&key.spki(), extension))
    };
    let cases: Vec<(&str, Vec<Vec<u8>>, Refusal)> = vec![
        ("no certificate", vec![], Refusal::Malformed),
        ("no DER", vec![b"nothing".to_vec()], Refusal::MalformedCertificate),
        (
            "bytes after the end",
            vec![[leaf.clone(), vec![0]].concat(), batch.clone(), root.clone()],
            Refusal::MalformedCertificate,
        ),
        (
            "cut short",
            vec![leaf[..leaf.len() - 1].to_vec(), batch.clone(), root.clone()],
            Refusal::MalformedCertificate,
        ),
        ("many certificates", vec![leaf.clone(); 9], Refusal::TooLarge),
        ("a large certificate", long, Refusal::TooLarge),
        ("the root first", vec![root.clone(), batch.clone(), leaf.clone()], Refusal::UntrustedRoot),
        ("the authority first", vec![batch.clone(), leaf.clone(), root.clone()], Refusal::BrokenChain),
        ("the root alone", vec![root.clone()], Refusal::BrokenChain),
        ("no authority", vec![leaf.clone(), root.clone()], Refusal::BrokenChain),
        ("another maker's chain", stranger.android(&key.spki(), &Described::good(&CHALLENGE)), Refusal::BadSignature),
        (
            "another maker's leaf",
            {
                let chain = stranger.android(&key.spki(), &Described::good(&CHALLENGE));
                vec![chain[0].clone(), batch.clone(), root.clone()]
            },
            Refusal::BadSignature,
        ),
        ("a bit of the signature", vec![damaged, batch.clone(), root.clone()], Refusal::BadSignature),
        ("not valid yet", authority(|certificate| certificate.not_before = "270101000000Z"), Refusal::NotYetValid),
        ("expired", authority(|certificate| certificate.not_after = "260228235959Z"), Refusal::Expired),
        (
            "no authority by its own word",
            between(|certificate| certificate.extensions[0].2 = sequence(&[])),
            Refusal::NotAnAuthority,
        ),
        (
            "a key not for certificates",
            between(|certificate| certificate.extensions[1].2 = vec![0x03, 0x02, 0x07, 0x80]),
            Refusal::NotAnAuthority,
        ),
        (
            "too many authorities",
            between(|certificate| {
                certificate.extensions[0].2 = sequence(&[vec![0x01, 0x01, 0xff], vec![0x02, 0x01, 0x00]])
            }),
            Refusal::NotAnAuthority,
        ),
        (
            "an authority by nobody's word",
            between(|certificate| certificate.extensions.clear()),
            Refusal::NotAnAuthority,
        ),
        ("signed by an attested key", extended, Refusal::ExtendedChain),
        ("no description", without, Refusal::NoDescription),
        ("two descriptions", twice, Refusal::MalformedCertificate),
        ("an unknown critical extension", critical, Refusal::UnknownExtension),
    ];
    for (name, chain, expected) in cases {
        assert_eq!(case.judge(&chain), Err(expected), "{name}");
    }
    // What signs leaves may be called no authority, as factories did for years.
    assert!(case.judge(&authority(|certificate| certificate.extensions.clear())).is_ok());
    assert!(case.judge(&authority(|certificate| certificate.extensions[0].2 = sequence(&[]))).is_ok());
    assert!(case.judge(&between(|_| ())).is_ok());
}

#[test]
fn what_expired_at_the_factory_counts_where_the_operator_says_so() {
    let mut case = Case::new();
    let mut certificate = Certificate::authority(&case.maker.batch, 2);
    certificate.not_after = "260228235959Z";
    let chain = vec![case.good()[0].clone(), case.maker.root.issue(&certificate), case.maker.root_der.clone()];
    assert_eq!(case.judge(&chain), Err(Refusal::Expired));
    case.rules.expired_factory_keys = true;
    assert!(case.judge(&chain).is_ok());
    // Keys that Google renews have no excuse.
    certificate.extensions.push(("1.3.6.1.4.1.11129.2.1.30", false, vec![0xa1, 0x01, 0x08, 0x01]));
    let chain = vec![case.good()[0].clone(), case.maker.root.issue(&certificate), case.maker.root_der.clone()];
    assert_eq!(case.judge(&chain), Err(Refusal::Expired));
}

#[test]
fn what_was_called_back_is_refused() {
    let mut case = Case::new();
    assert!(case.judge(&case.good()).is_ok());
    let list = format!(r#"{{"entries": {{"{BATCH_SERIAL:x}": {{"status": "REVOKED", "reason": "KEY_COMPROMISE"}}}}}}"#);
    case.rules.revoked = Revoked::from_status_list(list.as_bytes()).expect("a list");
    assert_eq!(case.judge(&case.good()), Err(Refusal::Revoked));
}
