/* What children print as lines of JSON: whole, lossless, and never waited for. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/json.h"
#include "server/core/text.h"
#include "server/log_file.h"
#include "server/log_lines.h"

static struct loop *loop;
static struct log_lines *lines;
static int ends[2];
static struct text got;

static void set_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(loop_new(&loop), ERR_OK);
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	cr_assert_eq(log_lines_new(loop, ends[1], "n1", &lines), ERR_OK);
}

static void tear_down(void)
{
	log_lines_free(lines);
	loop_free(loop);
	close(ends[0]);
	close(ends[1]);
	text_fini(&got);
}

TestSuite(log_lines, .init = set_up, .fini = tear_down, .timeout = 30);

static void add(const char *stream, char flag, const char *data, size_t count)
{
	struct text record = TEXT_INIT;

	text_addf(&record, "2026-11-27T10:20:03.123Z %s %c ", stream, flag);
	text_add(&record, data, count);
	text_adds(&record, "\n");
	cr_assert(text_ok(&record));
	log_lines_add(lines, "default/web", 7, record.bytes, record.used);
	text_fini(&record);
}

static bool read_some(void)
{
	char bytes[65536];
	ssize_t count = read(ends[0], bytes, sizeof bytes);

	if (count > 0)
		text_add(&got, bytes, (size_t)count);
	return count > 0;
}

static int read_all(void *data)
{
	static int quiet;

	(void)data;
	quiet = read_some() ? 0 : quiet + 1;
	if (quiet == 3) {
		quiet = 0;
		loop_stop(loop);
	}
	return 0;
}

/* The next line, or NULL. */
static json_t *next(const char **at)
{
	const char *end = strchr(*at, '\n');
	json_t *json;

	if (!**at)
		return NULL;
	cr_assert_not_null(end, "half a line: %.200s", *at);
	cr_assert_leq(end + 1 - *at, PIPE_BUF);
	json = json_loadb(*at, (size_t)(end - *at), 0, NULL);
	cr_assert_not_null(json, "no JSON: %.200s", *at);
	*at = end + 1;
	return json;
}

Test(log_lines, a_line_says_where_it_is_from)
{
	add("stdout", 'F', "say \"hi\"", 8);
	add("stderr", 'P', "half", 4);
	add("stdout", 'F', "", 0);
	add("stdout", 'F', "a\377", 2);
	read_some();
	cr_expect_str_eq(text_cstr(&got),
		"{\"at\":\"2026-11-27T10:20:03.123Z\",\"node\":\"n1\",\"supervisor\":\"default\","
		"\"child\":\"web\",\"epoch\":7,\"stream\":\"stdout\",\"data\":\"say \\\"hi\\\"\"}\n"
		"{\"at\":\"2026-11-27T10:20:03.123Z\",\"node\":\"n1\",\"supervisor\":\"default\","
		"\"child\":\"web\",\"epoch\":7,\"stream\":\"stderr\",\"data\":\"half\","
		"\"partial\":true}\n"
		"{\"at\":\"2026-11-27T10:20:03.123Z\",\"node\":\"n1\",\"supervisor\":\"default\","
		"\"child\":\"web\",\"epoch\":7,\"stream\":\"stdout\",\"data\":\"\"}\n"
		"{\"at\":\"2026-11-27T10:20:03.123Z\",\"node\":\"n1\",\"supervisor\":\"default\","
		"\"child\":\"web\",\"epoch\":7,\"stream\":\"stdout\",\"data\":\"Yf8=\","
		"\"encoding\":\"base64\"}\n");
}

/* Each kind of character alone, as many as a record holds. */
Test(log_lines, a_long_record_is_several_lines_that_fit_into_a_pipe_and_loses_nothing)
{
	static const char *const kinds[] = {"x", "\"", "\\", "/", "\001", "\177", "\t", "\303\244",
		"\342\202\254", "\360\237\230\200"};
	char data[LOG_DATA_BYTES_MAX + 1];

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct text joined = TEXT_INIT;
		size_t bytes = strlen(kinds[i]), count = 0;
		const char *at;
		bool partial = true;
		json_t *line;

		for (; count + bytes <= LOG_DATA_BYTES_MAX; count += bytes)
			memcpy(data + count, kinds[i], bytes);
		text_clear(&got);
		add("stdout", 'F', data, count);
		read_some();
		for (at = text_cstr(&got); (line = next(&at)); json_decref(line)) {
			cr_expect(partial, "there is more after the last part");
			cr_expect_null(json_object_get(line, "encoding"));
			text_adds(&joined, json_string_value(json_object_get(line, "data")));
			partial = json_is_true(json_object_get(line, "partial"));
		}
		cr_expect_not(partial);
		cr_expect_eq(joined.used, count, "%s", kinds[i]);
		cr_expect_eq(memcmp(text_cstr(&joined), data, count), 0);
		text_fini(&joined);
	}
}

