//! What a script learns from us.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Fine = 0,
    /// We failed: a file we could not read, a port we could not open.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The pack has errors.
    Pack = 3,
    /// Tests, proofs or verification failed.
    Tests = 4,
    /// The data is not what was signed (`EX_CONFIG` of sysexits.h): a supervisor must not restart us, a person must look.
    Data = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
