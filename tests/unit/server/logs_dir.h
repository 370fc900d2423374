/* A directory of its own for each test of the logs, and a child in it. */
#ifndef HORDE_TESTS_LOGS_DIR_H
#define HORDE_TESTS_LOGS_DIR_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "server/log_file.h"

static char logs_dir[64], web[96]; /* LOGS_DIR, and the folder of default/web in it */

static inline void set_up(void)
{
	char made[] = "/tmp/horde-logs-XXXXXX";
	cr_assert_not_null(mkdtemp(made));
	snprintf(logs_dir, sizeof logs_dir, "%s/logs", made);
	snprintf(web, sizeof web, "%s/default/web", logs_dir);
}

static inline void tear_down(void)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf '%.*s'", (int)(strrchr(logs_dir, '/') - logs_dir),
		logs_dir);
	cr_assert_eq(system(command), 0);
}

static inline struct log_file file_of_web(uint64_t bytes_max, unsigned files_max)
{
	struct log_file f;
	cr_assert_eq(log_file_init(&f, logs_dir, "default/web", bytes_max, files_max), ERR_OK);
	return f;
}

/* One record. */
static inline void put_record(struct log_file *f, const char *stream, char flag, const char *data)
{
	char record[LOG_RECORD_BYTES_MAX + 1];
	int bytes = snprintf(
		record, sizeof record, "2026-11-27T10:20:03.123Z %s %c %s\n", stream, flag, data);
	log_file_append(f, record, (size_t)bytes);
}

#endif
