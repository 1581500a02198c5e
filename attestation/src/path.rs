//! From a leaf to a pinned root (RFC 5280 §6.1), as far as attestation needs it.
//!
//! A root is pinned by its public key: what a chain sends as its last certificate may be any of several certificates that a
//! maker made for the same key, expired ones too. The signature, name and validity of that copy are nobody's business.

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _, Reader as _, SliceReader};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

use crate::Refusal;
use crate::revocation::Revoked;

/// Real chains have three to five certificates.
const MOST_CERTIFICATES: usize = 8;
/// Real certificates have less than 2 KiB.
const MOST_BYTES: usize = 8 * 1024;

/// Roots to trust.
#[derive(Debug, Clone, Default)]
pub struct Anchors(Vec<Anchor>);

/// A root: a name and a key.
#[derive(Debug, Clone)]
struct Anchor {
    /// DER of the subject.
    name: Vec<u8>,
    /// DER of the SubjectPublicKeyInfo.
    key: Vec<u8>,
}

/// A file does not hold certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a list of PEM certificates")]
pub struct AnchorError;

impl Anchors {
    /// Google's roots of Android's hardware attestation: RSA since 2016, ECDSA since 2026.
    pub fn google() -> Result<Anchors, AnchorError> {
        let both =
            [include_str!("../roots/google-hardware-rsa.pem"), include_str!("../roots/google-hardware-ecdsa.pem")];
        Anchors::from_pem(&both.concat())
    }

    /// Apple's root of App Attest.
    pub fn apple() -> Result<Anchors, AnchorError> {
        Anchors::from_pem(include_str!("../roots/apple-app-attestation.pem"))
    }

    /// Reads one or more certificates.
    pub fn from_pem(text: &str) -> Result<Anchors, AnchorError> {
        let mut anchors = Vec::new();
        let mut rest = text;
        while let Some((_, after)) = rest.split_once("-----BEGIN CERTIFICATE-----") {
            let (body, after) = after.split_once("-----END CERTIFICATE-----").ok_or(AnchorError)?;
            let body: String = body.split_ascii_whitespace().collect();
            let der = STANDARD.decode(body).map_err(|_| AnchorError)?;
            let link = Link::read(&der).map_err(|_| AnchorError)?;
            anchors.push(Anchor { name: link.subject, key: link.key });
            rest = after;
        }
        if anchors.is_empty() { Err(AnchorError) } else { Ok(Anchors(anchors)) }
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, others: Anchors) -> Anchors {
        self.0.extend(others.0);
        self
    }

    /// SHA-256 of each root's public key (its SubjectPublicKeyInfo), in hexadecimal.
    pub fn thumbprints(&self) -> Vec<String> {
        let hex = |key: &[u8]| crate::sha256(key).iter().map(|byte| format!("{byte:02x}")).collect();
        self.0.iter().map(|anchor| hex(&anchor.key)).collect()
    }
}

/// One certificate of a chain.
pub(crate) struct Link {
    pub certificate: Certificate,
    /// DER of the subject.
    subject: Vec<u8>,
    /// DER of the issuer.
    issuer: Vec<u8>,
    /// DER of the SubjectPublicKeyInfo.
    pub key: Vec<u8>,
    /// The very bytes that are signed.
    signed: Vec<u8>,
}

impl Link {
    fn read(der: &[u8]) -> Result<Link, Refusal> {
        if der.len() > MOST_BYTES {
            return Err(Refusal::TooLarge);
        }
        let bad = |_| Refusal::MalformedCertificate;
        let certificate = Certificate::from_der(der).map_err(bad)?;
        let tbs = certificate.tbs_certificate();
        if tbs.signature() != certificate.signature_algorithm() {
            return Err(Refusal::MalformedCertificate);
        }
        let signed = SliceReader::new(der)
            .and_then(|mut reader| {
                reader.sequence(|inner| {
                    let signed = inner.tlv_bytes()?.to_vec();
                    inner.drain(inner.remaining_len())?;
                    Ok(signed)
                })
            })
            .map_err(bad)?;
        Ok(Link {
            subject: tbs.subject().to_der().map_err(bad)?,
            issuer: tbs.issuer().to_der().map_err(bad)?,
            key: tbs.subject_public_key_info().to_der().map_err(bad)?,
            signed,
            certificate,
        })
    }

    /// The value of an extension, unless it is missing.
    pub(crate) fn extension(&self, name: &str) -> Option<&[u8]> {
        let extensions = self.certificate.tbs_certificate().extensions()?;
        let found = extensions.iter().find(|extension| extension.extn_id.to_string() == name)?;
        Some(found.extn_value.as_bytes())
    }

    /// The key as it is signed with: the bits inside its SubjectPublicKeyInfo.
    pub(crate) fn key_bits(&self) -> &[u8] {
        self.certificate.tbs_certificate().subject_public_key_info().subject_public_key.raw_bytes()
    }

    fn serial(&self) -> &[u8] {
        self.certificate.tbs_certificate().serial_number().as_bytes()
    }

    /// What is critical must be understood: these two are.
    fn judge_extensions(&self) -> Result<(), Refusal> {
        let known = ["2.5.29.15", "2.5.29.19"];
        let extensions = self.certificate.tbs_certificate().extensions().map(Vec::as_slice).unwrap_or_default();
        for (index, extension) in extensions.iter().enumerate() {
            if extensions.iter().take(index).any(|before| before.extn_id == extension.extn_id) {
                return Err(Refusal::MalformedCertificate);
            }
            if extension.critical && !known.contains(&extension.extn_id.to_string().as_str()) {
                return Err(Refusal::UnknownExtension);
            }
        }
        Ok(())
    }

