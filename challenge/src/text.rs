//! What may be shown to a person who is about to approve something (T-13).
//!
//! Text from a payee's name to a user agent can be made to look like other text. Shown text is NFC, has no control,
//! bidirectional, invisible or private characters, no towers of combining marks, and at most 140 characters; a text that
//! mixes scripts (UTS #39 §5.1) is shown with a flag, as honest names do it too.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::MixedScript;

/// The longest label, in characters after normalisation.
pub const LONGEST_LABEL: usize = 140;

/// The most combining marks on one character; Vietnamese needs none after NFC, Hebrew and Thai two or three.
const MOST_MARKS: usize = 3;

/// Why a text must not be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// More characters than fit.
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// A control, line separator, private or unassigned-for-text character.
    #[error("contains the control character U+{:04X}", *.0 as u32)]
    Control(char),
    /// A character that changes the direction of its neighbours.
    #[error("contains the text direction character U+{:04X}", *.0 as u32)]
    Bidi(char),
    /// A character that takes no room.
    #[error("contains the invisible character U+{:04X}", *.0 as u32)]
    Invisible(char),
    /// A tower of combining marks.
    #[error("stacks more than {MOST_MARKS} marks on one character")]
    Marks,
}

/// A text that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// In NFC.
    pub text: String,
    /// Whether it mixes scripts that no language writes together.
    pub mixed_script: bool,
}

/// Checks a text chosen by a caller who can be told to send another one.
pub fn show(text: &str, longest: usize) -> Result<Shown, TextError> {
    // Composition shortens at most threefold, so a far longer text is refused before it is normalised.
    if text.len() > longest.saturating_mul(16) {
        return Err(TextError::TooLong(longest));
    }
    let text: String = text.nfc().collect();
    if text.chars().count() > longest {
        return Err(TextError::TooLong(longest));
    }
    let mut marks = 0;
    for c in text.chars() {
        if let Some(error) = refuse(c) {
            return Err(error);
        }
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        if marks > MOST_MARKS {
            return Err(TextError::Marks);
        }
    }
    let mixed_script = !text.as_str().is_single_script();
    Ok(Shown { text, mixed_script })
}

/// Makes a text showable that nobody can be asked to change, such as a user agent: drops what [`show`] refuses and cuts
/// the rest to [`LONGEST_LABEL`], ending in `…`.
pub fn clean(text: &str) -> String {
    let mut marks = 0;
    let mut kept: Vec<char> = text
        .nfc()
        .filter(|c| {
            marks = if is_combining_mark(*c) { marks + 1 } else { 0 };
            refuse(*c).is_none() && marks <= MOST_MARKS
        })
        .take(LONGEST_LABEL + 1)
        .collect();
    if kept.len() > LONGEST_LABEL {
        kept.truncate(LONGEST_LABEL - 1);
        kept.push('…');
    }
    // Dropping a character may have brought two together that compose.
    kept.into_iter().nfc().collect()
}

fn refuse(c: char) -> Option<TextError> {
    match c {
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some(TextError::Bidi(c))
        }
        // Soft hyphen, grapheme joiner, Hangul and Khmer fillers, Mongolian and other variation selectors, zero-width
        // characters, invisible operators, blank Braille, tags.
        '\u{00ad}'
        | '\u{034f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => Some(TextError::Invisible(c)),
        // Line and paragraph separators, interlinear annotation, replacement and private characters.
        '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffd}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' => {
            Some(TextError::Control(c))
        }
        c if c.is_control() || is_noncharacter(c) => Some(TextError::Control(c)),
        _ => None,
    }
}

fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}
