#include "tests/lib/helper.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/check.h"
#include "tests/lib/children.h"

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

static void do_step(const char *step)
{
	char word[PATH_MAX] = "";
	int number = 0;

	if (sscanf(step, "await %4095s", word) == 1)
		await(word);
	else if (sscanf(step, "touch %4095s", word) == 1)
		touch(word);
	else if (sscanf(step, "tcp %d", &number) == 1)
		listen_at(number);
	else if (sscanf(step, "http %d %4095s", &number, word) == 2)
		serve(number, word);
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
