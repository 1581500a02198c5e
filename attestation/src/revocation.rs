//! Certificates that their maker called back: Google's attestation status list.
//!
//! The file is `{"entries": {"<serial, hex>": {"status": "REVOKED" | "SUSPENDED", …}}}`, as published at
//! <https://android.googleapis.com/attestation/status>. Whatever is listed is refused: nothing there is good.

use std::collections::HashSet;

use serde::Deserialize;

/// The serial numbers of certificates that are not to be trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked(HashSet<String>);

/// The list cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RevocationError {
    /// Not JSON of the published shape.
    #[error("it is not the attestation status list: {0}")]
    Shape(#[from] serde_json::Error),
    /// A key of the list is no serial number.
    #[error("`{0}` is not a serial number in hexadecimal")]
    Serial(String),
}

#[derive(Deserialize)]
struct StatusList {
    entries: std::collections::HashMap<String, Status>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(rename = "status")]
    _status: String,
}

impl Revoked {
    /// Reads a status list.
    pub fn from_status_list(json: &[u8]) -> Result<Revoked, RevocationError> {
        let list: StatusList = serde_json::from_slice(json)?;
        let mut serials = HashSet::with_capacity(list.entries.len());
        for name in list.entries.into_keys() {
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(RevocationError::Serial(name));
            }
            serials.insert(name.trim_start_matches('0').to_ascii_lowercase());
        }
        Ok(Revoked(serials))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a certificate of this serial number, big-endian, is listed.
    pub(crate) fn contains(&self, serial: &[u8]) -> bool {
        let hex: String = serial.iter().map(|byte| format!("{byte:02x}")).collect();
        self.0.contains(hex.trim_start_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::Revoked;

    #[test]
    fn a_serial_is_found_however_it_is_padded_or_spelt() {
        let list = br#"{"entries": {"c35747a084470c31": {"status": "REVOKED", "reason": "KEY_COMPROMISE"}, "0AB": {"status": "SUSPENDED"}}}"#;
        let revoked = Revoked::from_status_list(list).expect("a list");
        assert_eq!(revoked.len(), 2);
        assert!(revoked.contains(&[0xc3, 0x57, 0x47, 0xa0, 0x84, 0x47, 0x0c, 0x31]));
        assert!(revoked.contains(&[0x00, 0xc3, 0x57, 0x47, 0xa0, 0x84, 0x47, 0x0c, 0x31]));
        assert!(revoked.contains(&[0xab]));
        assert!(!revoked.contains(&[0xab, 0x00]));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"entries": []}"#,
            r#"{"entries": {"xyz": {"status": "REVOKED"}}}"#,
            r#"{"entries": {"ab": {}}}"#,
        ] {
            assert!(Revoked::from_status_list(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
