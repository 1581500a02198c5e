//! `stepup eval PACK < events.ndjson > decisions.ndjson`

mod line;
mod lines;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use engine::{Located, Program, Stream, UserFacts, decision_line};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::geo::{Geo, GeoFiles};
use crate::output::{self, counted};
use crate::pack;
use line::read;
pub use line::{BadLine, Step, step};
use lines::Lines;

/// Options of `eval`.
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub struct Eval {
    /// The pack's folder, or one rule file
    pack: PathBuf,
    #[command(flatten)]
    geo: GeoFiles,
}

const AFTER: &str = "\
Reads one event per line from standard input and writes one decision per line to standard output, in the same order:
  {\"time\":\"2026-03-01T10:00:00Z\",\"action\":\"sign_in\",\"userId\":\"u1\",\"ipAddress\":\"203.0.113.9\",\"custom\":{\"outcome\":\"failed\"}}
A line that says how a challenge ended gets no decision; it changes what later windows count:
  {\"time\":\"2026-03-01T10:01:00Z\",\"challenge\":\"succeeded\",\"ref\":\"<idempotencyKey of the event>\",\"userId\":\"u1\"}
`index` is the number of the line, from 0. A line that cannot be decided gives {\"index\":…,\"error\":{…}} and the run goes on;
the exit code is then 4. The stream is the complete history, and the same stream gives the same bytes on every run.";

impl Eval {
    /// Decides the stream.
    pub fn run(self) -> anyhow::Result<Exit> {
        let geo = self.geo.open()?;
        let compilation = pack::compiled(&self.pack)?;
        let Some(program) = compilation.program.clone() else {
            pack::complain(&self.pack, &compilation);
            return Ok(Exit::Pack);
        };
        let mut tally = Tally::default();
        decide(program, &geo, std::io::stdin().lock(), &mut output::stdout(), &mut tally)?;
        tally.report();
        Ok(if tally.bad == 0 { Exit::Fine } else { Exit::Tests })
    }
}

/// What became of the lines.
#[derive(Default)]
struct Tally {
    lines: u64,
    bad: u64,
    first_bad: u64,
    stray_ends: u64,
}

impl Tally {
    fn report(&self) {
        if self.bad > 0 {
            let bad = counted(usize::try_from(self.bad).unwrap_or(usize::MAX), "line");
            eprintln!("stepup: {bad} of {} could not be decided, the first is line {}", self.lines, self.first_bad + 1);
        }
        if self.stray_ends > 0 {
            let ends = counted(usize::try_from(self.stray_ends).unwrap_or(usize::MAX), "challenge line");
            eprintln!("stepup: {ends} named no event that this pack challenged, and changed nothing");
        }
    }
}

fn decide(
    program: Arc<Program>,
    geo: &Geo,
    input: impl Read,
    out: &mut impl Write,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let version = program.version().to_owned();
    let mut stream = Stream::new(program.clone());
    let mut lines = Lines::new(input);
    while let Some(text) = lines.next(|| out.flush())? {
        let index = tally.lines;
        tally.lines += 1;
        let answer = match text.map_err(BadLine::from).and_then(|text| read(text, &program)) {
            Ok(Step::Nothing) => continue,
            Ok(Step::Challenge { user, reference, end, at }) => {
                tally.stray_ends += u64::from(!stream.challenge(&user, &reference, end, at));
                continue;
            }
            Ok(Step::Event { event, ip }) => {
                let (_, verdict) = stream.push(located(event, ip, geo));
                decision_line(index, &verdict, &version)
            }
            Err(bad) => {
                tally.first_bad = if tally.bad == 0 { index } else { tally.first_bad };
                tally.bad += 1;
                refusal(index, &bad)
            }
        };
        serde_json::to_writer(&mut *out, &answer).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// Puts an event on the map.
pub fn located(event: engine::Event, ip: Option<std::net::IpAddr>, geo: &Geo) -> Located {
    let known = ip.map(|ip| geo.locate(ip)).unwrap_or_default();
    Located::new(Arc::new(event), known.place, known.network, UserFacts::default())
}

fn refusal(index: u64, bad: &BadLine) -> Value {
    json!({"index": index, "error": {"code": bad.code, "detail": bad.detail, "pointer": bad.pointer}})
}
