#include "tests/fuzz/mhd.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "server/core/text.h"
#include "tests/fuzz/fuzz.h"

/* ---- requests ---- */

/* The next line of `*rest`, without its end; NULL when there is none. */
static char *next_line(char **rest)
{
	char *line = *rest, *end = line + strcspn(line, "\n");

	if (!*end)
		return NULL;
	*rest = end + 1;
	*end = '\0';
	if (end > line && end[-1] == '\r')
		end[-1] = '\0';
	return line;
}

/* "a=1&b": as the library does, a plus is a space; escapes are left to us (MHD_OPTION_UNESCAPE). */
static void split_query(struct MHD_Connection *c, char *query)
{
	char *item;

	for (char *p = query; *p; p++)
		*p = *p == '+' ? ' ' : *p;
	while ((item = strsep(&query, "&")) && c->argument_count < MHD_FIELDS_MAX) {
		char *value = strchr(item, '=');

		if (value)
			*value++ = '\0';
		else if (!*item)
			continue;
		c->arguments[c->argument_count++] = (struct mhd_field){item, value};
	}
}

static bool split_request_line(struct MHD_Connection *c, char *line)
{
	char *query;

	c->method = line;
	c->url = strchr(line, ' ');
	if (!c->url || c->url == line)
		return false;
	*c->url++ = '\0';
	c->url[strcspn(c->url, " \t")] = '\0';
	if (!*c->url)
		return false;
	query = strchr(c->url, '?');
	if (query) {
		*query++ = '\0';
		split_query(c, query);
	}
	return true;
}

static bool split_header(struct MHD_Connection *c, char *line)
{
	char *value = strchr(line, ':');

	if (!value || value == line || c->header_count == MHD_FIELDS_MAX)
		return false;
	*value++ = '\0';
	value += strspn(value, " \t");
	c->headers[c->header_count++] = (struct mhd_field){line, value};
	return true;
}

bool mhd_open(struct MHD_Connection *c, const char *text, size_t count, int fd)
{
	char *rest, *line;

	memset(c, 0, sizeof(*c));
	c->info.connect_fd = fd;
	c->text = rest = fuzz_string(text, count);
	line = next_line(&rest);
	if (!line || !split_request_line(c, line))
		return false;
	while ((line = next_line(&rest)) && *line)
		if (!split_header(c, line))
			return false;
	if (!line)
		return false;
	c->body_count = count - (size_t)(rest - c->text);
	c->body = fuzz_copy(rest, c->body_count);
	return true;
}

void mhd_close(struct MHD_Connection *c)
{
	if (c->response)
		MHD_destroy_response(c->response);
	free(c->text);
	free(c->body);
	memset(c, 0, sizeof(*c));
}

int MHD_get_connection_values(struct MHD_Connection *c, enum MHD_ValueKind kind,
	MHD_KeyValueIterator iterator, void *data)
{
	const struct mhd_field *fields = kind == MHD_HEADER_KIND ? c->headers : c->arguments;
	size_t count = kind == MHD_HEADER_KIND ? c->header_count : c->argument_count;

	for (size_t i = 0; i < count; i++)
		if (iterator(data, kind, fields[i].name, fields[i].value) != MHD_YES)
			return (int)i + 1;
	return (int)count;
}

const char *MHD_lookup_connection_value(
	struct MHD_Connection *c, enum MHD_ValueKind kind, const char *name)
{
	must(kind == MHD_HEADER_KIND, "only headers are looked up");
	for (size_t i = 0; i < c->header_count; i++)
		if (strcasecmp(c->headers[i].name, name) == 0)
			return c->headers[i].value;
	return NULL;
}

const union MHD_ConnectionInfo *MHD_get_connection_info(
	struct MHD_Connection *c, enum MHD_ConnectionInfoType what, ...)
{
	static const union MHD_ConnectionInfo nobody; /* it has no address */

	if (what == MHD_CONNECTION_INFO_CLIENT_ADDRESS)
		return &nobody;
	must(what == MHD_CONNECTION_INFO_CONNECTION_FD, "else only the descriptor is asked for");
	return &c->info;
}

void MHD_suspend_connection(struct MHD_Connection *c)
{
	must(!c->suspended && !c->response, "a connection is suspended once");
	c->suspended = true;
}

void MHD_resume_connection(struct MHD_Connection *c)
{
	must(c->suspended, "only what is suspended is resumed");
	c->suspended = false;
}

/* ---- replies ---- */

struct MHD_Response *MHD_create_response_from_buffer(
	size_t count, void *bytes, enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	must(mode == MHD_RESPMEM_PERSISTENT || mode == MHD_RESPMEM_MUST_FREE, "no other mode");
	r->references = 1;
	r->bytes = bytes;
	r->count = count;
	r->owned = mode == MHD_RESPMEM_MUST_FREE;
	return r;
}

