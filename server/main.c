/* horded: from the command line to a running node, and back to an exit code. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "server/exec_users.h"
#include "server/cgroup.h"
#include "server/guardian.h"
#include "server/listen.h"
#include "server/log.h"
#include "server/node.h"
#include "storage/sqlite.h"

/* The guardian of a daemon that was just killed holds the lock until the last child is gone. */
#define LOCK_WAIT_MS 3000

/* So that a burst of large bodies is given back to the system, not kept for ever. */
#define MMAP_FROM_BYTES (256 * 1024)
#define TRIM_FROM_BYTES (1024 * 1024)

enum { EXIT_CLEAN = 0, EXIT_RUNTIME = 1, EXIT_USAGE = 2 };

struct signals {
	struct loop_io io;
	int fd;
	struct node *node;
};

/* From here on they come through a descriptor; the guardian and its children reset them. */
static int block_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void on_signal(void *data, uint32_t events)
{
	struct signals *s = data;
	struct signalfd_siginfo info;

	(void)events;
	while (read(s->fd, &info, sizeof info) == (ssize_t)sizeof info)
		if (info.ssi_signo == SIGHUP) /* a closed terminal is no reason to stop */
			node_reload(s->node);
		else
			node_terminate(s->node);
}

static int fail(const char *why)
{
	fprintf(stderr, "horded: %s\n", why);
	return EXIT_RUNTIME;
}

/* ---- the layers of a start; each one ends what it began ---- */

static int run(const struct node_config *config, struct signals *signals)
{
	char why[NODE_WHY_BYTES];
	int code = EXIT_RUNTIME;

	if (node_start(config, &signals->node, why))
		return fail(why);
	log_event(LOG_LEVEL_INFO, "node.started", config->options->name,
		"listens on %s, version " HORDE_VERSION, config->local_url);
	if (loop_watch(config->loop, &signals->io, signals->fd, EPOLLIN, on_signal, signals))
		fail("cannot watch for signals");
	else
		code = node_run(signals->node);
	loop_unwatch(config->loop, &signals->io);
	node_free(signals->node);
	return code;
}

static int with_store(const struct options *o, const struct directory *directory, int signal_fd)
{
	struct node_config config = {.options = o, .directory = directory};
	struct signals signals = {.fd = signal_fd};
	struct store_problem problem = {0};
	struct listener listener;
	char why[LISTEN_WHY_BYTES], path[DIRECTORY_PATH_MAX + 32];
	int code;

	if (listener_open(o, &listener, why))
		return fail(why);
	config.listen_fd = listener.fd;
	config.url = listener.public_url;
	config.local_url = listener.local_url;
	config.hosts = (const char *const *)listener.hosts;
	snprintf(path, sizeof path, "%s/" SQLITE_FILE, directory->path);
	if (sqlite_open(path, &config.store, &problem)) {
		close(listener.fd);
		code = fail(problem.detail);
	} else if (loop_new(&config.loop)) {
		close(listener.fd);
		store_close(config.store);
		code = fail("cannot make an event loop");
	} else {
		code = run(&config, &signals);
		loop_free(config.loop);
	}
	listener_fini(&listener);
	return code;
}

static int with_options(const struct options *o)
{
	struct directory directory;
	struct store_problem problem = {0};
	char why[CGROUP_WHY_BYTES];
	int signal_fd, code;

	log_setup(o->name, (enum log_level)o->log_level);
	signal_fd = block_signals();
	if (signal_fd < 0)
		return fail(strerror(errno));
	if (directory_open(o->data_dir, LOCK_WAIT_MS, &directory, &problem)) {
		close(signal_fd);
		return fail(problem.detail);
	}
	if (o->cgroup && cgroup_prepare(o->cgroup, why)) {
		directory_close(&directory);
		close(signal_fd);
		return fail(why);
	}
	exec_users_let_through(o);
	code = with_store(o, &directory, signal_fd);
	directory_close(&directory);
	close(signal_fd);
	return code;
}

static int usage(const struct options *o)
{
	struct text out = TEXT_INIT;

	if (o->help)
		options_help(&out);
	else
		text_adds(&out, "horded " HORDE_VERSION "\n");
	if (text_ok(&out))
		fwrite(out.bytes, 1, out.used, stdout);
	text_fini(&out);
	return EXIT_CLEAN;
}

/* A child of the same user could read them in /proc, of this process and of the guardian. */
static void forget_secrets(void)
{
	static const char *const names[] = {"HORDE_TOKEN", "HORDE_SECRET"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char *value = getenv(names[i]);

		if (value)
			explicit_bzero(value, strlen(value));
		unsetenv(names[i]);
	}
}

/* Where one of them is closed, nothing that is opened later may take its place and be written to.
 */
static void fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct options o = {0};
	struct text faults = TEXT_INIT;
	enum err e;
	int code = EXIT_USAGE;

	if (argc > 1 && strcmp(argv[1], "--guardian") == 0)
		return guardian_main(argc, argv);
	fill_standard_fds();
	mallopt(M_MMAP_THRESHOLD, MMAP_FROM_BYTES);
	mallopt(M_TRIM_THRESHOLD, TRIM_FROM_BYTES);
	e = options_load(argc, argv, environ, &o, &faults);
	forget_secrets();
	if (e == ERR_MALFORMED)
		fprintf(stderr, "%.*shorded: try --help\n", (int)faults.used, faults.bytes);
	else if (e)
		code = fail(err_text(e));
	else
		code = o.help || o.version ? usage(&o) : with_options(&o);
	text_fini(&faults);
	options_fini(&o);
	return code;
}
