/* Every SQL statement of the session file, named once. Parameters are bound in the order of their numbers; the columns
 * of a SELECT are listed in an enum beside the function that reads them. The tables are in migrations.c. */
#ifndef EVOKED_DAEMON_STORE_SQL_H
#define EVOKED_DAEMON_STORE_SQL_H

/* As SQL is read. */
/* clang-format off */
/* What a presentation's outcome is once amendments up to log row `upto` count. */
#define SQL_OUTCOME_UPTO(presentation, upto) \
	"coalesce((SELECT m.outcome FROM amendment AS m WHERE m.run = " presentation ".run AND m.number = " \
	presentation ".number AND m.outcome IS NOT NULL AND m.seq <= " upto \
	" ORDER BY m.seq DESC LIMIT 1), " presentation ".outcome)"

#define SQL_COMPLETE "'complete'"

#define SQL_STATEMENTS(X) \
	X(SQL_BEGIN, "BEGIN IMMEDIATE") \
	X(SQL_BEGIN_READ, "BEGIN") \
	X(SQL_COMMIT, "COMMIT") \
	X(SQL_ROLLBACK, "ROLLBACK") \
	X(SQL_SAVEPOINT, "SAVEPOINT operation") \
	X(SQL_RELEASE, "RELEASE operation") \
	X(SQL_ROLLBACK_TO, "ROLLBACK TO operation") \
	X(SQL_LAST_SEQ, "SELECT coalesce(max(seq), 0) FROM log") \
	\
	X(SQL_PUT_LOG, "INSERT INTO log (seq, kind, at_us) VALUES (?1, ?2, ?3)") \
	X(SQL_PUT_SESSION, "INSERT INTO session (seq, session, name, seed, spec, config, config_hash, width_px, " \
			   "height_px) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)") \
	X(SQL_PUT_VERSION, "INSERT INTO version (seq, name, version) VALUES (?1, ?2, ?3)") \
	X(SQL_LAST_VERSION, "SELECT version FROM version WHERE name = ?1 ORDER BY seq DESC LIMIT 1") \
	X(SQL_PUT_STATE, "INSERT INTO state (seq, state, reason) VALUES (?1, ?2, ?3)") \
	X(SQL_PUT_RUN, "INSERT INTO run (seq, run, id, received_us) VALUES (?1, ?2, ?3, ?4)") \
	X(SQL_FIND_RUN, "SELECT run FROM run WHERE id = ?1") \
	X(SQL_LAST_RUN, "SELECT coalesce(max(run), 0) FROM run") \
	X(SQL_PUT_UNIT_CHANGE, \
	  "INSERT INTO unit_change (seq, run, from_number, fields) VALUES (?1, ?2, ?3, ?4)") \
	X(SQL_PUT_UNITS, "INSERT INTO unit (unit, label, array, added_seq, from_run, from_number) " \
			 "SELECT json_extract(value, '$." FIELD_ID "'), json_extract(value, '$." FIELD_LABEL "'), " \
			 "json_extract(value, '$." FIELD_ARRAY "'), ?1, ?2, ?3 FROM json_each(?4, ?5)") \
	X(SQL_LAST_UNIT_CHANGE, "SELECT fields FROM unit_change WHERE run = ?1 AND from_number = ?2 " \
				"ORDER BY seq DESC LIMIT 1") \
	\
	X(SQL_PUT_IMAGE, "INSERT INTO image (seq, image, kind, role, width_px, height_px, png, provenance, decision) " \
			 "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)") \
	X(SQL_FIND_IMAGE, "SELECT seq FROM image WHERE image = ?1") \
	X(SQL_READ_IMAGE, "SELECT png FROM image WHERE image = ?1") \
	\
	X(SQL_PUT_DECISION, "INSERT INTO decision (seq, decision, kind, cause, saw_seq, parent_model, pool_hash, " \
			    "units_planned, units_done, spec, outcome, outcome_hash, started_us, finished_us) VALUES " \
			    "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)") \
	X(SQL_PUT_SLOT, "INSERT INTO slot (decision, slot, image, kind, repeat, requeued) " \
			"VALUES (?1, ?2, ?3, ?4, ?5, ?6)") \
	X(SQL_COUNT_SLOTS, "SELECT count(*) FROM slot WHERE decision = ?1") \
	X(SQL_PUT_BATCH, "INSERT INTO batch (seq, batch, origin, decision, saw_seq) VALUES (?1, ?2, ?3, ?4, ?5)") \
	X(SQL_FIND_BATCH, "SELECT decision FROM batch WHERE batch = ?1 AND origin = ?2") \
	X(SQL_PUT_HANDOVER, "INSERT INTO handover (seq, batch, origin, run, detail) VALUES (?1, ?2, ?3, ?4, ?5)") \
	X(SQL_FIND_HANDOVER, "SELECT origin FROM handover WHERE batch = ?1") \
	X(SQL_FIND_SHOWN, "SELECT s.image, i.image FROM handover AS h " \
			  "JOIN batch AS b ON b.batch = h.batch AND b.origin = h.origin " \
			  "JOIN slot AS s ON s.decision = b.decision " \
			  "JOIN image AS i ON i.seq = s.image WHERE h.batch = ?1 AND s.slot = ?2") \
	X(SQL_PUT_MODEL, "INSERT INTO model (seq, model, decision) VALUES (?1, ?2, ?3)") \
	X(SQL_PUT_SCORE, "INSERT INTO score (decision, image_set, tier, unit, shown, r2, r2_low, r2_high, r_mean, " \
			 "r_single, ceiling, snr, n_images, n_presentations) VALUES " \
			 "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)") \
	\
	X(SQL_PUT_PRESENTATION, \
	  "INSERT INTO presentation (seq, run, number, trial, position, batch, slot, image, commanded_us, onset_us, " \
	  "onset_source, outcome, responses, mask, content_hash, received_us, received_ns) VALUES " \
	  "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)") \
	X(SQL_FIND_PRESENTATION, "SELECT content_hash FROM presentation WHERE run = ?1 AND number = ?2") \
	X(SQL_PUT_CONFLICT, "INSERT INTO conflict (seq, run, number, content_hash, fields, responses, mask, " \
			    "received_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)") \
	X(SQL_FIND_CONFLICT, "SELECT 1 FROM conflict WHERE run = ?1 AND number = ?2 AND content_hash = ?3") \
	X(SQL_PUT_REFUSAL, "INSERT INTO refusal (seq, run, number, reason, fields, responses, mask, received_us) " \
			   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)") \
	X(SQL_FIND_REFUSAL, "SELECT reason FROM refusal WHERE run = ?1 AND number = ?2") \
	X(SQL_PUT_AMENDMENT, "INSERT INTO amendment (seq, run, number, outcome, trial, reason) " \
			     "VALUES (?1, ?2, ?3, ?4, ?5, ?6)") \
	X(SQL_LAST_AMENDMENT, "SELECT outcome IS ?3 AND trial IS ?4 AND reason IS ?5 FROM amendment " \
			      "WHERE run = ?1 AND number = ?2 ORDER BY seq DESC LIMIT 1") \
	X(SQL_PUT_NOTE, "INSERT INTO note (seq, run, text, received_us) VALUES (?1, ?2, ?3, ?4)") \
	X(SQL_PUT_COMMAND, "INSERT INTO command (seq, name, detail, fields) VALUES (?1, ?2, ?3, ?4)") \
	X(SQL_PUT_EVENT, "INSERT INTO event (seq, kind, detail) VALUES (?1, ?2, ?3)") \
	\
	/* Each branch is read in the order of its key, so that the merge needs no sort. */ \
	X(SQL_PAGE, \
	  "SELECT i.seq, 0, i.image, i.kind, i.role, i.png, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL " \
	  "FROM image AS i WHERE i.seq > ?1 AND i.seq <= ?2 " \
	  "UNION ALL " \
	  "SELECT p.seq, 1, i.image, NULL, NULL, NULL, p.run, r.id, p.number, p.batch, p.slot, p.responses, p.mask, " \
	  "NULL FROM presentation AS p JOIN image AS i ON i.seq = p.image JOIN run AS r ON r.run = p.run " \
	  "WHERE p.seq > ?1 AND p.seq <= ?2 AND p.outcome = " SQL_COMPLETE " " \
	  "UNION ALL " \
	  "SELECT a.seq, CASE a.outcome WHEN " SQL_COMPLETE " THEN 1 ELSE 2 END, i.image, NULL, NULL, NULL, p.run, " \
	  "r.id, p.number, p.batch, p.slot, p.responses, p.mask, " \
	  "(SELECT coalesce(max(b.seq), p.seq) FROM amendment AS b WHERE b.run = a.run AND b.number = a.number " \
	  "AND b.seq < a.seq AND b.outcome = " SQL_COMPLETE " AND " SQL_OUTCOME_UPTO("p", "(b.seq - 1)") \
	  " <> " SQL_COMPLETE ") " \
	  "FROM amendment AS a JOIN presentation AS p ON p.run = a.run AND p.number = a.number " \
	  "JOIN image AS i ON i.seq = p.image JOIN run AS r ON r.run = p.run " \
	  "WHERE a.seq > ?1 AND a.seq <= ?2 AND a.outcome IS NOT NULL AND " \
	  "(a.outcome = " SQL_COMPLETE ") <> (" SQL_OUTCOME_UPTO("p", "(a.seq - 1)") " = " SQL_COMPLETE ") " \
	  "ORDER BY 1") \
	\
	X(SQL_READ_SESSION, "SELECT session, name, seed, spec, config, config_hash, width_px, height_px, " \
			    "(SELECT at_us FROM log WHERE log.seq = session.seq), " \
			    "(SELECT state FROM state ORDER BY seq DESC LIMIT 1) FROM session") \
	X(SQL_READ_UNIT_CHANGES, "SELECT run, fields FROM unit_change ORDER BY seq") \
	X(SQL_READ_RUNS, "SELECT run, id FROM run ORDER BY run") \
	X(SQL_READ_SETTLED, "SELECT number FROM presentation WHERE run = ?1 UNION SELECT number FROM refusal " \
			    "WHERE run = ?1 AND number IS NOT NULL ORDER BY 1") \
	X(SQL_READ_COUNTS, \
	  "SELECT (SELECT count(*) FROM presentation), " \
	  "(SELECT count(*) FROM presentation AS p WHERE " \
	  SQL_OUTCOME_UPTO("p", "(SELECT max(seq) FROM log)") " = " SQL_COMPLETE "), " \
	  "(SELECT count(*) FROM refusal), (SELECT count(*) FROM conflict), " \
	  "(SELECT coalesce(max(decision), 0) FROM decision), (SELECT coalesce(max(batch), 0) FROM batch), " \
	  "(SELECT model FROM model ORDER BY seq DESC LIMIT 1), " \
	  "(SELECT pool_hash FROM decision WHERE kind = ?1 AND pool_hash IS NOT NULL ORDER BY seq LIMIT 1)") \
	X(SQL_LAST_HANDOVER, "SELECT batch, origin FROM handover ORDER BY batch DESC LIMIT 1") \
	X(SQL_READ_BATCHES, "SELECT batch, origin, decision, saw_seq FROM batch WHERE batch >= ?1 " \
			    "ORDER BY batch, origin") \
	X(SQL_READ_STOCK, "SELECT 0, ?1, d.decision, d.saw_seq FROM decision AS d WHERE " \
			  "EXISTS (SELECT 1 FROM slot AS s WHERE s.decision = d.decision) AND " \
			  "NOT EXISTS (SELECT 1 FROM batch AS b WHERE b.decision = d.decision) ORDER BY d.decision") \
	X(SQL_READ_SLOTS, "SELECT s.slot, i.image, s.kind, s.repeat, s.requeued FROM slot AS s " \
			  "JOIN image AS i ON i.seq = s.image WHERE s.decision = ?1 ORDER BY s.slot") \
	X(SQL_READ_COMMANDS, "SELECT name, detail, fields FROM (SELECT * FROM command ORDER BY seq DESC LIMIT ?1) " \
			     "ORDER BY seq") \
	X(SQL_READ_DECISION, "SELECT seq, decision, kind, cause, saw_seq, parent_model, pool_hash, units_planned, " \
			     "units_done, spec, outcome, outcome_hash, " \
			     "(SELECT model FROM model AS m WHERE m.decision = decision.decision), " \
			     "started_us, finished_us FROM decision WHERE decision > ?1 ORDER BY decision LIMIT 1") \
	X(SQL_READ_SCORES, "SELECT image_set, tier, shown, unit, r2, r2_low, r2_high, r_mean, r_single, ceiling, snr, " \
			   "n_images, n_presentations FROM score WHERE decision = ?1 " \
			   "ORDER BY image_set, tier, unit") \
	\
	/* Tables for people, in the order of enum reader_table. */ \
	X(SQL_TABLE_BATCHES, "SELECT * FROM batches") \
	X(SQL_TABLE_SCORES, "SELECT * FROM scores ORDER BY decision, image_set, tier, unit <> 'median', unit") \
	X(SQL_TABLE_PRESENTATIONS, "SELECT seq, run, number, trial, position, batch, slot, image, kind, role, " \
				   "outcome, outcome_sent, onset_us, delay_us, onset_source FROM presentations " \
				   "ORDER BY seq") \
	X(SQL_TABLE_IMAGES, "SELECT seq, image, kind, role, width_px, height_px, decision, n_presentations, " \
			    "provenance FROM images ORDER BY seq") \
	X(SQL_TABLE_UNITS, "SELECT * FROM units ORDER BY unit") \
	X(SQL_TABLE_DECISIONS, "SELECT seq, decision, kind, cause, saw_seq, parent_model, units_planned, units_done, " \
			       "outcome_hash, started_us, (finished_us - started_us) / 1e6 AS seconds FROM decision " \
			       "ORDER BY decision") \
	X(SQL_TABLE_RUNS, "SELECT * FROM run ORDER BY run") \
	X(SQL_TABLE_AMENDMENTS, "SELECT * FROM amendment ORDER BY seq") \
	X(SQL_TABLE_REFUSALS, "SELECT seq, run, number, reason, fields, received_us FROM refusal ORDER BY seq") \
	X(SQL_TABLE_CONFLICTS, "SELECT seq, run, number, fields, received_us FROM conflict ORDER BY seq") \
	X(SQL_TABLE_COMMANDS, "SELECT c.seq, at_us, name, detail, fields FROM command AS c JOIN log USING (seq) " \
			      "ORDER BY c.seq") \
	X(SQL_TABLE_NOTES, "SELECT * FROM note ORDER BY seq") \
	X(SQL_TABLE_EVENTS, "SELECT e.seq, at_us, e.kind, detail FROM event AS e JOIN log USING (seq) ORDER BY e.seq") \
	X(SQL_TABLE_STATES, "SELECT s.seq, at_us, state, reason FROM state AS s JOIN log USING (seq) ORDER BY s.seq") \
	X(SQL_TABLE_VERSIONS, "SELECT v.seq, at_us, name, version FROM version AS v JOIN log USING (seq) " \
			      "ORDER BY v.seq") \
	\
	X(SQL_READ_CONTENT, "SELECT r.id, p.number, p.trial, p.position, p.batch, p.slot, i.image, p.commanded_us, " \
			    "p.onset_us, p.onset_source, p.outcome, p.responses, p.mask, p.content_hash " \
			    "FROM presentation AS p JOIN run AS r ON r.run = p.run " \
			    "JOIN image AS i ON i.seq = p.image ORDER BY p.seq") \
	X(SQL_CHECK_PAGES, "PRAGMA integrity_check(16)") \
	X(SQL_CHECK_KEYS, "SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT 16") \
	X(SQL_CHECK_LOG, "SELECT kind, count(*) FROM log GROUP BY kind") \
	X(SQL_CHECK_GAPS, "SELECT max(seq), count(*) FROM log")
/* clang-format on */

#define SQL_ENUM(name, text) name,
enum sql_id { SQL_STATEMENTS(SQL_ENUM) SQL_N };

#endif
