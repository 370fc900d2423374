#include "tests/lib/proxy.h"

#include "tests/lib/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS_MAX = 128, CHUNK_BYTES = 65536, SLOW_TURN_MS = 10 };

struct pair {
	int client, server;
	struct meter asked, told;
	long answered; /* bytes of the present answer */
};

struct proxy {
	pthread_t thread;
	int listener, port;
	int wake[2];
	atomic_int target, mode, torn, ending;
	atomic_long bytes;
	pthread_mutex_t lock; /* of `requests` and `answers` */
	struct meter_sum requests, answers;
	struct pair pairs[PAIRS_MAX];
	int count;
};

static int loopback_socket(int port, struct sockaddr_in *address)
{
	memset(address, 0, sizeof *address);
	address->sin_family = AF_INET;
	address->sin_port = htons((uint16_t)port);
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void drop(struct proxy *proxy, int i)
{
	close(proxy->pairs[i].client);
	close(proxy->pairs[i].server);
	proxy->pairs[i] = proxy->pairs[--proxy->count];
}

static void drop_all(struct proxy *proxy)
{
	while (proxy->count > 0)
		drop(proxy, 0);
}

static void welcome(struct proxy *proxy)
{
	int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
	struct sockaddr_in to;
	int server = loopback_socket(atomic_load(&proxy->target), &to);

	if (client >= 0 && server >= 0 && proxy->count < PAIRS_MAX && to.sin_port &&
		connect(server, (struct sockaddr *)&to, sizeof to) == 0) {
		proxy->pairs[proxy->count++] = (struct pair){.client = client, .server = server};
		return;
	}
	if (client >= 0)
		close(client);
	if (server >= 0)
		close(server);
}

static bool send_whole(int fd, const char *bytes, ssize_t size)
{
	while (size > 0) {
		ssize_t sent = send(fd, bytes, (size_t)size, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		bytes += sent;
		size -= sent;
	}
	return true;
}

static void count(struct proxy *proxy, struct meter *meter, struct meter_sum *sum,
	const char *bytes, ssize_t got)
{
	if (got <= 0)
		return;
	pthread_mutex_lock(&proxy->lock);
	meter_pass(meter, bytes, (size_t)got, sum);
	pthread_mutex_unlock(&proxy->lock);
}

/* Passes what is there; false when the pair is to be dropped. */
static bool pass_request(struct proxy *proxy, struct pair *pair)
{
	char chunk[CHUNK_BYTES];
	ssize_t got = recv(pair->client, chunk, sizeof chunk, MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN;
	pair->answered = 0;
	count(proxy, &pair->asked, &proxy->requests, chunk, got);
	return got > 0 && send_whole(pair->server, chunk, got);
}

static bool pass_answer(struct proxy *proxy, struct pair *pair)
{
	char chunk[CHUNK_BYTES];
	enum proxy_mode mode = (enum proxy_mode)atomic_load(&proxy->mode);
	long limit = atomic_load(&proxy->bytes), most = CHUNK_BYTES;
	ssize_t got;

	if (mode == PROXY_SLOW && limit / (1000 / SLOW_TURN_MS) < most)
		most = limit / (1000 / SLOW_TURN_MS) + 1;
	got = recv(pair->server, chunk, (size_t)most, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN;
	if (got == 0)
		return false;
	if (mode == PROXY_TEAR && pair->answered + got > limit) {
		send_whole(
			pair->client, chunk, limit > pair->answered ? limit - pair->answered : 0);
		atomic_fetch_add(&proxy->torn, 1);
		return false;
	}
	if (mode == PROXY_ALTER && pair->answered <= limit && pair->answered + got > limit) {
		chunk[limit - pair->answered] ^= 1;
		atomic_fetch_add(&proxy->torn, 1);
	}
	pair->answered += got;
	count(proxy, &pair->told, &proxy->answers, chunk, got);
	return send_whole(pair->client, chunk, got);
}

static bool serve_pair(struct proxy *proxy, struct pair *pair, short client, short server)
{
	if (client && !pass_request(proxy, pair))
		return false;
	return !server || pass_answer(proxy, pair);
}

static void turn(struct proxy *proxy)
{
	struct pollfd fds[2 + 2 * PAIRS_MAX];
	bool silent = atomic_load(&proxy->mode) == PROXY_SILENT;
	nfds_t count = 2;
	char byte;

	fds[0] = (struct pollfd){.fd = proxy->wake[0], .events = POLLIN};
	/* While silent the kernel completes handshakes by itself, like a frozen machine. */
	fds[1] = (struct pollfd){.fd = silent ? -1 : proxy->listener, .events = POLLIN};
	for (int i = 0; !silent && i < proxy->count; i++) {
		fds[count++] = (struct pollfd){.fd = proxy->pairs[i].client, .events = POLLIN};
		fds[count++] = (struct pollfd){.fd = proxy->pairs[i].server, .events = POLLIN};
	}
	if (poll(fds, count, -1) < 0)
		return;
	if (fds[0].revents && read(proxy->wake[0], &byte, 1) == 1) {
		if (byte == 'd')
			drop_all(proxy);
		return;
	}
	if (atomic_load(&proxy->mode) == PROXY_SLOW)
		check_pause_ms(SLOW_TURN_MS);
	/* Backwards, since dropping one moves the last into its place. */
	for (int i = (int)(count - 2) / 2 - 1; i >= 0; i--)
		if (!serve_pair(proxy, &proxy->pairs[i], fds[2 + 2 * i].revents,
			    fds[3 + 2 * i].revents))
			drop(proxy, i);
	if (fds[1].revents)
		welcome(proxy);
}

static void *run(void *arg)
{
	struct proxy *proxy = arg;

	while (!atomic_load(&proxy->ending))
		turn(proxy);
	drop_all(proxy);
	return NULL;
}

struct proxy *proxy_start(void)
{
	struct proxy *proxy = calloc(1, sizeof *proxy);
	struct sockaddr_in address;
	socklen_t size = sizeof address;

	CHECK(proxy && pipe2(proxy->wake, O_CLOEXEC) == 0, "no pipe for a proxy");
	CHECK(pthread_mutex_init(&proxy->lock, NULL) == 0, "no lock for a proxy");
	proxy->listener = loopback_socket(0, &address);
	CHECK(proxy->listener >= 0 &&
			bind(proxy->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
			listen(proxy->listener, PAIRS_MAX) == 0 &&
			getsockname(proxy->listener, (struct sockaddr *)&address, &size) == 0,
		"a proxy cannot listen: %s", strerror(errno));
	proxy->port = ntohs(address.sin_port);
	CHECK(pthread_create(&proxy->thread, NULL, run, proxy) == 0, "no thread for a proxy");
	return proxy;
}

int proxy_port(const struct proxy *proxy)
{
	return proxy->port;
}

void proxy_target(struct proxy *proxy, int port)
{
	atomic_store(&proxy->target, port);
}

static void wake(struct proxy *proxy, char what)
{
	CHECK(write(proxy->wake[1], &what, 1) == 1, "a proxy cannot be woken");
}

void proxy_mode(struct proxy *proxy, enum proxy_mode mode, long bytes)
{
	bool was_silent = atomic_load(&proxy->mode) == PROXY_SILENT;

	atomic_store(&proxy->bytes, bytes);
	atomic_store(&proxy->mode, (int)mode);
	wake(proxy, was_silent && mode != PROXY_SILENT ? 'd' : 'm');
}

int proxy_torn(const struct proxy *proxy)
{
	return atomic_load(&proxy->torn);
}

struct proxy_traffic proxy_traffic(struct proxy *proxy)
{
	struct proxy_traffic traffic;

	pthread_mutex_lock(&proxy->lock);
	traffic = (struct proxy_traffic){.requests = proxy->requests, .answers = proxy->answers};
	pthread_mutex_unlock(&proxy->lock);
	return traffic;
}

long proxy_bytes(struct proxy *proxy)
{
	struct proxy_traffic t = proxy_traffic(proxy);

	return t.requests.heads + t.requests.bodies + t.answers.heads + t.answers.bodies;
}

void proxy_stop(struct proxy *proxy)
{
	if (!proxy)
		return;
	atomic_store(&proxy->ending, 1);
	wake(proxy, 'e');
	pthread_join(proxy->thread, NULL);
	close(proxy->listener);
	close(proxy->wake[0]);
	close(proxy->wake[1]);
	pthread_mutex_destroy(&proxy->lock);
	free(proxy);
}
