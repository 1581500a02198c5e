//! Registered terminals: screens that prove which they are, and whose radio proves that a phone is near (`docs/terminals.md`).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{Issuer, TenantId, TerminalId};
use crate::keys::DeviceKey;
use crate::messages::{self, CreateMessage, NearMessage, PhoneNonce, ServerNonce, TerminalNonce};
use crate::signature::Signature;
use crate::state::Challenge;

/// The terminal that asked for a challenge, frozen with it. Whoever has one has verified its signature.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Terminal {
    /// Which.
    pub id: TerminalId,
    /// What people call it; the phone shows it.
    pub name: String,
    /// The key that it was registered with when it asked.
    pub key: DeviceKey,
    /// What it signed besides the challenge's own facts, and its signature: a stranger can verify them again.
    pub vouched: Vouched,
}

/// The terminal's proof, as it came. Both nonces are spent, so it opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vouched {
    /// The server's nonce, base64url.
    pub server_nonce: String,
    /// The terminal's own, base64url.
    pub nonce: String,
    /// Base64 of the DER.
    pub signature: String,
}

/// A request for a challenge, signed by whoever says to be this terminal.
#[derive(Clone)]
pub struct CreateAttempt {
    /// Which terminal it says to be.
    pub terminal: TerminalId,
    /// The server's nonce.
    pub server_nonce: ServerNonce,
    /// The terminal's own.
    pub nonce: TerminalNonce,
    /// Over `stepup/v2/create`.
    pub signature: Signature,
}

/// The signature is not this key's over this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not fit the terminal's key and the request")]
pub struct NotVouched;

impl CreateAttempt {
    /// The terminal with this name and key, if it has signed this request: for the tracked action whose token has this hash, or
    /// for whoever comes.
    pub fn verify(
        &self,
        (name, key): (&str, &DeviceKey),
        (issuer, tenant): (&Issuer, &TenantId),
        action: &crate::ActionCode,
        token: Option<&[u8; 32]>,
    ) -> Result<Terminal, NotVouched> {
        let message = messages::create(&CreateMessage {
            issuer,
            tenant,
            terminal: &self.terminal,
            action,
            token,
            server: &self.server_nonce,
            nonce: &self.nonce,
        });
        key.verify(message.as_bytes(), &self.signature).map_err(|_| NotVouched)?;
        Ok(Terminal {
            id: self.terminal.clone(),
            name: name.to_owned(),
            key: key.clone(),
            vouched: Vouched {
                server_nonce: self.server_nonce.expose(),
                nonce: self.nonce.expose(),
                signature: self.signature.to_base64(),
            },
        })
    }
}

/// The radio between a phone and a terminal; the order is from farther to nearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Channel {
    /// Bluetooth Low Energy: a room.
    Ble,
    /// Ultra-wideband: as near as was measured.
    Uwb,
    /// Near-field communication: some centimetres.
    Nfc,
}

impl Channel {
    /// The word in the signed message.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ble => "ble",
            Self::Uwb => "uwb",
            Self::Nfc => "nfc",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Ble, Self::Uwb, Self::Nfc].into_iter().find(|channel| channel.word() == word)
    }
}

/// What a phone heard from the terminal beside it.
#[derive(Clone)]
pub struct Near {
    /// Over which radio.
    pub channel: Channel,
    /// The terminal's, over `stepup/v2/near` with the nonce of the phone's claim.
    pub signature: Signature,
}

impl Challenge {
    /// Whether the terminal of this challenge has signed that it heard the phone which made up `nonce`. A challenge of no
    /// terminal is near nothing.
    pub(crate) fn is_near(&self, issuer: &Issuer, near: &Near, nonce: &PhoneNonce) -> bool {
        let Some(terminal) = &self.frozen.terminal else { return false };
        let message = messages::near(&NearMessage {
            issuer,
            tenant: &self.frozen.tenant,
            terminal: &terminal.id,
            challenge: &self.frozen.id,
            channel: near.channel,
            nonce,
        });
        terminal.key.verify(message.as_bytes(), &near.signature).is_ok()
    }
}

impl fmt::Debug for CreateAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateAttempt").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

impl fmt::Debug for Terminal {
    /// The key by its thumbprint, as everywhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.thumbprint().to_base64url();
        f.debug_struct("Terminal")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("key", &key)
            .finish_non_exhaustive()
    }
}

/// A terminal in the frozen text.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored {
    id: TerminalId,
    name: String,
    key: String,
    vouched: Vouched,
}

impl From<Terminal> for Stored {
    fn from(terminal: Terminal) -> Self {
        let Terminal { id, name, key, vouched } = terminal;
        Self { id, name, key: key.to_base64(), vouched }
    }
}

impl TryFrom<Stored> for Terminal {
    type Error = crate::keys::KeyError;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { id, name, key, vouched } = stored;
        Ok(Self { id, name, key: DeviceKey::from_base64(&key)?, vouched })
    }
}
