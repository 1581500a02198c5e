//! Scripts in rhai: pure, short, and bounded on every side (`language.md` §9, `security.md` T-37).
//!
//! A script sees its arguments as variables of the declared names and answers with its last expression; a file that
//! defines `fn name(…)` with the script's name is called instead. There is no I/O, clock, randomness, module, `eval`,
//! closure or output to be had, and whatever fails or takes too long is unknown (`script_error`).

mod plain;
mod values;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rhai::{
    AST, CallFnOptions, Dynamic, Engine, OptimizationLevel, Scope,
    packages::{
        ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage,
        BasicStringPackage, LogicPackage, MoreStringPackage, Package,
    },
};

use crate::{
    maybe::{Maybe, Why},
    types::Type,
    value::Value,
};

/// The most operations a script may declare. At 160,000 a chain of calls overflows the native stack, uncatchably.
pub const MOST_OPS: u64 = 20_000;
/// The longest script, in bytes.
pub const MOST_SOURCE_BYTES: usize = 64 << 10;
/// How deep calls may nest.
pub const MOST_CALL_LEVELS: usize = 8;
/// The longest text a script may make, in bytes.
pub const MOST_STRING_BYTES: usize = 64 << 10;
/// The most elements of an array or a map.
pub const MOST_ELEMENTS: usize = 1_024;

/// What a script must not even name.
const FORBIDDEN: [&str; 10] =
    ["eval", "import", "export", "print", "debug", "Fn", "call", "curry", "is_def_fn", "this"];
/// Functions of rhai's packages that reach outside. None of our packages has them; naming them fails like any
/// unknown function, and these shadows make sure of it.
const SHADOWED: [&str; 5] = ["sleep", "timestamp", "exit", "parse_json", "rand"];

/// A compiled script.
pub struct Script {
    pub(crate) name: Arc<str>,
    pub(crate) params: Vec<(Arc<str>, Type)>,
    pub(crate) returns: Type,
    engine: Engine,
    ast: AST,
    /// The file defines a function of the script's name.
    called: bool,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("name", &self.name).field("returns", &self.returns).finish_non_exhaustive()
    }
}

pub(crate) use plain::as_expression;
pub(crate) use values::passes;

impl Script {
    /// Compiles a script, or says why it cannot be used.
    pub fn compile(
        name: &str,
        params: Vec<(Arc<str>, Type)>,
        returns: Type,
        budget: u64,
        source: &str,
    ) -> Result<Script, String> {
        if source.len() > MOST_SOURCE_BYTES {
            return Err(format!("it has {} bytes, and {MOST_SOURCE_BYTES} is the limit", source.len()));
        }
        let engine = engine(budget.min(MOST_OPS));
        let mut scope = Scope::new();
        for (param, _) in &params {
            scope.push_dynamic(param.to_string(), Dynamic::UNIT);
        }
        let ast = catch_unwind(AssertUnwindSafe(|| engine.compile_with_scope(&scope, source)))
            .map_err(|_| "the script compiler gave up".to_owned())?
            .map_err(|error| error.to_string())?;
        let called =
            ast.iter_functions().any(|function| function.name == name && function.params.len() == params.len());
        Ok(Script { name: name.into(), params, returns, engine, ast, called })
    }

    /// Runs the script. Whatever goes wrong is `script_error`.
    #[must_use]
    pub fn run(&self, arguments: &[Value]) -> Maybe<Value> {
        let failed = Maybe::Unknown(Why::ScriptError);
        let arguments = arguments.iter().zip(&self.params).map(|(value, (_, ty))| values::into_script(value, ty));
        let Some(arguments) = arguments.collect::<Option<Vec<Dynamic>>>() else { return failed };
        // rhai reports its limits as errors; a panic would be its bug, and must not be our outage.
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut scope = Scope::new();
            if self.called {
                let options = CallFnOptions::new().eval_ast(false);
                return self
                    .engine
                    .call_fn_with_options::<Dynamic>(options, &mut scope, &self.ast, &self.name, arguments);
            }
            for ((param, _), argument) in self.params.iter().zip(arguments) {
                scope.push_dynamic(param.to_string(), argument);
            }
            self.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &self.ast)
        }));
        match result {
            Ok(Ok(value)) => values::from_script(value, &self.returns).map_or(failed, Maybe::Known),
            Ok(Err(_)) | Err(_) => failed,
        }
    }
}

fn engine(budget: u64) -> Engine {
    let mut engine = Engine::new_raw();
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_strict_variables(true);
    engine.set_allow_anonymous_fn(false);
    engine.set_fail_on_invalid_map_property(true);
    engine.set_max_operations(budget);
    engine.set_max_call_levels(MOST_CALL_LEVELS);
    engine.set_max_expr_depths(32, 16);
    engine.set_max_string_size(MOST_STRING_BYTES);
    engine.set_max_array_size(MOST_ELEMENTS);
    engine.set_max_map_size(MOST_ELEMENTS);
    engine.set_max_variables(64);
    engine.set_max_functions(64);
    for symbol in FORBIDDEN {
        engine.disable_symbol(symbol);
    }
    for name in SHADOWED {
        let refuse = || -> Result<Dynamic, Box<rhai::EvalAltResult>> { Err("not available to scripts".into()) };
        engine.register_fn(name, refuse);
        engine.register_fn(name, move |_: Dynamic| refuse());
    }
    engine
}
