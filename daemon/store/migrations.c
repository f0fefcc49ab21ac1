/* Version 1: all that happens is a row of `log` and a row, with the same seq, of the table that `log.kind` names. What
 * belongs to such a row (units, slots, scores) has no seq of its own. Nothing is edited or deleted: triggers see to it.
 *
 * Hashes, runs and seeds are hex text, so that they can be read and copied; times are µs since 1970 (at_us,
 * received_us, started_us, finished_us) or on the rig's clock (commanded_us, onset_us). JSON is kept as text. */
#include "daemon/store/migrations.h"

#include <errno.h>
#include <stdio.h>

#include "daemon/store/database.h"
#include "daemon/store/sql.h"
#include "protocol/fields.h"

#define SEQ "seq INTEGER PRIMARY KEY REFERENCES log (seq)"

#define FINAL(table)                                                                                                   \
	"CREATE TRIGGER " table "_is_not_edited BEFORE UPDATE ON " table                                               \
	" BEGIN SELECT raise(ABORT, 'rows of a session file are never edited'); END;"                                  \
	"CREATE TRIGGER " table "_is_not_deleted BEFORE DELETE ON " table                                              \
	" BEGIN SELECT raise(ABORT, 'rows of a session file are never deleted'); END;"

/* clang-format off */
static const char *const version_1[] = {
	/* What the rig and the experiment are. */
	"CREATE TABLE log (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, at_us INTEGER NOT NULL) STRICT",
	"CREATE TABLE session (" SEQ ", session TEXT NOT NULL, name TEXT NOT NULL, seed TEXT NOT NULL, "
	"spec TEXT NOT NULL, config TEXT NOT NULL, config_hash TEXT NOT NULL, width_px INTEGER NOT NULL, "
	"height_px INTEGER NOT NULL) STRICT",
	"CREATE UNIQUE INDEX session_is_one ON session ((1))",
	"CREATE TABLE version (" SEQ ", name TEXT NOT NULL, version TEXT NOT NULL) STRICT",
	"CREATE TABLE state (" SEQ ", state TEXT NOT NULL, reason TEXT) STRICT",
	"CREATE TABLE run (" SEQ ", run INTEGER NOT NULL UNIQUE CHECK (run >= 1), id TEXT NOT NULL UNIQUE, "
	"received_us INTEGER NOT NULL) STRICT",
	"CREATE TABLE unit_change (" SEQ ", run INTEGER NOT NULL REFERENCES run (run), from_number INTEGER NOT NULL, "
	"fields TEXT NOT NULL) STRICT",
	"CREATE TABLE unit (unit INTEGER PRIMARY KEY, label TEXT NOT NULL, array INTEGER NOT NULL, "
	"added_seq INTEGER NOT NULL REFERENCES log (seq), from_run INTEGER NOT NULL, from_number INTEGER NOT NULL) "
	"STRICT",

	/* What the loop chose and what came of it. */
	"CREATE TABLE decision (" SEQ ", decision INTEGER NOT NULL UNIQUE CHECK (decision >= 1), kind TEXT NOT NULL, "
	"cause TEXT NOT NULL, saw_seq INTEGER NOT NULL, parent_model TEXT, pool_hash TEXT, "
	"units_planned INTEGER NOT NULL, units_done INTEGER NOT NULL, spec TEXT NOT NULL, outcome TEXT, "
	"outcome_hash TEXT, started_us INTEGER NOT NULL, finished_us INTEGER NOT NULL) STRICT",
	"CREATE TABLE image (" SEQ ", image TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, role TEXT NOT NULL, "
	"width_px INTEGER NOT NULL, height_px INTEGER NOT NULL, png BLOB NOT NULL, provenance TEXT, "
	"decision INTEGER REFERENCES decision (decision)) STRICT",
	"CREATE TABLE slot (decision INTEGER NOT NULL REFERENCES decision (decision), slot INTEGER NOT NULL, "
	"image INTEGER NOT NULL REFERENCES image (seq), kind TEXT NOT NULL, repeat INTEGER NOT NULL, "
	"requeued INTEGER NOT NULL, PRIMARY KEY (decision, slot)) STRICT, WITHOUT ROWID",
	"CREATE TABLE batch (" SEQ ", batch INTEGER NOT NULL CHECK (batch >= 1), origin TEXT NOT NULL, "
	"decision INTEGER NOT NULL REFERENCES decision (decision), saw_seq INTEGER NOT NULL, "
	"UNIQUE (batch, origin)) STRICT",
	"CREATE INDEX batch_of_decision ON batch (decision)",
	"CREATE TABLE handover (" SEQ ", batch INTEGER NOT NULL UNIQUE, origin TEXT NOT NULL, "
	"run INTEGER REFERENCES run (run), detail TEXT, "
	"FOREIGN KEY (batch, origin) REFERENCES batch (batch, origin)) STRICT",
	"CREATE TABLE model (" SEQ ", model TEXT NOT NULL, decision INTEGER NOT NULL UNIQUE "
	"REFERENCES decision (decision)) STRICT",
	"CREATE TABLE score (decision INTEGER NOT NULL REFERENCES decision (decision), image_set TEXT NOT NULL, "
	"tier TEXT NOT NULL, unit INTEGER NOT NULL, shown INTEGER NOT NULL, r2 REAL, r2_low REAL, r2_high REAL, "
	"r_mean REAL, r_single REAL, ceiling REAL, snr REAL, n_images INTEGER NOT NULL, "
	"n_presentations INTEGER NOT NULL, PRIMARY KEY (decision, image_set, tier, unit)) STRICT, WITHOUT ROWID",

	/* What the rig sent. */
	"CREATE TABLE presentation (" SEQ ", run INTEGER NOT NULL REFERENCES run (run), "
	"number INTEGER NOT NULL CHECK (number >= 1), trial INTEGER NOT NULL, position INTEGER NOT NULL, "
	"batch INTEGER REFERENCES handover (batch), slot INTEGER, image INTEGER NOT NULL REFERENCES image (seq), "
	"commanded_us INTEGER NOT NULL, onset_us INTEGER NOT NULL, onset_source TEXT NOT NULL, "
	"outcome TEXT NOT NULL, responses BLOB, mask BLOB, content_hash BLOB NOT NULL, "
	"received_us INTEGER NOT NULL, received_ns INTEGER NOT NULL, UNIQUE (run, number)) STRICT",
	"CREATE TABLE conflict (" SEQ ", run INTEGER NOT NULL REFERENCES run (run), number INTEGER NOT NULL, "
	"content_hash BLOB NOT NULL, fields TEXT NOT NULL, responses BLOB, mask BLOB, received_us INTEGER NOT NULL, "
	"UNIQUE (run, number, content_hash)) STRICT",
	"CREATE TABLE refusal (" SEQ ", run INTEGER NOT NULL REFERENCES run (run), number INTEGER, "
	"reason TEXT NOT NULL, fields TEXT, responses BLOB, mask BLOB, received_us INTEGER NOT NULL, "
	"UNIQUE (run, number)) STRICT",
	"CREATE TABLE amendment (" SEQ ", run INTEGER NOT NULL, number INTEGER NOT NULL, outcome TEXT, "
	"trial INTEGER, reason TEXT, FOREIGN KEY (run, number) REFERENCES presentation (run, number)) STRICT",
	"CREATE INDEX amendment_of_presentation ON amendment (run, number)",

	/* What people and the daemon itself had to say. */
	"CREATE TABLE note (" SEQ ", run INTEGER REFERENCES run (run), text TEXT NOT NULL, "
	"received_us INTEGER NOT NULL) STRICT",
	"CREATE TABLE command (" SEQ ", name TEXT NOT NULL, detail TEXT, fields TEXT) STRICT",
	"CREATE TABLE event (" SEQ ", kind TEXT NOT NULL, detail TEXT) STRICT",

	FINAL("log"),
	FINAL("session"),
	FINAL("version"),
	FINAL("state"),
	FINAL("run"),
	FINAL("unit_change"),
	FINAL("unit"),
	FINAL("decision"),
	FINAL("image"),
	FINAL("slot"),
	FINAL("batch"),
	FINAL("handover"),
	FINAL("model"),
	FINAL("score"),
	FINAL("presentation"),
	FINAL("conflict"),
	FINAL("refusal"),
	FINAL("amendment"),
	FINAL("note"),
	FINAL("command"),
	FINAL("event"),

	/* For people: names in place of keys, amendments applied. */
	"CREATE VIEW presentations AS SELECT p.seq, r.id AS run, p.number, "
	"coalesce((SELECT m.trial FROM amendment AS m WHERE m.run = p.run AND m.number = p.number "
	"AND m.trial IS NOT NULL ORDER BY m.seq DESC LIMIT 1), p.trial) AS trial, "
	"p.position, p.batch, p.slot, i.image, coalesce(s.kind, i.kind) AS kind, i.role, "
	SQL_OUTCOME_UPTO("p", "9223372036854775807") " AS outcome, p.outcome AS outcome_sent, "
	"p.onset_us, p.onset_us - p.commanded_us AS delay_us, p.onset_source, p.responses, p.mask "
	"FROM presentation AS p JOIN run AS r ON r.run = p.run JOIN image AS i ON i.seq = p.image "
	"LEFT JOIN handover AS h ON h.batch = p.batch "
	"LEFT JOIN batch AS b ON b.batch = h.batch AND b.origin = h.origin "
	"LEFT JOIN slot AS s ON s.decision = b.decision AND s.slot = p.slot",

	"CREATE VIEW scores AS SELECT d.decision, d.seq, d.saw_seq, s.image_set, s.tier, s.shown, "
	"CASE s.unit WHEN -1 THEN 'median' ELSE coalesce(u.label, s.unit) END AS unit, s.r2, s.r2_low, s.r2_high, "
	"s.r_mean, s.r_single, s.ceiling, s.snr, s.n_images, s.n_presentations "
	"FROM score AS s JOIN decision AS d ON d.decision = s.decision LEFT JOIN unit AS u ON u.unit = s.unit",

	/* A batch that was handed over, a row; r2 is of the model behind it, on the monitor images. */
	"CREATE VIEW batches AS WITH shown AS (SELECT batch, count(*) AS n FROM presentation GROUP BY batch), "
	"made AS (SELECT h.seq, h.batch, h.origin, b.decision, b.saw_seq, d.cause, d.units_done, d.started_us, "
	"CASE WHEN h.detail GLOB 'waited *' THEN cast(substr(h.detail, 8) AS REAL) END AS rig_wait_ms, "
	"d.finished_us, (SELECT max(m.decision) FROM model AS m WHERE m.model = d.parent_model "
	"AND m.decision < d.decision) AS fit "
	"FROM handover AS h JOIN batch AS b ON b.batch = h.batch AND b.origin = h.origin "
	"JOIN decision AS d ON d.decision = b.decision) "
	"SELECT m.batch, m.origin, m.cause, m.decision, m.fit, m.seq AS handover_seq, m.saw_seq, "
	"(SELECT count(*) FROM slot AS s WHERE s.decision = m.decision) AS n_slots, "
	"coalesce(w.n, 0) AS n_presentations, "
	"(SELECT count(*) FROM presentation AS p WHERE p.seq > m.saw_seq AND p.seq < m.seq) AS lag, "
	"(f.finished_us - f.started_us) / 1e6 AS fit_seconds, (m.finished_us - m.started_us) / 1e6 AS batch_seconds, "
	"m.rig_wait_ms, c.tier, c.r2, c.r2_low, c.r2_high, c.r_mean, c.ceiling "
	"FROM made AS m LEFT JOIN shown AS w ON w.batch = m.batch LEFT JOIN decision AS f ON f.decision = m.fit "
	"LEFT JOIN score AS c ON c.decision = m.fit AND c.image_set = 'monitor' AND c.shown AND c.unit = -1 "
	"ORDER BY m.batch",

	"CREATE VIEW images AS SELECT i.seq, i.image, i.kind, i.role, i.width_px, i.height_px, i.decision, "
	"(SELECT count(*) FROM presentation AS p WHERE p.image = i.seq) AS n_presentations, i.provenance, i.png "
	"FROM image AS i",

	"CREATE VIEW units AS SELECT u.unit, u.label, u.array, u.from_run, u.from_number, c.run AS until_run, "
	"c.from_number AS until_number FROM unit AS u LEFT JOIN (SELECT x.run, x.from_number, j.value AS unit "
	"FROM unit_change AS x JOIN json_each(x.fields, '$." FIELD_RETIRE "') AS j) AS c ON c.unit = u.unit",
	NULL,
};
/* clang-format on */

