//! The bytes that phones sign.
//!
//! Compat messages are what stock SDKs sign: a bare challenge id, or the number of a ten-minute window. Version 2 messages
//! are lines, `name=value` with LF after every one, the first naming the purpose, so that no signature made for one
//! operation fits another. Values hold only `[A-Za-z0-9._:/@|+=-]`: a value cannot begin a line of its own. Servers and
//! phones build these texts and compare signatures; nobody parses them.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use crate::id::{
    ActionCode, ChallengeId, ClaimNonce, CredentialId, InvalidId, Issuer, TenantId, TerminalId, decode_exactly,
    is_line_char,
};
use crate::keys::{BadSignature, DeviceKey, Thumbprint, sha256};
use crate::qr::RollingCode;
use crate::signature::Signature;
use crate::state::Decision;
use crate::terminal::Channel;

/// What a stock phone signs to claim, approve and reject alike: the id and nothing else.
pub fn compat(challenge: &ChallengeId) -> String {
    challenge.to_string()
}

/// How long one removal window lasts, in seconds.
const REMOVAL_WINDOW_S: i64 = 600;

/// A ten-minute window, counted from the Unix epoch. Stock phones sign its number to remove a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemovalWindow(i64);

impl RemovalWindow {
    /// The window that `now` lies in.
    pub fn at(now: Timestamp) -> Self {
        Self(now.as_second().div_euclid(REMOVAL_WINDOW_S))
    }

    /// The number, for remembering that a credential used it (T-15).
    pub fn number(self) -> i64 {
        self.0
    }

    /// What the phone signs: the number as both mobile platforms print a double, `2992401.0`.
    pub fn message(self) -> String {
        format!("{}.0", self.0)
    }

    /// This window, the one before and, for clocks that run ahead, the one after.
    pub fn accepted(now: Timestamp) -> [Self; 3] {
        let Self(number) = Self::at(now);
        [Self(number), Self(number.saturating_sub(1)), Self(number.saturating_add(1))]
    }
}

/// Finds the accepted window whose number `key` signed.
pub fn verify_removal(key: &DeviceKey, signature: &Signature, now: Timestamp) -> Result<RemovalWindow, BadSignature> {
    RemovalWindow::accepted(now)
        .into_iter()
        .find(|window| key.verify(window.message().as_bytes(), signature).is_ok())
        .ok_or(BadSignature)
}

/// Any text that may be a value in a signed line, for instance a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineValue(String);

impl LineValue {
    /// Accepts up to 1,024 characters of `[A-Za-z0-9._:/@|+=-]`.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.len() <= 1024 && text.chars().all(is_line_char) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId { what: "message value" })
        }
    }
}

macro_rules! nonce {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Takes 16 bytes from a cryptographic generator.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Reads 22 characters of base64url.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                decode_exactly(text).map(Self).ok_or(InvalidId { what: $what })
            }

            /// The text for the wire, the message and the store.
            pub fn expose(&self) -> String {
                URL_SAFE_NO_PAD.encode(self.0)
            }
        }
    };
}

nonce! {
    /// 16 bytes of the phone's choice, so that no two of its claims are alike.
    PhoneNonce, "phone nonce"
}
nonce! {
    /// 16 bytes of the terminal's choice, so that no two of its challenges are asked for alike.
    TerminalNonce, "terminal nonce"
}
nonce! {
    /// 16 bytes the server gave for one enrolment, removal, authenticated call or terminal.
    ServerNonce, "server nonce"
}

/// What the user typed: nothing, or up to eight digits.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TypedCode(String);

impl TypedCode {
    /// Accepts up to 8 ASCII digits.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let right = text.len() <= 8 && text.bytes().all(|b| b.is_ascii_digit());
        if right { Ok(Self(text.to_owned())) } else { Err(InvalidId { what: "verification code" }) }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decision {
    /// The word in the signed message.
    pub fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

/// `stepup/v2/decide`: the answer to a claimed challenge.
pub struct DecideMessage<'a> {
    /// The issuer the phone pinned.
    pub issuer: &'a Issuer,
    /// Whose challenge.
    pub tenant: &'a TenantId,
    /// Which challenge.
    pub challenge: &'a ChallengeId,
    /// Which key answers.
    pub credential: &'a CredentialId,
    /// The nonce of the claim response.
    pub claim: &'a ClaimNonce,
    /// SHA-256 of the context bytes exactly as received.
    pub context: &'a [u8; 32],
    /// Yes or no.
    pub decision: Decision,
    /// The digits typed, or none.
    pub code: &'a TypedCode,
}

/// The text of a [`DecideMessage`].
pub fn decide(message: &DecideMessage<'_>) -> String {
    lines(
        "decide",
        &[
            ("iss", message.issuer.as_str()),
            ("tenant", message.tenant.as_str()),
            ("challenge", &message.challenge.to_string()),
            ("credential", message.credential.as_str()),
            ("claim", &message.claim.expose()),
            ("ctx", &URL_SAFE_NO_PAD.encode(message.context)),
            ("decision", message.decision.word()),
            ("code", message.code.as_str()),
        ],
    )
}

/// `stepup/v2/claim`: the phone takes a challenge it scanned.
pub struct ClaimMessage<'a> {
    /// The issuer the phone pinned.
    pub issuer: &'a Issuer,
    /// Whose challenge.
    pub tenant: &'a TenantId,
    /// Which challenge.
    pub challenge: &'a ChallengeId,
    /// Which key claims.
    pub credential: &'a CredentialId,
    /// The code in the QR, or none when a bare id was scanned.
    pub qr: Option<&'a RollingCode>,
    /// The phone's own 16 bytes.
    pub nonce: &'a PhoneNonce,
}

