/*
 * What SQLite alone takes: the daemon's own schema and statements, in the thread that calls, on the
 * file system of the daemons' data. A write is what an overwritten key is: an entry, the drop of
 * the one before, the record of the kill; and one row of the vector for each transaction.
 */
#include "tests/bench/bench.h"

#include "storage/sqlite.h"
#include "tests/lib/check.h"

#include <stdio.h>

enum { KEYS = 1024, VALUE_BYTES = 160 };

static struct store store;
static uint64_t written;

static const struct origin_id origin = {0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u};

static void open_store(const char *directory)
{
	struct store_problem problem = {0};
	char path[400];

	if (store.ops)
		return;
	snprintf(path, sizeof path, "%s/floor.db", directory);
	CHECK(sqlite_open(path, &store, &problem) == ERR_OK, "%s", problem.detail);
}

static void add_write(struct store_batch *batch)
{
	char key[64], value[VALUE_BYTES + 1];
	uint64_t seq = ++written;
	int key_bytes = snprintf(
		key, sizeof key, "entry/default/bench-%llu", (unsigned long long)(seq % KEYS));
	enum err e;

	snprintf(value, sizeof value, "%0*llu", VALUE_BYTES, (unsigned long long)seq);
	e = batch_put(batch, (struct dot){origin, seq}, seq << 16, key, (size_t)key_bytes, value,
		VALUE_BYTES);
	if (!e && seq > KEYS)
		e = batch_drop(batch, (struct dot){origin, seq - KEYS});
	if (!e && seq > KEYS)
		e = batch_kill(batch, (struct dot){origin, seq}, (struct dot){origin, seq - KEYS});
	CHECK(e == ERR_OK, "a batch cannot be filled");
}

static void commit(unsigned writes)
{
	struct store_batch batch = {0};
	const struct store_batch *const batches[] = {&batch};

	for (unsigned i = 0; i < writes; i++)
		add_write(&batch);
	CHECK(batch_vector(&batch, origin, written, 0, 0) == ERR_OK &&
			store_commit(store, batches, 1) == ERR_OK,
		"a commit failed");
	batch_fini(&batch);
}

double floor_store_rate(const char *directory, unsigned batch, long ms)
{
	int64_t start_ns, now_ns;
	uint64_t before;

	open_store(directory);
	before = written;
	start_ns = check_now_ns();
	do {
		commit(batch);
		now_ns = check_now_ns();
	} while (now_ns < start_ns + ms * 1000000);
	return (double)(written - before) * 1e9 / (double)(now_ns - start_ns);
}

void floor_store_end(void)
{
	store_close(store);
	store = (struct store){0};
	written = 0;
}
