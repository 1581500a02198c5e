//! What the demo prints: where to look, how old the geo data is, and lines to paste.

use std::io::Write;
use std::path::Path;

use geoip::{Freshness, SourceInfo};
use jiff::Timestamp;

use super::data::DemoFile;
use super::starter::{Origin, Pack};
use crate::output;

/// What there is to tell.
pub struct Guide<'a> {
    /// Addresses and the secret.
    pub file: &'a DemoFile,
    /// The pack in force.
    pub pack: &'a Pack,
    /// Where everything is kept.
    pub data: &'a Path,
    /// What the atlas answers from.
    pub sources: &'a [SourceInfo],
    /// The time.
    pub now: Timestamp,
    /// How to call this program.
    pub program: &'a str,
}

/// Prints the guide to standard output.
pub fn print(guide: &Guide<'_>) -> std::io::Result<()> {
    let mut out = output::stdout();
    places(&mut out, guide)?;
    geo(&mut out, guide)?;
    paste(&mut out, guide)?;
    writeln!(out, "\nStop with Ctrl-C.")?;
    out.flush()
}

fn places(out: &mut impl Write, guide: &Guide<'_>) -> std::io::Result<()> {
    let Guide { file, pack, data, .. } = guide;
    let origin = match pack.origin {
        Origin::Checkout => "of this checkout",
        Origin::Unpacked => "unpacked from this program",
        Origin::Kept => "unpacked at an earlier start",
    };
    writeln!(out, "Stepup is running.\n")?;
    writeln!(out, "  demo           {}   an application and a kiosk to try", file.demo_url)?;
    writeln!(out, "  authenticator  {}   the phone; open it in a second window", file.authenticator_url)?;
    writeln!(out, "  hosted page    {}?token=…   the `url` that a challenged action answers", file.challenge_url)?;
    writeln!(out, "  API            {}   described at {}", file.base_url, file.base_url.replace("/v1", "/docs"))?;
    writeln!(
        out,
        "  rules          {} ({origin}); edit them, they are taken over when they compile",
        pack.folder.display()
    )?;
    writeln!(out, "  data           {}   for scripts: {}", data.display(), data.join("demo.json").display())
}

fn geo(out: &mut impl Write, guide: &Guide<'_>) -> std::io::Result<()> {
    writeln!(out, "\nGeo data")?;
    for source in guide.sources {
        let age = match (source.build_date, source.age_days(guide.now)) {
            (Some(date), Some(days)) => format!("of {}, {days} days old", date.strftime("%Y-%m-%d")),
            (_, _) => "of unknown age".to_owned(),
        };
        let note = match source.freshness(guide.now) {
            Freshness::Fresh => "",
            Freshness::Ageing => ": a newer one would be better",
            Freshness::Stale => ": too old for production",
        };
        let bundled = if source.is_bundled() { ", bundled" } else { "" };
        writeln!(out, "  {} {age}{bundled}{note}", source.name)?;
    }
    writeln!(out, "  Bring GeoLite2, GeoIP2 or DB-IP files (.mmdb): {} demo --geo City.mmdb ASN.mmdb", guide.program)
}

/// Each line works by itself, in any POSIX shell.
fn paste(out: &mut impl Write, guide: &Guide<'_>) -> std::io::Result<()> {
    let Guide { file, data, program, .. } = guide;
    let base = &file.base_url;
    let curl = format!("curl -s -u {}: -H 'Content-Type: application/json'", file.api_secret);
    let track = |path: &str, body: &str| format!("{curl} '{base}/users/{path}' -d '{body}'; echo");
    let failed =
        track("gus/actions/sign_in", r#"{"ipAddress":"81.2.69.142","deviceId":"d1","custom":{"outcome":"failed"}}"#);
    let withdrawal = r#"{"ipAddress":"81.2.69.142","deviceId":"d1","custom":{"amount":{"value":"250.00","currency":"EUR"},"payee":"DE89370400440532013000"}}"#;
    let lines = [
        (
            "a sign-in is allowed",
            track(
                "ann/actions/sign_in",
                r#"{"ipAddress":"81.2.69.142","deviceId":"d1","custom":{"outcome":"succeeded"}}"#,
            ),
        ),
        ("the fifth failure in ten minutes is challenged", format!("for i in 1 2 3 4 5; do {failed}; done")),
        (
            "a listed address is blocked",
            track(
                "bob/actions/sign_in",
                r#"{"ipAddress":"203.0.113.66","deviceId":"d1","custom":{"outcome":"succeeded"}}"#,
            ),
        ),
        ("a withdrawal is challenged, bound to amount and payee", track("ann/actions/withdrawal", withdrawal)),
        (
            "the same, with every rule, every value it read, and what would have changed the answer",
            track("ann/actions/withdrawal?explain=true", withdrawal),
        ),
        (
            "read the newest decision again",
            format!(
                "{curl} {base}/decisions/$({curl} '{base}/decisions?limit=1' | sed 's/.*\"decisionId\":\"\\([^\"]*\\)\".*/\\1/'); echo"
            ),
        ),
        (
            "check the audit log: every entry, signature and row",
            format!("{program} audit verify --data {}", quoted(data)),
        ),
    ];
    writeln!(out, "\nPaste these\n")?;
    for (what, line) in lines {
        writeln!(out, "# {what}\n{line}\n")?;
    }
    Ok(())
}

/// How to call this program again: as it was called, unless a build tool called it.
pub fn program_name() -> String {
    let Ok(path) = std::env::current_exe() else { return "stepup".to_owned() };
    let here = std::env::current_dir().ok();
    match here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned)) {
        Some(inside) => format!("./{}", inside.display()),
        None => quoted(&path),
    }
}

/// A path for a POSIX shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-+=@%,:".contains(char);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
