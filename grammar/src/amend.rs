//! A piece of the source with its certain corrections made, so that one slip does not hide the mistakes behind it.

use std::borrow::Cow;
use std::ops::Range;

/// One edit, in bytes of the source: what to replace (nothing, to insert) and what to put there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    pub start: usize,
    pub end: usize,
    pub replacement: String,
}

/// The text of a region as it should have been written, and the way back to where its characters really are.
#[derive(Debug)]
pub(crate) struct Amended<'a> {
    pub text: Cow<'a, str>,
    steps: Vec<Step>,
}

/// From `amended` bytes into the text on, up to the next step, characters come from `original` on; none from behind `until`.
#[derive(Debug)]
struct Step {
    amended: usize,
    original: usize,
    until: usize,
}

impl<'a> Amended<'a> {
    /// The bytes of `region` with those edits made that lie in it. `edits` are in order and do not overlap.
    pub fn of(source: &'a str, region: Range<usize>, edits: &[Change]) -> Self {
        let whole = source.get(region.clone()).unwrap_or_default();
        let first = edits.partition_point(|edit| edit.start < region.start);
        let near = edits.iter().skip(first).take_while(|edit| edit.start <= region.end);
        let inside = near.filter(|edit| lies_in(edit, &region));
        let mut steps = vec![Step { amended: 0, original: region.start, until: region.end }];
        let mut text = String::new();
        let mut at = region.start;
        for edit in inside {
            text.push_str(source.get(at..edit.start).unwrap_or_default());
            steps.push(Step { amended: text.len(), original: edit.start, until: edit.end });
            text.push_str(&edit.replacement);
            steps.push(Step { amended: text.len(), original: edit.end, until: region.end });
            at = edit.end;
        }
        if steps.len() == 1 {
            return Amended { text: Cow::Borrowed(whole), steps };
        }
        text.push_str(source.get(at..region.end).unwrap_or_default());
        Amended { text: Cow::Owned(text), steps }
    }

    /// Where in the source the character at this byte of the text is.
    pub fn original(&self, at: usize) -> usize {
        let step = self.steps.partition_point(|step| step.amended <= at).checked_sub(1);
        let step = step.and_then(|step| self.steps.get(step));
        step.map_or(at, |step| (step.original + (at - step.amended)).min(step.until))
    }
}

/// A name of the same length in the place of one that is not ASCII.
pub(crate) fn stand_in(name: &str) -> String {
    name.bytes().map(|byte| if byte.is_ascii() { char::from(byte) } else { '_' }).collect()
}

/// Whether an edit belongs to these bytes. What is inserted belongs to what is before it.
pub(crate) fn lies_in(edit: &Change, region: &Range<usize>) -> bool {
    let inserted_before = edit.start == edit.end && edit.start == region.start;
    region.start <= edit.start && edit.end <= region.end && !inserted_before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_the_amended_text_leads_back_to_the_source() {
        let source = "let a = b && c = 1";
        let edit =
            |start: usize, end: usize, replacement: &str| Change { start, end, replacement: replacement.to_owned() };
        let edits = [edit(10, 12, "and"), edit(15, 16, "=="), edit(18, 18, ")")];
        let amended = Amended::of(source, 4..18, &edits);
        assert_eq!(amended.text, "a = b and c == 1)");
        for (word, place) in [("a =", 4), ("b and", 8), ("and", 10), (" c ==", 12), ("==", 15), (" 1)", 16), (")", 18)]
        {
            let at = amended.text.find(word).expect("it is there");
            assert_eq!(amended.original(at), place, "{word}");
        }
        assert_eq!(amended.original(amended.text.len()), 18);
        assert_eq!(Amended::of(source, 13..14, &edits).text, "c");
    }
}
