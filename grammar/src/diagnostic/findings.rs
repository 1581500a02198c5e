//! What is found in one file, up to a number that somebody might still read.

use super::Diagnostic;

/// More findings of one file are counted and not kept, where nothing else is said.
pub(crate) const MOST_FINDINGS: usize = 1_000;

/// The findings of one file.
#[derive(Debug, Clone)]
pub(crate) struct Findings {
    all: Vec<Diagnostic>,
    /// How many are kept.
    most: usize,
    /// How many more there were.
    uncounted: usize,
}

impl Findings {
    pub fn up_to(most: usize) -> Self {
        Findings { all: Vec::new(), most, uncounted: 0 }
    }

    /// How many are kept at most.
    pub fn most(&self) -> usize {
        self.most
    }

    pub fn push(&mut self, finding: Diagnostic) {
        if self.all.len() < self.most {
            self.all.push(finding);
        } else {
            self.uncounted += 1;
        }
    }

    pub fn append(&mut self, other: Findings) {
        self.uncounted += other.uncounted;
        self.extend(other.all);
    }

    pub fn len(&self) -> usize {
        self.all.len() + self.uncounted
    }

    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.all
    }

    pub fn as_mut_slice(&mut self) -> &mut [Diagnostic] {
        &mut self.all
    }

    pub fn sort(&mut self) {
        self.all.sort();
    }

    pub fn retain(&mut self, keep: impl FnMut(&Diagnostic) -> bool) {
        self.all.retain(keep);
    }

    pub fn pop_if(&mut self, unwanted: impl FnOnce(&mut Diagnostic) -> bool) -> Option<Diagnostic> {
        self.all.pop_if(unwanted)
    }

    /// All that were kept, in order of place, and a note about the others.
    pub fn finish(mut self, file: &str) -> Vec<Diagnostic> {
        self.all.sort();
        self.all.dedup();
        if self.uncounted > 0 {
            let (most, more) = (self.most, self.uncounted);
            let message = format!("more than {most} findings in `{file}`: {more} are not shown");
            self.all
                .insert(0, Diagnostic::note("too-many-findings", message).help("mend the first ones and check again"));
        }
        self.all
    }
}

impl Extend<Diagnostic> for Findings {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, findings: I) {
        for finding in findings {
            self.push(finding);
        }
    }
}
