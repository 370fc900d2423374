/*
 * What libmicrohttpd alone takes, in the mode in which the daemon runs it: its epoll descriptor in
 * a loop of ours, MHD_run in every turn, no answer in the first call of the handler. A relay is the
 * same server with libcurl's long poll of another one in the same loop.
 */
#include "tests/bench/bench.h"

#include "tests/lib/check.h"
#include "tests/lib/children.h"

#include <curl/curl.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { HEADERS_MAX = 16, PARKED_MAX = 8192, POSTED_BYTES = 4096, IDLE_SECONDS = 120 };

static struct {
	const char *body;
	struct {
		char *name, *value;
	} headers[HEADERS_MAX];
	int header_count;
	struct {
		struct MHD_Connection *connection;
		int key; /* of "/wait/KEY", or 0 */
	} parked[PARKED_MAX];
	int parked_count;
	char posted[POSTED_BYTES];
	size_t posted_bytes;
	bool resumed;
	CURLM *polls; /* of a relay */
	CURL *poll;
} server;

static struct MHD_Response *build(const char *bytes, size_t count)
{
	char *copy = malloc(count + 1);
	struct MHD_Response *r;

	CHECK(copy, "out of memory");
	memcpy(copy, bytes, count);
	r = MHD_create_response_from_buffer(count, copy, MHD_RESPMEM_MUST_FREE);
	for (int i = 0; i < server.header_count; i++)
		MHD_add_response_header(r, server.headers[i].name, server.headers[i].value);
	return r;
}

static enum MHD_Result answer(struct MHD_Connection *connection, const char *bytes, size_t count)
{
	struct MHD_Response *r = build(bytes, count);
	enum MHD_Result result = MHD_queue_response(connection, 200, r);

	MHD_destroy_response(r);
	return result;
}

static void wake_parked(int key)
{
	int left = 0;

	for (int i = 0; i < server.parked_count; i++) {
		if (server.parked[i].key != key) {
			server.parked[left++] = server.parked[i];
			continue;
		}
		answer(server.parked[i].connection, server.posted, server.posted_bytes);
		MHD_resume_connection(server.parked[i].connection);
		server.resumed = true;
	}
	server.parked_count = left;
}

/* Of "/wait/7". */
static int key_of(const char *url)
{
	const char *slash = strchr(url + 1, '/');

	return slash ? atoi(slash + 1) : 0;
}

static enum MHD_Result handle(void *data, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **con_cls)
{
	(void)data;
	(void)version;
	if (!*con_cls) {
		*con_cls = &server;
		return MHD_YES;
	}
	if (*upload_size) {
		CHECK(*upload_size <= sizeof server.posted, "the body is too long");
		memcpy(server.posted, upload, *upload_size);
		server.posted_bytes = *upload_size;
		*upload_size = 0;
		return MHD_YES;
	}
	if (strncmp(url, "/wait", 5) == 0) {
		CHECK(server.parked_count < PARKED_MAX, "too many wait");
		MHD_suspend_connection(connection);
		server.parked[server.parked_count].connection = connection;
		server.parked[server.parked_count++].key = key_of(url);
		return MHD_YES;
	}
	if (strcmp(method, "POST") == 0)
		wake_parked(key_of(url));
	return answer(connection, server.body, strlen(server.body));
}

static void take_headers(const char *lines)
{
	char *copy = strdup(lines);

	CHECK(copy, "out of memory");
	for (char *line = strtok(copy, "\r\n"); line; line = strtok(NULL, "\r\n")) {
		char *colon = strchr(line, ':');

		if (!colon || server.header_count == HEADERS_MAX)
			continue;
		*colon = '\0';
		server.headers[server.header_count].name = line;
		server.headers[server.header_count++].value = colon + 1 + strspn(colon + 1, " ");
	}
}

/* ---- a relay's poll of the server before it ---- */

static size_t take_polled(char *bytes, size_t size, size_t count, void *data)
{
	(void)data;
	CHECK(size * count <= sizeof server.posted, "the body is too long");
	memcpy(server.posted, bytes, size * count);
	server.posted_bytes = size * count;
	return size * count;
}

static void open_poll(int from_port)
{
	server.polls = curl_multi_init();
	server.poll = curl_easy_init();
	CHECK(server.polls && server.poll, "libcurl does not start");
	curl_easy_setopt(server.poll, CURLOPT_URL, text_of("http://127.0.0.1:%d/wait", from_port));
	curl_easy_setopt(server.poll, CURLOPT_WRITEFUNCTION, take_polled);
	curl_multi_add_handle(server.polls, server.poll);
}

/* Passes on what came and asks again. */
static void run_poll(void)
{
	int running, left;
	const CURLMsg *message;

	curl_multi_perform(server.polls, &running);
	message = curl_multi_info_read(server.polls, &left);
	if (!message)
		return;
	CHECK(message->data.result == CURLE_OK, "the relay's poll: %s",
		curl_easy_strerror(message->data.result));
	wake_parked(0);
	curl_multi_remove_handle(server.polls, server.poll);
	curl_multi_add_handle(server.polls, server.poll);
}

/* ---- the loop ---- */

static void run_all(struct MHD_Daemon *daemon)
{
	/* Its timeout does not see who was resumed; a run does. */
	do {
		server.resumed = false;
		MHD_run(daemon);
		if (server.polls)
			run_poll();
	} while (server.resumed);
}

static void wait_for(int epoll, int ms)
{
	struct epoll_event event;
	struct curl_waitfd waited = {.fd = epoll, .events = CURL_WAIT_POLLIN};

	if (server.polls)
		curl_multi_poll(server.polls, &waited, 1, ms, NULL);
	else
		epoll_wait(epoll, &event, 1, ms);
}

static _Noreturn void serve(int listener)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0,
		NULL, NULL, handle, NULL, MHD_OPTION_LISTEN_SOCKET, listener,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)PARKED_MAX + 1024,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_END);

	CHECK(daemon && epoll >= 0, "the bare server does not start");
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD,
		      MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, &event) == 0,
		"epoll_ctl");
	for (;;) {
		MHD_UNSIGNED_LONG_LONG timeout;
		int ms = 1000;

		run_all(daemon);
		if (MHD_get_timeout(daemon, &timeout) == MHD_YES)
			ms = timeout > 1000 ? ms : (int)timeout;
		wait_for(epoll, ms);
	}
}

struct floor_http floor_relay_start(int from_port)
{
	struct floor_http f;
	int listener = raw_listen(&f.port);

	f.pid = raw_fork();
	if (f.pid == 0) {
		server.body = "{}";
		open_poll(from_port);
		serve(listener);
	}
	close(listener);
	return f;
}

struct floor_http floor_http_start(const char *body, const char *headers)
{
	struct floor_http f;
	int listener = raw_listen(&f.port);

	f.pid = raw_fork();
	if (f.pid == 0) {
		server.body = body;
		take_headers(headers);
		serve(listener);
	}
	close(listener);
	return f;
}
