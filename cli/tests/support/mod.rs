//! Runs the real binary: files, arguments, input; standard output, standard error, exit code.

// Each test binary uses its own part of this.
#![allow(dead_code)]

pub mod phone;
pub mod service;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use tempfile::TempDir;

/// The binary under test.
pub fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_stepup")
}

/// A folder of the checkout.
pub fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// One run of the binary in a folder of its own.
pub struct Run {
    folder: TempDir,
    args: Vec<String>,
    environment: Vec<(String, String)>,
    input: Vec<u8>,
    stdout: Option<String>,
    stderr: Option<String>,
    exit: i32,
}

/// What came of it.
pub struct Ran {
    pub folder: TempDir,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// `stepup <words>`, expected to end with 0. Words are separated by white space.
    pub fn new(words: &str) -> Run {
        Run {
            folder: tempfile::tempdir().expect("a folder for the run"),
            args: words.split_whitespace().map(str::to_owned).collect(),
            environment: Vec::new(),
            input: Vec::new(),
            stdout: None,
            stderr: None,
            exit: 0,
        }
    }

    /// The same in the folder of an earlier run.
    pub fn in_folder(folder: TempDir, words: &str) -> Run {
        Run { folder, ..Run::new(words) }
    }

    /// One more argument, which may contain spaces.
    pub fn arg(mut self, arg: impl AsRef<Path>) -> Run {
        self.args.push(arg.as_ref().display().to_string());
        self
    }

    /// A file in the folder in which the command runs.
    pub fn file(self, path: &str, text: impl AsRef<[u8]>) -> Run {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
        self
    }

    /// The folder in which the command runs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Run {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What standard input says.
    pub fn input(mut self, text: impl Into<Vec<u8>>) -> Run {
        self.input = text.into();
        self
    }

    /// Exactly what standard output must say.
    pub fn stdout(mut self, text: impl Into<String>) -> Run {
        self.stdout = Some(text.into());
        self
    }

    /// Exactly what standard error must say.
    pub fn stderr(mut self, text: impl Into<String>) -> Run {
        self.stderr = Some(text.into());
        self
    }

    /// The exit code there must be.
    pub fn exit(mut self, code: i32) -> Run {
        self.exit = code;
        self
    }

    /// Runs and compares.
    pub fn run(self) -> Ran {
        let mut child = Command::new(binary())
            .args(&self.args)
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            .envs(self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = self.input;
        // In a thread: a command that answers while it reads would wait for us for ever.
        let feeder = thread::spawn(move || {
            // A command that does not read its input closes the pipe.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().expect("the binary ends");
        feeder.join().expect("the input was written");
        let stdout = String::from_utf8(output.stdout).expect("standard output is UTF-8");
        let stderr = String::from_utf8(output.stderr).expect("standard error is UTF-8");
        let said = format!("stepup {}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---", self.args.join(" "));
        assert_eq!(output.status.code(), Some(self.exit), "the exit code of {said}");
        if let Some(expected) = self.stdout {
            assert_eq!(stdout, expected, "standard output of {said}");
        }
        if let Some(expected) = self.stderr {
            assert_eq!(stderr, expected, "standard error of {said}");
        }
        Ran { folder: self.folder, stdout, stderr }
    }
}

impl Ran {
    /// The text of a file in the run's folder.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(path)).expect("the file is there")
    }

    /// Standard output contains each of these texts.
    pub fn says(&self, texts: &[&str]) -> &Ran {
        for text in texts {
            assert!(self.stdout.contains(text), "no `{text}` in standard output:\n{}", self.stdout);
        }
        self
    }

    /// Standard error contains each of these texts.
    pub fn complains(&self, texts: &[&str]) -> &Ran {
        for text in texts {
            assert!(self.stderr.contains(text), "no `{text}` in standard error:\n{}", self.stderr);
        }
        self
    }
}
