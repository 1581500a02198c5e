-- What webhooks still have to tell, one row for each endpoint that wants to hear it, written in the transaction of what it
-- tells. No table of state: rows come and go, and nothing in the log vouches for them.
CREATE TABLE outbox (
    number   INTEGER PRIMARY KEY,
    tenant   TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    event    BLOB NOT NULL CHECK (length(event) = 16),
    type     TEXT NOT NULL,
    time     INTEGER NOT NULL,
    data     TEXT NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
    -- How often it was tried, and what went wrong the last time.
    attempts INTEGER NOT NULL,
    failure  TEXT,
    -- While it waits, when to try next; afterwards, since when it does not.
    at       INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_waiting ON outbox (tenant, endpoint, at, number) WHERE state = 'waiting';
CREATE INDEX outbox_dead ON outbox (tenant, number) WHERE state = 'dead';
CREATE INDEX outbox_ended ON outbox (state, at) WHERE state <> 'waiting';
