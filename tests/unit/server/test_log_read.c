/* Reading records back by offset, over files, streams and gaps. */
#include <unistd.h>

#include "server/log_read.h"
#include "tests/unit/server/logs_dir.h"

TestSuite(log_read, .init = set_up, .fini = tear_down, .timeout = 20);

static char seen[65536];
static unsigned seen_max; /* entries of a page; 0: any number */
static unsigned seen_count;

static bool see(void *data, const struct log_entry *e)
{
	size_t used = strlen(seen);

	(void)data;
	if (seen_max && seen_count == seen_max)
		return false;
	seen_count++;
	cr_assert_eq(memcmp(e->at, "2026-11-27T10:20:03.123Z", 24), 0);
	snprintf(seen + used, sizeof seen - used, "%s%c%s:%.*s", used ? " " : "",
		e->is_stderr ? 'e' : 'o', e->partial ? "+" : "", (int)e->bytes, e->data);
	return true;
}

/* What a page tells: "o:text e+:part", and the page. */
static const char *page(struct log_query q, struct log_page *ret)
{
	struct log_page ignored;

	q.folder = web;
	q.each = see;
	seen[0] = 0;
	seen_count = 0;
	cr_assert_eq(log_read(&q, ret ? ret : &ignored), ERR_OK);
	return seen;
}

static const char *after(uint64_t offset, unsigned most, struct log_page *ret)
{
	seen_max = most;
	return page((struct log_query){.from_offset = true, .after = offset}, ret);
}

static const char *tail(unsigned count, const char *stream)
{
	seen_max = 0;
	return page((struct log_query){.tail = count, .stream = stream}, NULL);
}

Test(log_read, nothing_is_there_before_anything_was_printed)
{
	struct log_page p;

	cr_expect_str_eq(after(0, 0, &p), "");
	cr_expect(p.first == 0 && p.end == 0 && p.next == 0);
	cr_expect_str_eq(tail(10, NULL), "");
}

Test(log_read, pages_follow_each_other_until_the_end)
{
	struct log_file f = file_of_web(5000, 3);
	struct log_page p;

	put_record(&f, "stdout", 'F', "one");
	put_record(&f, "stderr", 'P', "tw");
	put_record(&f, "stderr", 'F', "o");
	cr_expect_str_eq(after(0, 2, &p), "o:one e+:tw");
	cr_expect_lt(p.next, p.end);
	cr_expect_str_eq(after(p.next, 2, &p), "e:o");
	cr_expect_eq(p.next, p.end);
	cr_expect_str_eq(after(p.next, 2, &p), "");
	put_record(&f, "stdout", 'F', "");
	cr_expect_str_eq(after(p.next, 2, &p), "o:");
	log_file_fini(&f);
}

Test(log_read, an_offset_within_a_record_begins_with_the_next_one)
{
	struct log_file f = file_of_web(5000, 3);
	uint64_t second = LOG_HEAD_BYTES + 4;

	put_record(&f, "stdout", 'F', "one");
	put_record(&f, "stdout", 'F', "two");
	cr_expect_str_eq(after(1, 0, NULL), "o:two");
	cr_expect_str_eq(after(second - 1, 0, NULL), "o:two");
	cr_expect_str_eq(after(second, 0, NULL), "o:two");
	cr_expect_str_eq(after(second + 1, 0, NULL), "");
	log_file_fini(&f);
}

/* Numbers from `from` on, in files of about a hundred. */
static void put_numbers(struct log_file *f, int from, int count)
{
	char text[16];

	for (int i = from; i < from + count; i++) {
		snprintf(text, sizeof text, "%05d", i);
		put_record(f, i % 2 ? "stderr" : "stdout", 'F', text);
	}
}

