//! Scripts that loop, recurse, grow, or reach outside: refused when compiled, or stopped and reported as
//! `script_error`. The process survives every one of them, on a small stack too.

use std::{collections::BTreeMap, sync::Arc};

use engine::{EventInput, Located, Outcome, PackSource, Program, Stream, Verdict, Why, compile};

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
    ("nought by nought", "0.0 / 0.0"),
    ("one by nought", "1.0 / 0.0"),
    ("remainder by nought", "1.0 % 0.0"),
    ("not a number", "NaN"),
    ("infinity", "INF"),
    ("a float function", "sqrt(2.0).to_float()"),
    ("decimal overflow", "let x = 79228162514264337593543950335.0; x + x"),
    ("decimal power", "let x = 10.0; for i in 0..6 { x = x ** 10; } x.to_int()"),
    ("decimal square", "let x = 10.0; loop { x *= x; }"),
    ("a decimal as a whole number", "1.5"),
    ("whole number from a long text", "parse_int(\"9\".pad(40, '9'))"),
    ("capturing closure", "let n = 1; let f = |x| x + n; f.call(1)"),
    ("closure in a method", "a.split().filter(|c| c == \"1\").len()"),
    ("sorted by a pointer", "let b = [3, 1, 2]; b.sort(Fn(\"by\")); b[0]"),
    ("custom syntax", "when a is \"x\" then 1"),
    ("own function in place of a built-in one", "fn len(s) { loop { } } len(a)"),
    ("own function in place of an operator", "fn `+`(x, y) { 1 } 1 + 1"),
    ("a function defined twice", "fn f() { 1 } fn f() { 2 } f()"),
    ("assignment to a constant", "const n = 1; n = 2; n"),
    ("a built-in name as a variable", "let print = 1; print"),
    ("text grows by itself", "let s = a; for i in 0..60 { s += s; } s.len()"),
    ("interpolated text grows", "let s = a; for i in 0..60 { s = `${s}${s}`; } s.len()"),
    ("array in itself", "let b = [1]; for i in 0..60 { b = [b, b, b, b]; } 1"),
    ("map in itself", "let m = #{ k: 1 }; for i in 0..60 { m = #{ k: m, l: m }; } 1"),
    (
        "text of everything",
        "let b = []; for i in 0..1000 { b.push(a); } let c = []; for i in 0..1000 { c.push(b); } c.len()",
    ),
    ("long blob", "let b = blob(100000000, 1); b.len()"),
    ("doubling blob", "let b = blob(10, 1); loop { b += b; }"),
    ("range as a number", "(0..9223372036854775807).len()"),
    ("steps without end", "for i in range(0, 10, 0) { } 1"),
    ("sine of a large number", "79228162514264337593543950335.0.sin().to_int() + loop { }"),
    ("tangent of a right angle", "let x = 1.5707963267948966192313216916; loop { x = x.tan(); }"),
    ("power of e", "let x = 100.0; loop { x = x.exp(); }"),
    ("logarithm of nought", "0.0.ln().to_int()"),
    ("root of a negative number", "(-1.0).sqrt().to_int()"),
    ("rounded to a negative place", "1.5.round(-1).to_int()"),
    ("whole number of a large decimal", "79228162514264337593543950335.0.to_int()"),
    ("a method of nothing", "().len()"),
    ("an index of nothing", "let m = #{}; m.missing + 1"),
    ("while in a switch in a function", "fn f(n) { switch n { _ => while true { } } } f(1)"),
    ("nested calls", "fn f(n) { if n == 0 { 1 } else { f(n - 1) + f(n - 1) } } f(30)"),
    (
        "nested ternaries",
        "if true { if true { if true { if true { if true { if true { if true { if true { if true { if true { if true { if true { if true { if true { if true { if true { if true { 1 } } } } } } } } } } } } } } } } }",
    ),
    ("caught forever", "fn f() { try { throw 1; } catch { f() } } f()"),
    ("throw a map", "throw #{ code: 1 }"),
    ("return nothing", "return;"),
    ("break outside", "break 1"),
    ("global state", "global::n = 1; 1"),
    ("a type's name", "type_of(1)"),
    ("an environment", "env(\"HOME\")"),
    ("an unterminated text", "\"abc"),
    ("an unterminated comment", "/* abc"),
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

