-- Sessions of applications. `id` is the id of the challenge whose approval began it, so that an approval begins one session.
CREATE TABLE sessions (
    tenant       TEXT NOT NULL,
    id           BLOB NOT NULL CHECK (length(id) = 16),
    user         TEXT NOT NULL,
    client       TEXT NOT NULL,
    method       TEXT NOT NULL,
    acr          TEXT NOT NULL,
    amr          TEXT NOT NULL,
    approved_at  INTEGER NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    generation   INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    revoked_at   INTEGER,
    salt         BLOB NOT NULL,
    seq          INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX sessions_by_user ON sessions (tenant, user) WHERE revoked_at IS NULL;
