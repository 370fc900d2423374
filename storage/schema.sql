-- The store of one node. Every commit leaves it at the state of its own vector.
-- 64-bit unsigned numbers are kept as the signed number with the same bits.
-- It is run on an older file too: what is missing is added, and what is there stays.
-- There is no index on keys: the map in memory serves lookups, and an index halves the write rate.

-- Origins are 16 bytes; the other tables name them by a small number, 1 to n without gaps.
CREATE TABLE IF NOT EXISTS origin (
	idx INTEGER PRIMARY KEY,
	id BLOB NOT NULL UNIQUE CHECK (length(id) = 16)
) STRICT;

-- Live entries: the dot (o, s) put `val` at `key`.
CREATE TABLE IF NOT EXISTS entry (
	o INTEGER NOT NULL,
	s INTEGER NOT NULL,
	key BLOB NOT NULL,
	hlc INTEGER NOT NULL,
	val BLOB NOT NULL,
	PRIMARY KEY (o, s)
) STRICT, WITHOUT ROWID;

-- The kill log: the event (ko, ks) killed the entry (vo, vs).
CREATE TABLE IF NOT EXISTS kill (
	ko INTEGER NOT NULL,
	ks INTEGER NOT NULL,
	vo INTEGER NOT NULL,
	vs INTEGER NOT NULL,
	PRIMARY KEY (ko, ks, vo, vs)
) STRICT, WITHOUT ROWID;

-- The vector: events 1..n of an origin are in; kill records up to `floor` have been cut.
CREATE TABLE IF NOT EXISTS vec (
	o INTEGER PRIMARY KEY,
	n INTEGER NOT NULL,
	floor INTEGER NOT NULL,
	chain INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS setting (
	name BLOB PRIMARY KEY NOT NULL,
	text BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What this node's own configuration file last said of each child ("default/web"): no peer has it.
CREATE TABLE IF NOT EXISTS declared (
	ref BLOB PRIMARY KEY NOT NULL,
	digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;

PRAGMA application_id = 1215263332; -- "Hord", as `file` shows it
PRAGMA user_version = 2;
