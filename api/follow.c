#include "api/follow.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "api/http_inside.h"

/* Of a connection: when it is asked whether anybody is there, and how often until it is over. */
#define ALIVE_SECONDS 20
#define ALIVE_TRIES 3

void *exchange_follow_data(const struct exchange *x)
{
	return x->follow.data;
}

void exchange_follow_data_set(struct exchange *x, void *data, void (*free_data)(void *data))
{
	x->follow.data = data;
	x->follow.free_data = free_data;
}

bool exchange_following(const struct exchange *x)
{
	return x->follow.begun;
}

struct text *exchange_follow_out(struct exchange *x)
{
	return &x->follow.out;
}

void exchange_follow_end(struct exchange *x)
{
	x->follow.ended = true;
}

void exchange_follow_cut(struct exchange *x)
{
	x->follow.ended = x->follow.cut = true;
}

void exchange_follow_renew(struct exchange *x)
{
	x->started_ms = loop_now_ms(x->http->config.loop);
}

bool exchange_follow_problem(struct exchange *x, enum problem_code *ret_code)
{
	if (!x->response)
		return false;
	*ret_code = x->problem;
	reply_forget(x);
	return true;
}

/* ---- the kit's side ---- */

bool follow_ready(const struct exchange *x)
{
	return x->follow.queued && (x->follow.ended || x->follow.sent < x->follow.out.used);
}

bool follow_settled(struct exchange *x)
{
	if (!x->follow.queued)
		return false;
	if (x->response || !text_ok(&x->follow.out))
		x->follow.ended = true;
	if (x->response && x->follow.passed)
		x->follow.cut = true;
	if (x->response)
		reply_forget(x);
	return follow_ready(x);
}

void follow_release(struct exchange *x)
{
	if (x->follow.counted)
		x->http->follows--;
	if (x->follow.free_data)
		x->follow.free_data(x->follow.data);
	text_fini(&x->follow.out);
}

static void next_piece(struct exchange *x)
{
	text_clear(&x->follow.out);
	x->follow.sent = 0;
	x->expired = false;
	exchange_follow_renew(x);
	wait_run(x);
}

static ssize_t read_piece(void *data, uint64_t at, char *bytes, size_t size)
{
	struct exchange *x = data;
	size_t left;

	(void)at;
	if (x->gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (!follow_ready(x))
		next_piece(x);
	if (!follow_ready(x)) {
		MHD_suspend_connection(x->connection);
		x->suspended = true;
		return 0;
	}
	if (x->follow.cut || !text_ok(&x->follow.out))
		return MHD_CONTENT_READER_END_WITH_ERROR; /* a piece is missing */
	left = x->follow.out.used - x->follow.sent;
	if (left == 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	size = size < left ? size : left;
	memcpy(bytes, x->follow.out.bytes + x->follow.sent, size);
	x->follow.sent += size;
	return (ssize_t)size;
}

/* Who vanishes without a word is asked for. */
static void ask_whether_alive(struct exchange *x)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	int on = 1, seconds = ALIVE_SECONDS, tries = ALIVE_TRIES, fd = info->connect_fd;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
}

/* Takes `r`, which is NULL without memory. */
static bool begin(
	struct exchange *x, unsigned status, struct MHD_Response *r, const char *media_type)
{
	if (!r || !text_ok(&x->follow.out)) {
		if (r)
			MHD_destroy_response(r);
		exchange_fail(x, ERR_NO_MEMORY);
		return false;
	}
	reply_install(x, status, r, media_type);
	if (x->response != r)
		return false;
	ask_whether_alive(x);
	x->follow.begun = true;
	return true;
}

bool exchange_follow(struct exchange *x, const char *media_type)
{
	if (x->http->follows == HTTP_FOLLOWS_MAX) {
		exchange_problem(x, PROBLEM_WATCH_SLOTS, "%u replies are followed already",
			HTTP_FOLLOWS_MAX);
		return false;
	}
	if (!begin(x, 200,
		    MHD_create_response_from_callback(
			    MHD_SIZE_UNKNOWN, HTTP_SOURCE_BYTES, read_piece, x, NULL),
		    media_type))
		return false;
	x->follow.counted = true;
	x->http->follows++;
	return true;
}

static bool add_headers(struct MHD_Response *r, const struct follow_head *head)
{
	const char *at = head->headers, *end = at + head->headers_bytes;

	while (at < end) {
		const char *value = at + strlen(at) + 1;

		if (MHD_add_response_header(r, at, value) != MHD_YES)
			return false;
		at = value + strlen(value) + 1;
	}
	return true;
}

bool exchange_follow_pass(struct exchange *x, const struct follow_head *head)
{
	struct MHD_Response *r = MHD_create_response_from_callback(
		head->length == FOLLOW_UNKNOWN ? MHD_SIZE_UNKNOWN : head->length, HTTP_SOURCE_BYTES,
		read_piece, x, NULL);

	if (r && !add_headers(r, head)) {
		MHD_destroy_response(r);
		r = NULL;
	}
	x->follow.passed = begin(x, head->status, r, NULL);
	return x->follow.passed;
}
