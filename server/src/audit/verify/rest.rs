//! What stands around the log: the schema, rows that no entry speaks of, the soundness of the file.

use super::{About, Checked, Finding, PAGE, Verifier, bad, unreadable};
use crate::audit::leaf::Leaf;
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
                let vouching = self.evidence.entries(seq, 1).await.map_err(whole)?;
                let leaf = vouching.into_iter().find(|entry| entry.seq == seq).and_then(|entry| match entry.leaf {
                    Cell::Text(text) => Leaf::decode(&text).ok(),
                    _ => None,
                });
                if !leaf.is_some_and(|leaf| leaf.rows.values().any(|vouched| *vouched == digest)) {
                    let expected = format!("entry {seq} to speak of the row");
                    let finding = bad(seq.min(self.log.size()), "row-inserted", expected, "it does not");
                    return Ok(finding.about(table.name, &row.key_text(table)));
                }
            }
        }
    }

    pub(super) async fn check_soundness(&mut self) -> Checked {
        let complaint = self.evidence.complaint().await.map_err(|error| Box::new(unreadable(None, &error)))?;
        match complaint {
            Some(complaint) => Err(Box::new(unreadable(None, &Unreadable(complaint)))),
            None => Ok(()),
        }
    }
}
