//! Reads packs for tests; the engine itself reads nothing.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use engine::{PackSource, Program, TestResult, Whereabouts, compile, run_tests};

/// The pack in a folder of this repository, relative to the crate.
pub fn read_pack(folder: &str) -> PackSource {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = BTreeMap::new();
    collect(&root, &root, &mut files);
    assert!(!files.is_empty(), "no files in {}", root.display());
    PackSource { name: folder.to_owned(), files }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("it is below the root").to_string_lossy().replace('\\', "/");
            files.insert(name, fs::read(&path).expect("the file is readable"));
        }
    }
}

/// The program of a pack that must compile.
pub fn program_of(pack: &PackSource) -> Arc<Program> {
    let compilation = compile(pack);
    let text = grammar::render_text(&compilation.diagnostics, &compilation.sources, false);
    compilation.program.unwrap_or_else(|| panic!("`{}` does not compile:\n{text}", pack.name))
}

/// Runs the pack's own tests; addresses that a test does not place are nowhere.
pub fn results_of(program: &Arc<Program>) -> Vec<TestResult> {
    run_tests(program, &|_| Whereabouts::default())
}

/// The failures of a pack's tests, drawn.
pub fn failures_of(program: &Arc<Program>) -> String {
    let failed = results_of(program).into_iter().filter(|result| !result.passed);
    failed
        .map(|result| format!("{}\n{}", result.name, grammar::render_text(&result.failures, program.sources(), false)))
        .collect()
}
