//! ECDSA signatures in strict DER, and the equality that replays are found by.
//!
//! For every signature `(r, s)` the twin `(r, n − s)` is as valid, so a signature's bytes name nothing. Two signatures are
//! the same use of the same nonce exactly when their `r` agree; that is what the claim remembers.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::id::{InvalidId, decode_exactly};

/// The order of P-256's base point, big-endian (SEC 2 §2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// A well-formed P-256 signature: both numbers in `1 ..= n−1`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    r: [u8; 32],
    s: [u8; 32],
}

/// The `r` of a signature: what two signatures share when one is a copy or a twin of the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SignatureR([u8; 32]);

/// Why a text or byte string is not a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not padded standard base64.
    #[error("the signature is not padded standard base64")]
    Encoding,
    /// Not the one DER encoding of two integers: wrong tag or length, non-minimal, negative, or trailing data.
    #[error("the signature is not a DER sequence of two positive integers")]
    Der,
    /// `r` or `s` is 0 or not below the order of the curve.
    #[error("the signature's numbers are not between 1 and the order of P-256")]
    Range,
}

impl SignatureError {
    /// The wire's word for every unusable signature.
    pub fn code(&self) -> &'static str {
        "invalid_signature"
    }
}

impl Signature {
    /// Reads the `signature` of a JSON body: padded standard base64 of the DER.
    pub fn from_base64(text: &str) -> Result<Self, SignatureError> {
        // The longest DER is 72 bytes, 96 characters.
        if text.len() > 96 {
            return Err(SignatureError::Der);
        }
        Self::from_der(&STANDARD.decode(text).map_err(|_| SignatureError::Encoding)?)
    }

    /// Reads `SEQUENCE { r INTEGER, s INTEGER }` in DER (X.690 §10), nothing looser and nothing after it.
    pub fn from_der(der: &[u8]) -> Result<Self, SignatureError> {
        let (body, rest) = take_tlv(0x30, der).ok_or(SignatureError::Der)?;
        let (r, body) = take_tlv(0x02, body).ok_or(SignatureError::Der)?;
        let (s, body) = take_tlv(0x02, body).ok_or(SignatureError::Der)?;
        if !rest.is_empty() || !body.is_empty() {
            return Err(SignatureError::Der);
        }
        Ok(Self { r: scalar(r)?, s: scalar(s)? })
    }

    /// Reads `r ‖ s`, 32 bytes each, as WebCrypto makes them (IEEE P1363).
    pub fn from_fixed(bytes: &[u8]) -> Result<Self, SignatureError> {
        let bytes: &[u8; 64] = bytes.try_into().map_err(|_| SignatureError::Der)?;
        let (r, s) = bytes.split_at(32);
        let number = |half: &[u8]| half.try_into().map_err(|_| SignatureError::Der).and_then(in_range);
        Ok(Self { r: number(r)?, s: number(s)? })
    }

    /// `r ‖ s`, 32 bytes each.
    pub fn to_fixed(&self) -> [u8; 64] {
        let mut out = [0; 64];
        for (to, from) in out.iter_mut().zip(self.r.iter().chain(&self.s)) {
            *to = *from;
        }
        out
    }

    /// The DER text that [`Signature::from_der`] reads.
    pub fn to_der(&self) -> Vec<u8> {
        let (r, s) = (der_integer(&self.r), der_integer(&self.s));
        // Two integers of at most 33 bytes: every length fits the short form.
        let mut der = vec![0x30, (r.len() + s.len()) as u8];
        der.extend(r);
        der.extend(s);
        der
    }

    /// The DER as padded standard base64.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.to_der())
    }

    /// What copies and twins of this signature have in common.
    pub fn r(&self) -> SignatureR {
        SignatureR(self.r)
    }

    /// The other valid signature with the same `r`: `(r, n − s)`.
    pub fn twin(&self) -> Self {
        Self { r: self.r, s: subtract(&ORDER, &self.s) }
    }

    /// The one of the pair whose `s` is at most n/2.
    pub fn normalised(&self) -> Self {
        let twin = self.twin();
        if twin.s < self.s { twin } else { *self }
    }

    /// Equality that does not tell a signature from its twin.
    pub fn same_as(&self, other: &Signature) -> bool {
        self.normalised() == other.normalised()
    }
}

impl fmt::Debug for Signature {
    /// A compat claim's signature would also approve, so signatures never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(…)")
    }
}

impl fmt::Debug for SignatureR {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignatureR({})", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl TryFrom<String> for SignatureR {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        decode_exactly(&text).map(Self).ok_or(InvalidId { what: "signature r" })
    }
}

impl From<SignatureR> for String {
    fn from(r: SignatureR) -> String {
        URL_SAFE_NO_PAD.encode(r.0)
    }
}

/// Splits off one element with the given tag and a short-form length. A P-256 signature never needs the long form, and
/// DER forbids it where the short one fits.
fn take_tlv(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *found != tag || *length >= 0x80 {
        return None;
    }
    rest.split_at_checked(usize::from(*length))
}

/// A DER integer's content as a number in range; refuses negative and padded ones.
fn scalar(content: &[u8]) -> Result<[u8; 32], SignatureError> {
    let digits = match content {
        [] => return Err(SignatureError::Der),
        [0] => return Err(SignatureError::Range),
        [first, ..] if *first >= 0x80 => return Err(SignatureError::Der),
        [0, second, ..] if *second < 0x80 => return Err(SignatureError::Der),
        [0, digits @ ..] => digits,
        digits => digits,
    };
    let start = 32usize.checked_sub(digits.len()).ok_or(SignatureError::Range)?;
    let mut number = [0; 32];
    for (to, from) in number.iter_mut().skip(start).zip(digits) {
        *to = *from;
    }
    in_range(number)
}

fn in_range(number: [u8; 32]) -> Result<[u8; 32], SignatureError> {
    // Arrays compare lexicographically, which for big-endian numbers of one length is numerically.
    if number == [0; 32] || number >= ORDER { Err(SignatureError::Range) } else { Ok(number) }
}

fn der_integer(number: &[u8; 32]) -> Vec<u8> {
    let mut digits: Vec<u8> = number.iter().copied().skip_while(|b| *b == 0).collect();
    if digits.first().is_none_or(|b| *b >= 0x80) {
        digits.insert(0, 0);
    }
    let mut der = vec![0x02, digits.len() as u8];
    der.extend(digits);
    der
}

/// `a − b` for `a ≥ b`, big-endian.
fn subtract(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let mut out = [0; 32];
    let mut borrow = 0i16;
    for ((to, x), y) in out.iter_mut().zip(a).zip(b).rev() {
        let digit = i16::from(*x) - i16::from(*y) - borrow;
        borrow = i16::from(digit < 0);
        *to = digit.rem_euclid(256) as u8;
    }
    out
}
