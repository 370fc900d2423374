/*
 * The writer and its thread. A plain program without the test framework, so that the same file also
 * runs under the thread sanitizer. Each step prints its name; the first failure aborts.
 */
#include <poll.h>
#include <pthread.h>

#include "storage/memory.h"
#include "storage/sqlite.h"
#include "storage/writer.h"
#include "tests/unit/storage/support.h"

/* ---- a store that waits for the test, and fails when it is told to --------------------------- */

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct store inner;
	bool held;       /* commits wait */
	enum err fail;   /* commits fail so */
	unsigned calls;  /* commits that began */
	unsigned widest; /* most batches in one commit */
	bool closed;
} gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static enum err gate_commit(void *self, const struct store_batch *const *batches, size_t count)
{
	enum err e;

	(void)self;
	MUST(!pthread_mutex_lock(&gate.mutex));
	gate.calls++;
	if (count > gate.widest)
		gate.widest = (unsigned)count;
	(void)pthread_cond_broadcast(&gate.changed);
	while (gate.held)
		(void)pthread_cond_wait(&gate.changed, &gate.mutex);
	e = gate.fail ? gate.fail : store_commit(gate.inner, batches, count);
	MUST(!pthread_mutex_unlock(&gate.mutex));
	return e;
}

static void gate_close(void *self)
{
	(void)self;
	gate.closed = true;
	store_close(gate.inner);
}

static void gate_set(bool held, enum err fail)
{
	MUST(!pthread_mutex_lock(&gate.mutex));
	gate.held = held;
	gate.fail = fail;
	(void)pthread_cond_broadcast(&gate.changed);
	MUST(!pthread_mutex_unlock(&gate.mutex));
}

static void gate_wait_for_calls(unsigned calls)
{
	MUST(!pthread_mutex_lock(&gate.mutex));
	while (gate.calls < calls)
		(void)pthread_cond_wait(&gate.changed, &gate.mutex);
	MUST(!pthread_mutex_unlock(&gate.mutex));
}

static struct writer *start_on(struct store inner)
{
	static const struct store_ops ops = {gate_commit, NULL, gate_close};
	struct writer *w;

	gate.inner = inner;
	gate.calls = gate.widest = 0;
	gate.closed = false;
	gate_set(false, ERR_OK);
	MUST(!writer_start((struct store){&ops, NULL}, &w));
	return w;
}

static struct writer *start(struct memory_disk **ret_disk)
{
	MUST(!memory_disk_new(ret_disk));
	return start_on(memory_open(*ret_disk));
}

/* ---- what came back ---------------------------------------------------------------------- */

static struct {
	uint64_t number;
	enum err e;
} results[2000];
static size_t result_count;

static void note(void *data, uint64_t number, enum err e)
{
	(void)data;
	MUST(result_count < sizeof results / sizeof results[0]);
	results[result_count].number = number;
	results[result_count++].e = e;
}

static void collect_until(struct writer *w, size_t count)
{
	while (result_count < count) {
		struct pollfd p = {.fd = writer_fd(w), .events = POLLIN};

		MUST(poll(&p, 1, 20000) == 1);
		writer_collect(w, note, NULL);
	}
}

static void expect(size_t at, uint64_t number, enum err e)
{
	MUST(at < result_count && results[at].number == number && results[at].e == e);
}

static enum err submit(struct writer *w, uint64_t n, size_t value_length)
{
	struct store_batch b = {0};
	enum err e;

	numbered_batch(&b, n, value_length);
	e = writer_submit(w, &b, n);
	MUST(e ? b.count != 0 : !b.count && !b.ops && !b.bytes);
	batch_fini(&b);
	return e;
}

/* ---- the steps -------------------------------------------------------------------------- */

