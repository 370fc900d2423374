/* One daemon: its flags, its life, its log, and calls to it. */
#include "tests/lib/cluster.h"

#include "tests/lib/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 5, LOG_BYTES_MAX = 4 * 1024 * 1024 };

/* ---- flags ---- */

static void add_word(struct node *node, const char *text)
{
	int i = 0;

	while (node->args[i])
		i++;
	CHECK(i + 1 < CLUSTER_ARGS_MAX, "too many flags for %s", node->name);
	node->args[i] = strdup(text);
	CHECK(node->args[i], "out of memory");
}

/* Gives a flag its value, or another one when it has one: only --join may come twice. */
void node_set_flag(struct node *node, const char *flag, const char *value)
{
	for (int i = 0; node->args[i] && strcmp(flag, "--join") != 0; i++) {
		if (strcmp(node->args[i], flag) != 0)
			continue;
		free(node->args[i + 1]);
		node->args[i + 1] = strdup(value);
		CHECK(node->args[i + 1], "out of memory");
		return;
	}
	add_word(node, flag);
	add_word(node, value);
}

/* The port stays the same over restarts, as an address does in a real cluster. */
void node_set_listen(struct node *node, int port)
{
	char address[64];

	snprintf(address, sizeof address, "%s:%d", node->host, port);
	node_set_flag(node, "--listen", address);
}

/* Flags of a test; one that is followed by another flag, or by nothing, has no value. */
void node_add_flags(struct node *node, const char *const *args)
{
	for (int i = 0; args && args[i]; i++) {
		if (args[i + 1] && strncmp(args[i + 1], "--", 2) != 0) {
			node_set_flag(node, args[i], args[i + 1]);
			i++;
		} else {
			add_word(node, args[i]);
		}
	}
}

void node_set_env(struct node *node, const char *name, const char *value)
{
	size_t length = strlen(name);
	int i = 0;

	while (node->env[i] &&
		(strncmp(node->env[i], name, length) != 0 || node->env[i][length] != '='))
		i++;
	CHECK(i + 1 < NODE_ENV_MAX, "too many variables for %s", node->name);
	free(node->env[i]);
	node->env[i] = NULL;
	if (value)
		CHECK(asprintf(&node->env[i], "%s=%s", name, value) > 0, "out of memory");
	for (; !value && node->env[i + 1]; i++) {
		node->env[i] = node->env[i + 1];
		node->env[i + 1] = NULL;
	}
}

const char *node_program(void)
{
	const char *path = getenv("HORDED");

	return path ? path : "build/horded";
}

/* ---- one daemon ---- */

static void run_daemon(struct node *node)
{
	sigset_t none;
	int log = open(node->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	int out = node->out[0] ? open(node->out, O_WRONLY | O_APPEND) : log;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A test that crashes or times out takes its daemons along. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; node->env[i]; i++)
		putenv(node->env[i]);
	if (log < 0 || dup2(out, 1) < 0 || dup2(log, 2) < 0)
		_exit(126);
	execv(node_program(), node->args);
	dprintf(2, "cannot run %s: %s\n", node_program(), strerror(errno));
	_exit(127);
}

void node_start(struct node *node)
{
	char path[300];

	CHECK(node->pid == 0, "%s runs already", node->name);
	if (node->port)
		node_set_listen(node, node->port);
	snprintf(path, sizeof path, "%s/url", node->dir);
	unlink(path);
	node->pid = fork();
	CHECK(node->pid >= 0, "fork: %s", strerror(errno));
	if (node->pid == 0)
		run_daemon(node);
}

bool node_has_ended(struct node *node, int *ret_code)
{
	int status;

	if (node->pid == 0 || waitpid(node->pid, &status, WNOHANG) != node->pid)
		return false;
	node->pid = 0;
	*ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return true;
}

static bool read_url(struct node *node)
{
	char path[300], text[128] = "";
	FILE *file;
	const char *colon;

	snprintf(path, sizeof path, "%s/url", node->dir);
	file = fopen(path, "re");
	if (!file)
		return false;
	CHECK(fgets(text, sizeof text, file), "%s is empty, yet renamed into place", path);
	fclose(file);
	colon = strrchr(text, ':');
	if (node->port == 0) {
		CHECK(colon && strtol(colon + 1, NULL, 10) > 0, "%s holds '%s'", path, text);
		node->port = (int)strtol(colon + 1, NULL, 10);
	}
	snprintf(node->url, sizeof node->url, "http://%s:%d", node->host, node->port);
	return true;
}

void node_wait_listening(struct node *node)
{
	int64_t end = check_now_ms() + check_ms(CLUSTER_START_MS);
	int code = 0;

	/* Before there is a port there is nothing to poll, so this looks at the file. */
	while (!read_url(node)) {
		CHECK(!node_has_ended(node, &code), "%s ended with %d before it listened: %s",
			node->name, code, node_log(node));
		CHECK(check_now_ms() < end, "waited for %s to listen: %s", node->name,
			node_log(node));
		check_pause_ms(LOOK_MS);
	}
}

