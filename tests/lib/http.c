#include "tests/lib/http.h"

#include "tests/lib/check.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static struct http_reply *replies;
static CURL *kept;        /* keeps its connections between calls */
static CURLM *kept_multi; /* and so does this; NULL while somebody uses it */

static bool append(char **text, size_t *size, const char *bytes, size_t count)
{
	char *grown;

	if (*size + count > HTTP_REPLY_BYTES_MAX)
		return false;
	grown = realloc(*text, *size + count + 1);
	if (!grown)
		return false;
	memcpy(grown + *size, bytes, count);
	*size += count;
	grown[*size] = '\0';
	*text = grown;
	return true;
}

static size_t on_body(char *bytes, size_t one, size_t count, void *arg)
{
	struct http_reply *reply = arg;

	return append(&reply->body, &reply->body_size, bytes, one * count) ? one * count : 0;
}

/* A 100 Continue has headers of its own: each status line starts the list again. */
static size_t on_head(char *bytes, size_t one, size_t count, void *arg)
{
	struct http_reply *reply = arg;

	if (one * count > 5 && memcmp(bytes, "HTTP/", 5) == 0)
		reply->head_size = 0;
	return append(&reply->head, &reply->head_size, bytes, one * count) ? one * count : 0;
}

static struct http_reply *reply_new(void)
{
	struct http_reply *reply = calloc(1, sizeof *reply);

	CHECK(reply, "out of memory");
	CHECK(append(&reply->body, &reply->body_size, "", 0), "out of memory");
	CHECK(append(&reply->head, &reply->head_size, "", 0), "out of memory");
	reply->next = replies;
	replies = reply;
	return reply;
}

static bool names_header(const struct http_request *request, const char *name)
{
	for (int i = 0; i < HTTP_HEADERS_MAX && request->headers[i]; i++)
		if (strncasecmp(request->headers[i], name, strlen(name)) == 0)
			return true;
	return false;
}

static struct curl_slist *header_list(const struct http_request *request)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	if (request->body && !names_header(request, "Content-Type"))
		list = curl_slist_append(list, "Content-Type: application/json");
	for (int i = 0; i < HTTP_HEADERS_MAX && request->headers[i]; i++)
		list = curl_slist_append(list, request->headers[i]);
	return list;
}

static void set_body(CURL *easy, const struct http_request *request)
{
	size_t size = request->body_size ? request->body_size : strlen(request->body);

	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
}

static void prepare(CURL *easy, const struct http_request *request, struct http_reply *reply,
	struct curl_slist *headers)
{
	const char *method = request->method ? request->method : request->body ? "POST" : "GET";

	snprintf(reply->url, sizeof reply->url, "%s", request->url);
	snprintf(reply->method, sizeof reply->method, "%s", method);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
		request->timeout_ms ? request->timeout_ms : check_ms(HTTP_TIMEOUT_MS));
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reply->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, reply);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, reply);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, reply);
	if (request->body)
		set_body(easy, request);
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static void finish(CURL *easy, struct http_reply *reply, CURLcode result)
{
	double seconds = 0;

	if (result != CURLE_OK && !reply->error[0])
		snprintf(reply->error, sizeof reply->error, "%s", curl_easy_strerror(result));
	/* A server that refuses a body may close before it was sent whole: its answer counts. */
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply->status);
	if (result != CURLE_OK && result != CURLE_SEND_ERROR)
		reply->status = 0;
	curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME, &seconds);
	reply->ms = seconds * 1000;
	if (reply->status)
		reply->json = json_loadb(reply->body, reply->body_size, JSON_DECODE_ANY, NULL);
}

struct http_reply *http_send(const struct http_request *request)
{
	struct http_reply *reply = reply_new();
	struct curl_slist *headers = header_list(request);

	if (!kept)
		kept = curl_easy_init();
	CHECK(kept, "libcurl has no handle");
	curl_easy_reset(kept);
	prepare(kept, request, reply, headers);
	finish(kept, reply, curl_easy_perform(kept));
	curl_easy_setopt(kept, CURLOPT_ERRORBUFFER, NULL);
	curl_slist_free_all(headers);
	return reply;
}

static void collect(CURLM *multi)
{
	struct http_reply *reply;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &reply);
		finish(message->easy_handle, reply, message->data.result);
	}
}

struct http_flight {
	CURLM *multi;
	int count, running;
	CURL *easy[HTTP_ALL_MAX];
	struct curl_slist *headers[HTTP_ALL_MAX];
	struct http_reply *replies[HTTP_ALL_MAX];
};

struct http_flight *http_begin(const struct http_request *requests, int count)
{
	struct http_flight *flight = calloc(1, sizeof *flight);

