#include "tests/lib/helper.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/check.h"
#include "tests/lib/children.h"
#include "tests/lib/owner.h"

#define SCRIPT "HORDE_TEST_SCRIPT"
#define LOOK_US 5000 /* between two looks for a file */

const char *helper_spec(const char *script, const char *members)
{
	char self[PATH_MAX];
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof self - 1);

	CHECK(bytes > 0, "who am I");
	self[bytes] = '\0';
	return text_of("{\"command\":[\"%s\"],\"env\":{\"" SCRIPT "\":\"%s\"}%s%s}", self, script,
		members ? "," : "", members ? members : "");
}

/* ---- inside of the child ---- */

static void await(const char *path)
{
	while (access(path, F_OK) != 0)
		usleep(LOOK_US);
}

static void touch(const char *path)
{
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static int listen_at(int port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 16) < 0)
		_exit(70);
	return fd;
}

static int status_in(const char *path)
{
	FILE *f = fopen(path, "re");
	int status = 200;

	if (f && fscanf(f, "%d", &status) != 1)
		status = 200;
	if (f)
		fclose(f);
	return status;
}

static void serve(int port, const char *path)
{
	int fd = listen_at(port);

	for (;;) {
		char bytes[4096];
		int one = accept(fd, NULL, NULL);

		if (one < 0)
			continue;
		if (read(one, bytes, sizeof bytes) > 0)
			dprintf(one,
				"HTTP/1.1 %d x\r\nLocation: http://127.0.0.1:1/\r\n"
				"Content-Length: 2\r\n\r\nok",
				status_in(path));
		close(one);
	}
}

/* As sd_notify(3) says; for the abstract namespace alone. */
static void send_to(const char *address, const char *text)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	size_t bytes = address ? strlen(address) : 0;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char lines[PATH_MAX];

	if (bytes < 2 || bytes > sizeof at.sun_path || address[0] != '@')
		_exit(72);
	memcpy(at.sun_path + 1, address + 1, bytes - 1);
	snprintf(lines, sizeof lines, "%s", text);
	for (char *p = lines; (p = strchr(p, '|'));)
		*p = '\n';
	if (sendto(fd, lines, strlen(lines), 0, (struct sockaddr *)&at,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes)) < 0)
		_exit(73);
	close(fd);
}

/* It stays until its word was read, or for a while. */
static void send_by_fork(const char *text)
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		send_to(getenv("NOTIFY_SOCKET"), text);
		pause();
		_exit(0);
	}
}

static void tell_address(const char *path)
{
	char text[256], part[PATH_MAX];
	const char *usec = getenv("WATCHDOG_USEC"), *address = getenv("NOTIFY_SOCKET");
	FILE *f;

	if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part)
		_exit(74);
	snprintf(text, sizeof text, "%s %s\n", address ? address : "-", usec ? usec : "-");
	f = fopen(part, "we");
	if (!f || fputs(text, f) < 0 || fclose(f) || rename(part, path))
		_exit(74);
}

static void send_to_named(const char *path, const char *text)
{
	char address[256] = "";
	FILE *f = fopen(path, "re");

	if (!f || fscanf(f, "%255s", address) != 1)
		_exit(75);
	fclose(f);
	send_to(address, text);
}

static void feed(int ms, const char *until)
{
	while (access(until, F_OK) != 0) {
		send_to(getenv("NOTIFY_SOCKET"), "WATCHDOG=1");
		usleep((useconds_t)ms * 1000);
	}
}

static void do_step(const char *step)
{
	char word[PATH_MAX] = "", text[1024] = "";
	int number = 0;

	if (sscanf(step, "await %4095s", word) == 1)
		await(word);
	else if (sscanf(step, "touch %4095s", word) == 1)
		touch(word);
	else if (sscanf(step, "tcp %d", &number) == 1)
		listen_at(number);
	else if (sscanf(step, "http %d %4095s", &number, word) == 2)
		serve(number, word);
	else if (sscanf(step, "owner %d %4095s", &number, word) == 2)
		owner_serve(number, word);
	else if (sscanf(step, "notify %1023[^;]", text) == 1)
		send_to(getenv("NOTIFY_SOCKET"), text);
	else if (sscanf(step, "fork %1023[^;]", text) == 1)
		send_by_fork(text);
	else if (sscanf(step, "tell %4095s", word) == 1)
		tell_address(word);
	else if (sscanf(step, "to %4095s %1023[^;]", word, text) == 2)
		send_to_named(word, text);
	else if (sscanf(step, "feed %d %4095s", &number, word) == 2)
		feed(number, word);
	else if (sscanf(step, "exit %d", &number) == 1)
		_exit(number);
	else
		_exit(71);
}

/* Before main: the test's own never runs in such a process. */
__attribute__((constructor)) static void be_helper(void)
{
	char *script = getenv(SCRIPT), *rest = NULL;

	if (!script)
		return;
	for (char *step = strtok_r(script, ";", &rest); step; step = strtok_r(NULL, ";", &rest))
		do_step(step + strspn(step, " "));
	for (;;)
		pause();
}
