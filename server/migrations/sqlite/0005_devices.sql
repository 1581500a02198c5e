-- The devices from which users act, by the id that backends give. `pseudonym` is the row's name in the log;
-- a device of a deleted user has no other.
CREATE TABLE devices (
    tenant           TEXT NOT NULL,
    pseudonym        BLOB NOT NULL CHECK (length(pseudonym) = 16),
    user             TEXT NOT NULL,
    device           TEXT,
    created_at       INTEGER NOT NULL,
    authenticated_at INTEGER,
    last_method      TEXT,
    remembered_until INTEGER,
    invalidated_at   INTEGER,
    salt             BLOB NOT NULL,
    seq              INTEGER NOT NULL,
    PRIMARY KEY (tenant, pseudonym)
) STRICT;
CREATE UNIQUE INDEX devices_by_user ON devices (tenant, user, device);
