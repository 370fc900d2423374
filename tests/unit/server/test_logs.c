/* What is read from a pipe is kept line by line, each with its time, and nothing is lost. */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "server/log_read.h"
#include "server/logs.h"
#include "tests/unit/server/logs_dir.h"

TestSuite(logs, .init = set_up, .fini = tear_down, .timeout = 20);

static struct log_file file;
static struct log_stream stream;
static struct loop *loop;
static int input;
static unsigned grown;

static void on_grown(void *data)
{
	(void)data;
	grown++;
}

static void open_stream(void)
{
	int ends[2];

	cr_assert_eq(loop_new(&loop), ERR_OK);
	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	file = file_of_web(1000000, 2);
	stream = (struct log_stream){.file = &file, .name = "stdout", .grown = on_grown};
	cr_assert_eq(log_stream_open(&stream, loop, ends[0]), ERR_OK);
	input = ends[1];
}

static void close_all(void)
{
	log_stream_close(&stream);
	log_file_fini(&file);
	loop_free(loop);
}

static void say(const char *bytes, size_t count)
{
	cr_assert_eq(write(input, bytes, count), (ssize_t)count);
}

static char records[131072];

static bool add(void *data, const struct log_entry *e)
{
	size_t used = strlen(records);

	(void)data;
	snprintf(records + used, sizeof records - used, "%c:%.*s|", e->partial ? 'P' : 'F',
		(int)e->bytes, e->data);
	return true;
}

static const char *kept(void)
{
	struct log_query q = {.folder = web, .from_offset = true, .each = add};
	struct log_page page;

	records[0] = 0;
	cr_assert_eq(log_read(&q, &page), ERR_OK);
	return records;
}

static const char *until; /* what is to be kept before the loop ends */

static int stop_when_kept(void *data)
{
	(void)data;
	if (until ? strcmp(kept(), until) == 0 : stream.fd < 0)
		loop_stop(loop);
	return 20;
}

static void run_until(const char *what)
{
	until = what;
	loop_run(loop, stop_when_kept, NULL);
}

Test(logs, each_line_is_a_record_with_the_time_it_came)
{
	struct log_query q = {.folder = web, .tail = 1, .each = add};
	time_t before = time(NULL);
	char path[LOG_PATH_BYTES], text[40] = "";
	struct tm at = {0};
	FILE *f;

	open_stream();
	say("one\n\ntwo\n", 9);
	run_until("F:one|F:|F:two|");
	cr_expect_geq(grown, 1);
	cr_assert(log_files_path(q.folder, 0, path));
	cr_assert((f = fopen(path, "r")));
	cr_assert(fgets(text, sizeof text, f));
	fclose(f);
	cr_assert(strptime(text, "%Y-%m-%dT%H:%M:%S", &at));
	cr_expect(timegm(&at) >= before && timegm(&at) <= time(NULL), "%s", text);
	cr_expect_str_eq(text + 23, "Z stdout F one\n");
	close(input);
	close_all();
}

Test(logs, a_line_is_put_together_of_what_comes_in_pieces)
{
	open_stream();
	say("he", 2);
	say("ll", 2);
	say("o\nwor", 5);
	run_until("F:hello|");
	say("ld\n", 3);
	run_until("F:hello|F:world|");
	close(input);
	close_all();
}

Test(logs, what_has_no_end_is_kept_as_a_part_after_a_moment)
{
	open_stream();
	say("login: ", 7);
	run_until("P:login: |");
	say("me\n", 3);
	run_until("P:login: |F:me|");
	close(input);
	close_all();
}

Test(logs, a_long_line_is_cut_and_the_last_one_needs_no_end)
{
	static char line[LOG_DATA_BYTES_MAX * 2 + 2], expected[LOG_DATA_BYTES_MAX * 2 + 16];

	memset(line, 'x', sizeof line);
	open_stream();
	say(line, LOG_DATA_BYTES_MAX * 2 + 1);
	close(input);
	run_until(NULL);
	snprintf(expected, sizeof expected, "P:%.*s|P:%.*s|F:x|", LOG_DATA_BYTES_MAX, line,
		LOG_DATA_BYTES_MAX, line);
	cr_expect_str_eq(kept(), expected);
	close_all();
}

Test(logs, bytes_are_kept_as_they_are)
{
	struct log_query q = {.folder = web, .from_offset = true};
	char path[LOG_PATH_BYTES], bytes[64];
	int fd;

	open_stream();
	say("\xff\0\r\x01\n", 5);
	close(input);
	run_until(NULL);
	cr_assert(log_files_path(q.folder, 0, path));
	cr_assert_geq(fd = open(path, O_RDONLY), 0);
	cr_expect_eq(read(fd, bytes, sizeof bytes), LOG_HEAD_BYTES + 5);
	cr_expect_eq(memcmp(bytes + LOG_HEAD_BYTES, "\xff\0\r\x01\n", 5), 0);
	close(fd);
	close_all();
}

Test(logs, closing_a_stream_keeps_what_was_written_though_a_writer_is_left)
{
	open_stream();
	say("last words", 10);
	log_stream_close(&stream);
	cr_expect_str_eq(kept(), "F:last words|");
	close_all();
	close(input);
}