    /// Whether it may issue, with `below` authorities between it and the leaf.
    fn judge_authority(&self, below: usize) -> Result<(), Refusal> {
        let bad = |_| Refusal::MalformedCertificate;
        let constraints = self.extension("2.5.29.19").ok_or(Refusal::NotAnAuthority)?;
        let constraints = BasicConstraints::from_der(constraints).map_err(bad)?;
        let too_long = constraints.path_len_constraint.is_some_and(|most| below > usize::from(most));
        if !constraints.ca || too_long {
            return Err(Refusal::NotAnAuthority);
        }
        match self.extension("2.5.29.15") {
            None => Ok(()),
            Some(value) if KeyUsage::from_der(value).map_err(bad)?.key_cert_sign() => Ok(()),
            Some(_) => Err(Refusal::NotAnAuthority),
        }
    }

    fn judge_validity(&self, now: Timestamp, past_is_fine: bool) -> Result<(), Refusal> {
        let validity = self.certificate.tbs_certificate().validity();
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        let now_s = u64::try_from(now.as_second()).unwrap_or(0);
        if now_s < seconds(validity.not_before) {
            Err(Refusal::NotYetValid)
        } else if !past_is_fine && now_s > seconds(validity.not_after) {
            Err(Refusal::Expired)
        } else {
            Ok(())
        }
    }
}

/// How far RFC 5280 holds. Google's own verifier of keystores is as lenient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// All of it.
    Full,
    /// A keystore makes the leaf by the phone's clock, and says 1970 or 2106 of it. The key that signs it may be called no
    /// authority: it signs nothing but leaves, and whoever goes on below an attested key is found by its description.
    Keystore,
    /// Likewise, and what was put into phones at the factory may have expired.
    Factory,
}

/// A chain of DER certificates, leaf first.
pub(crate) fn read(chain: &[Vec<u8>]) -> Result<Vec<Link>, Refusal> {
    if chain.len() > MOST_CERTIFICATES {
        return Err(Refusal::TooLarge);
    }
    if chain.is_empty() {
        return Err(Refusal::Malformed);
    }
    chain.iter().map(|der| Link::read(der)).collect()
}

/// Whether the chain leads to one of the anchors, and nothing on the way is wrong. Answers how many of its certificates are
/// below the root.
pub(crate) fn judge(
    chain: &[Link],
    anchors: &Anchors,
    revoked: &Revoked,
    strictness: Strictness,
    now: Timestamp,
) -> Result<usize, Refusal> {
    if chain.iter().any(|link| revoked.contains(link.serial())) {
        return Err(Refusal::Revoked);
    }
    let (last, before) = chain.split_last().ok_or(Refusal::Malformed)?;
    let pinned = anchors.0.iter().find(|anchor| anchor.key == last.key);
    let (anchor, below) = match pinned {
        Some(anchor) => (anchor, before),
        None => {
            let named = anchors.0.iter().find(|anchor| anchor.name == last.issuer);
            (named.ok_or(Refusal::UntrustedRoot)?, chain)
        }
    };
    let (mut name, mut key) = (&anchor.name, &anchor.key);
    for (position, link) in below.iter().enumerate().rev() {
        if link.issuer != *name {
            return Err(Refusal::BrokenChain);
        }
        verify(link, key)?;
        link.judge_extensions()?;
        let must_be_authority = match strictness {
            Strictness::Full => position > 0,
            Strictness::Keystore | Strictness::Factory => position > 1,
        };
        if must_be_authority {
            link.judge_authority(position - 1)?;
        }
        if position > 0 || strictness == Strictness::Full {
            link.judge_validity(now, strictness == Strictness::Factory)?;
        }
        (name, key) = (&link.subject, &link.key);
    }
    if below.is_empty() { Err(Refusal::BrokenChain) } else { Ok(below.len()) }
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// Whether `issuer`, a SubjectPublicKeyInfo, signed the certificate.
fn verify(link: &Link, issuer: &[u8]) -> Result<(), Refusal> {
    let bad = |_| Refusal::MalformedCertificate;
    let key = x509_cert::spki::SubjectPublicKeyInfoRef::from_der(issuer).map_err(bad)?;
    let curve = if key.algorithm.oid == EC { key.algorithm.parameters_oid().ok() } else { None };
    let by = link.certificate.signature_algorithm().oid.to_string();
    let algorithm: &'static dyn VerificationAlgorithm = match (by.as_str(), curve) {
        ("1.2.840.113549.1.1.11", None) if key.algorithm.oid == RSA => &signature::RSA_PKCS1_2048_8192_SHA256,
        ("1.2.840.113549.1.1.12", None) if key.algorithm.oid == RSA => &signature::RSA_PKCS1_2048_8192_SHA384,
        ("1.2.840.113549.1.1.13", None) if key.algorithm.oid == RSA => &signature::RSA_PKCS1_2048_8192_SHA512,
        ("1.2.840.10045.4.3.2", Some(P256)) => &signature::ECDSA_P256_SHA256_ASN1,
        ("1.2.840.10045.4.3.2", Some(P384)) => &signature::ECDSA_P384_SHA256_ASN1,
        ("1.2.840.10045.4.3.3", Some(P256)) => &signature::ECDSA_P256_SHA384_ASN1,
        ("1.2.840.10045.4.3.3", Some(P384)) => &signature::ECDSA_P384_SHA384_ASN1,
        _ => return Err(Refusal::BadSignature),
    };
    let parsed = ParsedPublicKey::new(algorithm, key.subject_public_key.raw_bytes());
    let parsed = parsed.map_err(|_| Refusal::BadSignature)?;
    let signature = link.certificate.signature().as_bytes().ok_or(Refusal::MalformedCertificate)?;
    parsed.verify_sig(&link.signed, signature).map_err(|_| Refusal::BadSignature)
}