Test(log_lines, a_long_record_that_is_no_text_is_several_lines_too)
{
	char data[LOG_DATA_BYTES_MAX];
	const char *at;
	json_t *line;
	int count = 0;

	memset(data, 0xff, sizeof data);
	add("stdout", 'F', data, sizeof data);
	read_some();
	for (at = text_cstr(&got); (line = next(&at)); json_decref(line), count++)
		cr_expect_str_eq(json_string_value(json_object_get(line, "encoding")), "base64");
	cr_expect_eq(count, 2);
}

/* Adds records of a number each, reads all, and checks that each is there or told to be missing. */
static unsigned long check_numbers(unsigned long expected)
{
	unsigned long seen = 0, dropped = 0;
	const char *at = text_cstr(&got);
	json_t *line;

	for (; (line = next(&at)); json_decref(line)) {
		const char *data = json_string_value(json_object_get(line, "data"));

		if (data)
			cr_expect_eq(strtoul(data, NULL, 10), seen++ + dropped);
		else
			dropped +=
				(unsigned long)json_integer_value(json_object_get(line, "dropped"));
	}
	cr_expect_eq(seen + dropped, expected);
	return dropped;
}

static void add_numbers(unsigned long from, unsigned long count)
{
	for (; count--; from++) {
		char data[32];

		add("stdout", 'F', data, (size_t)snprintf(data, sizeof data, "%lu", from));
	}
}

Test(log_lines, nobody_who_reads_blocks_nothing_and_what_is_missing_is_told_in_its_place)
{
	add_numbers(0, 100000);
	cr_expect_gt(log_lines_dropped(lines), 0);
	loop_run(loop, read_all, NULL);
	cr_expect_eq(log_lines_dropped(lines), 0, "it is told as soon as there is room");
	add_numbers(100000, 1000);
	loop_run(loop, read_all, NULL);
	cr_expect_gt(check_numbers(101000), 0);
}

Test(log_lines, after_a_drop_none_is_taken_until_half_is_read)
{
	uint64_t dropped;

	add_numbers(0, 100000);
	dropped = log_lines_dropped(lines);
	for (int i = 0; i < 10; i++) {
		cr_assert(read_some());
		add_numbers(100000 + (size_t)i, 1);
	}
	cr_expect_eq(log_lines_dropped(lines), dropped + 10, "or each would tell of the last");
	loop_run(loop, read_all, NULL);
	cr_expect_eq(log_lines_dropped(lines), 0);
}

Test(log_lines, what_fits_into_the_queue_waits_for_its_reader)
{
	add_numbers(0, 20000);
	cr_expect_eq(log_lines_dropped(lines), 0);
	loop_run(loop, read_all, NULL);
	cr_expect_eq(check_numbers(20000), 0);
}

Test(log_lines, without_a_reader_all_is_dropped_and_counted)
{
	close(ends[0]);
	add_numbers(0, 1000);
	cr_expect_eq(log_lines_dropped(lines), 1000);
	ends[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_assert_geq(ends[0], 0);
}

Test(log_lines, a_file_takes_it_all)
{
	char path[] = "/tmp/horde-lines-XXXXXX";
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_geq(dup2(fd, ends[1]), 0);
	add_numbers(0, 50000);
	cr_expect_eq(dup2(fd, ends[0]), ends[0]);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	while (read_some())
		;
	cr_expect_eq(check_numbers(50000), 0);
	close(fd);
	unlink(path);
}

Test(log_lines, at_the_end_who_reads_gets_the_rest)
{
	pid_t pid;
	int status;

	add_numbers(0, 20000);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		unsigned long count = 0;
		char bytes[4096];
		ssize_t some;

		close(ends[1]);
		fcntl(ends[0], F_SETFL, 0);
		while ((some = read(ends[0], bytes, sizeof bytes)) > 0)
			for (ssize_t i = 0; i < some; i++)
				count += bytes[i] == '\n';
		_exit(count == 20000 ? 0 : 1);
	}
	log_lines_free(lines);
	lines = NULL;
	close(ends[1]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
}
