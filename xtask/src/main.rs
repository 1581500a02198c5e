//! `cargo xtask …`: everything that is done to this repository, one file a command.

mod accept;
mod bench;
mod ci;
mod crash;
mod fuzz;
mod model;
mod oracle;
mod peers;
mod race;
mod run;
mod sockets;
mod tenants;
mod velocity;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of this repository")]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that `./test` runs: format, lints, tests, packs, browser, short forms of the slow suites
    Ci(ci::Ci),
    /// Rewrite the expected output of all corpora; look at the diff before you commit it
    Accept,
    /// Kill the loaded server with -9 at random moments and look for every answer it gave
    Crash(crash::Crash),
    /// Explore every interleaving of phones, screens, retries and restarts around a challenge, in worlds of millions of states
    Model,
    /// Let 32 phones claim one challenge at once, then answers race each other and the clock, ten thousand times
    Race(race::Race),
    /// Open thousands of WebSockets and measure what each costs, and how soon a screen hears of an approval
    Sockets(sockets::Sockets),
    /// Pair one tenant's credentials with ids and bodies of another a hundred thousand times, over every endpoint
    Tenants(tenants::Tenants),
    /// Compare the engine with a simple interpreter on ten million pairs of a policy and an event
    Oracle(oracle::Oracle),
    /// Look for inputs that break a promise of the parser, the formatter, the checker or the engine
    Fuzz(fuzz::Fuzz),
    /// Measure the rule engine beside wirefilter, zen, CEL, rhai, Cedar and plain Rust
    Peers(peers::Peers),
    /// Compare the bounded windows with the full history a hundred million times, and flood them with millions of events
    Velocity(velocity::Velocity),
    /// Run the benchmarks in full
    Bench(bench::Bench),
}

fn main() -> anyhow::Result<()> {
    match Xtask::parse().task {
        Task::Ci(task) => task.run(),
        Task::Accept => accept::run(),
        Task::Crash(task) => task.run(),
        Task::Model => model::run(),
        Task::Race(task) => task.run(),
        Task::Sockets(task) => task.run(),
        Task::Tenants(task) => task.run(),
        Task::Oracle(task) => task.run(),
        Task::Fuzz(task) => task.run(),
        Task::Peers(task) => task.run(),
        Task::Velocity(task) => task.run(),
        Task::Bench(task) => task.run(),
    }
}
