/* All logs together stay below a total: the oldest closed files go, and offsets stay good. */
#include <fcntl.h>
#include <unistd.h>

#include "server/log_read.h"
#include "tests/unit/core/failing.h"
#include "tests/unit/server/logs_dir.h"

TestSuite(log_total, .init = set_up, .fini = tear_down, .timeout = 20);

#define BLOCKS(n) ((uint64_t)(n)*LOG_BLOCK_BYTES)

static struct log_total *total;
static const char *deleted; /* the child that is not needed any more */

static bool needed(void *data, const char *ref)
{
	(void)data;
	return !deleted || strcmp(ref, deleted) != 0;
}

static void open_total(uint64_t bytes_max, unsigned files_max)
{
	log_total_free(total);
	cr_assert_eq(log_total_new(logs_dir, bytes_max, files_max, &total), ERR_OK);
	total->needed = needed;
}

static struct log_file open_child(const char *ref, uint64_t bytes_max, unsigned files_max)
{
	struct log_file f;

	cr_assert_eq(log_file_init(&f, logs_dir, ref, bytes_max, files_max), ERR_OK);
	f.total = total;
	return f;
}

/* `count` records of 4 KiB less 96 bytes. */
static void put(struct log_file *f, int count)
{
	static char record[4000];

	memset(record, 'x', sizeof record);
	record[sizeof record - 1] = '\n';
	for (int i = 0; i < count; i++)
		log_file_append(f, record, sizeof record);
}

static void write_child(const char *ref, int count)
{
	struct log_file f = open_child(ref, 4096, 100);

	put(&f, count);
	log_file_fini(&f);
}

/* "default/a:0 4000 default/b:0": the files of these children, by where they begin. */
static const char *kept(const char *refs)
{
	static char text[4096];
	char ref[64], *folder;
	size_t used = 0;
	int bytes;

	text[0] = 0;
	for (; sscanf(refs, "%63s%n", ref, &bytes) == 1; refs += bytes) {
		struct log_files files;

		cr_assert_eq(log_folder(logs_dir, ref, &folder), ERR_OK);
		log_files_list(folder, &files);
		free(folder);
		used += (size_t)snprintf(
			text + used, sizeof text - used, "%s%s:", used ? " " : "", ref);
		for (unsigned i = 0; i < files.count; i++)
			used += (size_t)snprintf(text + used, sizeof text - used, "%s%llu",
				i ? "," : "", (unsigned long long)files.starts[i]);
	}
	return text;
}

/* What another one would count. */
static uint64_t on_disk(void)
{
	struct log_total *t;
	uint64_t bytes;

	cr_assert_eq(log_total_new(logs_dir, 0, 0, &t), ERR_OK);
	bytes = t->bytes;
	log_total_free(t);
	return bytes;
}

static bool folder_exists(const char *below)
{
	char path[192];

	snprintf(path, sizeof path, "%s/%s", logs_dir, below);
	return access(path, F_OK) == 0;
}

static void end(struct log_file *f)
{
	if (f)
		log_file_fini(f);
	log_total_free(total);
	total = NULL;
	deleted = NULL;
}

Test(log_total, at_the_limit_nothing_goes_and_one_more_takes_the_oldest)
{
	open_total(BLOCKS(4), 100);
	write_child("default/a", 2);
	write_child("default/b", 2);
	cr_expect_eq(total->bytes, BLOCKS(4));
	cr_expect_str_eq(kept("default/a default/b"), "default/a:0,4000 default/b:0,4000");
	write_child("default/b", 1);
	cr_expect_eq(total->bytes, BLOCKS(4));
	cr_expect_str_eq(kept("default/a default/b"), "default/a:4000 default/b:0,4000,8000");
	cr_expect_eq(total->swept, 1);
	end(NULL);
}

Test(log_total, the_number_of_files_is_limited_too)
{
	open_total(BLOCKS(100), 3);
	write_child("default/a", 3);
	cr_expect_eq(total->files, 3);
	write_child("default/b", 1);
	cr_expect_eq(total->files, 3);
	cr_expect_str_eq(kept("default/a default/b"), "default/a:4000,8000 default/b:0");
	end(NULL);
}

