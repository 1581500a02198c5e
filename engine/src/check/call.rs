//! Calls: the built-in functions, and the scripts of the pack.

use grammar::{Diagnostic, Span, ast};

use super::{Checker, Scope, resolve::Typed};
use crate::{
    ir::{Expr, GeoPart, Moment, Signal},
    types::Type,
};

/// The functions of the language; scripts are called like them.
pub const FUNCTIONS: [&str; 3] = ["distance", "speed", "weekday"];

/// How to say what a function of another language does.
fn instead_of(name: &str, argument: &str) -> String {
    let argument = if argument.is_empty() { "x" } else { argument };
    match name {
        "first_seen" | "last_seen" | "times_seen" => format!("write `{name}({argument}) by user`: seen by whom?"),
        "count" | "sum" | "avg" | "min" | "max" | "stddev" | "p95" => {
            "an aggregate is written `count() of event where (…) by user over 1h`".to_owned()
        }
        "now" => "`now` stands without parentheses; `time` is when the event happened".to_owned(),
        "hour" | "minute" | "time_of_day" => {
            "ask for a range of the clock: `time in 22:00..06:00 tz \"UTC\"`".to_owned()
        }
        "day" | "day_of_week" | "dow" | "dayofweek" => "write `weekday(time, \"Europe/Paris\") == sunday`".to_owned(),
        "lower" | "upper" | "lowercase" | "uppercase" | "tolower" | "toupper" | "to_lower" | "to_upper" => {
            format!("a pattern can ignore capitals: `{argument} matches \"(?i)^text$\"`")
        }
        "len" | "length" | "size" => format!("a pattern can ask for a length: `{argument} matches \"^.{{6,}}$\"`"),
        "contains" | "includes" | "startswith" | "starts_with" | "startsWith" | "endswith" | "ends_with"
        | "endsWith" | "like" | "regex" | "match" => format!("use a pattern: `{argument} matches \"text\"`"),
        "exists" | "isset" | "isnull" | "is_null" | "isempty" | "is_empty" | "coalesce" | "ifnull" | "nvl" => {
            format!("write `{argument} is missing`, `{argument} is known` or `{argument} ?? …`")
        }
        _ => "functions are `distance`, `speed`, `weekday` and the scripts of the pack".to_owned(),
    }
}

impl<'a> Checker<'a> {
    pub(super) fn call(&mut self, call: &'a ast::Call, span: Span, scope: &Scope) -> Option<Typed> {
        match call.name.name.as_str() {
            name @ ("distance" | "speed") => {
                self.arguments(call, 2)?;
                let mut moments = Vec::new();
                let mut texts = Vec::new();
                for argument in &call.arguments {
                    let typed = self.value(argument, scope, None)?;
                    let Expr::Signal(Signal::Geo(moment, GeoPart::Fix)) = typed.expr else {
                        let text = format!("`{name}` takes places, and `{}` is {}", typed.text, typed.ty);
                        self.report(
                            Diagnostic::error("type-mismatch", text)
                                .at(argument.span, "not a place")
                                .help("places are `geo`, `last_verified.geo` and `previous.geo`"),
                        );
                        return None;
                    };
                    moments.push(moment);
                    texts.push(typed.text);
                }
                let (from, to): (Moment, Moment) = (*moments.first()?, *moments.get(1)?);
                let (expr, ty) = if name == "speed" {
                    (Expr::Speed(from, to), Type::Speed)
                } else {
                    (Expr::Distance(from, to), Type::Distance)
                };
                let text = format!("{name}({})", texts.join(", "));
                self.reads.push((text.as_str().into(), expr.clone()));
                Some(Typed::new(expr, ty, text))
            }
            "weekday" => {
                self.arguments(call, 2)?;
                let time = self.value(call.arguments.first()?, scope, None);
                let zone = self.zone(call.arguments.get(1)?, scope);
                let (time, zone) = (time?, zone?);
                if time.ty != Type::Timestamp {
                    let text = format!("`weekday` takes a timestamp, and `{}` is {}", time.text, time.ty);
                    self.report(Diagnostic::error("type-mismatch", text).at(span, "not a timestamp"));
                    return None;
                }
                let text = format!("weekday({}, {})", time.text, zone.text);
                Some(Typed::new(Expr::Weekday(Box::new(time.expr), Box::new(zone.expr)), Type::Weekday, text))
            }
            name => self.script_call(name, call, span, scope),
        }
    }

    pub(super) fn arguments(&mut self, call: &ast::Call, wanted: usize) -> Option<()> {
        let have = call.arguments.len();
        if have == wanted {
            return Some(());
        }
        let arguments = if wanted == 1 { "argument" } else { "arguments" };
        let text = format!("`{}` takes {wanted} {arguments}, not {have}", call.name.name);
        let finding = Diagnostic::error("argument-count", text).at(call.name.span, format!("{wanted} wanted"));
        self.report(match call.name.name.as_str() {
            "distance" | "speed" => finding.help(format!("write `{}(geo, last_verified.geo)`", call.name.name)),
            "weekday" => finding.help("write `weekday(time, \"Europe/Paris\")`"),
            script => finding.help(format!("`script {script}(…)` declares what it takes")),
        });
        None
    }

    pub(super) fn script_call(&mut self, name: &str, call: &'a ast::Call, span: Span, scope: &Scope) -> Option<Typed> {
        let Some((index, _)) = self.script_names.get(name).copied() else {
            if self.broken.contains(name) {
                return None;
            }
            let mut names: Vec<String> = self.script_names.keys().cloned().collect();
            names.extend(FUNCTIONS.map(str::to_owned));
            names.sort();
            // `payee.startsWith("x")` has been told already that it is no function.
            if call.name.span.start > span.start {
                return None;
            }
            let text = format!("there is no function or script `{name}`");
            let candidates = names.iter().map(String::as_str);
            let finding = Diagnostic::error("unknown-function", text).at(call.name.span, "not a function").near(
                name,
                call.name.span,
                candidates,
            );
            let argument = call.arguments.first().map(|argument| self.slice(argument.span)).unwrap_or_default();
            self.report(finding.or_help(instead_of(name, &argument)));
            return None;
        };
        if scope.filter_of.is_some() {
            self.report(
                Diagnostic::error("history-in-where", "a script cannot filter past events")
                    .at(span, "not inside `where (…)`"),
            );
            return None;
        }
        let (params, returns) = {
            let script = self.draft.scripts.get(index)?;
            (script.params.clone(), script.returns.clone())
        };
        self.arguments(call, params.len())?;
        let mut arguments = Vec::new();
        let mut texts = Vec::new();
        for (argument, (param, ty)) in call.arguments.iter().zip(&params) {
            let typed = self.value(argument, scope, None)?;
            let fits = typed.ty == *ty
                || (typed.ty == Type::Int && *ty == Type::Decimal)
                || (*ty == Type::Text && matches!(typed.ty, Type::User | Type::Device));
            if !fits {
                let text = format!("`{name}` takes {ty} as `{param}`, and `{}` is {}", typed.text, typed.ty);
                self.report(Diagnostic::error("type-mismatch", text).at(argument.span, typed.ty.to_string()));
                return None;
            }
            arguments.push(typed.expr);
            texts.push(typed.text);
        }
        let text = format!("{name}({})", texts.join(", "));
        let expr = Expr::Script(index, arguments);
        self.scripted = true;
        self.reads.push((text.as_str().into(), expr.clone()));
        Some(Typed::new(expr, returns, text))
    }
}
