/// Why evidence proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More bytes or certificates than honest evidence has.
    #[error("the evidence is larger than any real one")]
    TooLarge,
    /// The envelope is not what the maker sends.
    #[error("the evidence cannot be read")]
    Malformed,
    /// The format is another one.
    #[error("the evidence is of another format")]
    WrongFormat,
    /// A certificate is not DER, or not of RFC 5280.
    #[error("a certificate of the chain cannot be read")]
    MalformedCertificate,
    /// A certificate says something that must be understood and is not.
    #[error("a certificate of the chain has a critical extension that is not known")]
    UnknownExtension,
    /// Neighbours in the chain did not issue each other.
    #[error("the chain is broken or not in order; send it leaf first")]
    BrokenChain,
    /// The chain does not end at a pinned root.
    #[error("the chain does not end at a root that is trusted here")]
    UntrustedRoot,
    /// A signature in the chain is wrong, or of an algorithm that is not trusted.
    #[error("a signature in the chain does not fit")]
    BadSignature,
    /// A certificate that may not issue has issued.
    #[error("a certificate of the chain was not allowed to issue")]
    NotAnAuthority,
    /// A certificate is not valid yet.
    #[error("a certificate of the chain is not valid yet")]
    NotYetValid,
    /// A certificate is not valid any more.
    #[error("a certificate of the chain has expired")]
    Expired,
    /// The maker called a certificate back.
    #[error("a certificate of the chain was revoked")]
    Revoked,
    /// A key that was attested has signed a certificate of its own.
    #[error("the chain goes on below an attested key, as forged ones do")]
    ExtendedChain,
    /// The leaf does not describe its key.
    #[error("the leaf has no description of its key")]
    NoDescription,
    /// The description is not of the schema.
    #[error("the description of the key cannot be read")]
    MalformedDescription,
    /// The evidence is about something else.
    #[error("the evidence is of another challenge")]
    WrongChallenge,
    /// The evidence is about another key.
    #[error("the evidence is of another key")]
    OtherKey,
    /// The key was not made in the hardware.
    #[error("the key was not made by the hardware that holds it")]
    NotGenerated,
    /// The key may do other things than sign, or something else than what we ask.
    #[error("the key is not an ECDSA P-256 key that only signs")]
    WrongPurpose,
    /// The key, or what describes it, is in software.
    #[error("the key is not in secure hardware")]
    SoftwareKey,
    /// The system that runs on the phone is not the maker's.
    #[error("the phone did not boot verified, or is unlocked")]
    UnverifiedBoot,
    /// The app is not one of the tenant's.
    #[error("the evidence is of another app")]
    OtherApp,
    /// A build for developers.
    #[error("the evidence is of the development environment")]
    Development,
    /// The key was in use before.
    #[error("the counter of a new key must be zero")]
    UsedKey,
    /// The token is old, or of the future.
    #[error("the token was not made just now")]
    NotFresh,
    /// The platform does not recognise app or device.
    #[error("the platform does not vouch for the app and the device")]
    NotRecognised,
}

impl Refusal {
    /// Every refusal, for documents and tests.
    pub const ALL: [Refusal; 26] = [
        Self::TooLarge,
        Self::Malformed,
        Self::WrongFormat,
        Self::MalformedCertificate,
        Self::UnknownExtension,
        Self::BrokenChain,
        Self::UntrustedRoot,
        Self::BadSignature,
        Self::NotAnAuthority,
        Self::NotYetValid,
        Self::Expired,
        Self::Revoked,
        Self::ExtendedChain,
        Self::NoDescription,
        Self::MalformedDescription,
        Self::WrongChallenge,
        Self::OtherKey,
        Self::NotGenerated,
        Self::WrongPurpose,
        Self::SoftwareKey,
        Self::UnverifiedBoot,
        Self::OtherApp,
        Self::Development,
        Self::UsedKey,
        Self::NotFresh,
        Self::NotRecognised,
    ];

    /// The word for it, for clients and the log.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::WrongFormat => "wrong-format",
            Self::MalformedCertificate => "malformed-certificate",
            Self::UnknownExtension => "unknown-extension",
            Self::BrokenChain => "broken-chain",
            Self::UntrustedRoot => "untrusted-root",
            Self::BadSignature => "bad-signature",
            Self::NotAnAuthority => "not-an-authority",
            Self::NotYetValid => "not-yet-valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::ExtendedChain => "extended-chain",
            Self::NoDescription => "no-description",
            Self::MalformedDescription => "malformed-description",
            Self::WrongChallenge => "wrong-challenge",
            Self::OtherKey => "other-key",
            Self::NotGenerated => "not-generated",
            Self::WrongPurpose => "wrong-purpose",
            Self::SoftwareKey => "software-key",
            Self::UnverifiedBoot => "unverified-boot",
            Self::OtherApp => "other-app",
            Self::Development => "development",
            Self::UsedKey => "used-key",
            Self::NotFresh => "not-fresh",
            Self::NotRecognised => "not-recognised",
        }
    }
}
