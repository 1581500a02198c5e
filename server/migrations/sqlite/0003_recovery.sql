-- One-time recovery codes. A code itself is nowhere: `hash` is salted, stretched, and keyed with a key that is not in the
-- database. `ended_at` is when it was used or withdrawn; only a used one has a `purpose`. `credential` is the phone that a
-- code let in.
CREATE TABLE recovery_codes (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    batch      TEXT NOT NULL,
    user       TEXT NOT NULL,
    code_salt  BLOB NOT NULL CHECK (length(code_salt) = 16),
    hash       BLOB NOT NULL CHECK (length(hash) = 32),
    issued_at  INTEGER NOT NULL,
    ended_at   INTEGER,
    purpose    TEXT,
    decision   BLOB,
    credential TEXT,
    salt       BLOB NOT NULL,
    seq        INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX recovery_codes_by_user ON recovery_codes (tenant, user);
CREATE INDEX recovery_codes_by_credential ON recovery_codes (tenant, credential) WHERE credential IS NOT NULL;

-- Administrators' resets of users. Each permits one enrolment, by `credential` once it was made.
CREATE TABLE resets (
    tenant          TEXT NOT NULL,
    id              TEXT NOT NULL,
    user            TEXT NOT NULL,
    reason          TEXT NOT NULL,
    author          TEXT NOT NULL,
    actor           TEXT NOT NULL,
    idempotency_key TEXT,
    made_at         INTEGER NOT NULL,
    permitted_until INTEGER NOT NULL,
    credential      TEXT,
    salt            BLOB NOT NULL,
    seq             INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX resets_by_user ON resets (tenant, user);
CREATE UNIQUE INDEX resets_by_key ON resets (tenant, user, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX resets_by_credential ON resets (tenant, credential) WHERE credential IS NOT NULL;
