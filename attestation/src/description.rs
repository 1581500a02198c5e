//! What a keystore says of a key: the extension `KeyDescription` (1.3.6.1.4.1.11129.2.1.17), versions 1 to 400.
//!
//! <https://source.android.com/docs/security/features/keystore/attestation#schema>

use x509_cert::der::asn1::{AnyRef, OctetStringRef};
use x509_cert::der::{Decode, Reader, SliceReader, Tag, TagNumber};

use crate::Refusal;
use crate::android::SecurityLevel;

/// As much of it as we judge.
#[derive(Debug)]
pub(crate) struct KeyDescription {
    pub version: u32,
    /// Who vouches for the description.
    pub attestation_level: SecurityLevel,
    /// Who holds the key.
    pub key_level: SecurityLevel,
    pub challenge: Vec<u8>,
    pub software: Authorizations,
    pub hardware: Authorizations,
}

/// What may be done with a key, and with what else: `AuthorizationList`.
#[derive(Debug, Default)]
pub(crate) struct Authorizations {
    pub purposes: Vec<u32>,
    pub algorithm: Option<u32>,
    pub curve: Option<u32>,
    pub no_auth_required: bool,
    pub user_auth_type: Option<u32>,
    pub auth_timeout_s: Option<u32>,
    pub while_on_body: bool,
    pub origin: Option<u32>,
    pub root_of_trust: Option<RootOfTrust>,
    pub os_patch_level: Option<u32>,
    pub application: Option<Application>,
}

#[derive(Debug)]
pub(crate) struct RootOfTrust {
    pub locked: bool,
    /// 0 verified, 1 self-signed, 2 unverified, 3 failed.
    pub state: u32,
}

/// The app that made the key, as the system says: `AttestationApplicationId`.
#[derive(Debug, Default)]
pub(crate) struct Application {
    pub packages: Vec<String>,
    /// SHA-256 of the certificates that signed it.
    pub signers: Vec<Vec<u8>>,
}

/// Tags of an authorization list.
mod tag {
    pub const PURPOSE: u32 = 1;
    pub const ALGORITHM: u32 = 2;
    pub const CURVE: u32 = 10;
    pub const NO_AUTH_REQUIRED: u32 = 503;
    pub const USER_AUTH_TYPE: u32 = 504;
    pub const AUTH_TIMEOUT: u32 = 505;
    pub const ALLOW_WHILE_ON_BODY: u32 = 506;
    pub const ORIGIN: u32 = 702;
    pub const ROOT_OF_TRUST: u32 = 704;
    pub const OS_PATCH_LEVEL: u32 = 706;
    pub const APPLICATION_ID: u32 = 709;
}

type Result<T> = std::result::Result<T, x509_cert::der::Error>;

impl KeyDescription {
    pub(crate) fn read(der: &[u8]) -> std::result::Result<KeyDescription, Refusal> {
        parse(der).map_err(|_| Refusal::MalformedDescription)
    }
}

fn parse(der: &[u8]) -> Result<KeyDescription> {
    let mut reader = SliceReader::new(der)?;
    let description = reader.sequence(|body| {
        let version = u32::decode(body)?;
        let attestation_level = level(body)?;
        let _keymint_version = u32::decode(body)?;
        let key_level = level(body)?;
        let challenge = <&OctetStringRef>::decode(body)?.as_bytes().to_vec();
        let _unique_id = <&OctetStringRef>::decode(body)?;
        let software = authorizations(body)?;
        let hardware = authorizations(body)?;
        Ok::<_, x509_cert::der::Error>(KeyDescription {
            version,
            attestation_level,
            key_level,
            challenge,
            software,
            hardware,
        })
    })?;
    reader.finish()?;
    Ok(description)
}

fn level<'r>(reader: &mut impl Reader<'r>) -> Result<SecurityLevel> {
    match enumerated(AnyRef::decode(reader)?)? {
        0 => Ok(SecurityLevel::Software),
        1 => Ok(SecurityLevel::TrustedEnvironment),
        2 => Ok(SecurityLevel::StrongBox),
        _ => Err(Tag::Enumerated.value_error().into()),
    }
}

/// A small number of an `ENUMERATED`; its contents are those of an `INTEGER`.
fn enumerated(any: AnyRef<'_>) -> Result<u32> {
    if any.header().tag() != Tag::Enumerated {
        return Err(Tag::Enumerated.value_error().into());
    }
    match any.value() {
        [byte] if *byte < 0x80 => Ok(u32::from(*byte)),
        _ => Err(Tag::Enumerated.value_error().into()),
    }
}

