//! I1–I10 under random operations by several credentials, users, protocols and clocks, checked against what was seen.

use std::collections::BTreeSet;

use challenge::signature::{Signature, SignatureR};
use challenge::state::Supersession;
use challenge::*;
use jiff::Timestamp;
use proptest::prelude::*;

use crate::support::*;

#[derive(Debug, Clone, Copy)]
enum Op {
    Claim {
        phone: usize,
        v2: bool,
        code: bool,
    },
    /// Sends a signature captured earlier as a claim or an answer.
    Replay {
        captured: usize,
        twin: bool,
        as_claim: bool,
        approve: bool,
        phone: usize,
    },
    Answer {
        phone: usize,
        v2: bool,
        approve: bool,
        right_code: bool,
    },
    Revoke {
        phone: usize,
    },
    ChangeHands {
        phone: usize,
    },
    Expire,
    Supersede(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let phone = 0..4usize;
    prop_oneof![
        4 => (phone.clone(), any::<bool>(), any::<bool>()).prop_map(|(phone, v2, code)| Op::Claim { phone, v2, code }),
        3 => (0..8usize, any::<bool>(), any::<bool>(), any::<bool>(), phone.clone())
            .prop_map(|(captured, twin, as_claim, approve, phone)| Op::Replay { captured, twin, as_claim, approve, phone }),
        6 => (phone.clone(), any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(phone, v2, approve, right_code)| Op::Answer { phone, v2, approve, right_code }),
        1 => phone.clone().prop_map(|phone| Op::Revoke { phone }),
        1 => phone.prop_map(|phone| Op::ChangeHands { phone }),
        1 => Just(Op::Expire),
        1 => (0..3u8).prop_map(Op::Supersede),
    ]
}

/// What a bystander writes down, to judge the next step by.
#[derive(Default)]
struct Seen {
    /// Who ever got a claim.
    claimers: BTreeSet<CredentialId>,
    /// Which compat signatures went over the wire in claims or in wrong guesses.
    spent: Vec<SignatureR>,
    captured: Vec<Signature>,
    approvals: usize,
    moves: u32,
}

struct World {
    challenge: Challenge,
    phones: Vec<Phone>,
    seen: Seen,
}

impl World {
    fn new(identified: bool) -> Self {
        let phones = vec![
            Phone::new(0, "u1", Platform::Ios),
            Phone::new(1, "u1", Platform::Android),
            Phone::new(2, "u2", Platform::Ios),
            Phone::new(3, "u1", Platform::Other),
        ];
        let challenge = if identified { generated() } else { anonymous() };
        Self { challenge, phones, seen: Seen::default() }
    }

    fn run(&mut self, op: Op, now: Timestamp) {
        let before = self.challenge.clone();
        let (operation, phone) = match op {
            Op::Claim { phone, v2, code } => {
                let attempt = if v2 { self.phones[phone].v2_claim(&before) } else { self.phones[phone].compat_claim() };
                let match_code = code.then(|| MatchCode::parse("42").expect("digits"));
                (Operation::Claim(ClaimAttempt { match_code, ..attempt }), Some(phone))
            }
            Op::Replay { captured, twin, as_claim, approve, phone } => {
                let Some(signature) = self.seen.captured.get(captured) else { return };
                let signature = if twin { signature.twin() } else { *signature };
                let operation = if as_claim {
                    Operation::Claim(compat_claim_with(signature))
                } else {
                    Operation::Answer(decision(approve), compat_answer_with(signature, "42"))
                };
                (operation, Some(phone))
            }
            Op::Answer { phone, v2, approve, right_code } => {
                let typed = if right_code { "42" } else { "7" };
                let attempt = if v2 {
                    self.phones[phone].v2_answer(&before, decision(approve), typed)
                } else {
                    self.phones[phone].compat_answer(typed)
                };
                (Operation::Answer(decision(approve), attempt), Some(phone))
            }
            Op::Revoke { phone } => {
                self.phones[phone].credential.status = CredentialStatus::Revoked;
                return;
            }
            Op::ChangeHands { phone } => {
                self.phones[phone].credential.user = user("u3");
                return;
            }
            Op::Expire => (Operation::Expire, None),
            Op::Supersede(0) => (Operation::Supersede(Supersession::Refreshed), None),
            Op::Supersede(1) => (Operation::Supersede(Supersession::ActionChanged), None),
            Op::Supersede(_) => (Operation::Supersede(Supersession::Cancelled), None),
        };
        let credential = phone.map(|phone| self.phones[phone].credential.clone());
        if let Ok(transition) = before.apply(&operation, credential.as_ref(), now) {
            let after = stored(&transition.next);
            self.judge(&before, &after, transition.effect, &operation, credential.as_ref(), now);
            self.challenge = after;
        }
    }

