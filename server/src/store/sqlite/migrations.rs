//! The steps of the schema, oldest first. One that was released is never changed: databases remember what they ran.

use std::sync::LazyLock;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

macro_rules! sql {
    ($file:literal) => {
        ($file, include_str!(concat!("../../../migrations/sqlite/", $file)))
    };
}

/// By the numbers with which their names begin. Listed here and not by sqlx's macro, which needs all of sqlx built a second
/// time, for the compiler.
const FILES: [(&str, &str); 9] = [
    sql!("0001_first.sql"),
    sql!("0002_outbox.sql"),
    sql!("0003_recovery.sql"),
    sql!("0004_sessions.sql"),
    sql!("0005_devices.sql"),
    sql!("0006_guesses.sql"),
    sql!("0007_arrivals.sql"),
    sql!("0008_outbox.sql"),
    sql!("0009_terminals.sql"),
];

pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let numbered = FILES.into_iter().zip(1..).map(|((file, sql), version)| {
        let what = file.trim_end_matches(".sql").trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
        Migration::new(version, what.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(numbered.collect())
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_the_schema_is_run_in_the_order_of_its_number() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").file_name());
        let mut files: Vec<String> = files.map(|name| name.into_string().expect("UTF-8")).collect();
        files.sort();
        assert_eq!(files, FILES.map(|(file, _)| file));
        for (migration, file) in MIGRATIONS.iter().zip(files) {
            assert!(file.starts_with(&format!("{:04}_", migration.version)), "{file} is number {}", migration.version);
        }
    }
}
