package log

// steps are the tables, as [store.DB.Migrate] takes them.
//
// The number of an event is that of its room, times 2^40, plus where it came in there. So
// numbers, which are all that the index of words knows, select a room, and are in the order of arrival.
var steps = []string{`
CREATE TABLE chat_rooms (
	n         INTEGER PRIMARY KEY,
	id        BLOB NOT NULL UNIQUE,
	unread    INTEGER NOT NULL DEFAULT 0,          -- events that count, above what was read
	read_time INTEGER NOT NULL DEFAULT 0,
	read_id   BLOB NOT NULL DEFAULT (zeroblob(32)),
	expired   INTEGER NOT NULL DEFAULT 0           -- below this time payloads are erased
) STRICT;
CREATE TABLE chat_names (                              -- devices and authors
	n  INTEGER PRIMARY KEY,
	id BLOB NOT NULL UNIQUE
) STRICT;
CREATE TABLE chat_events (
	n       INTEGER PRIMARY KEY,
	room    INTEGER NOT NULL,
	time    INTEGER NOT NULL,
	id      BLOB NOT NULL,
	device  INTEGER NOT NULL,
	author  INTEGER NOT NULL,
	seq     INTEGER NOT NULL,
	kind    INTEGER NOT NULL,
	status  INTEGER NOT NULL,
	flags   INTEGER NOT NULL,
	due     INTEGER,                               -- from then on the payload is erased
	parents BLOB NOT NULL,
	bytes   BLOB NOT NULL,
	payload BLOB,                                  -- NULL once it was erased
	text    TEXT                                   -- NULL if there is nothing to search
) STRICT;
CREATE UNIQUE INDEX chat_by_key ON chat_events (room, time, id);
CREATE INDEX chat_by_id ON chat_events (substr(id, 1, 8));
CREATE INDEX chat_by_due ON chat_events (due) WHERE due IS NOT NULL;
CREATE INDEX chat_held ON chat_events (room, time) WHERE status = 3;
CREATE VIEW chat_words AS SELECT n, text, author FROM chat_events WHERE text IS NOT NULL;
CREATE VIRTUAL TABLE chat_text USING fts5(
	text, author,
	content='chat_words', content_rowid='n', tokenize='unicode61 remove_diacritics 2', prefix='2'
);
INSERT INTO chat_text (chat_text, rank) VALUES ('secure-delete', 1);
CREATE TABLE chat_heads (                              -- events that are nobody's parents
	room INTEGER NOT NULL,
	id   BLOB NOT NULL,
	PRIMARY KEY (room, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE chat_marks (
	room           INTEGER NOT NULL,
	device         BLOB NOT NULL,
	stamp          INTEGER NOT NULL,               -- the last writer wins
	read_time      INTEGER NOT NULL,
	read_id        BLOB NOT NULL,
	delivered_time INTEGER NOT NULL,
	delivered_id   BLOB NOT NULL,
	bytes          BLOB NOT NULL,
	n              INTEGER NOT NULL,               -- when it came, in the room
	PRIMARY KEY (room, device)
) STRICT;
CREATE UNIQUE INDEX chat_marks_by_number ON chat_marks (room, n);
CREATE TABLE chat_outbox (
	n INTEGER PRIMARY KEY                          -- of an event that nobody has been given
) STRICT`, `
ALTER TABLE chat_events ADD COLUMN node BLOB;          -- for who says what a room means
ALTER TABLE chat_events ADD COLUMN target BLOB;        -- the event that it is about
CREATE INDEX chat_control ON chat_events (n) WHERE kind < 128;
CREATE INDEX chat_about ON chat_events (substr(target, 1, 8)) WHERE target IS NOT NULL;
CREATE INDEX chat_waiting ON chat_events (n) WHERE flags & 4;
CREATE TABLE chat_tips (                               -- how far the events of each device go
	room   INTEGER NOT NULL,
	device BLOB NOT NULL,
	id     BLOB NOT NULL,
	seq    INTEGER NOT NULL,
	fork   INTEGER NOT NULL,
	PRIMARY KEY (room, device)
) STRICT, WITHOUT ROWID`, `
CREATE INDEX chat_pins ON chat_events (room, time, id) WHERE kind = 133`, `
CREATE TABLE chat_device_prekeys (                               -- prekeys of devices
	room   INTEGER NOT NULL,
	device BLOB NOT NULL,
	time   INTEGER NOT NULL,
	bytes  BLOB NOT NULL,
	n      INTEGER NOT NULL,                       -- when it came, in the room; marks and these are counted together
	PRIMARY KEY (room, device, time)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX chat_device_prekeys_by_number ON chat_device_prekeys (room, n)`, `
CREATE INDEX chat_files ON chat_events (room, time, id) WHERE kind = 132`}

const roomShift = 40

// The flags.
const (
	flagCounts = 1 << iota
	flagKeep
	flagWaiting
)
