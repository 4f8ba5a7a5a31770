-- Who leads: one row. Every append checks it in its own transaction.
CREATE TABLE leadership (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL CHECK (epoch >= 0)
) STRICT;
INSERT INTO leadership (one, epoch) VALUES (1, 0);

-- The memory. Append-only; the columns are the envelope, hashed as they are stored.
-- The rowid is the order of appends across streams.
CREATE TABLE entry (
    id      INTEGER PRIMARY KEY,
    v       INTEGER NOT NULL,
    stream  TEXT    NOT NULL,
    seq     INTEGER NOT NULL CHECK (seq >= 0),
    prev    TEXT    NOT NULL,
    wall    TEXT    NOT NULL,
    boot    TEXT    NOT NULL,
    mono    INTEGER NOT NULL,
    process TEXT    NOT NULL,
    epoch   INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    body    TEXT    NOT NULL,
    UNIQUE (stream, seq)
) STRICT;

-- Creates that were found absent are looked for again for a day; see Reader::unsettled_runs.
CREATE INDEX entry_settled ON entry (wall) WHERE kind = 'EffectSettled';

-- The last entry of each stream and its hash. Without it the last entry could be changed or cut
-- off unseen, since a chain only protects what has a successor.
CREATE TABLE head (
    stream TEXT PRIMARY KEY,
    seq    INTEGER NOT NULL,
    hash   TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- An index of runs: a fold over their entries, kept in the same transaction, rebuilt at will.
CREATE TABLE run (
    run       TEXT PRIMARY KEY,
    drill     TEXT NOT NULL,
    slot      TEXT,
    trigger   TEXT NOT NULL,
    opened    TEXT NOT NULL,
    ended     TEXT,
    verdict   TEXT,
    leftovers TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A slot of a drill runs at most once.
CREATE UNIQUE INDEX run_slot ON run (drill, slot) WHERE slot IS NOT NULL;
CREATE INDEX run_opened ON run (opened);