static void results_come_in_order_through_the_descriptor(void)
{
	struct memory_disk *disk;
	struct writer *w = start(&disk);
	struct pollfd p = {.fd = writer_fd(w), .events = POLLIN};

	MUST(poll(&p, 1, 0) == 0);
	for (uint64_t n = 1; n <= 1000; n++) {
		while (submit(w, n, 10))
			collect_until(w, result_count + 1);
	}
	collect_until(w, 1000);
	for (size_t i = 0; i < 1000; i++)
		expect(i, i + 1, ERR_OK);
	MUST(poll(&p, 1, 0) == 0 && writer_pending(w) == 0);
	MUST(writer_stop(w, 1000, note, NULL) == ERR_OK && gate.closed);
	MUST(result_count == 1000 && numbered_state(memory_open(disk)) == 1000);
	memory_disk_free(disk);
}

static void what_piles_up_is_one_transaction(void)
{
	struct memory_disk *disk;
	struct writer *w = start(&disk);

	gate_set(true, ERR_OK);
	MUST(!submit(w, 1, 10));
	gate_wait_for_calls(1);
	for (uint64_t n = 2; n <= 40; n++)
		MUST(!submit(w, n, 10));
	MUST(writer_pending(w) == 40);
	gate_set(false, ERR_OK);
	collect_until(w, 40);
	for (size_t i = 0; i < 40; i++)
		expect(i, i + 1, ERR_OK);
	MUST(gate.calls == 2 && gate.widest == 39);
	MUST(writer_stop(w, 1000, NULL, NULL) == ERR_OK);
	MUST(numbered_state(memory_open(disk)) == 40);
	memory_disk_free(disk);
}

static void a_full_queue_leaves_the_batch_to_its_caller(void)
{
	struct memory_disk *disk;
	struct writer *w = start(&disk);

	gate_set(true, ERR_OK);
	for (uint64_t n = 1; n <= WRITER_QUEUE_MAX; n++)
		MUST(!submit(w, n, 10));
	MUST(submit(w, WRITER_QUEUE_MAX + 1, 10) == ERR_LIMIT);
	gate_set(false, ERR_OK);
	collect_until(w, WRITER_QUEUE_MAX);
	MUST(!submit(w, WRITER_QUEUE_MAX + 1, 10));
	MUST(writer_stop(w, 1000, note, NULL) == ERR_OK);
	expect(WRITER_QUEUE_MAX, WRITER_QUEUE_MAX + 1, ERR_OK);
	memory_disk_free(disk);
}

static void the_queues_weight_is_limited_but_one_batch_always_goes(void)
{
	struct memory_disk *disk;
	struct writer *w = start(&disk);

	gate_set(true, ERR_OK);
	MUST(!submit(w, 1, WRITER_QUEUE_BYTES_MAX + 1));
	MUST(submit(w, 2, 10) == ERR_LIMIT);
	gate_set(false, ERR_OK);
	collect_until(w, 1);
	MUST(!submit(w, 2, 10));
	MUST(writer_stop(w, 1000, NULL, NULL) == ERR_OK);
	memory_disk_free(disk);
}

/* Failures are told once a number, to those that queue behind too, and success follows in order. */
static void a_failure_is_told_once_then_retried_in_order(void)
{
	struct memory_disk *disk;
	struct writer *w = start(&disk);

	gate_set(false, ERR_STORAGE_FULL);
	MUST(!submit(w, 1, 10));
	collect_until(w, 1);
	expect(0, 1, ERR_STORAGE_FULL);
	MUST(writer_trouble(w) == ERR_STORAGE_FULL);
	MUST(!submit(w, 2, 10) && !submit(w, 3, 10));
	collect_until(w, 3);
	expect(1, 2, ERR_STORAGE_FULL);
	expect(2, 3, ERR_STORAGE_FULL);
	gate_wait_for_calls(4);
	writer_collect(w, note, NULL);
	MUST(result_count == 3 && numbered_state(memory_open(disk)) == 0);
	gate_set(false, ERR_OK);
	collect_until(w, 6);
	for (size_t i = 0; i < 3; i++)
		expect(3 + i, i + 1, ERR_OK);
	MUST(writer_trouble(w) == ERR_OK && numbered_state(memory_open(disk)) == 3);
	MUST(!submit(w, 4, 10));
	collect_until(w, 7);
	expect(6, 4, ERR_OK);
	MUST(writer_stop(w, 1000, NULL, NULL) == ERR_OK);
	memory_disk_free(disk);
}

