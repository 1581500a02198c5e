//! The client API and the socket, driven by a phone and a screen that behave as the published SDKs do.

#[path = "../support/answers.rs"]
mod answers;
mod every_endpoint_keeps_tenants_apart;
mod harness;
#[path = "../../../attestation/tests/support/maker.rs"]
mod maker;
mod phone;
mod phone_v2;
mod screen;

mod a_challenge_ends_without_an_answer;
mod a_claim_is_judged_by_both_ends;
mod a_kiosk_learns_who_signs_in;
mod a_lost_phone_is_recovered;
mod a_new_phone_cools_off;
mod a_payment_is_approved_by_its_user;
mod a_phone_is_added_found_and_removed;
mod a_phones_maker_vouches_for_its_key;
mod a_push_is_answered_by_the_phone;
mod a_push_is_signed_as_it_is_shown;
mod a_session_follows_an_approval;
mod a_socket_gives_away_nothing;
mod a_socket_that_does_nothing_is_let_go;
mod a_terminal_vouches_for_its_screen;
mod a_user_is_remembered_on_a_device;
mod an_administrator_resets_a_user;
mod an_app_verifies_its_user;
mod an_approval_counts_once;
mod attacks_on_the_answer_fail;
mod chance_pairs_keep_tenants_apart;
mod every_operation_answers_as_the_document_says;
mod pages_keep_to_themselves;
mod races_have_one_winner;
mod the_web_phone_signs_what_it_shows;
mod the_wire_is_kept_to_the_letter;
mod token_keys_rotate;
mod two_withdrawals_at_once_never_both_see_none;
mod what_is_refused_changes_nothing;
