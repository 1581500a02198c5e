//! What a pack would say to an event in a file.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use engine::{Event, Signals, Stream};
use serde_json::{Map, Value, json};

use super::Explained;
use crate::eval::{self, BadLine, Step};
use crate::exit::Exit;
use crate::geo::GeoFiles;
use crate::output::{Format, JSON_VERSION};
use crate::pack;

/// Explains the last event of a file; the lines before it are its history. A pack with errors is an exit code.
pub fn explain(pack: &Path, file: &Path, geo: &GeoFiles, format: Format) -> anyhow::Result<Result<Explained, Exit>> {
    let geo = geo.open()?;
    let compilation = pack::compiled(pack)?;
    let Some(program) = compilation.program.clone() else {
        return Ok(Err(pack::complain(pack, &compilation, format)?));
    };
    let text = read(file)?;
    let name = file.display().to_string();
    let mut stream = Stream::new(program.clone());
    let mut last: Option<(Arc<Event>, Signals)> = None;
    for (number, body) in bodies(&text, &name)? {
        let at = |bad: BadLine| {
            anyhow!(
                "{name}:{number}: {} [{}]{}",
                bad.detail,
                bad.code,
                if bad.pointer.is_empty() { String::new() } else { format!(" at {}", bad.pointer) }
            )
        };
        match eval::step(body, &program).map_err(at)? {
            Step::Nothing => {}
            Step::Challenge { user, reference, end, at } => {
                stream.challenge(&user, &reference, end, at);
            }
            Step::Event { event, ip } => {
                if let Some(error) = stream.contradiction(&event) {
                    return Err(at(BadLine::from(error)));
                }
                let (signals, _) = stream.push(eval::located(event.clone(), ip, &geo));
                last = Some((event, signals));
            }
        }
    }
    let (event, signals) = last.ok_or_else(|| anyhow!("{name} has no event"))?;
    let trace = engine::explain(&program, &signals);
    let heading = format!("{} by {} at {}", event.action, event.user, event.time);
    let json = json!({"version": JSON_VERSION, "signals": signals, "trace": trace});
    Ok(Ok(Explained { heading, trace, json }))
}

fn read(file: &Path) -> anyhow::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// One object over several lines, or one on each line, with the number of the line it begins on.
fn bodies(text: &str, name: &str) -> anyhow::Result<Vec<(usize, Map<String, Value>)>> {
    if let Ok(Value::Object(body)) = server::json::parse(text.as_bytes()) {
        return Ok(vec![(1, body)]);
    }
    let mut bodies = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match server::json::parse(line.as_bytes()) {
            Ok(Value::Object(body)) => bodies.push((index + 1, body)),
            Ok(other) => {
                anyhow::bail!("{name}:{}: a line is one object, not {}", index + 1, server::json::kind(&other))
            }
            Err(error) => anyhow::bail!("{name}:{}: {}", index + 1, error.detail()),
        }
    }
    Ok(bodies)
}
