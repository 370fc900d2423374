/* Log files stay below their caps, keep the newest bytes, and lose what cannot be written. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "server/logs.h"

static char dir[64];

static void set_up(void)
{
	strcpy(dir, "/tmp/horde-logs-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
}

static void tear_down(void)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(logs, .init = set_up, .fini = tear_down, .timeout = 20);

/* The size of logs/default/web.stdout.log + suffix, -1 when it is not there. */
static long size_of(const char *suffix)
{
	char path[256];
	struct stat status;
	snprintf(path, sizeof path, "%s/logs/default/web.stdout.log%s", dir, suffix);
	return stat(path, &status) < 0 ? -1 : (long)status.st_size;
}

static char first_byte(const char *suffix)
{
	char path[256], byte = 0;
	snprintf(path, sizeof path, "%s/logs/default/web.stdout.log%s", dir, suffix);
	int fd = open(path, O_RDONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(read(fd, &byte, 1), 1);
	close(fd);
	return byte;
}

static struct log_file file(uint64_t bytes_max, unsigned files_max)
{
	struct log_file f;
	char logs[96];
	snprintf(logs, sizeof logs, "%s/logs", dir);
	cr_assert_eq(
		log_file_init(&f, logs, "default/web", "stdout", bytes_max, files_max), ERR_OK);
	return f;
}

Test(logs, files_rotate_at_the_cap_and_the_oldest_goes)
{
	struct log_file f = file(10, 3);
	log_file_append(&f, "aaaaaaaaaabbbbbbbbbbcc", 22);
	cr_assert_eq(size_of(""), 2);
	cr_assert_eq(size_of(".1"), 10);
	cr_assert_eq(size_of(".2"), 10);
	cr_assert_eq(first_byte(".2"), 'a');
	log_file_append(&f, "ccccccccdddd", 12);
	cr_assert_eq(first_byte(""), 'd');
	cr_assert_eq(size_of(""), 4);
	cr_assert_eq(first_byte(".1"), 'c');
	cr_assert_eq(first_byte(".2"), 'b');
	cr_assert_eq(size_of(".3"), -1);
	cr_assert_eq(f.dropped_bytes, 0);
	log_file_fini(&f);
}

Test(logs, a_single_file_starts_over)
{
	struct log_file f = file(10, 1);
	log_file_append(&f, "aaaaaaaaaabbb", 13);
	cr_assert_eq(size_of(""), 3);
	cr_assert_eq(first_byte(""), 'b');
	cr_assert_eq(size_of(".1"), -1);
	log_file_fini(&f);
}

Test(logs, a_second_life_appends)
{
	struct log_file f = file(100, 2);
	log_file_append(&f, "one", 3);
	log_file_fini(&f);
	f = file(100, 2);
	log_file_append(&f, "two", 3);
	cr_assert_eq(size_of(""), 6);
	log_file_fini(&f);
}

Test(logs, what_cannot_be_written_is_dropped_and_counted_and_it_recovers)
{
	struct rlimit limit, small;
	struct log_file f = file(1000, 2);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 4;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	log_file_append(&f, "0123456789", 10);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(f.dropped_bytes, 6);
	cr_assert_eq(size_of(""), 4);
	log_file_append(&f, "0123456789", 10);
	cr_assert_eq(f.dropped_bytes, 6);
	cr_assert_eq(size_of(""), 14);
	log_file_fini(&f);
}

Test(logs, a_folder_or_a_link_in_the_way_is_no_trap)
{
	char path[256], folder[128];
	struct log_file f = file(1000, 2);
	snprintf(folder, sizeof folder, "%s/logs", dir);
	mkdir(folder, 0700);
	strcat(folder, "/default");
	mkdir(folder, 0700);
	char target[128];
	struct stat status;
	snprintf(target, sizeof target, "%s/target", dir);
	snprintf(path, sizeof path, "%s/web.stdout.log", folder);
	cr_assert_eq(symlink(target, path), 0);
	log_file_append(&f, "lost", 4);
	cr_assert_eq(f.dropped_bytes, 4);
	cr_assert_lt(stat(target, &status), 0);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mkdir(path, 0700), 0);
	log_file_append(&f, "lost", 4);
	cr_assert_eq(f.dropped_bytes, 8);
	log_file_fini(&f);
}

Test(logs, a_name_that_leads_elsewhere_is_refused)
{
	static const char *const refs[] = {"", "web", "/web", "default/", "../web", "default/..",
		"default/a/b", ".hidden/web", "default/.web"};
	struct log_file f;
	for (size_t i = 0; i < sizeof refs / sizeof *refs; i++)
		cr_assert_eq(log_file_init(&f, dir, refs[i], "stdout", 0, 0), ERR_MALFORMED, "'%s'",
			refs[i]);
}

static void stop_when_closed(struct loop *l, struct log_stream *s)
{
	if (s->fd < 0)
		loop_stop(l);
}

static struct log_stream stream;
static struct loop *loop;

static int check_closed(void *data)
{
	(void)data;
	stop_when_closed(loop, &stream);
	return 50;
}

Test(logs, a_stream_is_read_to_its_end)
{
	int ends[2];
	char block[4096];
	cr_assert_eq(loop_new(&loop), ERR_OK);
	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	stream.file = file(1000000, 2);
	cr_assert_eq(log_stream_open(&stream, loop, ends[0]), ERR_OK);
	memset(block, 'x', sizeof block);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(write(ends[1], block, sizeof block), sizeof block);
	close(ends[1]);
	loop_run(loop, check_closed, NULL);
	cr_assert_eq(size_of(""), 40960);
	log_stream_close(&stream);
	log_file_fini(&stream.file);
	loop_free(loop);
}

Test(logs, closing_a_stream_keeps_what_was_written_though_a_writer_is_left)
{
	int ends[2];
	cr_assert_eq(loop_new(&loop), ERR_OK);
	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	stream.file = file(1000000, 2);
	cr_assert_eq(log_stream_open(&stream, loop, ends[0]), ERR_OK);
	cr_assert_eq(write(ends[1], "last words", 10), 10);
	log_stream_close(&stream);
	cr_assert_eq(size_of(""), 10);
	log_file_fini(&stream.file);
	loop_free(loop);
	close(ends[1]);
}