Test(log_read, an_offset_holds_over_rotations_until_it_is_gone)
{
	struct log_file f = file_of_web(4100, 3);
	struct log_query gone = {.folder = web, .from_offset = true, .each = see};
	struct log_page p, q;

	put_numbers(&f, 0, 150);
	cr_expect_str_eq(after(40 * 120, 2, &p), "o:00120 e:00121");
	put_numbers(&f, 150, 150);
	cr_expect_str_eq(after(p.next, 2, &p), "o:00122 e:00123");
	put_numbers(&f, 300, 150);
	gone.after = p.next;
	cr_expect_eq(log_read(&gone, &q), ERR_LIMIT);
	cr_expect_gt(q.first, gone.after);
	cr_expect_eq(q.end, 40 * 450);
	cr_expect_str_eq(after(q.first, 1, NULL), "o:00204");
	gone.after = q.end + 1;
	cr_expect_eq(log_read(&gone, &q), ERR_LIMIT);
	log_file_fini(&f);
}

Test(log_read, a_page_goes_on_in_the_next_file_and_over_a_gap)
{
	struct log_file f = file_of_web(4100, 5);
	char path[LOG_PATH_BYTES];
	struct log_files files;

	put_numbers(&f, 0, 350);
	cr_expect_str_eq(after(40 * 101, 3, NULL), "e:00101 o:00102 e:00103");
	log_files_list(web, &files);
	cr_assert_eq(files.count, 4);
	cr_assert(log_files_path(web, files.starts[1], path));
	unlink(path);
	cr_expect_str_eq(after(40 * 101, 3, NULL), "e:00101 o:00204 e:00205");
	cr_expect_str_eq(after(40 * 150, 2, NULL), "o:00204 e:00205", "in the gap");
	log_file_fini(&f);
}

Test(log_read, the_last_ones_are_found_over_files_and_by_stream)
{
	struct log_file f = file_of_web(4100, 100);

	put_numbers(&f, 0, 5000);
	cr_expect_str_eq(tail(3, NULL), "e:04997 o:04998 e:04999");
	cr_expect_str_eq(tail(2, "stdout"), "o:04996 o:04998");
	cr_expect_str_eq(tail(1, "stderr"), "e:04999");
	tail(4000, NULL);
	cr_expect_eq(seen_count, 4000);
	cr_expect_eq(memcmp(seen, "o:01000 e:01001", 15), 0);
	tail(9000, "stdout");
	cr_expect_eq(seen_count, 2500, "as many as there are");
	log_file_fini(&f);
}

Test(log_read, what_is_no_record_is_passed_over)
{
	struct log_file f = file_of_web(5000, 3);

	put_record(&f, "stdout", 'F', "one");
	log_file_append(&f, "garbage\n\n", 9);
	log_file_append(&f, "2026-11-27T10:20:03.123Z stdxxx F a record of nobody\n", 53);
	put_record(&f, "stdout", 'F', "two");
	log_file_append(&f, "2026-11-27T10:20:03.123Z stdout F not ended", 43);
	cr_expect_str_eq(after(0, 0, NULL), "o:one o:two");
	cr_expect_str_eq(tail(9, NULL), "o:one o:two");
	log_file_fini(&f);
}

Test(log_read, the_tail_of_a_stream_is_its_last_bytes_since_an_offset)
{
	struct log_file f = file_of_web(5000, 3);
	char bytes[9];

	put_record(&f, "stderr", 'F', "old");
	put_record(&f, "stdout", 'F', "other");
	put_record(&f, "stderr", 'P', "ab");
	put_record(&f, "stderr", 'F', "cd");
	cr_expect_eq(log_read_tail(web, LOG_HEAD_BYTES + 4, "stderr", bytes, 9), 5);
	cr_expect_eq(memcmp(bytes, "abcd\n", 5), 0);
	cr_expect_eq(log_read_tail(web, 0, "stderr", bytes, 9), 9);
	cr_expect_eq(memcmp(bytes, "old\nabcd\n", 9), 0);
	put_record(&f, "stderr", 'F', "0123456789");
	cr_expect_eq(log_read_tail(web, 0, "stderr", bytes, 9), 9);
	cr_expect_eq(memcmp(bytes, "23456789\n", 9), 0);
	cr_expect_eq(log_read_tail("/no/such", 0, "stderr", bytes, 9), 0);
	log_file_fini(&f);
}