static void stopping_stores_what_is_queued(void)
{
	struct memory_disk *disk;
	struct writer *w = start(&disk);

	for (uint64_t n = 1; n <= 200; n++)
		MUST(!submit(w, n, 10));
	MUST(writer_stop(w, 20000, note, NULL) == ERR_OK && gate.closed && result_count == 200);
	MUST(numbered_state(memory_open(disk)) == 200);
	memory_disk_free(disk);
}

static void stopping_outlasts_a_failure_that_passes(void)
{
	struct memory_disk *disk;
	struct writer *w = start(&disk);

	memory_disk_fail(disk, 1, 2, ERR_STORAGE_FULL);
	MUST(!submit(w, 1, 10));
	MUST(writer_stop(w, 20000, note, NULL) == ERR_OK && result_count == 1);
	expect(0, 1, ERR_OK);
	MUST(numbered_state(memory_open(disk)) == 1);
	memory_disk_free(disk);
}

static void stopping_gives_up_on_one_that_stays(void)
{
	struct memory_disk *disk;
	struct writer *w = start(&disk);

	gate_set(false, ERR_STORAGE_READ_ONLY);
	MUST(!submit(w, 1, 10));
	collect_until(w, 1);
	MUST(!submit(w, 2, 10));
	MUST(writer_stop(w, 50, note, NULL) == ERR_STORAGE_READ_ONLY && gate.closed);
	MUST(result_count == 3);
	expect(1, 1, ERR_STORAGE_READ_ONLY);
	expect(2, 2, ERR_STORAGE_READ_ONLY);
	memory_disk_free(disk);
	MUST(writer_stop(NULL, 0, NULL, NULL) == ERR_OK);
}

static struct writer *submitting;

static void submit_next(void *data, uint64_t number, enum err e)
{
	note(data, number, e);
	if (number < 50)
		MUST(!submit(submitting, number + 1, 10));
}

static void a_result_may_submit_the_next_on_a_real_file(void)
{
	char *directory = make_directory();
	struct store s;

	MUST(!sqlite_open(path_in(directory, SQLITE_FILE), &s, NULL));
	submitting = start_on(s);
	MUST(!submit(submitting, 1, 10));
	while (result_count < 50) {
		struct pollfd p = {.fd = writer_fd(submitting), .events = POLLIN};

		MUST(poll(&p, 1, 20000) == 1);
		writer_collect(submitting, submit_next, NULL);
	}
	MUST(writer_stop(submitting, 1000, NULL, NULL) == ERR_OK);
	MUST(!sqlite_open(path_in(directory, SQLITE_FILE), &s, NULL));
	MUST(numbered_state(s) == 50);
	store_close(s);
	remove_directory(directory);
}

#define STEP(name)                                                                                 \
	{                                                                                          \
		name, #name                                                                        \
	}

int main(void)
{
	static const struct {
		void (*run)(void);
		const char *name;
	} steps[] = {
		STEP(results_come_in_order_through_the_descriptor),
		STEP(what_piles_up_is_one_transaction),
		STEP(a_full_queue_leaves_the_batch_to_its_caller),
		STEP(the_queues_weight_is_limited_but_one_batch_always_goes),
		STEP(a_failure_is_told_once_then_retried_in_order),
		STEP(stopping_stores_what_is_queued),
		STEP(stopping_outlasts_a_failure_that_passes),
		STEP(stopping_gives_up_on_one_that_stays),
		STEP(a_result_may_submit_the_next_on_a_real_file),
	};

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		printf("writer: %s\n", steps[i].name);
		(void)fflush(stdout);
		result_count = 0;
		steps[i].run();
	}
	return 0;
}