Test(log_total, who_still_writes_keeps_the_newest_and_loses_what_was_rotated)
{
	struct log_file a;

	open_total(BLOCKS(4), 100);
	a = open_child("default/a", 4096, 100);
	put(&a, 2);
	write_child("default/b", 3);
	cr_expect_str_eq(kept("default/a default/b"), "default/a:4000 default/b:0,4000,8000");
	write_child("default/b", 3);
	cr_expect_str_eq(kept("default/a default/b"), "default/a:4000 default/b:12000,16000,20000");
	put(&a, 1);
	cr_expect_str_eq(kept("default/a default/b"), "default/a:4000,8000 default/b:16000,20000",
		"closed last, so it goes last");
	end(&a);
}

Test(log_total, where_all_is_being_written_to_a_file_ends_early_for_its_own_next)
{
	struct log_file a, b;

	open_total(BLOCKS(40), 100);
	a = open_child("default/a", 1000000, 3);
	b = open_child("default/b", 1000000, 3);
	put(&b, 20);
	put(&a, 1000);
	cr_expect_str_eq(kept("default/b"), "default/b:0", "the silent one keeps all");
	cr_expect_leq(total->bytes, BLOCKS(40 + 1));
	cr_expect_eq(a.dropped_bytes, 0);
	cr_expect_eq(log_file_end(&a), 4000000);
	cr_expect_leq(a.used, BLOCKS(21), "what the other one leaves");
	log_file_fini(&b);
	end(&a);
}

Test(log_total, while_an_old_file_can_go_none_ends_early)
{
	struct log_file a;

	open_total(BLOCKS(40), 100);
	write_child("default/old", 19);
	a = open_child("default/a", 1000000, 3);
	put(&a, 30);
	cr_expect_str_eq(kept("default/a"), "default/a:0");
	cr_expect_eq(a.used, 30 * 4000);
	cr_expect_leq(total->bytes, BLOCKS(40));
	end(&a);
}

Test(log_total, below_64_kib_no_file_ends_early)
{
	struct log_file files[4];

	open_total(BLOCKS(8), 100);
	for (int i = 0; i < 4; i++) {
		char ref[32];

		snprintf(ref, sizeof ref, "default/%d", i);
		files[i] = open_child(ref, 1000000, 3);
		put(&files[i], 16);
		cr_expect_eq(files[i].start, 0);
	}
	cr_expect_gt(total->bytes, BLOCKS(8), "each keeps that much");
	put(&files[0], 2);
	cr_expect_gt(files[0].start, 0);
	for (int i = 0; i < 4; i++)
		log_file_fini(&files[i]);
	end(NULL);
}

Test(log_total, no_offset_comes_twice_when_all_of_a_child_was_swept)
{
	struct log_page page;
	struct log_query q = {.folder = web, .from_offset = true, .after = 0};

	open_total(BLOCKS(2), 100);
	write_child("default/web", 2);
	write_child("default/b", 2);
	cr_expect_str_eq(kept("default/web default/b"), "default/web:8000 default/b:0,4000");
	cr_expect_eq(log_read(&q, &page), ERR_LIMIT);
	cr_expect_eq(page.first, 8000);
	cr_expect_eq(page.end, 8000);
	open_total(BLOCKS(2), 100);
	write_child("default/b", 2);
	cr_expect_str_eq(kept("default/web"), "default/web:8000", "an end is not swept");
	write_child("default/web", 1);
	cr_expect_str_eq(kept("default/web default/b"), "default/web:8000 default/b:12000");
	end(NULL);
}

Test(log_total, of_a_deleted_child_nothing_is_left)
{
	open_total(BLOCKS(2), 100);
	write_child("one/a", 2);
	deleted = "one/a";
	write_child("default/b", 1);
	cr_expect_str_eq(kept("one/a"), "one/a:4000", "it goes when it is its turn, not before");
	write_child("default/b", 1);
	cr_expect_not(folder_exists("one/a"));
	cr_expect_not(folder_exists("one"));
	cr_expect(folder_exists("default/b"));
	end(NULL);
}

