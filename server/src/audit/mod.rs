//! The audit log: what was decided, so that somebody who does not trust us can check it.
//!
//! Every write of the store appends [`leaf`]s in its own transaction. Their hashes are the leaves of an RFC 6962 Merkle
//! [`tree`]; its root is signed as a C2SP checkpoint ([`note`]). [`verify`](mod@verify) reads a database that nothing runs on and names the
//! first entry that is not what was signed.

mod checkpoint_file;
pub mod leaf;
pub mod note;
pub mod tree;

pub use checkpoint_file::checkpoint_path;
pub(crate) use checkpoint_file::{read as read_checkpoint, write as write_checkpoint};
pub use leaf::{Fact, Leaf};
pub use note::{Checkpoint, InvalidKey, InvalidNote, LogKey, LogSigner};
