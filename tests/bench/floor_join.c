/*
 * The least that a join takes: the rows are read once, in order, and their bytes pass over one
 * loopback connection. Nothing is decoded, checked, kept or written.
 */
#include "tests/bench/bench.h"

#include "storage/sqlite.h"
#include "tests/lib/check.h"
#include "tests/lib/children.h"

#include <poll.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNK_BYTES = 65536 };

static void read_rows(const char *directory)
{
	sqlite3 *db;
	sqlite3_stmt *rows;
	long bytes = 0;

	CHECK(sqlite3_open_v2(text_of("%s/" SQLITE_FILE, directory), &db, SQLITE_OPEN_READONLY,
		      NULL) == SQLITE_OK &&
			sqlite3_prepare_v2(db, "SELECT o, s, key, hlc, val FROM entry", -1, &rows,
				NULL) == SQLITE_OK,
		"%s", sqlite3_errmsg(db));
	while (sqlite3_step(rows) == SQLITE_ROW) {
		CHECK(sqlite3_column_blob(rows, 2) && sqlite3_column_blob(rows, 4), "an empty row");
		bytes += sqlite3_column_bytes(rows, 2) + sqlite3_column_bytes(rows, 4) +
			 (sqlite3_column_int64(rows, 1) > 0);
	}
	CHECK(bytes > 0, "no rows in %s", directory);
	sqlite3_finalize(rows);
	sqlite3_close(db);
}

/* A process that reads so many bytes and then says one word. */
static pid_t start_reader(int listener, long bytes)
{
	static char chunk[CHUNK_BYTES];
	pid_t pid = raw_fork();
	int fd;

	if (pid != 0)
		return pid;
	CHECK(poll(&(struct pollfd){listener, POLLIN, 0}, 1, -1) == 1, "nobody to wait for");
	fd = accept(listener, NULL, NULL);
	CHECK(fd >= 0, "nobody is there");
	while (bytes > 0) {
		ssize_t got = recv(fd, chunk, sizeof chunk, 0);

		CHECK(got > 0, "the connection ended");
		bytes -= got;
	}
	raw_send(fd, "!", 1);
	_exit(0);
}

static void pass(long bytes)
{
	static char chunk[CHUNK_BYTES];
	int port, listener = raw_listen(&port), fd;
	pid_t reader = start_reader(listener, bytes);

	fd = raw_connect(port);
	while (bytes > 0) {
		long part = bytes < (long)sizeof chunk ? bytes : (long)sizeof chunk;

		raw_send(fd, chunk, (size_t)part);
		bytes -= part;
	}
	CHECK(recv(fd, chunk, 1, 0) == 1, "the reader says nothing");
	close(fd);
	close(listener);
	waitpid(reader, NULL, 0);
}

double floor_join_ms(const char *directory, long bytes)
{
	int64_t start_ns = check_now_ns();

	read_rows(directory);
	pass(bytes);
	return (double)(check_now_ns() - start_ns) / 1e6;
}