Test(log_total, what_is_there_already_is_counted_and_goes_by_its_age)
{
	struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	char path[192];

	write_child("default/a", 1);
	write_child("default/b", 2);
	snprintf(path, sizeof path, "%s/default/b/%016x.log", logs_dir, 4000);
	cr_assert_eq(utimensat(AT_FDCWD, path, old, 0), 0);
	open_total(BLOCKS(2), 100);
	cr_expect_eq(total->bytes, BLOCKS(3));
	cr_expect_eq(total->files, 3);
	cr_expect_str_eq(kept("default/a default/b"), "default/a:0 default/b:0,4000");
	log_total_sweep(total);
	cr_expect_eq(total->bytes, BLOCKS(2));
	cr_expect_str_eq(kept("default/a default/b"), "default/a:0 default/b:0");
	end(NULL);
}

Test(log_total, rotation_restart_and_files_that_somebody_took_are_counted_right)
{
	struct log_file a;
	char path[LOG_PATH_BYTES];

	open_total(BLOCKS(100), 100);
	a = open_child("default/a", 4096, 2);
	put(&a, 10);
	cr_expect_eq(total->bytes, BLOCKS(2));
	cr_expect_eq(total->files, 2);
	log_file_fini(&a);
	a = open_child("default/a", 40000, 2);
	put(&a, 2);
	cr_expect_eq(total->bytes, BLOCKS(1 + 3));
	cr_assert(log_files_path(a.folder, a.start, path));
	cr_assert_eq(truncate(path, 0), 0);
	put(&a, 1);
	cr_expect_eq(total->bytes, BLOCKS(1 + 1), "cut by somebody else");
	cr_assert_eq(unlink(path), 0);
	put(&a, 1);
	cr_expect_eq(total->files, 3, "it waits for its turn");
	total->bytes_max = BLOCKS(1);
	log_total_sweep(total);
	cr_expect_eq(total->bytes, BLOCKS(1));
	cr_expect_eq(total->files, 1);
	end(&a);
}

Test(log_total, counting_without_memory_says_so_and_what_grew_without_is_counted_later)
{
	bool failed = true;

	write_child("default/a", 3);
	for (long n = 0; failed; n++) {
		struct log_total *t = NULL;
		enum err e;

		failing_arm(n);
		e = log_total_new(logs_dir, BLOCKS(4), 100, &t);
		failed = failing_disarm();
		cr_assert(e == ERR_OK || (failed && e == ERR_NO_MEMORY && !t));
		if (!e)
			cr_expect_eq(t->bytes, BLOCKS(3), "allocation %ld", n);
		log_total_free(t);
	}
	failed = true;
	for (long n = 0; failed; n++) {
		struct log_file b;

		open_total(BLOCKS(4), 100);
		b = open_child("default/b", 4096, 100);
		failing_arm(n);
		put(&b, 2);
		failed = failing_disarm();
		put(&b, 2);
		cr_expect_eq(total->bytes, BLOCKS(4), "allocation %ld", n);
		cr_expect_eq(on_disk(), BLOCKS(4), "allocation %ld", n);
		log_file_fini(&b);
	}
	end(NULL);
}

Test(log_total, after_memory_was_short_what_is_not_known_is_looked_for)
{
	struct log_file a;

	open_total(BLOCKS(4), 100);
	a = open_child("default/a", 4096, 100);
	a.total = NULL;
	put(&a, 4);
	a.total = total;
	total->incomplete = true;
	put(&a, 1);
	cr_expect_eq(total->bytes, BLOCKS(4));
	cr_expect_eq(on_disk(), BLOCKS(4));
	cr_expect_not(total->incomplete);
	end(&a);
}

Test(log_total, without_a_folder_there_is_nothing_to_count)
{
	open_total(BLOCKS(1), 1);
	cr_expect_eq(total->bytes, 0);
	cr_expect_not(log_total_short(total, LOG_BLOCK_BYTES));
	cr_expect(log_total_short(total, LOG_BLOCK_BYTES + 1));
	cr_expect_not(log_total_short(NULL, SIZE_MAX));
	log_total_sweep(NULL);
	end(NULL);
}
