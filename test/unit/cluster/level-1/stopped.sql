-- The database of one of its nodes, after a clean stop.
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
INSERT INTO definitions VALUES (1, 'order', 3, 0, 0, 1, 'elegant_close');
INSERT INTO definitions VALUES (2, 'close', 2, 8, 5, 1, 'pre_close');
INSERT INTO positions VALUES (1, 129, 130, 0);
INSERT INTO checkpoints VALUES (2, 9, 10, 0);
INSERT INTO segments VALUES (2, -1, 18, 10, 0);
INSERT INTO node VALUES (1, '{"membership":{"cluster":"5f442cc4-d797-4630-b030-5405830a11ec","node":"20466717-7b69-4fe7-aba8-e6d5975727c1","start":{"generation":1,"token":"0769c515-74cb-4caf-bca4-2bf69ba2b867"},"intended":[],"whereabouts":{"inode":"inode-1","born":"","machine":""},"sequence":3,"intendedSequence":3,"identity":"sqlite","timeline":"1","revision":"15","epoch":0,"namesRevision":"15"}}');
INSERT INTO runs VALUES (1, 0, 0, 99);
INSERT INTO runs VALUES (1, 100, 100, 1099);
INSERT INTO runs VALUES (2, 0, 0, 99);
PRAGMA application_id = 1316318532;
PRAGMA user_version = 2;