void node_wait_ready(struct node *node)
{
	int64_t end = check_now_ms() + check_ms(CLUSTER_START_MS);
	struct http_reply *reply;
	int code = 0;

	node_wait_listening(node);
	while ((reply = node_call(node, "GET", NULL, "/readyz?verbose"))->status != 200) {
		CHECK(!node_has_ended(node, &code), "%s ended with %d before it was ready: %s",
			node->name, code, node_log(node));
		CHECK(check_now_ms() < end, "waited for %s to be ready; /readyz says %ld %s",
			node->name, reply->status, reply->body);
		http_reply_free(reply);
		check_pause_ms(LOOK_MS);
	}
}

void node_signal(struct node *node, int sig)
{
	CHECK(node->pid > 0 && kill(node->pid, sig) == 0, "signal %d to %s", sig, node->name);
}

void node_kill(struct node *node)
{
	int status;

	node_signal(node, SIGKILL);
	CHECK(waitpid(node->pid, &status, 0) == node->pid, "waitpid for %s", node->name);
	node->pid = 0;
}

static struct {
	pthread_t thread;
	int pidfd;
	long after_us;
} shot; /* one at a time */

/* By descriptor: a test that fails meanwhile has reaped the daemon, and its number may be taken. */
static void *shoot(void *arg)
{
	struct timespec pause = {.tv_nsec = shot.after_us * 1000};

	nanosleep(&pause, NULL);
	pidfd_send_signal(shot.pidfd, SIGKILL, NULL, 0);
	return arg;
}

void node_kill_later(struct node *node, long after_us)
{
	CHECK(after_us < 1000000, "%ld us", after_us);
	shot.after_us = after_us;
	shot.pidfd = pidfd_open(node->pid, 0);
	CHECK(shot.pidfd >= 0 && pthread_create(&shot.thread, NULL, shoot, NULL) == 0,
		"cannot aim at %s", node->name);
}

void node_wait_killed(struct node *node)
{
	pthread_join(shot.thread, NULL);
	close(shot.pidfd);
	CHECK_INT(node_wait_exit(node, CLUSTER_START_MS), 128 + SIGKILL);
}

int node_wait_exit(struct node *node, long ms)
{
	int64_t end = check_now_ms() + check_ms(ms);
	int code = -1;

	while (!node_has_ended(node, &code)) {
		CHECK(check_now_ms() < end, "waited %ld ms for %s to end", ms, node->name);
		check_pause_ms(LOOK_MS);
	}
	return code;
}

int node_term(struct node *node, long ms)
{
	node_signal(node, SIGTERM);
	return node_wait_exit(node, ms);
}

char *node_log_tail(const struct node *node, long limit)
{
	FILE *file = fopen(node->log, "re");
	char *text = calloc(1, (size_t)limit + 1);
	long size = 0;

	if (file && text && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) > limit)
		size = limit;
	if (file && text && size > 0 && fseek(file, -size, SEEK_END) == 0)
		text[fread(text, 1, (size_t)size, file)] = '\0';
	if (file)
		fclose(file);
	return text;
}

const char *node_log(const struct node *node)
{
	static char *text;

	free(text);
	text = node_log_tail(node, LOG_BYTES_MAX);
	return text ? text : "";
}

void node_wait_log(const struct node *node, const char *text, long ms)
{
	int64_t end = check_now_ms() + check_ms(ms);

	while (!strstr(node_log(node), text)) {
		CHECK(check_now_ms() < end, "waited %ld ms for '%s' in the log of %s", ms, text,
			node->name);
		check_pause_ms(LOOK_MS);
	}
}

/* ---- calls ---- */

static char *url_of(const struct node *node, const char *format, va_list args)
{
	static char ring[16][2048];
	static unsigned next;
	char *url = ring[next++ % 16];
	size_t used;

	used = (size_t)snprintf(url, sizeof ring[0], "%s", node->url);
	CHECK(vsnprintf(url + used, sizeof ring[0] - used, format, args) <
			(int)(sizeof ring[0] - used),
		"the URL is too long");
	return url;
}

const char *node_url(const struct node *node, const char *format, ...)
{
	va_list args;
	char *url;

	va_start(args, format);
	url = url_of(node, format, args);
	va_end(args);
	return url;
}

struct http_reply *node_call(
	const struct node *node, const char *method, const char *body, const char *format, ...)
{
	struct http_request request = {.method = method, .body = body};
	va_list args;

	va_start(args, format);
	request.url = url_of(node, format, args);
	va_end(args);
	return http_send(&request);
}