    fn judge(
        &mut self,
        before: &Challenge,
        after: &Challenge,
        effect: Effect,
        operation: &Operation,
        credential: Option<&Credential>,
        now: Timestamp,
    ) {
        let changed = after.version() != before.version();
        assert_eq!(after.frozen_text().ok(), before.frozen_text().ok(), "I9: frozen facts never change");
        assert_eq!(changed, after.state_text().ok() != before.state_text().ok(), "a version per change");
        assert!(after.version() <= before.version() + 1);
        if changed {
            assert_eq!(invariant::broken(before, after, credential, now), None, "what the store asks of every step");
        }
        if !before.state().is_open() {
            assert!(!changed && effect == Effect::Repeated, "I3: terminal is terminal");
        }
        if effect == Effect::Moved {
            assert_ne!(after.state().name(), before.state().name(), "a move goes somewhere");
            self.seen.moves += 1;
            assert!(self.seen.moves <= 2, "at most claimed and one end");
        }
        if let (Some(old), Some(new)) = (before.state().claim(), after.state().claim()) {
            assert_eq!((&old.by, &old.user, old.at), (&new.by, &new.user, new.at), "I1: a claim is final");
            assert!(old.nonce.matches(&new.nonce));
            assert!(new.wrong_codes >= old.wrong_codes, "I10: counters never decrease");
            assert!(new.wrong_codes <= after.frozen().attempts_allowed, "T-17");
            assert!(old.spent.iter().all(|r| new.spent.contains(r)), "what is spent stays spent");
        }
        assert!(before.state().claim().is_none() || after.state().claim().is_some(), "a claim is never forgotten");
        match operation {
            Operation::Claim(attempt) => {
                let credential = credential.expect("a claimer");
                if changed {
                    assert!(now < after.frozen().expires_at, "I4: no claim at or after expiry");
                }
                self.seen.claimers.insert(credential.id.clone());
                assert_eq!(self.seen.claimers.len(), 1, "I1: at most one claimer");
                assert_right_user(after, credential);
                if matches!(attempt.proof, ClaimProof::Compat) {
                    self.seen.spent.push(attempt.signature.r());
                    self.seen.captured.push(attempt.signature);
                }
            }
            Operation::Answer(_, attempt) => {
                let credential = credential.expect("an answerer");
                assert_eq!(credential.status, CredentialStatus::Active, "I2: still active");
                assert!(self.seen.claimers.contains(&credential.id), "I2: the claimer answers");
                assert_right_user(after, credential);
                if changed {
                    assert!(now < after.frozen().expires_at, "I4: no answer at or after expiry");
                }
                if credential.platform.randomises_signatures() && matches!(attempt.proof, AnswerProof::Compat) {
                    assert!(!self.seen.spent.contains(&attempt.signature.r()), "T-09: a seen signature answered");
                }
                if matches!(effect, Effect::WrongCode { .. }) && matches!(attempt.proof, AnswerProof::Compat) {
                    self.seen.spent.push(attempt.signature.r());
                    self.seen.captured.push(attempt.signature);
                }
                if effect == Effect::Moved && after.state().name() == "approved" {
                    self.seen.approvals += 1;
                    assert_eq!(self.seen.approvals, 1, "I5: one approval, one token");
                }
            }
            Operation::Expire => assert!(effect == Effect::Repeated || now >= after.frozen().expires_at),
            Operation::Supersede(_) => assert!(effect == Effect::Repeated || now < after.frozen().expires_at),
        }
        assert_eq!(after.assurance().is_some(), after.state().name() == "approved");
    }
}

fn assert_right_user(challenge: &Challenge, credential: &Credential) {
    assert_eq!(challenge.user(), Some(&credential.user), "I8: identified or claimed, the user is the same");
    assert_eq!(challenge.frozen().tenant, credential.tenant, "I11: the tenant is the same");
}

fn decision(approve: bool) -> Decision {
    if approve { Decision::Approve } else { Decision::Reject }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

    /// Clocks jump in both directions, as nodes disagree; the store's clock is only assumed to be one of them.
    #[test]
    fn t03_to_t11_hold_for_every_sequence(
        identified in any::<bool>(),
        steps in proptest::collection::vec((op(), 0..130_000i64), 1..25),
    ) {
        let mut world = World::new(identified);
        for (op, ms) in steps {
            world.run(op, at_ms(ms));
        }
    }
}

/// The property above would hold for a kernel that refuses everything; this one must reach every end.
#[test]
fn random_sequences_reach_every_state() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut reached = BTreeSet::new();
    for round in 0..400 {
        let mut world = World::new(round % 2 == 0);
        for _ in 0..12 {
            let (op, ms) = (op(), 0..130_000i64).new_tree(&mut runner).expect("an operation").current();
            world.run(op, at_ms(ms));
            reached.insert(world.challenge.state().name());
        }
    }
    let all = ["approved", "claimed", "expired", "generated", "rejected", "superseded"];
    assert_eq!(reached.into_iter().collect::<Vec<_>>(), all);
}
