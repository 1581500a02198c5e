//! Scripts that loop, recurse, grow, or reach outside: refused when compiled, or stopped and reported as
//! `script_error`. The process survives every one of them, on a small stack too.

use std::{collections::BTreeMap, sync::Arc};

use engine::{EventInput, Located, Outcome, PackSource, Stream, Why, compile};

const HOSTILE: &[(&str, &str)] = &[
    ("endless loop", "loop { }"),
    ("endless while", "let i = 0; while true { i += 1; } i"),
    ("long range", "let s = 0; for i in 0..1000000000 { s += i; } s"),
    ("nested loops", "let s = 0; for i in 0..10000 { for j in 0..10000 { s += 1; } } s"),
    ("do until", "let i = 0; do { i += 1; } until false; i"),
    ("deep recursion", "fn f(n) { f(n + 1) } f(0)"),
    ("mutual recursion", "fn f(n) { g(n) } fn g(n) { f(n) } f(0)"),
    ("fibonacci", "fn f(n) { if n < 2 { n } else { f(n - 1) + f(n - 2) } } f(40)"),
    ("doubling string", "let s = \"x\"; loop { s += s; } s.len()"),
    ("padded string", "let s = \"x\"; s.pad(100000000, \"y\"); s.len()"),
    ("doubling array", "let a = [1]; loop { a += a; } a.len()"),
    ("padded array", "let a = []; a.pad(100000000, 1); a.len()"),
    ("growing map", "let m = #{}; let i = 0; loop { m[\"k\" + i] = i; i += 1; } 1"),
    ("nested arrays", "let a = []; loop { a = [a]; } 1"),
    ("string times", "let s = a; for i in 0..64 { s = s + s; } s.len()"),
    ("replace grows", "let s = \"a\"; loop { s.replace(\"a\", \"aaaaaaaaaaaaaaaaaaaa\"); } 1"),
    ("array of strings", "let a = []; loop { a.push(\"0123456789\"); } 1"),
    ("eval", "eval(\"1 + 1\")"),
    ("import", "import \"other\" as o; 1"),
    ("export", "let x = 1; export x; x"),
    ("print", "print(\"hello\"); 1"),
    ("debug", "debug(\"hello\"); 1"),
    ("sleep", "sleep(3); 1"),
    ("sleep float", "sleep(3.0); 1"),
    ("timestamp", "timestamp(); 1"),
    ("random", "rand()"),
    ("exit", "exit(1)"),
    ("closure", "let f = |x| x + 1; f.call(1)"),
    ("function pointer", "let f = Fn(\"g\"); f.call(1)"),
    ("pointer by name", "fn g(x) { x } call(\"g\", 1)"),
    ("curry", "fn g(x, y) { x } let f = Fn(\"g\"); f.curry(1).call(2)"),
    ("map with closure", "[1, 2, 3].map(|x| x + 1).len()"),
    ("parse json", "parse_json(\"{}\"); 1"),
    ("unknown function", "open(\"/etc/passwd\"); 1"),
    ("unknown variable", "secret + 1"),
    ("throw", "throw \"no\""),
    ("throw big", "let s = \"x\"; loop { s += s; } throw s"),
    ("caught and looped", "loop { try { throw 1; } catch { } }"),
    ("division by zero", "1 / 0"),
    ("remainder by zero", "1 % 0"),
    ("overflow", "9223372036854775807 + 1"),
    ("negated minimum", "let x = -9223372036854775807 - 1; -x"),
    ("power too high", "10 ** 1000"),
    ("index out of range", "[1][5]"),
    ("negative index", "[1][-5]"),
    ("string index", "\"abc\"[10]"),
    ("wrong type", "\"text\""),
    ("unit", "let x = 1;"),
    ("float nan", "0.0 / 0.0"),
    ("float infinity", "1.0 / 0.0"),
    ("array result", "[1]"),
    ("map result", "#{ a: 1 }"),
    ("split to many", "let s = a; for i in 0..12 { s = s + s; } s.split(\"\").len() + loop {}"),
    ("switch loop", "let i = 0; loop { switch i { 0 => { i = 1; } _ => { i = 0; } } }"),
    ("deep expression", "((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))"),
    ("deep blocks", "{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{1}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}"),
    (
        "many variables",
        "let a0=0;let a1=0;let a2=0;let a3=0;let a4=0;let a5=0;let a6=0;let a7=0;let a8=0;let a9=0; loop { let b = 1; }",
    ),
    ("not a script", "}{"),
    ("only a comment", "// nothing"),
    ("null bytes", "\u{0}"),
];

fn pack(script: &str) -> PackSource {
    let rules = "event e { a: string }\n\
                 script s(a: string) -> int from \"s.rhai\" budget 20000 ops\n\
                 policy p on e { default allow on unknown step_up rule r { when s(a) > 0 then block } }\n";
    let files = BTreeMap::from([
        ("pack.rules".to_owned(), rules.as_bytes().to_vec()),
        ("s.rhai".to_owned(), script.as_bytes().to_vec()),
    ]);
    PackSource { name: "hostile".to_owned(), files }
}

/// Refused when compiled, or unknown when run: never an answer.
fn stopped(name: &str, script: &str) {
    let compilation = compile(&pack(script));
    let Some(program) = compilation.program else {
        let refused = compilation.diagnostics.iter().any(|finding| finding.code == "bad-script");
        assert!(refused, "{name}: {:?}", compilation.diagnostics);
        return;
    };
    let mut input = EventInput::new("e", "u", "2026-01-01T00:00:00Z".parse().expect("it is a time"));
    input.custom.insert("a".into(), "0123456789".into());
    let event = program.decode(&input).expect("the event is fine");
    let (_, verdict) = Stream::new(Arc::clone(&program)).push(Located::nowhere(Arc::new(event)));
    assert_eq!(verdict.outcome, Outcome::Challenge, "{name}");
    assert!(verdict.unknown.iter().all(|unknown| unknown.why == Why::ScriptError), "{name}: {:?}", verdict.unknown);
}

#[test]
fn every_hostile_script_is_stopped() {
    for (name, script) in HOSTILE {
        stopped(name, script);
    }
}

#[test]
fn a_small_stack_is_enough() {
    let all = || HOSTILE.iter().for_each(|(name, script)| stopped(name, script));
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(all).expect("a thread starts");
    assert!(thread.join().is_ok(), "a script overflowed a stack of 512 KiB");
}

#[test]
fn a_decent_script_answers() {
    let program = compile(&pack("let n = 0; for c in a.to_upper() { if c == 'X' { n += 1; } } n")).program;
    let program = program.expect("the script is fine");
    for (text, outcome) in [("abc", Outcome::Allow), ("axc", Outcome::Block)] {
        let mut input = EventInput::new("e", "u", "2026-01-01T00:00:00Z".parse().expect("it is a time"));
        input.custom.insert("a".into(), text.into());
        let event = program.decode(&input).expect("the event is fine");
        let (_, verdict) = Stream::new(Arc::clone(&program)).push(Located::nowhere(Arc::new(event)));
        assert_eq!(verdict.outcome, outcome, "{text}: {:?}", verdict.unknown);
    }
}