/// Each tag at most once, in order: that is what DER of the schema looks like, and what forgers forget.
fn authorizations<'r>(reader: &mut impl Reader<'r>) -> Result<Authorizations> {
    let list = AnyRef::decode(reader)?;
    if list.header().tag() != Tag::Sequence {
        return Err(Tag::Sequence.value_error().into());
    }
    let mut items = SliceReader::new(list.value())?;
    let mut found = Authorizations::default();
    let mut before = None;
    while !items.is_finished() {
        let item = AnyRef::decode(&mut items)?;
        let Tag::ContextSpecific { constructed: true, number: TagNumber(number) } = item.header().tag() else {
            return Err(Tag::Sequence.value_error().into());
        };
        if before.is_some_and(|before| number <= before) {
            return Err(Tag::Sequence.value_error().into());
        }
        before = Some(number);
        let value = item.value();
        match number {
            tag::PURPOSE => found.purposes = numbers(value)?,
            tag::ALGORITHM => found.algorithm = Some(u32::from_der(value)?),
            tag::CURVE => found.curve = Some(u32::from_der(value)?),
            tag::NO_AUTH_REQUIRED => found.no_auth_required = true,
            tag::USER_AUTH_TYPE => found.user_auth_type = Some(u32::from_der(value)?),
            tag::AUTH_TIMEOUT => found.auth_timeout_s = Some(u32::from_der(value)?),
            tag::ALLOW_WHILE_ON_BODY => found.while_on_body = true,
            tag::ORIGIN => found.origin = Some(u32::from_der(value)?),
            tag::ROOT_OF_TRUST => found.root_of_trust = Some(root_of_trust(value)?),
            tag::OS_PATCH_LEVEL => found.os_patch_level = Some(u32::from_der(value)?),
            tag::APPLICATION_ID => {
                found.application = Some(application(<&OctetStringRef>::from_der(value)?.as_bytes())?);
            }
            // What else a key may or may not do takes nothing from what is judged here.
            _ => {}
        }
    }
    Ok(found)
}

/// `SET OF INTEGER`, read by hand: keystores do not sort it.
fn numbers(der: &[u8]) -> Result<Vec<u32>> {
    members(der)?.into_iter().map(u32::from_der).collect()
}

/// The encodings inside a `SET OF`.
fn members(der: &[u8]) -> Result<Vec<&[u8]>> {
    let set = AnyRef::from_der(der)?;
    if set.header().tag() != Tag::Set {
        return Err(Tag::Set.value_error().into());
    }
    let mut reader = SliceReader::new(set.value())?;
    let mut members = Vec::new();
    while !reader.is_finished() {
        members.push(reader.tlv_bytes()?);
    }
    Ok(members)
}

fn root_of_trust(der: &[u8]) -> Result<RootOfTrust> {
    let mut reader = SliceReader::new(der)?;
    let root = reader.sequence(|body| {
        let _boot_key = <&OctetStringRef>::decode(body)?;
        let locked = bool::decode(body)?;
        let state = enumerated(AnyRef::decode(body)?)?;
        if !body.is_finished() {
            let _boot_hash = <&OctetStringRef>::decode(body)?;
        }
        Ok::<_, x509_cert::der::Error>(RootOfTrust { locked, state })
    })?;
    reader.finish()?;
    Ok(root)
}

fn application(der: &[u8]) -> Result<Application> {
    let mut reader = SliceReader::new(der)?;
    let application = reader.sequence(|body| {
        let mut found = Application::default();
        for info in members(body.tlv_bytes()?)? {
            let mut info = SliceReader::new(info)?;
            let name = info.sequence(|info| {
                let name = <&OctetStringRef>::decode(info)?;
                let _version = AnyRef::decode(info)?;
                Ok::<_, x509_cert::der::Error>(String::from_utf8_lossy(name.as_bytes()).into_owned())
            })?;
            info.finish()?;
            found.packages.push(name);
        }
        for digest in members(body.tlv_bytes()?)? {
            found.signers.push(<&OctetStringRef>::from_der(digest)?.as_bytes().to_vec());
        }
        Ok::<_, x509_cert::der::Error>(found)
    })?;
    reader.finish()?;
    Ok(application)
}
