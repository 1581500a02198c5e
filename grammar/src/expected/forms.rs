//! How each clause is written: the help of a message that has no better.

use super::Stop;

/// The form of the innermost clause that the stop is in.
pub(super) fn form(stop: &Stop) -> Option<String> {
    let mut depth = stop.scan.tokens.get(stop.found).filter(|_| stop.found < stop.region.end).map(|token| token.depth);
    for index in (stop.region.start..stop.found.min(stop.region.end)).rev() {
        let token = stop.scan.tokens.get(index)?;
        if depth.is_some_and(|depth| token.depth > depth) {
            continue;
        }
        depth = Some(token.depth);
        let top = index == stop.region.start && token.depth == 0;
        if stop.scan.text(token) == "on" && token.depth == 0 {
            // The one of a policy's head.
            continue;
        }
        let outcome = matches!(stop.back(stop.found - index + 1), "allow" | "challenge" | "block");
        if stop.scan.text(token) == "at" && outcome {
            return Some("a step is written `challenge at 50`".to_owned());
        }
        let word = match stop.scan.text(token) {
            "expect" | "at" | "for" | "all" if stop.scan.word(stop.region.start) == "prove" => "prove",
            word => word,
        };
        if let Some(form) = form_of(word, top) {
            return Some(form.to_owned());
        }
    }
    // A field of an event is read alone.
    let field = stop.scan.word(stop.region.start + 1) == ":";
    field.then(|| "a field is written `amount: money`, with a `?` behind the type if it may be absent".to_owned())
}

/// How the clause that begins with this word is written. `list`, `event`, `reason` and `at` are more than one thing.
fn form_of(word: &str, top: bool) -> Option<&'static str> {
    Some(match word {
        "import" => "an import names a file: `import \"lists.rules\"`",
        "rates" => "rates come from a file: `rates from \"rates.csv\"`",
        "event" if top => "an event is written `event name { field: type }`",
        "event" => "a test's event is written `event name { user: \"u1\", field: value }`",
        "requires" => "what an event requires stands before its brace: `requires ip, device`",
        "list" if top => "a list is written `list @name: type = […]`, or ends in `from \"file.csv\"` or `managed`",
        "list" => "a test fills a list with `list @name has value`",
        "ttl" => "entries stay for a length of time: `ttl 7d`",
        "script" => "a script is written `script name(a: string) -> int from \"name.rhai\" budget 1000 ops`",
        "budget" => "a budget is written `budget 1000 ops`",
        "reason" if top => "a reason is written `reason CODE \"what the user may read\"`",
        "reason" => "a rule gives a reason by its code: `reason CODE`",
        "internal" => "`internal` is followed by a text in double quotes",
        "regulation" => "`regulation` is followed by a text in double quotes",
        "let" => "a value is named with `let name = expression`",
        "policy" => "a policy is written `policy name on event { default allow … }`",
        "meta" => "`meta` holds constants: `meta { owner: \"team\" }`",
        "default" => "a default is `default allow`, `default challenge qr` or `default block`",
        "combine" => {
            "write `combine strictest`, `combine first_match` or `combine score { challenge at 50, block at 90 }`"
        }
        "on" => "write `on unknown step_up`, `on unknown match` or `on unknown skip`",
        "unknown" => "write `on unknown step_up`, `on unknown match` or `on unknown skip`",
        "rule" => "a rule is written `rule name \"title\" { when … then … }`",
        "mode" => "write `mode live`, `mode shadow` or `mode off`",
        "priority" => "a priority is a whole number: `priority 10`",
        "active" => "write `active from 2026-01-01 until 2027-01-01`, or one of the two",
        "rollout" => "a rollout is written `rollout 10% by user`",
        "then" => {
            "an outcome is written `then block reason CODE`; the others are `allow`, `challenge qr`, `score 10`, `nothing`"
        }
        "challenge" => "a challenge is written `challenge qr { level: possession, expires: 3m }`",
        "score" => "points are a whole number: `score 30`",
        "severity" => "write `severity low`, `medium`, `high` or `critical`",
        "flag" => "a flag is a name: `flag manual_review`",
        "add" => "an entry is added with `add ip to @list for 24h`",
        "count" | "sum" | "avg" | "min" | "max" | "stddev" | "p95" => {
            "an aggregate is written `count() of event where (…) by user over 1h`"
        }
        "first_seen" | "last_seen" | "times_seen" => "write `times_seen(device) by user within 90d`",
        "over" => "a window is `over 1h`, `over tumbling 1h` or `over calendar day in \"UTC\"`",
        "since" => "`since` is followed by an event: `since challenge.succeeded`",
        "between" => "write `x between 1 and 3`; both ends belong to it",
        "in" => "behind `in` stands a set `[a, b]`, a list `@name`, a network, a range `1..3` or a time `23:00..05:00`",
        "is" => "write `is missing`, `is known`, `is not missing` or `is not known`",
        "matches" => "`matches` is followed by a regular expression in double quotes",
        "tz" => "a zone is a text like `tz \"Europe/Paris\"`",
        "test" => "a test is written `test \"what it shows\" { event … expect … }`",
        "at" => "a moment is written `at 2026-03-01T10:00:00Z`",
        "history" => "history is written `history 5 x event { user: \"u1\" } every 1m ending 2m ago`",
        "expect" => {
            "write `expect block by rule_name`, `expect rule NAME`, `expect not rule NAME` or `expect unknown NAME`"
        }
        "prove" => "a proof is written `prove \"…\" { for all event where … expect at least block }`",
        "when" | "unless" => "a condition compares something: `when amount > 30 EUR and ip in @list`",
        _ => return None,
    })
}
