//! The audit log: what was decided, so that somebody who does not trust us can check it.
//!
//! Every write of the store appends [`leaf`]s in its own transaction. Their hashes are the leaves of an RFC 6962 Merkle
//! [`tree`]; its root is signed as a C2SP checkpoint ([`note`]). [`verify`](mod@verify) reads a database that nothing runs on and names the
//! first entry that is not what was signed.

mod checkpoint_file;
pub mod leaf;
pub mod note;
pub mod report;
pub mod tree;
mod verify;

pub use checkpoint_file::{checkpoint_path, public_key_path};
pub(crate) use checkpoint_file::{read as read_file, write as write_file};
pub use leaf::{Fact, Leaf};
pub use note::{Checkpoint, InvalidKey, InvalidNote, LogKey, LogSigner};
pub use report::{Finding, Report, SignedHead, Trust};
pub use verify::{VerifyError, verify};