/// Too long to be written down.
fn long() -> Vec<(&'static str, String)> {
    vec![
        ("a long name", format!("let {0} = 1; loop {{ {0} += 1; }}", "n".repeat(60_000))),
        ("more than a script may have", format!("// {}\n1", "x".repeat(70_000))),
        ("more variables than there may be", (0..200).map(|i| format!("let v{i} = {i};\n")).collect()),
        ("more functions than there may be", (0..200).map(|i| format!("fn f{i}() {{ {i} }}\n")).collect()),
        ("more elements than an array may have", format!("[{}].len() + loop {{ }}", "1,".repeat(2_000))),
        ("a text longer than there may be", format!("\"{}\"", "x".repeat(65_000))),
        ("a deep group", format!("{}1{}", "(".repeat(500), ")".repeat(500))),
        ("a deep array", format!("{}1{}", "[".repeat(500), "]".repeat(500))),
        ("a deep block", format!("{}1{}", "{ ".repeat(500), " }".repeat(500))),
        ("a long chain of sums", format!("1{}", " + 1".repeat(30_000))),
        ("a long chain of signs", format!("{}1", "-".repeat(5_000))),
        ("a long chain of methods", format!("a{}", ".to_upper()".repeat(3_000))),
        ("a long chain of indices", format!("a{}", "[0]".repeat(5_000))),
        (
            "a long chain of conditions",
            format!("if false {{ 0 }}{} else {{ loop {{ }} }}", " else if false { 1 }".repeat(2_000)),
        ),
    ]
}

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

/// Refused when compiled, or unknown when run: never an answer. Otherwise what it came to.
fn stopped(script: &str) -> Result<(), String> {
    let compilation = compile(&pack(script));
    let Some(program) = compilation.program else {
        let refused = compilation.diagnostics.iter().any(|finding| finding.code == "bad-script");
        return if refused { Ok(()) } else { Err(format!("{:?}", compilation.diagnostics)) };
    };
    let verdict = judged(&program, "0123456789");
    let failed = verdict.unknown.iter().all(|unknown| unknown.why == Why::ScriptError);
    if verdict.outcome == Outcome::Challenge && failed {
        return Ok(());
    }
    Err(format!("{:?} {:?}", verdict.outcome, verdict.unknown))
}

fn judged(program: &Arc<Program>, text: &str) -> Verdict {
    let mut input = EventInput::new("e", "u", "2026-01-01T00:00:00Z".parse().expect("it is a time"));
    input.custom.insert("a".into(), text.into());
    let event = program.decode(&input).expect("the event is fine");
    Stream::new(Arc::clone(program)).push(Located::nowhere(Arc::new(event))).1
}

/// Those that answer all the same.
fn not_stopped() -> Vec<String> {
    let short = HOSTILE.iter().map(|(name, script)| (*name, (*script).to_owned()));
    let failed = |(name, script): (&str, String)| stopped(&script).err().map(|found| format!("{name}: {found}"));
    short.chain(long()).filter_map(failed).collect()
}

#[test]
fn every_hostile_script_is_stopped() {
    assert!(HOSTILE.len() >= 100, "only {}", HOSTILE.len());
    assert_eq!(not_stopped(), Vec::<String>::new());
}

#[test]
fn a_small_stack_is_enough() {
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(not_stopped).expect("a thread starts");
    assert!(thread.join().is_ok(), "a script overflowed a stack of 512 KiB");
}

#[test]
fn a_decent_script_answers() {
    let program = compile(&pack("let n = 0; for c in a.to_upper() { if c == 'X' { n += 1; } } n")).program;
    let program = program.expect("the script is fine");
    for (text, outcome) in [("abc", Outcome::Allow), ("axc", Outcome::Block)] {
        let verdict = judged(&program, text);
        assert_eq!(verdict.outcome, outcome, "{text}: {:?}", verdict.unknown);
    }
}
