//! `stepup eval PACK < events.ndjson > decisions.ndjson`

mod batch;
mod line;
mod lines;
mod threads;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::exit::Exit;
use crate::geo::GeoFiles;
use crate::output::{Format, counted};
use crate::pack;
use batch::Tally;
pub use batch::located;
pub use line::{BadLine, Step, step};

/// Options of `eval`.
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub struct Eval {
    /// The pack's folder, or one rule file
    pack: PathBuf,
    #[command(flatten)]
    geo: GeoFiles,
    /// How many threads decide [default: as many as there are cores]; the decisions are the same with any number
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

const AFTER: &str = "\
Reads one event per line from standard input and writes one decision per line to standard output, in the same order:
  {\"time\":\"2026-03-01T10:00:00Z\",\"action\":\"sign_in\",\"userId\":\"u1\",\"ipAddress\":\"203.0.113.9\",\"custom\":{\"outcome\":\"failed\"}}
A line that says how a challenge ended gets no decision; it changes what later windows count:
  {\"time\":\"2026-03-01T10:01:00Z\",\"challenge\":\"succeeded\",\"ref\":\"<idempotencyKey of the event>\",\"userId\":\"u1\"}
`index` is the number of the line, from 0. A line that cannot be decided gives {\"index\":…,\"error\":{…}} and the run goes on;
the exit code is then 4. The stream is the complete history, and the same stream gives the same bytes on every run and with
any number of threads.";

impl Eval {
    /// Decides the stream.
    pub fn run(self) -> anyhow::Result<Exit> {
        let geo = self.geo.open()?;
        let compilation = pack::compiled(&self.pack)?;
        let Some(program) = compilation.program.clone() else {
            return pack::complain(&self.pack, &compilation, Format::Text);
        };
        let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let threads = self.threads.unwrap_or_else(cores).get();
        let tally = threads::decide(&program, &geo, std::io::stdin(), std::io::stdout(), threads)?;
        tally.report();
        Ok(if tally.bad == 0 { Exit::Fine } else { Exit::Tests })
    }
}

impl Tally {
    fn report(&self) {
        let many = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        if let Some(first) = self.first_bad {
            let bad = counted(many(self.bad), "line");
            eprintln!("stepup: {bad} of {} could not be decided, the first is line {}", self.lines, first + 1);
        }
        if self.stray_ends > 0 {
            let ends = counted(many(self.stray_ends), "challenge line");
            eprintln!("stepup: {ends} named no event that this pack challenged, and changed nothing");
        }
    }
}
