//! Every interleaving of two phones, two screens, their retries and a server that may be killed, explored with `stateright`.
//!
//! The transitions are the real ones of this crate, signatures verified. What is modelled around them is what the server
//! does with them: it stamps a request when it comes, judges it in the one transaction that writes it, answers after the
//! commit, and tells screens after that. `STEPUP_MODEL=full cargo test --release -p challenge --test model -- --nocapture`
//! explores wider worlds and prints how many states there are.

#[path = "../kernel/support.rs"]
#[allow(dead_code, reason = "shared with the tests of the kernel")]
mod support;

mod kernel;
mod world;

use challenge::{Platform, Subject};
use stateright::{Checker, HasDiscoveries, Model};

use kernel::Kernel;
use support::Phone;
use world::{Attacker, Broken, ENDS, Fault, KEPT, SAID_IS_DURABLE, Story};

/// A kiosk's challenge: a stock phone of `u1`, and one with our own SDK of `u2`.
fn kiosk() -> Story {
    Story {
        kernel: Kernel::new([Phone::ios(0, "u1"), Phone::new(1, "u2", Platform::Other)], Subject::Anonymous),
        one_payment: false,
        challenges: 1,
        phones: 2,
        screens: 2,
        last_tick: 2,
        at_once: 2,
        kills: 1,
        removals: false,
        validations: false,
        attacker: Attacker::ReadsClaims,
        fault: Fault::None,
    }
}

/// A payment of `u1` on two screens; the other phone is a stranger's.
fn payment() -> Story {
    let subject = Subject::Identified(support::user("u1"));
    let kernel = Kernel::new([Phone::ios(0, "u1"), Phone::new(1, "u2", Platform::Android)], subject);
    Story { kernel, one_payment: true, ..kiosk() }
}

/// Explores everything; nothing may be broken and everything that should be possible must be.
#[track_caller]
fn holds(name: &str, story: Story) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let checker = story.checker().threads(threads).spawn_bfs().join();
    println!(
        "{name}: {} states, {} steps between them, {} different ones asked of the kernel",
        checker.unique_state_count(),
        checker.state_count(),
        checker.model().kernel.asked(),
    );
    checker.assert_properties();
}

/// Looks for a way to break a promise, and finds one.
#[track_caller]
fn is_refuted(story: Story, property: &'static str, promises: &[Broken]) {
    let (fault, attacker) = (story.fault, story.attacker);
    let checker = story.checker().finish_when(HasDiscoveries::AnyOf([property].into())).spawn_bfs().join();
    let Some(path) = checker.discovery(property) else { panic!("{fault:?}, {attacker:?}: was not found out") };
    println!("{fault:?}, {attacker:?}: {:?}", path.clone().into_actions());
    // Several promises may be broken as soon as each other.
    let broken: Vec<Broken> = path.last_state().broken_promise().into_iter().collect();
    assert!(
        broken.iter().all(|broken| promises.contains(broken)) && broken.is_empty() == promises.is_empty(),
        "{broken:?}"
    );
}

#[test]
fn a_kiosks_challenge_keeps_its_promises() {
    holds("kiosk", kiosk());
}

#[test]
fn a_payment_keeps_its_promises() {
    holds("payment", Story { kills: 0, attacker: Attacker::Absent, ..payment() });
}

#[test]
fn a_payment_that_is_shown_anew_keeps_its_promises() {
    let bounds = Story { phones: 1, screens: 1, at_once: 1, kills: 0, attacker: Attacker::Absent, ..payment() };
    holds("shown anew", Story { challenges: 2, ..bounds });
}

#[test]
fn a_removed_phone_approves_nothing() {
    holds("removal", Story { removals: true, kills: 0, attacker: Attacker::Absent, ..kiosk() });
}

#[test]
fn a_token_is_valid_once() {
    holds("validation", Story { validations: true, kills: 0, attacker: Attacker::Absent, ..kiosk() });
}

/// The wide worlds, millions of states each.
#[test]
fn every_promise_is_kept_in_the_wide_worlds() {
    if !std::env::var("STEPUP_MODEL").is_ok_and(|form| form == "full") {
        return;
    }
    holds("a kiosk whose server is killed twice", Story { kills: 2, last_tick: 3, ..kiosk() });
    holds("a kiosk, three requests at once", Story { at_once: 3, ..kiosk() });
    holds("a kiosk, a removed phone, a token, a kill", Story { removals: true, validations: true, ..kiosk() });
    holds("a payment, somebody who reads along, a kill", Story { validations: true, ..payment() });
    holds("a payment that is shown anew, a kill", Story { challenges: 2, screens: 1, at_once: 1, ..payment() });
    holds("two kiosks, a kill", Story { challenges: 2, attacker: Attacker::Absent, at_once: 1, ..kiosk() });
}

#[test]
fn reading_before_writing_is_found_out() {
    is_refuted(Story { fault: Fault::ReadsThenWrites, ..kiosk() }, KEPT, &[Broken::ClaimChanged, Broken::TwoClaimers]);
}

#[test]
fn a_claim_that_can_be_taken_over_is_found_out() {
    is_refuted(
        Story { fault: Fault::LetsClaimsBeTakenOver, ..kiosk() },
        KEPT,
        &[Broken::ClaimChanged, Broken::TwoClaimers],
    );
}

#[test]
fn answering_before_the_commit_is_found_out() {
    is_refuted(Story { fault: Fault::AnswersEarly, ..kiosk() }, SAID_IS_DURABLE, &[]);
    is_refuted(Story { fault: Fault::AnswersEarly, ..kiosk() }, KEPT, &[Broken::TwoClaimers]);
}

#[test]
fn a_credential_that_is_read_too_early_is_found_out() {
    let story = Story { fault: Fault::ReadsTheCredentialEarly, removals: true, ..kiosk() };
    is_refuted(story, KEPT, &[Broken::ApprovedByARevokedPhone]);
}

#[test]
fn a_use_that_is_read_too_early_is_found_out() {
    let story = Story { fault: Fault::ReadsTheUseEarly, validations: true, ..kiosk() };
    is_refuted(story, KEPT, &[Broken::ValidatedTwice]);
}

/// A screen that asks must not be told by the clock what the store may yet decide otherwise: an approval that came in time
/// may be on its way to the disk.
#[test]
fn an_expiry_that_nobody_wrote_down_is_found_out() {
    is_refuted(Story { fault: Fault::ExpiresByTheClock, ..kiosk() }, KEPT, &[Broken::TwoEndsTold]);
}

#[test]
fn a_server_without_its_worker_is_found_out() {
    is_refuted(Story { fault: Fault::NeverExpires, ..kiosk() }, ENDS, &[]);
}

/// What version 2 is for. A stock phone signs the challenge's id and nothing else, so whoever can hold its rejection up can
/// make it an approval; one that signs its decision is safe from that.
#[test]
fn a_rejection_that_is_held_up_approves_for_a_stock_phone_and_never_for_ours() {
    is_refuted(Story { attacker: Attacker::HoldsRejections, ..kiosk() }, KEPT, &[Broken::ApprovedUnasked]);
    let ours = [Phone::new(0, "u1", Platform::Other), Phone::new(1, "u2", Platform::Other)];
    let kernel = Kernel::new(ours, Subject::Anonymous);
    holds("our own phones", Story { kernel, attacker: Attacker::HoldsRejections, kills: 0, ..kiosk() });
}
