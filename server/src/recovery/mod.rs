//! For people whose phone is gone: codes they were given before, and an administrator who resets them.
//!
//! [`code`] is what a code looks like and how it is kept, [`issue`] hands codes out, [`redeem`] uses one up, [`reset`] is
//! the administrator's, [`event`] lets rules see both, [`cooling`] keeps a phone that came in later from the strongest
//! confirmations for a while (T-22).

pub mod code;
pub mod cooling;
pub mod event;
pub mod issue;
pub mod redeem;
pub mod reset;
