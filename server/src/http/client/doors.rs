//! The kinds of keys in paths: which key a phone uses there, and which challenges it may answer.

use challenge::state::Kind;

/// A kind of key, as `/user-authenticators/{kind}` names it.
#[derive(Clone, Copy)]
pub struct Door {
    /// The word in the path.
    pub path: &'static str,
    /// The kind of the credentials that are looked up.
    pub key: &'static str,
    /// The challenges that they may answer.
    pub answers: &'static [Kind],
    /// Those of them that a stock phone claims before it answers. The others it claims with its answer, so that a claim of
    /// its by itself would be an answer in the hands of whoever reads it.
    pub scans: &'static [Kind],
}

impl Door {
    /// Scans codes.
    pub const QR_CODE: Door = Door { path: "qr-code", key: "qr-code", answers: &[Kind::Qr], scans: &[Kind::Qr] };
    /// Is sent messages.
    pub const PUSH: Door = Door { path: "push", key: "push", answers: &[Kind::Push], scans: &[] };
    /// Asks for itself.
    pub const IN_APP: Door = Door { path: "in-app", key: "in-app", answers: &[Kind::InApp], scans: &[] };
    /// Phones built before 2025-10-29 have one key for everything and call it a `device`.
    pub const DEVICE: Door =
        Door { path: "device", key: "qr-code", answers: &[Kind::Qr, Kind::Push, Kind::InApp], scans: &[Kind::Qr] };
}
