-- How many recovery codes were typed for a user: each one, right or wrong, moves `forgiven_at` on, and only time brings it
-- back. `pseudonym` is the row's name in the log.
CREATE TABLE guesses (
    tenant      TEXT NOT NULL,
    pseudonym   BLOB NOT NULL CHECK (length(pseudonym) = 16),
    user        TEXT NOT NULL,
    forgiven_at INTEGER NOT NULL,
    salt        BLOB NOT NULL,
    seq         INTEGER NOT NULL,
    PRIMARY KEY (tenant, pseudonym)
) STRICT;
CREATE UNIQUE INDEX guesses_by_user ON guesses (tenant, user);
