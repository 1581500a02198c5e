//! JUnit XML, as build servers read it: one suite a file, one case a test.

use std::collections::BTreeMap;
use std::fmt::Write;

use engine::TestResult;
use grammar::{SourceMap, render_text};

/// The whole document.
pub fn report(pack: &str, results: &[TestResult], sources: &SourceMap) -> String {
    let mut files: BTreeMap<&str, Vec<&TestResult>> = BTreeMap::new();
    for result in results {
        files.entry(&result.file).or_default().push(result);
    }
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(xml, "<testsuites name=\"{}\" {}>", escaped(pack), counts(results.iter()));
    for (file, tests) in files {
        let _ = writeln!(xml, "  <testsuite name=\"{}\" {}>", escaped(file), counts(tests.iter().copied()));
        for test in tests {
            let case = format!(
                "    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{}\"",
                escaped(&test.name),
                escaped(file),
                escaped(file),
                test.line
            );
            if test.passed {
                let _ = writeln!(xml, "{case}/>");
                continue;
            }
            let message = test.failures.first().map_or("", |failure| failure.message.as_str());
            let text = render_text(&test.failures, sources, false);
            let _ = writeln!(xml, "{case}>");
            let _ = writeln!(xml, "      <failure message=\"{}\">{}</failure>", escaped(message), escaped(&text));
            xml.push_str("    </testcase>\n");
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn counts<'a>(results: impl Iterator<Item = &'a TestResult>) -> String {
    let (tests, failures) =
        results.fold((0, 0), |(tests, failures), result| (tests + 1, failures + i32::from(!result.passed)));
    format!("tests=\"{tests}\" failures=\"{failures}\"")
}

/// Text for an attribute or an element. Control characters, which XML 1.0 cannot hold, become U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(char),
            char if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            char => out.push(char),
        }
    }
    out
}
