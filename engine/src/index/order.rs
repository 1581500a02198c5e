//! The order of rules: those that share a selective test stand together.

/// A rule, as far as its place is concerned.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidate {
    /// By feature: which share of events its tests about it let through, and the first position they do.
    pub tests: Vec<(usize, f64, usize)>,
}

impl Candidate {
    pub fn test(&mut self, feature: usize, share: f64, first: usize) {
        match self.tests.iter_mut().find(|(other, ..)| *other == feature) {
            Some((_, shared, place)) => {
                *shared *= share;
                *place = first.max(*place);
            }
            None => self.tests.push((feature, share, first)),
        }
    }
}

/// A test that lets more than this share through finds nothing.
const SELECTIVE: f64 = 0.34;
/// Fewer rules than this are not worth standing apart.
const FEWEST: usize = 8;

/// Takes, again and again, the feature that refuses most of the rules that are left.
///
/// Only the first `features` can find rules: the others are dear to look at.
pub(super) fn arrange(candidates: &[Candidate], features: usize) -> Vec<usize> {
    let mut left: Vec<usize> = (0..candidates.len()).collect();
    let mut order = Vec::with_capacity(candidates.len());
    let selective = |rule: usize, feature: usize| {
        let tests = candidates.get(rule).into_iter().flat_map(|candidate| &candidate.tests);
        tests.into_iter().find(|(other, share, _)| *other == feature && *share <= SELECTIVE).copied()
    };
    while left.len() >= FEWEST {
        let mut worth = vec![(0.0, 0_usize); features];
        for (feature, share, _) in left.iter().filter_map(|rule| candidates.get(*rule)).flat_map(|rule| &rule.tests) {
            if let Some(worth) = worth.get_mut(*feature).filter(|_| *share <= SELECTIVE) {
                *worth = (worth.0 + 1.0 - share, worth.1 + 1);
            }
        }
        let best = worth.iter().enumerate().filter(|(_, (_, rules))| *rules >= FEWEST);
        let Some((feature, _)) = best.max_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b)) else { break };
        let (mut taken, rest): (Vec<usize>, Vec<usize>) =
            left.into_iter().partition(|rule| selective(*rule, feature).is_some());
        left = rest;
        taken.sort_by_cached_key(|rule| {
            let first = selective(*rule, feature).map(|(_, _, first)| first);
            (first, others(candidates, *rule, Some(feature)), *rule)
        });
        order.extend(taken);
    }
    left.sort_by_cached_key(|rule| (others(candidates, *rule, None), *rule));
    order.extend(left);
    order
}

/// The features a rule tests besides, the most selective first: neighbours should be refused together.
fn others(candidates: &[Candidate], rule: usize, beside: Option<usize>) -> Vec<(usize, usize)> {
    let tests = candidates.get(rule).into_iter().flat_map(|candidate| &candidate.tests);
    let mut tests: Vec<&(usize, f64, usize)> = tests.filter(|(feature, ..)| Some(*feature) != beside).collect();
    tests.sort_by(|(a, share, _), (b, other, _)| share.total_cmp(other).then(a.cmp(b)));
    tests.into_iter().map(|(feature, _, first)| (*feature, *first)).collect()
}