struct MHD_Response *MHD_create_response_from_buffer_with_free_callback_cls(
	size_t count, void *bytes, MHD_ContentReaderFreeCallback bytes_free, void *data)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(count, bytes, MHD_RESPMEM_PERSISTENT);

	r->bytes_free = bytes_free;
	r->bytes_data = data;
	return r;
}

struct MHD_Response *MHD_create_response_from_fd64(uint64_t count, int fd)
{
	char *bytes = malloc(count + 1);

	must(bytes && read(fd, bytes, count + 1) == (ssize_t)count,
		"a file is as long as was said");
	(void)close(fd);
	return MHD_create_response_from_buffer(count, bytes, MHD_RESPMEM_MUST_FREE);
}

struct MHD_Response *MHD_create_response_from_callback(uint64_t count, size_t block,
	MHD_ContentReaderCallback source, void *data, MHD_ContentReaderFreeCallback source_free)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);

	must(count == MHD_SIZE_UNKNOWN && block > 0, "nobody knows how long it will be");
	r->source = source;
	r->source_free = source_free;
	r->source_data = data;
	return r;
}

void mhd_drain(struct MHD_Response *r)
{
	struct text body = TEXT_INIT;
	char block[4096];
	ssize_t count = 0;

	if (!r->source)
		return;
	while ((count = r->source(r->source_data, body.used, block, sizeof(block))) > 0)
		text_add(&body, block, (size_t)count);
	must(count == MHD_CONTENT_READER_END_OF_STREAM && text_ok(&body), "the body is whole");
	r->source_free(r->source_data);
	r->source = NULL;
	r->bytes = body.bytes;
	r->count = body.used;
	r->owned = true;
}

enum MHD_Result MHD_add_response_header(struct MHD_Response *r, const char *name, const char *value)
{
	if (!*name || !*value || name[strcspn(name, "\t\r\n ")] || value[strcspn(value, "\t\r\n")])
		return MHD_NO;
	must(r->header_count < sizeof(r->headers) / sizeof(r->headers[0]), "a few headers");
	r->headers[r->header_count++] = (struct mhd_field){
		fuzz_string(name, strlen(name)), fuzz_string(value, strlen(value))};
	return MHD_YES;
}

void MHD_destroy_response(struct MHD_Response *r)
{
	if (--r->references > 0)
		return;
	for (size_t i = 0; i < r->header_count; i++) {
		free((char *)(uintptr_t)r->headers[i].name);
		free((char *)(uintptr_t)r->headers[i].value);
	}
	if (r->source)
		r->source_free(r->source_data);
	if (r->bytes_free)
		r->bytes_free(r->bytes_data);
	if (r->owned)
		free((char *)(uintptr_t)r->bytes);
	free(r);
}

enum MHD_Result MHD_queue_response(
	struct MHD_Connection *c, unsigned status, struct MHD_Response *r)
{
	must(!c->response, "a request is answered once");
	r->references++;
	c->response = r;
	c->status = status;
	return MHD_YES;
}

const char *mhd_header(const struct MHD_Response *r, const char *name)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (strcasecmp(r->headers[i].name, name) == 0)
			return r->headers[i].value;
	return NULL;
}

/* ---- the daemon: there is none ---- */

static union MHD_DaemonInfo daemon_info = {.epoll_fd = -1};

struct MHD_Daemon *MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback accept,
	void *accept_data, MHD_AccessHandlerCallback handler, void *handler_data, ...)
{
	va_list options;

	(void)flags;
	(void)port;
	(void)accept;
	(void)accept_data;
	(void)handler;
	(void)handler_data;
	va_start(options, handler_data);
	if (va_arg(options, int) == MHD_OPTION_ARRAY)
		/* The socket of the one who starts it is all that is watched. */
		daemon_info.epoll_fd = (int)va_arg(options, const struct MHD_OptionItem *)[0].value;
	va_end(options);
	return (struct MHD_Daemon *)&daemon_info;
}

const union MHD_DaemonInfo *MHD_get_daemon_info(
	struct MHD_Daemon *d, enum MHD_DaemonInfoType what, ...)
{
	(void)d;
	must(what == MHD_DAEMON_INFO_EPOLL_FD, "only the descriptor is asked for");
	return &daemon_info;
}

void MHD_stop_daemon(struct MHD_Daemon *d)
{
	(void)d;
}

enum MHD_Result MHD_run(struct MHD_Daemon *d)
{
	(void)d;
	return MHD_YES;
}

enum MHD_Result MHD_get_timeout(struct MHD_Daemon *d, MHD_UNSIGNED_LONG_LONG *timeout)
{
	(void)d;
	(void)timeout;
	return MHD_NO;
}
