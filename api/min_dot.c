/* Horde-Min-Dot: a read waits until this node has what the client wrote elsewhere. */
#include <string.h>
#include <strings.h>

#include "api/http_inside.h"
#include "api/reads.h"
#include "api/wait.h"

#define MIN_DOT "Horde-Min-Dot"

/* Where the document does not speak of it, Horde-Min-Dot means nothing: a client that sends it with
 * all it asks must not hold up a probe. */
static bool takes_min_dot(const struct operation *op)
{
	for (size_t i = 0; i < op->parameter_count; i++)
		if (op->parameters[i].place == PARAMETER_HEADER &&
			strcasecmp(op->parameters[i].name, MIN_DOT) == 0)
			return true;
	return false;
}

struct dots {
	const struct http_config *config;
	bool covered;
	enum err err;
};

/* A list may be sent as several headers (RFC 9110, 5.3). */
static enum MHD_Result each_dots(
	void *data, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct dots *dots = data;
	bool covered = false;

	(void)kind;
	if (strcasecmp(name, MIN_DOT) != 0)
		return MHD_YES;
	dots->err = dots->config->covered(dots->config->service, value ? value : "", &covered);
	dots->covered = dots->covered && covered;
	return dots->err == ERR_OK ? MHD_YES : MHD_NO;
}

bool min_dot_covered(struct exchange *x)
{
	struct dots dots = {.config = &x->http->config, .covered = true};

	if (x->dots_covered || !x->heads.min_dot || !dots.config->covered ||
		!takes_min_dot(x->operation))
		return true;
	MHD_get_connection_values(x->connection, MHD_HEADER_KIND, each_dots, &dots);
	if (dots.err == ERR_MALFORMED) {
		exchange_problem(x, PROBLEM_BAD_HEADER, MIN_DOT " is not a list of dots");
	} else if (dots.err != ERR_OK) {
		exchange_fail(x, dots.err);
	} else if (dots.covered) {
		x->dots_covered = true;
		x->expired = false;
		return true;
	} else if (x->expired) {
		exchange_problem(x, PROBLEM_NOT_YET_REPLICATED,
			"this node does not have %.200s yet", x->heads.min_dot);
	} else {
		exchange_watch_key(x, "vector", strlen("vector"));
		exchange_park(x, x->started_ms + reads_wait_ms(x, HTTP_MIN_DOT_WAIT_MS));
	}
	return false;
}
