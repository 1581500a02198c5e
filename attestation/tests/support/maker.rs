//! A maker of phones for tests: a root of its own, and evidence that is right in all but what a test changes.
//!
//! The DER and CBOR here is written by hand on purpose: what is tested must not also be what made the case. Used by the tests
//! of `server` too.

#![allow(dead_code)] // Not every test needs every part.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

pub fn tlv(tag: &[u8], body: &[u8]) -> Vec<u8> {
    let length = match body.len() {
        short @ 0..=127 => vec![short as u8],
        middle @ 128..=255 => vec![0x81, middle as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [tag, &length, body].concat()
}

pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(&[0x30], &parts.concat())
}

pub fn integer(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(7);
    let sign = if bytes[start] >= 0x80 { &[0][..] } else { &[] };
    tlv(&[0x02], &[sign, &bytes[start..]].concat())
}

pub fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(&[0x04], bytes)
}

pub fn oid(text: &str) -> Vec<u8> {
    let arcs: Vec<u64> = text.split('.').map(|arc| arc.parse().expect("a number")).collect();
    let mut body = vec![(arcs[0] * 40 + arcs[1]) as u8];
    for arc in &arcs[2..] {
        let mut groups = vec![(arc & 0x7f) as u8];
        let mut rest = arc >> 7;
        while rest > 0 {
            groups.insert(0, (rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        body.extend(groups);
    }
    tlv(&[0x06], &body)
}

/// `[number] EXPLICIT`
pub fn tagged(number: u16, inner: &[u8]) -> Vec<u8> {
    match number {
        0..=30 => tlv(&[0xa0 | number as u8], inner),
        31..=127 => tlv(&[0xbf, number as u8], inner),
        _ => tlv(&[0xbf, 0x80 | (number >> 7) as u8, (number & 0x7f) as u8], inner),
    }
}

fn name(common: &str) -> Vec<u8> {
    let attribute = sequence(&[oid("2.5.4.3"), tlv(&[0x0c], common.as_bytes())]);
    sequence(&[tlv(&[0x31], &attribute)])
}

/// SubjectPublicKeyInfo of a point of P-256.
fn spki(point: &[u8]) -> Vec<u8> {
    let algorithm = sequence(&[oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")]);
    sequence(&[algorithm, tlv(&[0x03], &[&[0], point].concat())])
}

const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";

/// A name and a P-256 key.
pub struct Authority {
    pub name: String,
    key: EcdsaKeyPair,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        let document = document.expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref()).expect("a key");
        Authority { name: name.to_owned(), key }
    }

    pub fn point(&self) -> Vec<u8> {
        self.key.public_key().as_ref().to_vec()
    }

    pub fn spki(&self) -> Vec<u8> {
        spki(&self.point())
    }

    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.key.sign(&SystemRandom::new(), bytes).expect("a signature").as_ref().to_vec()
    }

    /// Issues a certificate.
    pub fn issue(&self, certificate: &Certificate) -> Vec<u8> {
        let algorithm = sequence(&[oid(ECDSA_SHA256)]);
        let extensions = certificate.extensions.iter().map(|(name, critical, value)| {
            let critical = if *critical { vec![0x01, 0x01, 0xff] } else { vec![] };
            sequence(&[oid(name), critical, octets(value)])
        });
        let extensions = sequence(&extensions.collect::<Vec<_>>());
        let time = |text: &str| tlv(&[0x17], text.as_bytes());
        let tbs = sequence(&[
            tagged(0, &integer(2)),
            integer(certificate.serial),
            algorithm.clone(),
            name(&self.name),
            sequence(&[time(certificate.not_before), time(certificate.not_after)]),
            name(&certificate.subject),
            certificate.spki.clone(),
            tagged(3, &extensions),
        ]);
        let signature = tlv(&[0x03], &[&[0], self.sign(&tbs).as_slice()].concat());
        sequence(&[tbs, algorithm, signature])
    }
}

/// What a certificate says.
#[derive(Clone)]
pub struct Certificate {
    pub serial: u64,
    pub subject: String,
    pub spki: Vec<u8>,
    /// `YYMMDDhhmmssZ`
    pub not_before: &'static str,
    pub not_after: &'static str,
    /// Name, critical, value.
    pub extensions: Vec<(&'static str, bool, Vec<u8>)>,
}

impl Certificate {
    /// Of an authority, good from 2020 to 2040.
    pub fn authority(of: &Authority, serial: u64) -> Certificate {
        Certificate {
            serial,
            subject: of.name.clone(),
            spki: of.spki(),
            not_before: "200101000000Z",
            not_after: "400101000000Z",
            extensions: vec![
                ("2.5.29.19", true, sequence(&[vec![0x01, 0x01, 0xff]])),
                ("2.5.29.15", true, vec![0x03, 0x02, 0x02, 0x04]),
            ],
        }
    }

    pub fn leaf(spki: &[u8], extensions: Vec<(&'static str, bool, Vec<u8>)>) -> Certificate {
        Certificate {
            serial: 1,
            subject: "Android Keystore Key".to_owned(),
            spki: spki.to_vec(),
            not_before: "700101000000Z",
            not_after: "480101000000Z",
            extensions,
        }
    }
}

/// What a keystore says of a key.
#[derive(Clone)]
pub struct Described {
    pub attestation_level: u8,
    pub key_level: u8,
    pub challenge: Vec<u8>,
    pub purposes: Vec<u64>,
    pub algorithm: u64,
    pub origin: Option<u64>,
    pub no_auth_required: bool,
    pub user_auth_type: Option<u64>,
    pub auth_timeout_s: Option<u64>,
    /// Locked, and the state of the boot.
    pub boot: Option<(bool, u8)>,
    pub package: &'static str,
    pub signer: [u8; 32],
    /// Puts what the hardware enforces into the list that the operating system enforces.
    pub by_software: bool,
}

impl Described {
    /// A key in the trusted environment that asks for a fingerprint each time.
    pub fn good(challenge: &[u8]) -> Described {
        Described {
            attestation_level: 1,
            key_level: 1,
            challenge: challenge.to_vec(),
            purposes: vec![2],
            algorithm: 3,
            origin: Some(0),
            no_auth_required: false,
            user_auth_type: Some(2),
            auth_timeout_s: None,
            boot: Some((true, 0)),
            package: "com.example.bank",
            signer: SIGNER,
            by_software: false,
        }
    }

    pub fn extension(&self) -> Vec<u8> {
        let level = |level: u8| vec![0x0a, 0x01, level];
        let purposes: Vec<u8> = self.purposes.iter().flat_map(|purpose| integer(*purpose)).collect();
        let mut enforced = vec![tagged(1, &tlv(&[0x31], &purposes)), tagged(2, &integer(self.algorithm))];
        enforced.push(tagged(3, &integer(256)));
        enforced.push(tagged(10, &integer(1)));
        if self.no_auth_required {
            enforced.push(tagged(503, &[0x05, 0x00]));
        }
        enforced.extend(self.user_auth_type.map(|kind| tagged(504, &integer(kind))));
        enforced.extend(self.auth_timeout_s.map(|seconds| tagged(505, &integer(seconds))));
        enforced.extend(self.origin.map(|origin| tagged(702, &integer(origin))));
        enforced.extend(self.boot.map(|(locked, state)| {
            let locked = vec![0x01, 0x01, if locked { 0xff } else { 0 }];
            tagged(704, &sequence(&[octets(&[7; 32]), locked, level(state), octets(&[8; 32])]))
        }));
        enforced.push(tagged(706, &integer(202_602)));
        let package = sequence(&[octets(self.package.as_bytes()), integer(1)]);
        let application = sequence(&[tlv(&[0x31], &package), tlv(&[0x31], &octets(&self.signer))]);
        let application = tagged(709, &octets(&application));
        let (software, hardware) = if self.by_software {
            (sequence(&[enforced.concat(), application]), sequence(&[]))
        } else {
            (sequence(&[application]), sequence(&enforced))
        };
        sequence(&[
            integer(300),
            level(self.attestation_level),
            integer(300),
            level(self.key_level),
            octets(&self.challenge),
            octets(&[]),
            software,
            hardware,
        ])
    }
}

pub const DESCRIPTION: &str = "1.3.6.1.4.1.11129.2.1.17";
pub const APPLE_NONCE: &str = "1.2.840.113635.100.8.2";

/// SHA-256 of the certificate that signs the app of [`Described::good`].
pub const SIGNER: [u8; 32] = [9; 32];

/// Serial number of the key that a maker puts into its phones.
pub const BATCH_SERIAL: u64 = 0x00ab_cdef;

/// A maker: a root, and an authority below it that signs what its phones say.
pub struct Maker {
    pub root: Authority,
    pub batch: Authority,
    pub root_der: Vec<u8>,
    pub batch_der: Vec<u8>,
}

impl Maker {
    pub fn new() -> Maker {
        let (root, batch) = (Authority::new("Test Root"), Authority::new("Test Batch"));
        let root_der = root.issue(&Certificate::authority(&root, 1));
        let batch_der = root.issue(&Certificate::authority(&batch, BATCH_SERIAL));
        Maker { root, batch, root_der, batch_der }
    }

    pub fn root_pem(&self) -> String {
        let lines = STANDARD.encode(&self.root_der);
        format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
    }

    /// A chain for a key, leaf first.
    pub fn android(&self, spki: &[u8], described: &Described) -> Vec<Vec<u8>> {
        self.with_leaf(&Certificate::leaf(spki, vec![(DESCRIPTION, false, described.extension())]))
    }

    pub fn with_leaf(&self, leaf: &Certificate) -> Vec<Vec<u8>> {
        vec![self.batch.issue(leaf), self.batch_der.clone(), self.root_der.clone()]
    }

    /// An attestation object of App Attest, and the id of the app's key.
    pub fn apple(&self, apple: &Apple) -> (Vec<u8>, Vec<u8>) {
        let key = Authority::new("App key");
        let point = key.point();
        let key_id = sha256(&point);
        let mut auth_data = sha256(apple.app.as_bytes());
        auth_data.push(0x40);
        auth_data.extend(apple.counter.to_be_bytes());
        auth_data.extend(apple.aaguid);
        auth_data.extend([0, 32]);
        auth_data.extend(&key_id);
        auth_data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        auth_data.extend(&point[1..33]);
        auth_data.extend([0x22, 0x58, 0x20]);
        auth_data.extend(&point[33..]);
        let covered = sha256(&[auth_data.as_slice(), &apple.client_data_hash].concat());
        let nonce = sequence(&[tagged(1, &octets(&covered))]);
        let leaf = Certificate {
            not_before: "200101000000Z",
            ..Certificate::leaf(&key.spki(), vec![(APPLE_NONCE, false, nonce)])
        };
        let chain = [cbor_bytes(&self.batch.issue(&leaf)), cbor_bytes(&self.batch_der)].concat();
        let statement =
            [vec![0xa2], cbor_text("x5c"), vec![0x82], chain, cbor_text("receipt"), cbor_bytes(b"r")].concat();
        let object = [
            vec![0xa3],
            cbor_text("fmt"),
            cbor_text(apple.format),
            cbor_text("attStmt"),
            statement,
            cbor_text("authData"),
            cbor_bytes(&auth_data),
        ];
        (object.concat(), key_id)
    }
}

/// What an Apple device says.
#[derive(Clone)]
pub struct Apple {
    pub app: &'static str,
    pub client_data_hash: Vec<u8>,
    pub counter: u32,
    pub aaguid: [u8; 16],
    pub format: &'static str,
}

impl Apple {
    pub fn good(client_data_hash: &[u8]) -> Apple {
        Apple {
            app: "TEAM123456.com.example.bank",
            client_data_hash: client_data_hash.to_vec(),
            counter: 0,
            aaguid: *b"appattest\0\0\0\0\0\0\0",
            format: "apple-appattest",
        }
    }
}

fn cbor_bytes(bytes: &[u8]) -> Vec<u8> {
    [&cbor_head(0x40, bytes.len()), bytes].concat()
}

fn cbor_text(text: &str) -> Vec<u8> {
    [&cbor_head(0x60, text.len()), text.as_bytes()].concat()
}

fn cbor_head(major: u8, length: usize) -> Vec<u8> {
    match length {
        0..=23 => vec![major | length as u8],
        24..=255 => vec![major | 24, length as u8],
        _ => vec![major | 25, (length >> 8) as u8, length as u8],
    }
}

/// An app's page in the Play Console, and Google behind it.
pub struct Console {
    signer: EcdsaKeyPair,
}

impl Console {
    const KEY: [u8; 32] = [7; 32];

    pub fn new() -> Console {
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).expect("a key");
        let signer = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref()).expect("a key");
        Console { signer }
    }

    pub fn decryption_key(&self) -> String {
        STANDARD.encode(Console::KEY)
    }

    pub fn verification_key(&self) -> String {
        STANDARD.encode(spki(self.signer.public_key().as_ref()))
    }

    /// What Google says of a good app that asked for `nonce`.
    pub fn payload(nonce: &str, at_ms: i64) -> Value {
        json!({
            "requestDetails": {
                "requestPackageName": "com.example.bank", "nonce": nonce, "timestampMillis": at_ms.to_string(),
            },
            "appIntegrity": {"appRecognitionVerdict": "PLAY_RECOGNIZED", "packageName": "com.example.bank"},
            "deviceIntegrity": {"deviceRecognitionVerdict": ["MEETS_DEVICE_INTEGRITY"]},
            "accountDetails": {"appLicensingVerdict": "LICENSED"},
        })
    }

    pub fn good(&self, payload: &Value) -> String {
        self.token(payload, json!({"alg": "A256KW", "enc": "A256GCM"}), json!({"alg": "ES256"}))
    }

    pub fn token(&self, payload: &Value, outer: Value, inner: Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&inner), encode(payload));
        let signature = self.signer.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        let signed = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));

        let content_key = [9; 32];
        let mut wrapped = [0; 48];
        let kek = AesKek::new(&AES_256, &Console::KEY).expect("a key");
        let wrapped = kek.wrap(&content_key, &mut wrapped).expect("wrapped");
        let head = encode(&outer);
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &content_key).expect("a key"));
        let mut text = signed.into_bytes();
        let nonce = Nonce::assume_unique_for_key([1; 12]);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(head.as_bytes()), &mut text).expect("sealed");
        let parts = [wrapped.to_vec(), vec![1; 12], text, tag.as_ref().to_vec()];
        parts.iter().fold(head, |token, part| format!("{token}.{}", URL_SAFE_NO_PAD.encode(part)))
    }
}
