/* Snapshots that come from elsewhere: what is taken, what is refused, what is loaded. */
#include <fcntl.h>
#include <sqlite3.h>

#include "tests/unit/storage/snapshots_scene.h"

TestSuite(snapshots_received, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- received ------------------------------------------------------------------------------ */

static enum err receive(const char *id, const char *bytes, size_t length, const char *checksum)
{
	struct snapshots_upload *u;
	struct snapshots_job *job;

	cr_assert_eq(snapshots_receive(snapshots, id, &u), ERR_OK);
	for (size_t at = 0; at < length; at += 1000)
		cr_assert_eq(
			snapshots_write(u, bytes + at, length - at < 1000 ? length - at : 1000),
			ERR_OK);
	cr_assert_eq(snapshots_finish(u, checksum, &job), ERR_OK);
	return finish_job(job, false);
}

Test(snapshots_received, a_received_one_is_kept_byte_for_byte)
{
	size_t length, length_then;
	char *bytes, *then;

	commit();
	cr_assert_eq(create("a"), ERR_OK);
	bytes = read_file_of("a.db", &length);
	cr_assert_eq(receive("b", bytes, length, NULL), ERR_OK);
	cr_assert_eq(receive("c", bytes, length, snapshots_find(snapshots, "a")->checksum), ERR_OK);
	then = read_file_of("b.db", &length_then);
	cr_assert_eq(length, length_then);
	cr_assert_arr_eq(bytes, then, length);
	cr_assert_str_eq(
		snapshots_find(snapshots, "b")->checksum, snapshots_find(snapshots, "a")->checksum);
	free(bytes);
	free(then);
}

/* A store that was copied by hand has a log in its header, and is taken all the same. */
Test(snapshots_received, the_file_of_a_stopped_daemon_is_one_too)
{
	size_t length;
	char *bytes;
	struct store copy;

	commit();
	store_close(store);
	bytes = read_whole(path_in(directory, SQLITE_FILE), &length);
	cr_assert_eq(bytes[18], 2);
	cr_assert_eq(receive("a", bytes, length, NULL), ERR_OK);
	free(bytes);
	cr_assert_eq(sqlite_open_snapshot(file_of("a.db"), &copy), ERR_OK);
	cr_assert_eq(numbered_state(copy), 1);
	store_close(copy);
	cr_assert_eq(files(), 2);
	MUST(!sqlite_open(path_in(directory, SQLITE_FILE), &store, NULL));
}

/* The bytes of a good one after some SQL. */
static char *changed_by(const char *sql, size_t *ret_length)
{
	sqlite3 *db;
	char *bytes;

	cr_assert_eq(create("good"), ERR_OK);
	MUST(!sqlite3_open(file_of("good.db"), &db) && !sqlite3_exec(db, sql, NULL, NULL, NULL));
	MUST(!sqlite3_close(db));
	bytes = read_file_of("good.db", ret_length);
	cr_assert_eq(snapshots_delete(snapshots, "good"), ERR_OK);
	return bytes;
}

static void expect_refused(char *bytes, size_t length, enum err wanted, const char *what)
{
	enum err e = receive("bad", bytes, length, NULL);

	cr_assert_eq(e, wanted, "%s: %s", what, err_text(e));
	cr_assert_eq(files(), 0);
	cr_assert_eq(snapshots_count(snapshots), 0);
	free(bytes);
}

Test(snapshots_received, what_is_no_store_is_refused_and_leaves_nothing)
{
	static const struct {
		const char *sql;
		enum err e;
	} rows[] = {
		{"PRAGMA application_id = 7", ERR_STORAGE_CORRUPT},
		{"PRAGMA user_version = 99", ERR_STORAGE_VERSION},
		{"DROP TABLE kill", ERR_STORAGE_CORRUPT},
		{"ALTER TABLE vec RENAME COLUMN floor TO ceiling", ERR_STORAGE_CORRUPT},
		{"CREATE TRIGGER t AFTER INSERT ON entry BEGIN SELECT 1; END", ERR_STORAGE_CORRUPT},
		{"CREATE VIEW v AS SELECT 1", ERR_STORAGE_CORRUPT},
		{"DROP TABLE setting; CREATE VIEW setting AS SELECT 'a' AS name, 'b' AS text",
			ERR_STORAGE_CORRUPT},
		{"INSERT INTO origin VALUES (7, x'00112233445566778899aabbccddeeff')",
			ERR_STORAGE_CORRUPT},
	};
	size_t length;
	char *bytes;

	commit();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bytes = changed_by(rows[i].sql, &length);
		expect_refused(bytes, length, rows[i].e, rows[i].sql);
	}
	expect_refused(strdup("no database at all, but long enough to be read as one"), 40,
		ERR_STORAGE_CORRUPT, "rubbish");
	expect_refused(strdup(""), 0, ERR_STORAGE_CORRUPT, "nothing");
	bytes = changed_by("SELECT 1", &length);
	expect_refused(bytes, length / 4096 / 2 * 4096, ERR_STORAGE_CORRUPT, "half of it");
	bytes = changed_by("SELECT 1", &length);
	memset(bytes + length / 2, 'x', length / 4);
	expect_refused(bytes, length, ERR_STORAGE_CORRUPT, "damaged pages");
}

