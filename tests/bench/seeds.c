/* How many seeds of replicas a second the simulator runs on one core. */
#include "tests/bench/bench.h"

#include "tests/lib/check.h"
#include "tests/lib/children.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEEDS = 2000, SEEDS_A_SECOND_MIN = 1000 };

/* It lies beside the daemon. */
static void find_program(char *out, size_t size)
{
	const char *daemon = node_program(), *slash = strrchr(daemon, '/');

	snprintf(out, size, "%.*shorde-replicas", slash ? (int)(slash - daemon) + 1 : 0, daemon);
}

/* The number before "seeds a second" or "seeds per second". */
static double rate_in(const char *line)
{
	const char *at = strstr(line, " seeds a second"), *word;

	if (!at)
		at = strstr(line, " seeds per second");
	if (!at)
		return -1;
	for (word = at; word > line && strchr("0123456789.", word[-1]); word--)
		;
	return strtod(word, NULL);
}

static double run(const char *program, int *ret_code)
{
	FILE *out = popen(text_of("'%s' --count %d 2>&1", program, SEEDS), "re");
	char line[1024];
	double rate = -1;
	int status;

	CHECK(out, "cannot run %s", program);
	while (fgets(line, sizeof line, out))
		if (rate_in(line) >= 0)
			rate = rate_in(line);
	status = pclose(out);
	*ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return rate;
}

void bench_seeds(void)
{
	struct row row = {"simulator, seeds a second on one core", "/s", -1, -1, 0, NULL,
		">= 1000/s", false, "not built"};
	char program[4096];
	int code = 0;

	find_program(program, sizeof program);
	if (access(program, X_OK) == 0) {
		row.ours = run(program, &code);
		CHECK(row.ours >= 0, "%s tells no seeds a second, exit code %d", program, code);
		row.met = row.ours >= SEEDS_A_SECOND_MIN && code == 0;
		row.remark = code ? text_of("%d seeds, exit code %d", SEEDS, code)
				  : text_of("%d seeds", SEEDS);
	}
	table_row(&row);
}
