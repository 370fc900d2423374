#include "tests/bench/bench.h"

#include "tests/lib/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int raw_connect(int port)
{
	struct sockaddr_in to = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect to %d: %s",
		port, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

int raw_listen(int *ret_port)
{
	struct sockaddr_in at = loopback(0);
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
			listen(fd, SOMAXCONN) == 0 &&
			getsockname(fd, (struct sockaddr *)&at, &size) == 0,
		"cannot listen: %s", strerror(errno));
	*ret_port = ntohs(at.sin_port);
	return fd;
}

void raw_send(int fd, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);

		CHECK(sent > 0 || errno == EINTR, "send: %s", strerror(errno));
		if (sent > 0) {
			bytes += sent;
			count -= (size_t)sent;
		}
	}
}

size_t raw_response(const char *bytes, size_t count, int *ret_status)
{
	const char *end = memmem(bytes, count, "\r\n\r\n", 4), *line = bytes;
	size_t length = 0, head;

	if (!end)
		return 0;
	head = (size_t)(end - bytes) + 4;
	*ret_status = count > 12 ? atoi(bytes + 9) : 0;
	while (line < end && (line = memchr(line, '\n', (size_t)(end - line)))) {
		line++;
		if (strncasecmp(line, "Content-Length:", 15) == 0)
			length = strtoul(line + 15, NULL, 10);
	}
	return count >= head + length ? head + length : 0;
}

int raw_read(int fd, char *out, size_t size)
{
	size_t used = 0;
	int status = 0;

	do {
		ssize_t got = recv(fd, out + used, size - 1 - used, 0);

		CHECK(got > 0, "the connection ended: %s", got ? strerror(errno) : "end of file");
		used += (size_t)got;
		CHECK(used < size - 1, "the response is too long");
	} while (raw_response(out, used, &status) == 0);
	out[used] = '\0';
	return status;
}

pid_t raw_fork(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

void raw_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
