use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::batch::{Batch, Entry};
use super::cells::{Columns, ms, whole_ms};
use super::fault::Fault;
use super::unit::{Running, Verb};
use crate::store::model::*;
use crate::store::rows::Row;
use crate::store::tables;
use crate::store::verbs::CountGuess;

impl Verb for CountGuess {
    type Done = ();
    type Refused = GuessError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let guess = &self.0;
            let held = of_user(batch.conn(), &guess.tenant, &guess.user).await?;
            let was = held.as_ref().map(|held| held.seq);
            let (pseudonym, forgiven_at) =
                held.map_or((guess.pseudonym, guess.at), |held| (held.pseudonym, held.forgiven_at));
            let forgiven_at = match guess.limit.count(forgiven_at, guess.at) {
                Ok(next) => whole_ms(next),
                Err(again_at) => return Ok(Err(GuessError::TooMany { again_at })),
            };
            let row = Row {
                table: &tables::GUESSES,
                name: format!("guesses/{pseudonym}"),
                cells: vec![
                    guess.tenant.as_str().into(),
                    pseudonym.into(),
                    guess.user.as_str().into(),
                    ms(forgiven_at).into(),
                ],
            };
            let entry = Entry::new(&guess.tenant, "recovery.code_typed", guess.at).fact("by", pseudonym.to_string());
            batch.append(entry.written(row, was)).await?;
            Ok(Ok(()))
        })
    }
}

/// What is counted of a user.
struct Held {
    pseudonym: Uuid,
    forgiven_at: Timestamp,
    seq: Seq,
}

async fn of_user(conn: &mut SqliteConnection, tenant: &TenantId, user: &UserId) -> Result<Option<Held>, Fault> {
    let row = sqlx::query("SELECT pseudonym, forgiven_at, seq FROM guesses WHERE tenant = ? AND user = ?")
        .bind(tenant.as_str())
        .bind(user.as_str())
        .fetch_optional(conn)
        .await?;
    let held = |row: sqlx::sqlite::SqliteRow| {
        Ok(Held { pseudonym: row.uuid("pseudonym")?, forgiven_at: row.at("forgiven_at")?, seq: row.seq("seq")? })
    };
    row.map(held).transpose()
}
