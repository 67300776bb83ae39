-- What a server of schema version 2 left after a clean close, as it wrote it.
CREATE TABLE server (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    clean INTEGER NOT NULL
  ) STRICT;
CREATE TABLE definitions (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    type INTEGER NOT NULL,
    length INTEGER NOT NULL,
    starting INTEGER NOT NULL,
    step INTEGER NOT NULL,
    auto_disk TEXT NOT NULL
  ) STRICT;
CREATE TABLE positions (
    dispenser INTEGER PRIMARY KEY REFERENCES definitions ON DELETE CASCADE,
    last INTEGER NOT NULL,
    generated INTEGER NOT NULL,
    wasted INTEGER NOT NULL
  ) STRICT;
CREATE TABLE checkpoints (
    dispenser INTEGER PRIMARY KEY REFERENCES definitions ON DELETE CASCADE,
    last INTEGER NOT NULL,
    generated INTEGER NOT NULL,
    wasted INTEGER NOT NULL
  ) STRICT;
CREATE TABLE segments (
    dispenser INTEGER NOT NULL REFERENCES definitions ON DELETE CASCADE,
    previous INTEGER NOT NULL,
    last INTEGER NOT NULL,
    generated INTEGER NOT NULL,
    wasted INTEGER NOT NULL,
    PRIMARY KEY (dispenser, last)
  ) STRICT, WITHOUT ROWID;
CREATE TABLE node (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    state TEXT NOT NULL
  ) STRICT;
CREATE TABLE runs (
    dispenser INTEGER NOT NULL REFERENCES definitions ON DELETE CASCADE,
    own INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (dispenser, own)
  ) STRICT, WITHOUT ROWID;
INSERT INTO server VALUES (1, 3);
INSERT INTO definitions VALUES (1, 'memory', 3, 0, 0, 1, 'memory');
INSERT INTO definitions VALUES (2, 'base', 3, 0, 100, 5, 'pre-base');
INSERT INTO definitions VALUES (3, 'checkpoint', 3, 0, 0, 1, 'pre-checkpoint');
INSERT INTO definitions VALUES (4, 'elegant', 2, 6, 7, 1, 'elegant_close');
INSERT INTO definitions VALUES (5, 'close', 3, 0, 9223372036854775000, 1, 'pre_close');
INSERT INTO definitions VALUES (6, 'ended', 2, 2, 98, 1, 'pre-base');
INSERT INTO definitions VALUES (7, 'random', 1, 5, 0, 0, 'elegant_close');
INSERT INTO definitions VALUES (8, 'fresh', 3, 0, 0, 3, 'elegant_close');
INSERT INTO definitions VALUES (9, 'was_durable', 3, 0, 0, 1, 'memory');
INSERT INTO definitions VALUES (11, 'größe', 3, 0, 0, 1, 'elegant_close');
INSERT INTO positions VALUES (4, 5002, 310, 4693);
INSERT INTO positions VALUES (7, -1, 300, 0);
INSERT INTO positions VALUES (9, 299, 300, 0);
INSERT INTO positions VALUES (11, 299, 300, 0);
INSERT INTO checkpoints VALUES (3, 365, 350, 16);
INSERT INTO checkpoints VALUES (5, 299, 300, 0);
INSERT INTO segments VALUES (2, 201, 321, 201, 0);
INSERT INTO segments VALUES (2, 321, 481, 300, 182);
INSERT INTO segments VALUES (3, 363, 383, 350, 14);
INSERT INTO segments VALUES (5, 220, 340, 241, 0);
INSERT INTO segments VALUES (6, 0, 1, 2, 0);
PRAGMA application_id = 1316318532;
PRAGMA user_version = 2;
