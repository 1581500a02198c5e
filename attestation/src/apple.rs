//! Apple App Attest: a device says that a genuine copy of an app, with a key of its own, asked it to vouch for a hash.
//!
//! <https://developer.apple.com/documentation/devicecheck/validating-apps-that-connect-to-your-server>. The key that is attested
//! is the app's, never the credential's. What the app vouches for is in the hash: an enrolment message names the credential's
//! key, a bare nonce names nothing.

use jiff::Timestamp;
use minicbor::Decoder;
use minicbor::data::Type;
use serde::Serialize;

use crate::path::{self, Anchors, Link, Strictness};
use crate::revocation::Revoked;
use crate::{Refusal, sha256};

/// Real objects have five to six KiB.
const MOST_BYTES: usize = 32 * 1024;
/// The extension with the hash of what is vouched for.
const NONCE: &str = "1.2.840.113635.100.8.2";

/// Whom to trust, and which apps.
#[derive(Debug, Clone)]
pub struct AppleRules {
    /// The roots.
    pub anchors: Anchors,
    /// The apps, as `<team>.<bundle>`.
    pub apps: Vec<String>,
    /// Whether builds for developers count.
    pub development: bool,
}

/// What is proven: which app vouches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppFacts {
    /// Which of the apps.
    pub app: String,
    /// Whether it is a build for developers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub development: bool,
}

/// Judges an attestation object. `key_id` is what the phone calls the app's key, if it says so; `client_data_hash` what the app
/// must have vouched for.
pub fn verify(
    object: &[u8],
    key_id: Option<&[u8]>,
    client_data_hash: &[u8; 32],
    rules: &AppleRules,
    now: Timestamp,
) -> Result<AppFacts, Refusal> {
    let statement = Statement::read(object)?;
    let chain = path::read(&statement.chain)?;
    path::judge(&chain, &rules.anchors, &Revoked::default(), Strictness::Full, now)?;
    let leaf = chain.first().ok_or(Refusal::Malformed)?;

    let covered = sha256(&[statement.auth_data.as_slice(), client_data_hash].concat());
    // DER of `SEQUENCE { [1] { OCTET STRING (32 bytes) } }`, of which there is one spelling.
    let extension = [&[0x30, 0x24, 0xa1, 0x22, 0x04, 0x20], covered.as_slice()].concat();
    if leaf.extension(NONCE).ok_or(Refusal::NoDescription)? != extension {
        return Err(Refusal::WrongChallenge);
    }
    judge(leaf, &statement.auth_data, key_id, rules)
}

fn judge(leaf: &Link, auth_data: &[u8], key_id: Option<&[u8]>, rules: &AppleRules) -> Result<AppFacts, Refusal> {
    let data = AuthData::read(auth_data).ok_or(Refusal::Malformed)?;
    let point = leaf.key_bits();
    let id = sha256(point);
    // The point is `04 ‖ x ‖ y`; COSE says the same as a map of five (RFC 9053 §7.1.1).
    let (x, y) = point.strip_prefix(&[0x04]).and_then(|both| both.split_at_checked(32)).ok_or(Refusal::OtherKey)?;
    let cose = [&COSE_BEFORE_X, x, &COSE_BEFORE_Y, y].concat();
    if data.credential != id || data.cose != cose || key_id.is_some_and(|told| told != id) {
        return Err(Refusal::OtherKey);
    }
    let app = rules.apps.iter().find(|app| sha256(app.as_bytes()) == data.app).ok_or(Refusal::OtherApp)?;
    if data.counter != [0; 4] {
        return Err(Refusal::UsedKey);
    }
    let development = match data.aaguid {
        b"appattest\0\0\0\0\0\0\0" => false,
        b"appattestdevelop" => true,
        _ => return Err(Refusal::WrongFormat),
    };
    if development && !rules.development {
        return Err(Refusal::Development);
    }
    Ok(AppFacts { app: app.clone(), development })
}