	CHECK(flight && count <= HTTP_ALL_MAX, "%d requests at once", count);
	flight->multi = kept_multi ? kept_multi : curl_multi_init();
	kept_multi = NULL;
	CHECK(flight->multi, "libcurl has no handle");
	curl_multi_setopt(flight->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_ALL_MAX);
	flight->count = flight->running = count;
	for (int i = 0; i < count; i++) {
		flight->easy[i] = curl_easy_init();
		flight->headers[i] = header_list(&requests[i]);
		flight->replies[i] = reply_new();
		prepare(flight->easy[i], &requests[i], flight->replies[i], flight->headers[i]);
		curl_multi_add_handle(flight->multi, flight->easy[i]);
	}
	return flight;
}

/* Takes what is there of all of them. */
static void take(struct http_flight *flight)
{
	CHECK(curl_multi_perform(flight->multi, &flight->running) == CURLM_OK, "libcurl failed");
	collect(flight->multi);
}

/* Goes on with all of them, for at most `ms`. */
static void fly(struct http_flight *flight, int ms)
{
	take(flight);
	if (flight->running > 0)
		curl_multi_poll(flight->multi, NULL, 0, ms, NULL);
}

bool http_parked(struct http_flight *flight, long ms)
{
	int64_t end = check_now_ms() + ms, left;

	while ((left = end - check_now_ms()) > 0 && flight->running == flight->count)
		fly(flight, (int)left);
	return flight->running == flight->count;
}

const struct http_reply *http_coming(const struct http_flight *flight, int index)
{
	return flight->replies[index];
}

bool http_comes(struct http_flight *flight, int index, const char *text, size_t *at, long ms)
{
	const struct http_reply *reply = flight->replies[index];
	int64_t end = check_now_ms() + ms, left;
	const char *found;

	take(flight);
	while (!(found = strstr(reply->body + *at, text)) && !reply->status && !reply->error[0]) {
		left = end - check_now_ms();
		CHECK(left > 0, "%s: no %s came, but %s", reply->url, text, reply->body + *at);
		curl_multi_poll(flight->multi, NULL, 0, (int)left, NULL);
		take(flight);
	}
	if (found)
		*at = (size_t)(found - reply->body) + strlen(text);
	return found;
}

static void free_flight(struct http_flight *flight, bool keep)
{
	for (int i = 0; i < flight->count; i++) {
		curl_multi_remove_handle(flight->multi, flight->easy[i]);
		curl_easy_cleanup(flight->easy[i]);
		curl_slist_free_all(flight->headers[i]);
	}
	if (!keep || kept_multi)
		curl_multi_cleanup(flight->multi);
	else
		kept_multi = flight->multi;
	free(flight);
}

void http_drop(struct http_flight *flight)
{
	free_flight(flight, false);
}

void http_finish(struct http_flight *flight, struct http_reply **ret_replies)
{
	while (flight->running > 0)
		fly(flight, 1000);
	for (int i = 0; i < flight->count; i++)
		ret_replies[i] = flight->replies[i];
	free_flight(flight, true);
}

void http_send_all(const struct http_request *requests, struct http_reply **ret_replies, int count)
{
	http_finish(http_begin(requests, count), ret_replies);
}

const char *http_header(const struct http_reply *reply, const char *name)
{
	static char value[4096];
	size_t length = strlen(name);

	for (const char *line = reply->head; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
			line += length + 1;
			line += strspn(line, " \t");
			snprintf(value, sizeof value, "%.*s", (int)strcspn(line, "\r\n"), line);
			return value;
		}
	}
	return NULL;
}

void http_reply_free(struct http_reply *reply)
{
	struct http_reply **link = &replies;

	while (*link && *link != reply)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = reply->next;
	json_decref(reply->json);
	free(reply->body);
	free(reply->head);
	free(reply);
}

void http_forget_all(void)
{
	while (replies)
		http_reply_free(replies);
	if (kept)
		curl_easy_cleanup(kept);
	kept = NULL;
	if (kept_multi)
		curl_multi_cleanup(kept_multi);
	kept_multi = NULL;
}

const char *http_escape(const char *text)
{
	static char ring[8][4096];
	static unsigned turn;
	char *out = ring[turn++ % 8];
	size_t used = 0;

	out[0] = '\0';
	for (; *text && used + 4 < sizeof ring[0]; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			     (c >= 'a' && c <= 'z') || strchr("-._~", c);

		used += (size_t)snprintf(out + used, 4, plain ? "%c" : "%%%02X", c);
	}
	CHECK(!*text, "too long to escape");
	return out;
}

long http_raw(int port, const char *bytes, size_t bytes_size, char *out, size_t size, long ms)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t end = check_now_ms() + ms;
	size_t used = 0;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	/* The daemon may close before it has read everything; what it said still counts. */
	if (send(fd, bytes, bytes_size, MSG_NOSIGNAL) < 0)
		used = 0;
	while (used + 1 < size && check_now_ms() < end) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t got;

		if (poll(&ready, 1, (int)(end - check_now_ms())) <= 0)
			break;
		got = recv(fd, out + used, size - 1 - used, 0);
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	out[used] = '\0';
	close(fd);
	return (long)used;
}
