//! A stream in batches, and the steps a batch goes through. Only [`judge`] needs the batch before it.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use engine::{ChallengeEnd, Located, Program, Stream, UserFacts, Verdict, decision_line};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::line::{BadLine, Step, read};
use super::lines::{Lines, TooLong};
use crate::geo::Geo;

/// How much of the stream is in one batch, at most.
const LINES: usize = 256;
const BYTES: usize = 256 << 10;

/// Lines as they came.
pub struct Batch {
    /// The number of the first line.
    first: u64,
    text: Vec<u8>,
    lines: Vec<Result<Range<usize>, TooLong>>,
}

/// Lines that were understood, or not.
pub struct Decoded {
    first: u64,
    lines: Vec<Result<Meant, BadLine>>,
}

enum Meant {
    Event(Located),
    Challenge { user: String, reference: String, end: ChallengeEnd, at: Timestamp },
    Nothing,
}

/// What there is to say about lines, by their numbers.
pub struct Judged(Vec<(u64, Result<Verdict, BadLine>)>);

/// What became of the lines.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    pub lines: u64,
    pub bad: u64,
    /// The number of the first bad line.
    pub first_bad: Option<u64>,
    /// Ends of challenges that were never issued.
    pub stray_ends: u64,
}

impl Tally {
    fn bad(&mut self, index: u64, line: BadLine) -> BadLine {
        self.bad += 1;
        self.first_bad.get_or_insert(index);
        line
    }
}

/// Reads the input to its end and gives it away in batches. A batch is given away early when more input must be waited
/// for, so that whoever types or pipes events sees each answer at once.
pub fn read_batches(input: impl Read, mut give: impl FnMut(Batch) -> io::Result<()>) -> io::Result<()> {
    let mut lines = Lines::new(input);
    let mut batch = Batch::starting_at(0);
    loop {
        let before_waiting = || if batch.lines.is_empty() { Ok(()) } else { give(batch.take()) };
        let Some(line) = lines.next(before_waiting)? else { break };
        batch.push(line);
        if batch.lines.len() >= LINES || batch.text.len() >= BYTES {
            give(batch.take())?;
        }
    }
    if batch.lines.is_empty() { Ok(()) } else { give(batch) }
}

impl Batch {
    fn starting_at(first: u64) -> Batch {
        Batch { first, text: Vec::new(), lines: Vec::new() }
    }

    fn push(&mut self, line: Result<&[u8], TooLong>) {
        let start = self.text.len();
        self.lines.push(line.map(|line| {
            self.text.extend_from_slice(line);
            start..self.text.len()
        }));
    }

    /// What was collected; the next batch begins behind it.
    fn take(&mut self) -> Batch {
        let next = Batch::starting_at(self.first + self.lines.len() as u64);
        std::mem::replace(self, next)
    }
}

/// Reads the lines and puts events on the map.
pub fn decode(batch: &Batch, program: &Program, geo: &Geo) -> Decoded {
    let decoded = |line: &Result<Range<usize>, TooLong>| {
        let text = line.clone().map_err(BadLine::from)?;
        Ok(match read(batch.text.get(text).unwrap_or_default(), program)? {
            Step::Event { event, ip } => Meant::Event(located(event, ip, geo)),
            Step::Challenge { user, reference, end, at } => Meant::Challenge { user, reference, end, at },
            Step::Nothing => Meant::Nothing,
        })
    };
    Decoded { first: batch.first, lines: batch.lines.iter().map(decoded).collect() }
}

/// Puts an event on the map.
pub fn located(event: Arc<engine::Event>, ip: Option<std::net::IpAddr>, geo: &Geo) -> Located {
    let known = ip.map(|ip| geo.locate(ip)).unwrap_or_default();
    Located::new(event, known.place, known.network, UserFacts::default())
}

/// Decides the events, one after the other.
pub fn judge(decoded: Decoded, stream: &mut Stream, tally: &mut Tally) -> Judged {
    let mut answers = Vec::with_capacity(decoded.lines.len());
    for (index, line) in (decoded.first..).zip(decoded.lines) {
        tally.lines += 1;
        match line {
            Ok(Meant::Nothing) => {}
            Ok(Meant::Challenge { user, reference, end, at }) => {
                tally.stray_ends += u64::from(!stream.challenge(&user, &reference, end, at));
            }
            Ok(Meant::Event(located)) => answers.push(match stream.contradiction(&located.event) {
                Some(error) => (index, Err(tally.bad(index, BadLine::from(error)))),
                None => (index, Ok(stream.push(located).1)),
            }),
            Err(bad) => answers.push((index, Err(tally.bad(index, bad)))),
        }
    }
    Judged(answers)
}

/// The lines of the answers.
pub fn render(judged: &Judged, version: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, answer) in &judged.0 {
        let line = match answer {
            Ok(verdict) => decision_line(*index, verdict, version),
            Err(bad) => refusal(*index, bad),
        };
        out.extend_from_slice(line.to_string().as_bytes());
        out.push(b'\n');
    }
    out
}

fn refusal(index: u64, bad: &BadLine) -> Value {
    json!({"index": index, "error": {"code": bad.code, "detail": bad.detail, "pointer": bad.pointer}})
}
