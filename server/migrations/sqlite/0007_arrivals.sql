-- With which token each credential came in, by the token's own name (`jti`): an app that makes a key for each kind of
-- challenge enrols them all with one token, and is one phone.
CREATE TABLE arrivals (
    tenant     TEXT NOT NULL,
    credential TEXT NOT NULL,
    token      TEXT NOT NULL,
    salt       BLOB NOT NULL,
    seq        INTEGER NOT NULL,
    PRIMARY KEY (tenant, credential)
) STRICT;
