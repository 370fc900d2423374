/* Log files stay below their caps, keep the newest records, and lose what cannot be written. */
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/server/logs_dir.h"

TestSuite(log_file, .init = set_up, .fini = tear_down, .timeout = 20);

/* "0+10000 10000+20": where each file begins, and its size. */
static const char *files(void)
{
	static char text[1024];
	struct log_files all;
	char path[LOG_PATH_BYTES];
	struct stat status;
	size_t used = 0;

	text[0] = 0;
	log_files_list(web, &all);
	for (unsigned i = 0; i < all.count; i++) {
		cr_assert(log_files_path(web, all.starts[i], path));
		cr_assert_eq(stat(path, &status), 0);
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%llu+%lld",
			i ? " " : "", (unsigned long long)all.starts[i], (long long)status.st_size);
	}
	return text;
}

/* `count` records of 100 bytes. */
static void put(struct log_file *f, int count)
{
	char record[101];

	memset(record, 'x', sizeof record);
	record[99] = '\n';
	for (int i = 0; i < count; i++)
		log_file_append(f, record, 100);
}

Test(log_file, a_file_ends_at_its_cap_and_the_oldest_goes)
{
	struct log_file f = file_of_web(5000, 3);

	put(&f, 51);
	cr_expect_str_eq(files(), "0+5000 5000+100");
	put(&f, 100);
	cr_expect_str_eq(files(), "5000+5000 10000+5000 15000+100");
	cr_expect_eq(f.dropped_bytes, 0);
	log_file_fini(&f);
}

Test(log_file, what_comes_at_once_is_cut_between_records)
{
	struct log_file f = file_of_web(5000, 100);
	static char many[20000];

	memset(many, 'x', sizeof many);
	for (size_t i = 299; i < sizeof many; i += 300)
		many[i] = '\n';
	log_file_append(&f, many, sizeof many - sizeof many % 300);
	cr_expect_str_eq(files(), "0+4800 4800+4800 9600+4800 14400+4800 19200+600");
	log_file_fini(&f);
}

Test(log_file, one_file_is_replaced_by_the_next)
{
	struct log_file f = file_of_web(5000, 1);

	put(&f, 120);
	cr_expect_str_eq(files(), "10000+2000");
	log_file_fini(&f);
}

Test(log_file, another_life_goes_on_where_the_last_one_ended)
{
	struct log_file f = file_of_web(5000, 3);

	put(&f, 60);
	log_file_fini(&f);
	f = file_of_web(5000, 3);
	put(&f, 1);
	cr_expect_str_eq(files(), "0+5000 5000+1100");
	log_file_fini(&f);
	f = file_of_web(5000, 1);
	put(&f, 40);
	cr_expect_str_eq(files(), "10000+100", "a smaller number holds from the next file on");
	log_file_fini(&f);
}

Test(log_file, a_file_that_was_taken_away_is_not_missed_and_no_offset_comes_twice)
{
	struct log_file f = file_of_web(5000, 3);
	char path[LOG_PATH_BYTES];

	put(&f, 10);
	cr_assert(log_files_path(web, 0, path));
	cr_assert_eq(unlink(path), 0);
	put(&f, 1);
	cr_expect_str_eq(files(), "1000+100");
	log_file_fini(&f);
}

Test(log_file, what_cannot_be_written_is_dropped_whole_and_counted_and_it_recovers)
{
	struct rlimit limit, small;
	struct log_file f = file_of_web(5000, 2);

	signal(SIGXFSZ, SIG_IGN);
	put(&f, 1);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 150;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	put(&f, 2);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(f.dropped_bytes, 200);
	cr_expect_str_eq(files(), "0+100", "no half of a record");
	put(&f, 1);
	cr_expect_str_eq(files(), "0+200");
	log_file_fini(&f);
}

Test(log_file, a_folder_or_a_link_in_the_way_is_no_trap)
{
	struct log_file f = file_of_web(5000, 2);
	char path[LOG_PATH_BYTES], target[128];
	struct stat status;

	put(&f, 1);
	cr_assert(log_files_path(web, 0, path));
	unlink(path);
	f.known = false;
	snprintf(target, sizeof target, "%s/target", logs_dir);
	cr_assert_eq(symlink(target, path), 0);
	put(&f, 1);
	cr_expect_eq(f.dropped_bytes, 100);
	cr_expect_lt(stat(target, &status), 0);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mkdir(path, 0700), 0);
	f.known = false;
	put(&f, 1);
	cr_expect_eq(f.dropped_bytes, 200);
	rmdir(path);
	log_file_fini(&f);
}

Test(log_file, a_name_that_leads_elsewhere_is_refused)
{
	static const char *const refs[] = {"", "web", "/web", "default/", "../web", "default/..",
		"default/a/b", ".hidden/web", "default/.web"};
	struct log_file f;

	for (size_t i = 0; i < sizeof refs / sizeof *refs; i++)
		cr_expect_eq(
			log_file_init(&f, logs_dir, refs[i], 0, 0), ERR_MALFORMED, "'%s'", refs[i]);
}

Test(log_file, strange_files_beside_are_nobodys_and_of_too_many_the_newest_are_known)
{
	struct log_file f = file_of_web(5000, 100);
	struct log_files all;
	char path[LOG_PATH_BYTES];
	FILE *file;

	put(&f, 1);
	for (int i = 1; i <= 150; i++) {
		cr_assert(log_files_path(web, (uint64_t)(i * 100), path));
		cr_assert((file = fopen(path, "w")));
		fclose(file);
	}
	snprintf(path, sizeof path, "%s/notes.txt", web);
	cr_assert((file = fopen(path, "w")));
	fclose(file);
	log_files_list(web, &all);
	cr_assert_eq(all.count, LOG_FILES_MAX + 1);
	for (unsigned i = 0; i < all.count; i++)
		cr_expect_eq(all.starts[i], (uint64_t)(150 - LOG_FILES_MAX + (int)i) * 100);
	log_file_fini(&f);
}
