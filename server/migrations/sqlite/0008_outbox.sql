-- The outbox again, with the entry that tells of each row: it holds the digest of what is told, so that `audit verify` finds
-- a row that nobody wrote or that says something else. How the delivery goes (`state` and the rest) is vouched for by
-- nothing, and rows that are done are deleted. What waited before this is not told: no entry vouches for it.
DROP TABLE outbox;
CREATE TABLE outbox (
    number   INTEGER PRIMARY KEY,
    tenant   TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    event    BLOB NOT NULL CHECK (length(event) = 16),
    type     TEXT NOT NULL,
    time     INTEGER NOT NULL,
    data     TEXT NOT NULL,
    salt     BLOB NOT NULL,
    seq      INTEGER NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
    -- How often it was tried, and what went wrong the last time.
    attempts INTEGER NOT NULL,
    failure  TEXT,
    -- While it waits, when to try next; afterwards, since when it does not.
    at       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX outbox_once ON outbox (event, endpoint);
CREATE INDEX outbox_waiting ON outbox (tenant, endpoint, at, number) WHERE state = 'waiting';
CREATE INDEX outbox_dead ON outbox (tenant, number) WHERE state = 'dead';
CREATE INDEX outbox_ended ON outbox (state, at) WHERE state <> 'waiting';