const struct migration migrations[] = {{version_1}};
const int migrations_n = sizeof migrations / sizeof migrations[0];

int migrations_version(sqlite3 *db, struct error *err, int *ret_version)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL);

	if (code)
		return database_error(db, code, err);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret_version = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? 0 : database_error(db, code, err);
}

int migrations_refuse(int version, int known, struct error *err)
{
	return error_set(err, -ENOTSUP,
			 "made by a newer program: version %d of the session file, this program knows up to %d",
			 version, known);
}

int migrations_run(sqlite3 *db, const struct migration *list, int n, struct error *err)
{
	char text[96];
	bool empty;
	int version;
	int r = migrations_version(db, err, &version);

	if (!r)
		r = database_is_empty(db, err, &empty);
	if (r)
		return r;
	if (version > n)
		return migrations_refuse(version, n, err);
	if (version < 0 || (!version && !empty))
		return error_set(err, -EINVAL, "not a session file (version 1 to %d expected, found %d)", n, version);
	for (; version < n; version++) {
		for (const char *const *statement = list[version].statements; !r && *statement; statement++)
			r = database_run(db, *statement, err);
		if (r)
			return error_prefix(err, r, "to version %d", version + 1);
	}
	snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %d", DATABASE_APPLICATION_ID, n);
	return database_run(db, text, err);
}
