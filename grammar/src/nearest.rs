//! The name somebody probably meant.

use crate::diagnostic::Applicability;

/// The candidate closest to `name`, if one is close enough to be a slip of the hand: at most one edit for short names,
/// two from six letters, three from nine. An edit is a letter added, lost, changed or swapped with its neighbour.
/// Of equally close candidates the first wins.
///
/// ```
/// assert_eq!(grammar::nearest("polcy", ["import", "policy", "prove"]), Some("policy"));
/// assert_eq!(grammar::nearest("banana", ["import", "policy"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    meant(name, candidates).map(|(candidate, _)| candidate)
}

/// Like [`nearest`], and how sure that is. It is certain when one edit makes it and nothing else is as close; never when
/// digits differ (`limit1` is not `limit2` misspelt) or when the words are shorter than four letters.
pub fn meant<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<(&'a str, Applicability)> {
    let wanted: Vec<char> = name.chars().flat_map(char::to_lowercase).take(LONGEST + 1).collect();
    if wanted.is_empty() || wanted.len() > LONGEST {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    let mut rival = false;
    for candidate in candidates {
        let letters: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
        if letters.len() > LONGEST || candidate == name {
            continue;
        }
        let allowed = match wanted.len().max(letters.len()) {
            0..=2 => 0,
            3..=5 => 1,
            6..=8 => 2,
            _ => 3,
        };
        // Names that differ only in their capitals are always worth a hint.
        let edits = edits(&wanted, &letters);
        match best {
            _ if edits > allowed => {}
            Some((fewest, other)) if edits == fewest => rival |= candidate != other,
            Some((fewest, _)) if edits > fewest => {}
            Some(_) | None => {
                best = Some((edits, candidate));
                rival = false;
            }
        }
    }
    let (edits, candidate) = best?;
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let long_enough = edits == 0 || wanted.len().max(candidate.chars().count()) >= 4;
    let certain = edits <= 1 && !rival && long_enough && digits(name) == digits(candidate);
    Some((candidate, if certain { Applicability::Certain } else { Applicability::Likely }))
}

/// Longer names are not compared: nobody mistypes them by hand, and the work is quadratic.
const LONGEST: usize = 64;

/// Damerau-Levenshtein distance in its optimal-string-alignment form.
fn edits(from: &[char], to: &[char]) -> usize {
    let mut two_rows_up: Vec<usize> = Vec::new();
    let mut row_up: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let changed = at(&row_up, j) + usize::from(a != b);
            let mut fewest = changed.min(at(&row_up, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && from.get(i - 1) == Some(b) && to.get(j - 1) == Some(a);
            if swapped {
                fewest = fewest.min(at(&two_rows_up, j - 1) + 1);
            }
            row.push(fewest);
        }
        two_rows_up = std::mem::replace(&mut row_up, row);
    }
    row_up.last().copied().unwrap_or_default()
}

fn at(row: &[usize], index: usize) -> usize {
    row.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let keywords = ["import", "event", "list", "script", "reason", "let", "policy", "test", "prove"];
        let cases = [
            ("polcy", Some("policy")),
            ("plociy", Some("policy")),
            ("Policy", Some("policy")),
            ("evnet", Some("event")),
            ("lst", Some("list")),
            ("rule", None),
            ("withdrawal", None),
            ("", None),
            ("policy", None),
        ];
        for (name, expected) in cases {
            assert_eq!(nearest(name, keywords), expected, "{name}");
        }
    }

    #[test]
    fn one_edit_to_one_name_is_certain() {
        let cases: [(&str, &[&str], Applicability); 7] = [
            ("amout", &["amount", "payee"], Applicability::Certain),
            ("Amount", &["amount"], Applicability::Certain),
            ("amuont_of", &["amount_of"], Applicability::Certain),
            ("amt_of_day", &["amount_of_day"], Applicability::Likely),
            ("limit1", &["limit2"], Applicability::Likely),
            ("card", &["cart", "care"], Applicability::Likely),
            ("ERU", &["EUR", "ERN"], Applicability::Likely),
        ];
        for (name, candidates, expected) in cases {
            assert_eq!(meant(name, candidates.iter().copied()).map(|(_, sure)| sure), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_swap_is_one_edit() {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(edits(&letters("form"), &letters("from")), 1);
        assert_eq!(edits(&letters("kitten"), &letters("sitting")), 3);
        assert_eq!(edits(&letters(""), &letters("abc")), 3);
    }
}
