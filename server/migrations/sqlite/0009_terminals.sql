-- Screens whose key vouches for the challenges they show. A row is a key, for good: a revoked one never comes back, and a
-- terminal that gets another key has another row. `key` is the key's thumbprint.
CREATE TABLE terminals (
    tenant        TEXT NOT NULL,
    key           TEXT NOT NULL,
    id            TEXT NOT NULL,
    name          TEXT NOT NULL,
    public_key    BLOB NOT NULL,
    country       TEXT,
    region        TEXT,
    city          TEXT,
    latitude      TEXT,
    longitude     TEXT,
    actor         TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    revoked_at    INTEGER,
    salt          BLOB NOT NULL,
    seq           INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT;
CREATE UNIQUE INDEX terminals_active ON terminals (tenant, id) WHERE revoked_at IS NULL;
