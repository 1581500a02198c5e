//! What stands around the log: the schema, rows that no entry speaks of, the soundness of the file.

use super::{About, Checked, Finding, PAGE, Verifier, bad, unreadable};
use crate::audit::leaf::{Fact, Leaf};
use crate::store::evidence::{Cell, Table, Unreadable, tables};

impl Verifier {
    /// The schema, and with it the triggers that keep the log, must be the one that this program makes: with another one
    /// the tables need not mean what they seem to.
    pub(super) async fn check_schema(&mut self) -> Result<Option<Box<Finding>>, Box<Finding>> {
        let foreign = self.evidence.foreign_schema().await.map_err(|error| Box::new(unreadable(None, &error)))?;
        let Some(foreign) = foreign else { return Ok(None) };
        let finding = Box::new(Finding {
            seq: None,
            kind: Some("schema".to_owned()),
            id: Some(foreign.name),
            what: "schema-changed",
            expected: foreign.expected.to_string(),
            found: foreign.found.to_string(),
        });
        if foreign.leaves_tables { Ok(Some(finding)) } else { Err(finding) }
    }

    /// Nothing may be there that no entry speaks of.
    pub(super) async fn check_nothing_else(&mut self) -> Checked {
        let whole = |error: Unreadable| Box::new(unreadable(None, &error));
        let logged = [
            ("audit_entries", self.log.size()),
            // The head is a checkpoint too, in a table of its own.
            ("audit_checkpoints", self.report.checkpoints.saturating_sub(u64::from(self.log.size() > 0))),
            ("documents", self.report.documents),
        ];
        for (table, expected) in logged {
            let found = self.evidence.count(table).await.map_err(whole)?;
            if found != expected {
                let finding =
                    bad(self.log.size(), "rows-inserted", format!("{expected} rows"), format!("{found} rows"));
                return Err(finding.about(table, ""));
            }
        }
        for table in tables::ALL {
            let expected = self.vouched.get(table.name).copied().unwrap_or_default();
            let found = self.evidence.count(table.name).await.map_err(whole)?;
            if found != expected {
                return Err(self.find_stray(table).await?);
            }
        }
        Ok(())
    }

    /// The first row of a table that the entry it names does not speak of.
    pub(super) async fn find_stray(&mut self, table: &'static Table) -> Result<Box<Finding>, Box<Finding>> {
        let whole = |error: Unreadable| Box::new(unreadable(None, &error));
        let mut read = 0;
        loop {
            let rows = self.evidence.scan(table, read, PAGE).await.map_err(whole)?;
            if rows.is_empty() {
                let (expected, found) = ("every row to be found by its key", "a row that is not");
                return Ok(bad(self.log.size(), "rows-inserted", expected, found).about(table.name, ""));
            }
            read += rows.len() as u64;
            for row in rows {
                let seq = row.seq.unwrap_or(u64::MAX);
                let digest = row.digest(table);
                let leaf = self.leaf(seq).await?;
                if !leaf.is_some_and(|leaf| leaf.rows.values().any(|vouched| *vouched == digest)) {
                    let expected = format!("entry {seq} to speak of the row");
                    let finding = bad(seq.min(self.log.size()), "row-inserted", expected, "it does not");
                    return Ok(finding.about(table.name, &row.key_text(table)));
                }
            }
        }
    }

    /// What webhooks still tell, or told lately, is what the entries said that it would be. Rows that are gone are not missed:
    /// those that are done are deleted.
    pub(super) async fn check_told(&mut self) -> Checked {
        let table = &tables::OUTBOX;
        let mut read = 0;
        // The rows of one entry stand together.
        let mut last: Option<(u64, Option<Leaf>)> = None;
        loop {
            let rows = self.evidence.scan(table, read, PAGE).await;
            let rows = rows.map_err(|error| Box::new(unreadable(None, &error)))?;
            if rows.is_empty() {
                return Ok(());
            }
            read += rows.len() as u64;
            for row in rows {
                let seq = row.seq.unwrap_or(u64::MAX);
                if last.as_ref().is_none_or(|(known, _)| *known != seq) {
                    last = Some((seq, self.leaf(seq).await?));
                }
                let leaf = last.as_ref().and_then(|(_, leaf)| leaf.as_ref());
                let told = leaf.and_then(|leaf| leaf.facts.get(tables::TOLD)).map_or(&[][..], Fact::list);
                if !told.contains(&row.digest(table)) {
                    let expected = format!("entry {seq} to tell of it");
                    let finding = bad(seq.min(self.log.size()), "webhook-changed", expected, "it does not");
                    return Err(finding.about(table.name, &row.key_text(table)));
                }
            }
        }
    }

    /// The entry with this number, if it is one.
    async fn leaf(&mut self, seq: u64) -> Result<Option<Leaf>, Box<Finding>> {
        let entries = self.evidence.entries(seq, 1).await.map_err(|error| Box::new(unreadable(None, &error)))?;
        Ok(entries.into_iter().find(|entry| entry.seq == seq).and_then(|entry| match entry.leaf {
            Cell::Text(text) => Leaf::decode(&text).ok(),
            _ => None,
        }))
    }

    pub(super) async fn check_soundness(&mut self) -> Checked {
        let complaint = self.evidence.complaint().await.map_err(|error| Box::new(unreadable(None, &error)))?;
        match complaint {
            Some(complaint) => Err(Box::new(unreadable(None, &Unreadable(complaint)))),
            None => Ok(()),
        }
    }
}
