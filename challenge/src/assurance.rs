//! What an approval is worth, said as data and never as a slogan.

use serde::{Deserialize, Serialize};

use crate::credential::{KeyProtection, Unlock};
use crate::id::TerminalId;
use crate::state::{Challenge, Freshness, Protocol, State};

/// The ladder, lowest rung first; comparing rungs is comparing assurance. A QR by itself is never phishing-resistant:
/// only the two highest rungs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Acr {
    /// No phone: a recovery code was typed into the screen.
    #[serde(rename = "recovery_code")]
    RecoveryCode,
    /// A stock SDK signed the bare id.
    #[serde(rename = "qr.compat")]
    QrCompat,
    /// A version 2 signature over context and decision.
    #[serde(rename = "qr.linked")]
    QrLinked,
    /// The same, claimed with a code that was on a screen within 30 seconds.
    #[serde(rename = "qr.fresh")]
    QrFresh,
    /// The same, on a challenge that a registered terminal made ([`crate::terminal`]).
    #[serde(rename = "qr.trusted_origin")]
    QrTrustedOrigin,
    /// A registered terminal heard the phone over a radio, which is as fresh as a code and nearer.
    #[serde(rename = "qr.proximate")]
    QrProximate,
    /// WebAuthn: a name only, since Stepup offers no passkeys.
    #[serde(rename = "webauthn")]
    Webauthn,
}

/// What was used (RFC 8176). `bio` is not in its registry, whose words name the finger or the face: which it was is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Amr {
    /// A key proven to be in hardware.
    Hwk,
    /// A key of which nothing is proven.
    Swk,
    /// Somebody was there.
    User,
    /// A PIN unlocked the key.
    Pin,
    /// A fingerprint or face unlocked the key.
    Bio,
    /// A second factor unlocked the key, and nobody can say which.
    Mfa,
    /// A recovery code (RFC 8176 has no word for a look-up secret).
    #[serde(rename = "recovery_code")]
    RecoveryCode,
}

/// What ties the approval to amount and payee (RTS Art. 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// Nothing: no field was to be bound.
    None,
    /// The server's record of what the id stood for.
    Server,
    /// The phone's signature over the bytes it showed.
    Signed,
}

/// The claims `acr`, `amr`, `link` and `sca` of a result token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assurance {
    /// The rung reached.
    pub acr: Acr,
    /// What was used.
    pub amr: Vec<Amr>,
    /// What ties it to the bound fields.
    pub link: Link,
    /// Whether two categories of factor were shown. Possession alone is not strong customer authentication.
    pub sca: bool,
    /// The registered terminal that showed the challenge, whichever way the phone signed.
    pub terminal: Option<TerminalId>,
}

impl Challenge {
    /// What the approval is worth; `None` unless approved.
    pub fn assurance(&self) -> Option<Assurance> {
        let State::Approved { claim, answer } = self.state() else { return None };
        let acr = match (claim.protocol, claim.freshness, &self.frozen.terminal) {
            (Protocol::Compat, _, _) => Acr::QrCompat,
            (Protocol::V2, _, Some(_)) if claim.near.is_some() => Acr::QrProximate,
            (Protocol::V2, Freshness::Unknown, _) => Acr::QrLinked,
            (Protocol::V2, Freshness::Rolling, None) => Acr::QrFresh,
            (Protocol::V2, Freshness::Rolling, Some(_)) => Acr::QrTrustedOrigin,
        };
        let link = match claim.protocol {
            Protocol::V2 => Link::Signed,
            Protocol::Compat if self.frozen().bind.is_empty() => Link::None,
            Protocol::Compat => Link::Server,
        };
        // A compat answer that repeats the claim's signature may be the claim replayed: it shows neither hardware nor a
        // second act of the user.
        let (amr, sca) = match answer.evidence {
            KeyProtection::Hardware { unlock } if !answer.repeats_claim => match unlock {
                Unlock::Nothing => (vec![Amr::Hwk], false),
                Unlock::Pin => (vec![Amr::Hwk, Amr::Pin], true),
                Unlock::Biometric => (vec![Amr::Hwk, Amr::Bio], true),
                // Knowledge or inherence: either is another category than possession.
                Unlock::PinOrBiometric => (vec![Amr::Hwk, Amr::User, Amr::Mfa], true),
            },
            KeyProtection::Hardware { .. } | KeyProtection::Unattested => (vec![Amr::Swk], false),
        };
        let terminal = self.frozen.terminal.as_ref().map(|terminal| terminal.id.clone());
        Some(Assurance { acr, amr, link, sca, terminal })
    }
}