/// `{1: 2, 3: -7, -1: 1, -2: h'…` up to x.
const COSE_BEFORE_X: [u8; 10] = [0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
/// `-3: h'…`
const COSE_BEFORE_Y: [u8; 3] = [0x22, 0x58, 0x20];

/// Authenticator data (WebAuthn §6.1) with one new credential in it.
struct AuthData<'a> {
    app: &'a [u8],
    counter: &'a [u8],
    aaguid: &'a [u8; 16],
    credential: &'a [u8],
    cose: &'a [u8],
}

impl<'a> AuthData<'a> {
    fn read(bytes: &'a [u8]) -> Option<AuthData<'a>> {
        let (app, rest) = bytes.split_at_checked(32)?;
        let (_flags, rest) = rest.split_at_checked(1)?;
        let (counter, rest) = rest.split_at_checked(4)?;
        let (aaguid, rest) = rest.split_first_chunk::<16>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (credential, cose) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        Some(AuthData { app, counter, aaguid, credential, cose })
    }
}

/// `{fmt: "apple-appattest", attStmt: {x5c: [leaf, authority], receipt}, authData}`
struct Statement {
    chain: Vec<Vec<u8>>,
    auth_data: Vec<u8>,
}

impl Statement {
    /// Only the members of the format, each once; so nothing unknown has to be skipped, however deep it is.
    fn read(object: &[u8]) -> Result<Statement, Refusal> {
        if object.len() > MOST_BYTES {
            return Err(Refusal::TooLarge);
        }
        let mut decoder = Decoder::new(object);
        let (mut format, mut chain, mut auth_data) = (None, None, None);
        for _ in 0..members(&mut decoder, 3)? {
            match text(&mut decoder)? {
                "fmt" if format.is_none() => format = Some(text(&mut decoder)?),
                "attStmt" if chain.is_none() => chain = Some(statement(&mut decoder)?),
                "authData" if auth_data.is_none() => auth_data = Some(bytes(&mut decoder)?),
                _ => return Err(Refusal::Malformed),
            }
            if format.is_some_and(|format| format != "apple-appattest") {
                return Err(Refusal::WrongFormat);
            }
        }
        if decoder.position() != object.len() {
            return Err(Refusal::Malformed);
        }
        match (chain, auth_data) {
            (Some(chain), Some(auth_data)) => Ok(Statement { chain, auth_data }),
            _ => Err(Refusal::Malformed),
        }
    }
}

fn statement(decoder: &mut Decoder<'_>) -> Result<Vec<Vec<u8>>, Refusal> {
    let mut chain = None;
    let mut receipt = None;
    for _ in 0..members(decoder, 2)? {
        match text(decoder)? {
            "x5c" if chain.is_none() => {
                let length = decoder.array().ok().flatten().ok_or(Refusal::Malformed)?;
                // The leaf and one authority, or the root as well.
                if !(2..=3).contains(&length) {
                    return Err(Refusal::Malformed);
                }
                chain = Some((0..length).map(|_| bytes(decoder)).collect::<Result<Vec<_>, _>>()?);
            }
            // For asking Apple about fraud; we ask nobody.
            "receipt" if receipt.is_none() => receipt = Some(bytes(decoder)?),
            _ => return Err(Refusal::Malformed),
        }
    }
    chain.ok_or(Refusal::Malformed)
}

/// A map of exactly so many members.
fn members(decoder: &mut Decoder<'_>, expected: u64) -> Result<u64, Refusal> {
    match decoder.map() {
        Ok(Some(length)) if length == expected => Ok(length),
        _ => Err(Refusal::Malformed),
    }
}

fn text<'b>(decoder: &mut Decoder<'b>) -> Result<&'b str, Refusal> {
    decoder.str().map_err(|_| Refusal::Malformed)
}

fn bytes(decoder: &mut Decoder<'_>) -> Result<Vec<u8>, Refusal> {
    match decoder.datatype() {
        Ok(Type::Bytes) => decoder.bytes().map(<[u8]>::to_vec).map_err(|_| Refusal::Malformed),
        _ => Err(Refusal::Malformed),
    }
}
