//! The pinned files are what they say (see `roots/README.md`).

use attestation::path::{AnchorError, Anchors};

#[test]
fn the_pinned_roots_have_the_published_keys() {
    let google = Anchors::google().expect("certificates").thumbprints();
    assert_eq!(
        google,
        [
            "feb2ea7551ee316ed4bb443c8293b884dbfdea40b603ee3e4f4a897e4580fbae",
            "3ee44512a1af2beb39c889490c60ea3f82e43f5d5a5532f5ab9419f676cd07ec"
        ]
    );
    let apple = Anchors::apple().expect("a certificate").thumbprints();
    assert_eq!(apple, ["1ae751fd29896d0f1f13fe226c063f445d40d8938acc6245c251ecc0679330bd"]);
}

#[test]
fn what_is_no_certificate_is_no_root() {
    for bad in [
        "",
        "nothing",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----",
    ] {
        assert_eq!(Anchors::from_pem(bad).err(), Some(AnchorError), "{bad}");
    }
}
