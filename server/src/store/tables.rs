//! The tables of state, as the digests and the verifier see them.

use uuid::Uuid;

use super::rows::{Cell, Table};

pub(crate) static TENANTS: Table =
    Table { name: "tenants", columns: &["id", "name", "settings", "created_at"], key: &["id"] };

pub(crate) static API_KEYS: Table = Table {
    name: "api_keys",
    columns: &["tenant", "id", "role", "name", "hash", "created_at", "revoked_at"],
    key: &["tenant", "id"],
};

pub(crate) static USERS: Table = Table {
    name: "users",
    columns: &[
        "tenant",
        "pseudonym",
        "user",
        "email",
        "email_verified",
        "phone_number",
        "phone_number_verified",
        "username",
        "display_name",
        "locale",
        "custom",
        "created_at",
        "updated_at",
        "deleted_at",
    ],
    key: &["tenant", "pseudonym"],
};

pub(crate) static CREDENTIALS: Table = Table {
    name: "credentials",
    columns: &[
        "tenant",
        "id",
        "user",
        "kind",
        "public_key",
        "platform",
        "protection",
        "device_name",
        "device_platform",
        "attestation",
        "push_token",
        "enrolled_at",
        "expires_at",
        "last_verified_at",
        "revoked_at",
    ],
    key: &["tenant", "id"],
};

pub(crate) static DECISIONS: Table = Table {
    name: "decisions",
    columns: &[
        "entry",
        "tenant",
        "id",
        "user",
        "action",
        "idempotency_key",
        "body_hash",
        "outcome",
        "state",
        "policy_version",
        "rules",
        "reasons",
        "flags",
        "created_at",
        "state_updated_at",
        "challenge",
        "verification_method",
        "verified_by",
        "answer",
    ],
    key: &["tenant", "id"],
};

pub(crate) static CHALLENGES: Table = Table {
    name: "challenges",
    columns: &[
        "tenant",
        "id",
        "decision",
        "user",
        "frozen",
        "state",
        "state_name",
        "version",
        "created_at",
        "expires_at",
    ],
    key: &["tenant", "id"],
};

pub(crate) static USES: Table = Table {
    name: "uses",
    columns: &["tenant", "kind", "id", "used_by", "decision", "used_at", "expires_at"],
    key: &["tenant", "kind", "id"],
};

pub(crate) static DEVICES: Table = Table {
    name: "devices",
    columns: &[
        "tenant",
        "pseudonym",
        "user",
        "device",
        "created_at",
        "authenticated_at",
        "last_method",
        "remembered_until",
        "invalidated_at",
    ],
    key: &["tenant", "pseudonym"],
};

pub(crate) static SESSIONS: Table = Table {
    name: "sessions",
    columns: &[
        "tenant",
        "id",
        "user",
        "client",
        "method",
        "acr",
        "amr",
        "approved_at",
        "created_by",
        "created_at",
        "generation",
        "refreshed_at",
        "expires_at",
        "revoked_at",
    ],
    key: &["tenant", "id"],
};

pub(crate) static LIST_ENTRIES: Table = Table {
    name: "list_entries",
    columns: &["tenant", "id", "list", "value", "reason", "author", "created_at", "expires_at", "removed_at"],
    key: &["tenant", "id"],
};

pub(crate) static PACKS: Table =
    Table { name: "packs", columns: &["tenant", "version", "name", "archive"], key: &["tenant", "version"] };

pub(crate) static ACTIVE_PACKS: Table =
    Table { name: "active_packs", columns: &["tenant", "version", "name", "actor", "activated_at"], key: &["tenant"] };

pub(crate) static RECOVERY_CODES: Table = Table {
    name: "recovery_codes",
    columns: &[
        "tenant",
        "id",
        "batch",
        "user",
        "code_salt",
        "hash",
        "issued_at",
        "ended_at",
        "purpose",
        "decision",
        "credential",
    ],
    key: &["tenant", "id"],
};

pub(crate) static RESETS: Table = Table {
    name: "resets",
    columns: &[
        "tenant",
        "id",
        "user",
        "reason",
        "author",
        "actor",
        "idempotency_key",
        "made_at",
        "permitted_until",
        "credential",
    ],
    key: &["tenant", "id"],
};

pub(crate) static GUESSES: Table =
    Table { name: "guesses", columns: &["tenant", "pseudonym", "user", "forgiven_at"], key: &["tenant", "pseudonym"] };

pub(crate) static ARRIVALS: Table =
    Table { name: "arrivals", columns: &["tenant", "credential", "token"], key: &["tenant", "credential"] };

pub(crate) static TERMINALS: Table = Table {
    name: "terminals",
    columns: &[
        "tenant",
        "key",
        "id",
        "name",
        "public_key",
        "country",
        "region",
        "city",
        "latitude",
        "longitude",
        "actor",
        "registered_at",
        "revoked_at",
    ],
    key: &["tenant", "key"],
};

/// What webhooks have to tell. No table of state: rows come and go, and only what they tell never changes.
pub(crate) static OUTBOX: Table = Table {
    name: "outbox",
    columns: &["tenant", "endpoint", "event", "type", "time", "data"],
    key: &["event", "endpoint"],
};

/// The fact of an entry that holds the digests of its rows in the outbox.
pub(crate) const TOLD: &str = "told";

/// Every table of state.
pub(crate) static ALL: [&Table; 17] = [
    &TENANTS,
    &API_KEYS,
    &USERS,
    &CREDENTIALS,
    &DECISIONS,
    &CHALLENGES,
    &USES,
    &SESSIONS,
    &DEVICES,
    &LIST_ENTRIES,
    &PACKS,
    &ACTIVE_PACKS,
    &RECOVERY_CODES,
    &RESETS,
    &GUESSES,
    &ARRIVALS,
    &TERMINALS,
];

/// Which row a name in the log means: its table and the values of its key columns.
pub(crate) fn find(tenant: &str, name: &str) -> Option<(&'static Table, Vec<Cell>)> {
    let (table, key) = name.split_once('/')?;
    let table = ALL.into_iter().find(|known| known.name == table)?;
    let tenant = Cell::Text(tenant.to_owned());
    let key = match table.key {
        [_] if key.is_empty() => vec![tenant],
        [_, _] if is_uuid(table) => vec![tenant, Cell::Blob(Uuid::try_parse(key).ok()?.as_bytes().to_vec())],
        [_, _] => vec![tenant, Cell::Text(key.to_owned())],
        [_, _, _] => {
            let (first, second) = key.split_once('/')?;
            vec![tenant, Cell::Text(first.to_owned()), Cell::Text(second.to_owned())]
        }
        _ => return None,
    };
    Some((table, key))
}

/// Whether the rows' names are UUIDs, kept as 16 bytes.
fn is_uuid(table: &Table) -> bool {
    [&USERS, &DECISIONS, &SESSIONS, &DEVICES, &LIST_ENTRIES, &GUESSES].contains(&table)
}

/// A UUID's text as the cell it is kept in; any other text as itself, which is then equal to no such cell.
pub(crate) fn uuid_cell(text: &str) -> Cell {
    Uuid::try_parse(text).map_or_else(|_| Cell::Text(text.to_owned()), Cell::from)
}
