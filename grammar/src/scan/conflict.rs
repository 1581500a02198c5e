//! What version control leaves in a file when two people changed it.

use super::Scanner;
use crate::diagnostic::Diagnostic;

const OURS: &str = "<<<<<<<";
const BASE: &str = "|||||||";
const MIDDLE: &str = "=======";
const THEIRS: &str = ">>>>>>>";

impl Scanner<'_> {
    /// At the start of a line: passes over a conflict's marker, and over its second side. Whether there was one.
    pub(super) fn conflict(&mut self) -> bool {
        if let Some((_, end)) = self.passed_over.filter(|(start, _)| *start == self.at) {
            self.passed_over = None;
            self.muted.push(self.at);
            self.at = end;
            self.line_start = end;
            return true;
        }
        let Some(marker) = [OURS, BASE, MIDDLE, THEIRS].into_iter().find(|marker| self.marker_at(self.at, marker))
        else {
            return false;
        };
        let line = self.line_end(self.at);
        let finding = Diagnostic::error("merge-conflict", "a merge was left half done").at(
            self.span(self.at, self.at + marker.len()),
            if marker == OURS { "one side starts here" } else { "a marker of it" },
        );
        // Looked for once for each conflict, and not again when there is none: all searches together are one pass.
        let search = marker == OURS && self.passed_over.is_none() && !self.no_conflict_ends;
        let next = |marker: &str| self.lines_from(line).take_while(|_| search).find(|at| self.marker_at(*at, marker));
        let (middle, theirs) = (next(MIDDLE), next(THEIRS));
        let finding = match (middle, theirs) {
            (Some(middle), Some(theirs)) if middle < theirs => {
                // The common ancestor, if it is shown, is nobody's side any more.
                let base = next(BASE).filter(|base| *base < middle);
                self.passed_over = Some((base.unwrap_or(middle), self.line_end(theirs)));
                finding
                    .also(self.span(middle, middle + MIDDLE.len()), "the other side starts here")
                    .also(self.span(theirs, theirs + THEIRS.len()), "and ends here")
            }
            _ => {
                self.no_conflict_ends |= search;
                finding
            }
        };
        self.problems.push(finding.help("choose a side, or join the two, and delete the lines with the markers"));
        self.at = line;
        self.line_start = line;
        true
    }

    fn marker_at(&self, at: usize, marker: &str) -> bool {
        let line = self.source.text.get(at..).unwrap_or_default();
        line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\n', '\r']))
    }

    /// Where the next line starts.
    fn line_end(&self, at: usize) -> usize {
        let text = &self.source.text;
        text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| at + newline + 1)
    }

    /// Where lines start from `start` on.
    fn lines_from(&self, start: usize) -> impl Iterator<Item = usize> {
        let rest = self.source.text.get(start..).unwrap_or_default();
        std::iter::once(start).chain(rest.match_indices('\n').map(move |(newline, _)| start + newline + 1))
    }
}
