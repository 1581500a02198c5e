//! The comments of a right file, found without the scanner.

/// The comments, in order, without the blanks behind them.
pub fn of(text: &str) -> Vec<String> {
    let mut comments = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['"', '#', '/']) {
        let here = &rest[start..];
        let length = match here.as_bytes() {
            [b'"', ..] => string(here),
            [b'#', ..] => here.find('\n').unwrap_or(here.len()),
            [b'/', b'*', ..] => here[2..].find("*/").expect("comments are closed") + 4,
            _ => 1,
        };
        if here.starts_with('#') {
            comments.push(here[..length].trim_end().to_owned());
        } else if here.starts_with("/*") {
            comments.push(here[..length].replace("\r\n", "\n"));
        }
        rest = &here[length..];
    }
    comments
}

fn string(here: &str) -> usize {
    let mut escaped = false;
    let closes = |c: char| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    };
    here[1..].find(closes).expect("strings are closed") + 2
}
