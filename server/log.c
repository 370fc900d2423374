#include "server/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *node_name = "?";
static enum log_level least_level = LOG_LEVEL_INFO;
static unsigned long dropped;

struct line {
	char bytes[LOG_LINE_BYTES_MAX];
	size_t used;
};

void log_setup(const char *node, enum log_level least)
{
	node_name = node;
	least_level = least;
}

bool log_wants(enum log_level level)
{
	return level >= least_level;
}

/* ---- one line ---- */

static void add(struct line *l, char c)
{
	/* The last byte is kept for the line's end. */
	if (l->used + 1 < sizeof l->bytes)
		l->bytes[l->used++] = c;
}

static void add_text(struct line *l, const char *text)
{
	while (*text)
		add(l, *text++);
}

/* A value that holds more than a plain word is quoted, so a line can be taken apart again. */
static void add_value(struct line *l, const char *key, const char *value)
{
	bool plain = *value;

	for (const char *p = value; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == '"' || *p == '=' || *p == '\\' || *p == 127)
			plain = false;
	if (l->used)
		add(l, ' ');
	add_text(l, key);
	add(l, '=');
	if (plain) {
		add_text(l, value);
		return;
	}
	add(l, '"');
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			add(l, '\\');
		add(l, (unsigned char)*value < ' ' || *value == 127 ? ' ' : *value);
	}
	add(l, '"');
}

static void add_time(struct line *l)
{
	struct timespec now;
	struct tm parts;
	char text[64];
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	used = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + used, sizeof text - used, ".%03dZ", (int)(now.tv_nsec / 1000000));
	add_value(l, "at", text);
}

static void write_line(struct line *l)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

	l->bytes[l->used++] = '\n';
	if (poll(&out, 1, 0) == 1 && write(STDERR_FILENO, l->bytes, l->used) == (ssize_t)l->used)
		dropped = 0;
	else
		dropped++;
}

void log_event(
	enum log_level level, const char *event, const char *subject, const char *format, ...)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	struct line l;
	char text[LOG_LINE_BYTES_MAX];
	va_list args;

	if (!log_wants(level))
		return;
	l.used = 0;
	add_time(&l);
	add_value(&l, "level", names[level]);
	add_value(&l, "node", node_name);
	add_value(&l, "event", event);
	if (dropped) {
		snprintf(text, sizeof text, "%lu", dropped);
		add_value(&l, "dropped", text);
	}
	if (subject && *subject)
		add_value(&l, "subject", subject);
	if (format) {
		va_start(args, format);
		vsnprintf(text, sizeof text, format, args);
		va_end(args);
		if (*text)
			add_value(&l, "detail", text);
	}
	write_line(&l);
}

enum log_level log_level_of(const char *event)
{
	static const char *const warnings[] = {"member.dead", "member.suspect", "child.crash_loop",
		"child.conflict", "child.unhealthy", "guardian.lost", "storage.error",
		"sync.diverged", "sync.stalled", "sync.forked", "quorum.lost", "sync.rejected",
		"link.rejected", "clock.skew", NULL};

	for (int i = 0; warnings[i]; i++)
		if (strcmp(event, warnings[i]) == 0)
			return LOG_LEVEL_WARN;
	return LOG_LEVEL_INFO;
}
