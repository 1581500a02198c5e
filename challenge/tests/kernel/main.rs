//! What the kernel promises, one module per promise.

mod support;

mod a_challenge_has_one_claimer_and_one_answer;
mod a_context_is_shown_and_signed_as_it_was_frozen;
mod a_photographed_qr_dies_in_thirty_seconds;
mod a_terminal_vouches_for_its_screen;
mod a_token_serves_one_purpose_once;
mod every_vector_holds;
mod no_malformed_key_or_signature_is_taken;
mod no_sequence_of_operations_breaks_an_invariant;
