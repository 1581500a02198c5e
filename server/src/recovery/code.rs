//! A recovery code: 80 random bits that a person copies from paper.
//!
//! Written in Crockford's base 32, which has no `I`, `L`, `O` and `U`; whoever reads a `1` as `l` or a `0` as `O` is
//! understood. NIST SP 800-63B, section 5.1.2: a look-up secret has at least 20 bits and is used once; with fewer than 112
//! bits it is kept salted and stretched, and as section 5.1.1.2 advises, keyed with a secret that is not beside it.

use std::num::NonZeroU32;

use aws_lc_rs::{hmac, pbkdf2};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::store::RecoveryCode as Kept;

/// How many codes are issued at a time.
pub const BATCH: usize = 10;

/// Random bytes of one code.
const BYTES: usize = 10;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of one code, without the hyphens.
const LENGTH: usize = BYTES * 8 / 5;
/// The longest text that is looked at.
pub const LONGEST_TYPED: usize = 64;

/// PBKDF2 rounds. The codes are random, so this only adds to 80 bits that nobody guesses.
const ROUNDS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();

/// A code in the clear. It has no `Debug` and no `Serialize`.
pub struct RecoveryCode(Zeroizing<[u8; BYTES]>);

impl RecoveryCode {
    /// The code of these random bytes.
    pub fn from_random(bytes: [u8; BYTES]) -> RecoveryCode {
        RecoveryCode(Zeroizing::new(bytes))
    }

    /// Reads what a person typed: either case, spaces and hyphens anywhere, and the letters that stand for digits.
    pub fn parse(typed: &str) -> Option<RecoveryCode> {
        if typed.len() > LONGEST_TYPED {
            return None;
        }
        let mut bits: u128 = 0;
        let mut length = 0;
        for char in typed.chars().filter(|char| !char.is_whitespace() && *char != '-') {
            let digit = match char.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                char => char,
            };
            let value = ALPHABET.iter().position(|known| char::from(*known) == digit)?;
            bits = (bits << 5) | value as u128;
            length += 1;
            if length > LENGTH {
                return None;
            }
        }
        if length != LENGTH {
            return None;
        }
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(bits.to_be_bytes().get(16 - BYTES..)?);
        Some(RecoveryCode::from_random(bytes))
    }

    /// The text for the person: `7KQX-2M9P-0ZRT-B4WD`.
    pub fn expose(&self) -> String {
        let mut padded = [0; 16];
        padded[16 - BYTES..].copy_from_slice(&*self.0);
        let bits = u128::from_be_bytes(padded);
        let mut text = String::with_capacity(LENGTH + 3);
        for at in 0..LENGTH {
            if at > 0 && at % 4 == 0 {
                text.push('-');
            }
            let value = (bits >> (5 * (LENGTH - 1 - at))) & 31;
            text.push(ALPHABET.get(value as usize).copied().map_or('0', char::from));
        }
        text
    }

    /// What is kept of it.
    pub fn hash(&self, salt: &[u8; 16], key: &hmac::Key) -> [u8; 32] {
        let mut stretched = Zeroizing::new([0; 32]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, &*self.0, &mut *stretched);
        let mut hash = [0; 32];
        hash.copy_from_slice(hmac::sign(key, &*stretched).as_ref());
        hash
    }
}

/// Finds a typed code among those that a user was given last. The work is the same whether there are any, whether the text
/// is a code, and whichever it is: one stretching and [`BATCH`] comparisons.
pub fn find(typed: &str, kept: &[Kept], key: &hmac::Key) -> Option<Kept> {
    let parsed = RecoveryCode::parse(typed);
    let is_code = parsed.is_some();
    let code = parsed.unwrap_or_else(|| RecoveryCode::from_random([0; BYTES]));
    let salt = kept.first().map_or([0; 16], |first| first.code_salt);
    let hash = code.hash(&salt, key);
    let mut found = u32::MAX;
    for at in 0..kept.len().max(BATCH) {
        let other = kept.get(at).map_or([0; 32], |kept| kept.hash);
        let same: Choice = hash.ct_eq(&other);
        found.conditional_assign(&u32::try_from(at).unwrap_or(u32::MAX), same);
    }
    kept.get(usize::try_from(found).ok()?).filter(|_| is_code).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_a_person_types_it() {
        let code = RecoveryCode::from_random([0, 68, 50, 20, 199, 66, 84, 182, 53, 207]);
        let text = code.expose();
        assert_eq!(text, "0123-4567-89AB-CDEF");
        for typed in ["0123456789abcdef", " o123 4567-89ab cdef ", "OI23-4567-89AB-CDEF", "0l234567-89ABCDEF"] {
            assert_eq!(RecoveryCode::parse(typed).map(|code| code.expose()).as_deref(), Some(&*text), "{typed}");
        }
        for wrong in
            ["", "0123-4567-89AB-CDE", "0123-4567-89AB-CDEF0", "0123-4567-89AB-CDEU", "０123-4567-89AB-CDEF", "é"]
        {
            assert!(RecoveryCode::parse(wrong).is_none(), "{wrong}");
        }
        assert!(RecoveryCode::parse(&"-".repeat(LONGEST_TYPED + 1)).is_none());
    }

    #[test]
    fn every_code_survives_paper() {
        for seed in 0..=255_u8 {
            let mut bytes = [0; BYTES];
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = seed.wrapping_mul(31).wrapping_add((at as u8).wrapping_mul(97));
            }
            let text = RecoveryCode::from_random(bytes).expose();
            assert_eq!(text.len(), LENGTH + 3);
            assert!(!text.contains(['I', 'L', 'O', 'U']), "{text}");
            assert_eq!(RecoveryCode::parse(&text).map(|code| *code.0), Some(bytes), "{text}");
        }
    }

    #[test]
    fn salt_and_key_are_part_of_what_is_kept() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        let other = hmac::Key::new(hmac::HMAC_SHA256, &[2; 32]);
        let code = RecoveryCode::from_random([7; BYTES]);
        let kept = code.hash(&[3; 16], &key);
        assert_eq!(kept, code.hash(&[3; 16], &key));
        assert_ne!(kept, code.hash(&[4; 16], &key));
        assert_ne!(kept, code.hash(&[3; 16], &other));
    }
}
