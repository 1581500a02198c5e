-- Times are milliseconds since 1970 UTC. JSON is text. UUIDs are 16 bytes. Every table of state ends in `salt` and
-- `seq`: audit entry `seq` holds the salted digest of the row (see store/rows.rs). Rows of state are never deleted.

-- The audit log. Append-only, enforced below and detected anyway by the tree over the hashes.
CREATE TABLE audit_entries (
    seq  INTEGER PRIMARY KEY,
    leaf TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- Signed checkpoints that are kept, at most about one per second or per thousand entries.
CREATE TABLE audit_checkpoints (
    size  INTEGER PRIMARY KEY,
    peaks BLOB NOT NULL,
    note  TEXT NOT NULL
) STRICT;

-- The newest state of the tree: its right edge, the last entry's time, and the checkpoint signed over it.
CREATE TABLE audit_head (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    size      INTEGER NOT NULL,
    peaks     BLOB NOT NULL,
    time      INTEGER NOT NULL,
    note      TEXT NOT NULL,
    kept_size INTEGER NOT NULL,
    kept_time INTEGER NOT NULL
) STRICT;

-- Documents beside the leaves: personal, and erasable without touching the log. `event` is the journal's line.
CREATE TABLE documents (
    seq         INTEGER PRIMARY KEY,
    tenant      TEXT NOT NULL,
    decision    BLOB NOT NULL CHECK (length(decision) = 16),
    kind        TEXT NOT NULL CHECK (kind IN ('event', 'settled')),
    event       TEXT,
    event_salt  BLOB,
    record      TEXT,
    record_salt BLOB
) STRICT;

CREATE TRIGGER audit_entries_stay BEFORE UPDATE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END;
CREATE TRIGGER audit_entries_remain BEFORE DELETE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'audit entries are never deleted'); END;
CREATE TRIGGER audit_checkpoints_stay BEFORE UPDATE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed'); END;
CREATE TRIGGER audit_checkpoints_remain BEFORE DELETE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are never deleted'); END;

CREATE TABLE tenants (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    settings   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    salt       BLOB NOT NULL,
    seq        INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    role       TEXT NOT NULL,
    name       TEXT NOT NULL,
    hash       BLOB NOT NULL CHECK (length(hash) = 32),
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    salt       BLOB NOT NULL,
    seq        INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX api_keys_by_hash ON api_keys (hash);

CREATE TABLE users (
    tenant                TEXT NOT NULL,
    pseudonym             BLOB NOT NULL CHECK (length(pseudonym) = 16),
    user                  TEXT NOT NULL,
    email                 TEXT,
    email_verified        INTEGER,
    phone_number          TEXT,
    phone_number_verified INTEGER,
    username              TEXT,
    display_name          TEXT,
    locale                TEXT,
    custom                TEXT,
    created_at            INTEGER NOT NULL,
    updated_at            INTEGER NOT NULL,
    deleted_at            INTEGER,
    salt                  BLOB NOT NULL,
    seq                   INTEGER NOT NULL,
    PRIMARY KEY (tenant, pseudonym)
) STRICT;
CREATE UNIQUE INDEX users_by_user ON users (tenant, user);
CREATE INDEX users_by_email ON users (tenant, email) WHERE email IS NOT NULL;
CREATE INDEX users_by_username ON users (tenant, username) WHERE username IS NOT NULL;
CREATE INDEX users_by_phone_number ON users (tenant, phone_number) WHERE phone_number IS NOT NULL;

CREATE TABLE credentials (
    tenant           TEXT NOT NULL,
    id               TEXT NOT NULL,
    user             TEXT NOT NULL,
    kind             TEXT NOT NULL,
    public_key       BLOB NOT NULL,
    platform         TEXT NOT NULL,
    protection       TEXT NOT NULL,
    device_name      TEXT,
    device_platform  TEXT NOT NULL,
    attestation      TEXT,
    push_token       TEXT,
    enrolled_at      INTEGER NOT NULL,
    expires_at       INTEGER,
    last_verified_at INTEGER,
    revoked_at       INTEGER,
    salt             BLOB NOT NULL,
    seq              INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX credentials_by_key ON credentials (tenant, public_key, kind);
CREATE INDEX credentials_by_user ON credentials (tenant, user);

-- `entry` is the number of the entry that recorded the decision, `seq` of the one that last changed its state.
CREATE TABLE decisions (
    entry               INTEGER PRIMARY KEY,
    tenant              TEXT NOT NULL,
    id                  BLOB NOT NULL CHECK (length(id) = 16),
    user                TEXT NOT NULL,
    action              TEXT NOT NULL,
    idempotency_key     TEXT NOT NULL,
    body_hash           BLOB NOT NULL CHECK (length(body_hash) = 32),
    outcome             TEXT NOT NULL,
    state               TEXT NOT NULL,
    policy_version      TEXT NOT NULL,
    rules               TEXT NOT NULL,
    reasons             TEXT NOT NULL,
    flags               TEXT NOT NULL,
    created_at          INTEGER NOT NULL,
    state_updated_at    INTEGER NOT NULL,
    challenge           TEXT,
    verification_method TEXT,
    verified_by         TEXT,
    answer              TEXT NOT NULL,
    salt                BLOB NOT NULL,
    seq                 INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX decisions_by_id ON decisions (tenant, id);
CREATE UNIQUE INDEX decisions_by_key ON decisions (tenant, user, action, idempotency_key);

CREATE TABLE challenges (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    decision   BLOB,
    user       TEXT,
    frozen     TEXT NOT NULL,
    state      TEXT NOT NULL,
    state_name TEXT NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    salt       BLOB NOT NULL,
    seq        INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX challenges_open_by_expiry ON challenges (expires_at) WHERE state_name IN ('generated', 'claimed');
CREATE INDEX challenges_by_user ON challenges (tenant, user, created_at);
CREATE INDEX challenges_by_decision ON challenges (tenant, decision) WHERE decision IS NOT NULL;

CREATE TABLE uses (
    tenant     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    used_by    TEXT NOT NULL,
    decision   BLOB,
    used_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    salt       BLOB NOT NULL,
    seq        INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, id)
) STRICT;

CREATE TABLE list_entries (
    tenant     TEXT NOT NULL,
    id         BLOB NOT NULL CHECK (length(id) = 16),
    list       TEXT NOT NULL,
    value      TEXT NOT NULL,
    reason     TEXT,
    author     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    removed_at INTEGER,
    salt       BLOB NOT NULL,
    seq        INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX list_entries_by_value ON list_entries (tenant, list, value) WHERE removed_at IS NULL;

CREATE TABLE packs (
    tenant  TEXT NOT NULL,
    version TEXT NOT NULL,
    name    TEXT NOT NULL,
    archive BLOB NOT NULL,
    salt    BLOB NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (tenant, version)
) STRICT;

CREATE TABLE active_packs (
    tenant       TEXT PRIMARY KEY,
    version      TEXT NOT NULL,
    name         TEXT NOT NULL,
    actor        TEXT NOT NULL,
    activated_at INTEGER NOT NULL,
    salt         BLOB NOT NULL,
    seq          INTEGER NOT NULL
) STRICT;