Test(snapshots_received, another_checksum_than_was_said_is_refused)
{
	size_t length;
	char *bytes = changed_by("SELECT 1", &length);

	cr_assert_eq(
		receive("a", bytes, length, "00112233445566778899aabbccddeeff"), ERR_MALFORMED);
	cr_assert_eq(files(), 0);
	free(bytes);
}

Test(snapshots_received, more_bytes_than_the_limit_are_refused)
{
	struct snapshots_upload *u;

	cr_assert_eq(snapshots_receive(snapshots, "a", &u), ERR_OK);
	cr_assert_eq(snapshots_write(u, "x", 1), ERR_OK);
	cr_assert_eq(snapshots_write(u, "", SNAPSHOT_BYTES_MAX), ERR_LIMIT);
	snapshots_abort(u);
	cr_assert_eq(files(), 0);
}

/* ---- loaded -------------------------------------------------------------------------------- */

struct loaded {
	uint64_t state;
	bool freed;
};

static enum err load_state(void *data, struct store s)
{
	((struct loaded *)data)->state = numbered_state(s);
	return ERR_OK;
}

static enum err load_nothing(void *data, struct store s)
{
	(void)data;
	(void)s;
	return ERR_NO_MEMORY;
}

static void mark_freed(void *data)
{
	((struct loaded *)data)->freed = true;
}

Test(snapshots_received, a_load_gets_the_store_and_its_data_go_with_the_job)
{
	struct loaded loaded = {0};
	struct snapshots_job *job;

	commit();
	commit();
	cr_assert_eq(create("a"), ERR_OK);
	commit();
	cr_assert_eq(snapshots_load(snapshots, "b", load_state, &loaded, mark_freed, &job),
		ERR_NOT_FOUND);
	cr_assert_not(loaded.freed);
	cr_assert_eq(snapshots_load(snapshots, "a", load_state, &loaded, mark_freed, &job), ERR_OK);
	cr_assert_str_eq(snapshots_job_id(job), "a");
	cr_assert_eq(snapshots_job_data(job), &loaded);
	cr_assert_neq(snapshots_job_ticket(job), 0);
	cr_assert_eq(finish_job(job, false), ERR_OK);
	cr_assert_eq(loaded.state, 2);
	cr_assert(loaded.freed);
	cr_assert_eq(
		snapshots_load(snapshots, "a", load_nothing, &loaded, mark_freed, &job), ERR_OK);
	cr_assert_eq(finish_job(job, false), ERR_NO_MEMORY);
}

/* SQLite itself sees nothing: it is a byte of a counter that changes. */
Test(snapshots_received, one_that_has_changed_on_the_disk_is_not_loaded)
{
	struct loaded loaded = {0};
	struct snapshots_job *job;
	int fd;

	commit();
	cr_assert_eq(create("a"), ERR_OK);
	fd = open(file_of("a.db"), O_RDWR);
	MUST(fd >= 0 && pwrite(fd, "x", 1, 24) == 1 && !close(fd));
	cr_assert_eq(snapshots_load(snapshots, "a", load_state, &loaded, mark_freed, &job), ERR_OK);
	cr_assert_eq(finish_job(job, false), ERR_STORAGE_CORRUPT);
	MUST(!unlink(file_of("a.db")));
	cr_assert_eq(snapshots_load(snapshots, "a", load_state, &loaded, mark_freed, &job), ERR_OK);
	cr_assert_eq(finish_job(job, false), ERR_NOT_FOUND);
	cr_assert_eq(loaded.state, 0);
}