/// The text of a [`ClaimMessage`].
pub fn claim(message: &ClaimMessage<'_>) -> String {
    lines(
        "claim",
        &[
            ("iss", message.issuer.as_str()),
            ("tenant", message.tenant.as_str()),
            ("challenge", &message.challenge.to_string()),
            ("credential", message.credential.as_str()),
            ("qr", &message.qr.map(RollingCode::expose).unwrap_or_default()),
            ("nonce", &message.nonce.expose()),
        ],
    )
}

/// `stepup/v2/enroll`: a new key proves that it exists, and which token let it in.
pub struct EnrollMessage<'a> {
    /// The issuer the phone is about to pin.
    pub issuer: &'a Issuer,
    /// The tenant it enrols in.
    pub tenant: &'a TenantId,
    /// The server's nonce.
    pub nonce: &'a ServerNonce,
    /// SHA-256 of the new key's SPKI.
    pub key: &'a Thumbprint,
    /// The track token that authorises the enrolment; the message holds its SHA-256.
    pub token: &'a str,
}

/// The text of an [`EnrollMessage`].
pub fn enroll(message: &EnrollMessage<'_>) -> String {
    lines(
        "enroll",
        &[
            ("iss", message.issuer.as_str()),
            ("tenant", message.tenant.as_str()),
            ("nonce", &message.nonce.expose()),
            ("key", &message.key.to_base64url()),
            ("token", &URL_SAFE_NO_PAD.encode(sha256(message.token.as_bytes()))),
        ],
    )
}

/// `stepup/v2/remove`: a key takes itself out.
pub struct RemoveMessage<'a> {
    /// The issuer the phone pinned.
    pub issuer: &'a Issuer,
    /// Whose credential.
    pub tenant: &'a TenantId,
    /// Which credential.
    pub credential: &'a CredentialId,
    /// The server's nonce.
    pub nonce: &'a ServerNonce,
}

/// The text of a [`RemoveMessage`].
pub fn remove(message: &RemoveMessage<'_>) -> String {
    lines(
        "remove",
        &[
            ("iss", message.issuer.as_str()),
            ("tenant", message.tenant.as_str()),
            ("credential", message.credential.as_str()),
            ("nonce", &message.nonce.expose()),
        ],
    )
}

/// `stepup/v2/create`: a registered terminal asks for a challenge to show.
pub struct CreateMessage<'a> {
    /// Whom the terminal asks.
    pub issuer: &'a Issuer,
    /// Whose terminal.
    pub tenant: &'a TenantId,
    /// Which terminal.
    pub terminal: &'a TerminalId,
    /// The action to be approved.
    pub action: &'a ActionCode,
    /// SHA-256 of the track token of an identified screen.
    pub token: Option<&'a [u8; 32]>,
    /// The server's nonce.
    pub server: &'a ServerNonce,
    /// The terminal's own 16 bytes.
    pub nonce: &'a TerminalNonce,
}

/// The text of a [`CreateMessage`].
pub fn create(message: &CreateMessage<'_>) -> String {
    let token = message.token.map(|hash| URL_SAFE_NO_PAD.encode(hash));
    lines(
        "create",
        &[
            ("iss", message.issuer.as_str()),
            ("tenant", message.tenant.as_str()),
            ("terminal", message.terminal.as_str()),
            ("action", message.action.as_str()),
            ("token", &token.unwrap_or_default()),
            ("server", &message.server.expose()),
            ("nonce", &message.nonce.expose()),
        ],
    )
}

/// `stepup/v2/near`: a terminal has heard this phone over a radio.
pub struct NearMessage<'a> {
    /// The terminal's issuer.
    pub issuer: &'a Issuer,
    /// Whose terminal.
    pub tenant: &'a TenantId,
    /// Which terminal.
    pub terminal: &'a TerminalId,
    /// The challenge on its screen.
    pub challenge: &'a ChallengeId,
    /// Over which radio.
    pub channel: Channel,
    /// What the phone made up for this claim, and signs in it.
    pub nonce: &'a PhoneNonce,
}

/// The text of a [`NearMessage`].
pub fn near(message: &NearMessage<'_>) -> String {
    lines(
        "near",
        &[
            ("iss", message.issuer.as_str()),
            ("tenant", message.tenant.as_str()),
            ("terminal", message.terminal.as_str()),
            ("challenge", &message.challenge.to_string()),
            ("channel", message.channel.word()),
            ("nonce", &message.nonce.expose()),
        ],
    )
}

/// `stepup/v2/auth`: any other call of the phone.
pub struct AuthMessage<'a> {
    /// The HTTP method, upper case.
    pub method: &'a LineValue,
    /// The path without query.
    pub path: &'a LineValue,
    /// The body; the message holds its SHA-256.
    pub body: &'a [u8],
    /// The server's nonce.
    pub nonce: &'a ServerNonce,
}

/// The text of an [`AuthMessage`].
pub fn auth(message: &AuthMessage<'_>) -> String {
    lines(
        "auth",
        &[
            ("method", &message.method.0),
            ("path", &message.path.0),
            ("body", &URL_SAFE_NO_PAD.encode(sha256(message.body))),
            ("nonce", &message.nonce.expose()),
        ],
    )
}

/// Every value is a parsed type or base64url, so none holds a line feed.
fn lines(purpose: &str, fields: &[(&str, &str)]) -> String {
    let mut text = format!("stepup/v2/{purpose}\n");
    for (name, value) in fields {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}={value}");
    }
    text
}
