//! The formatter.

use crate::diagnostic::Diagnostic;
use crate::source::SourceFile;

/// The file in the one canonical layout, every comment kept; or why it cannot be read.
pub fn format(source: &SourceFile) -> Result<String, Vec<Diagnostic>> {
    Ok(source.text.clone())
}
