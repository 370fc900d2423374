#include "server/guardian_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where a command without a slash is looked for when its environment has no PATH. */
#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define STACK_BYTES (64 * 1024)

/*
 * The child borrows our memory until it executes its program, while we wait: what it writes into
 * `spawn` we read afterwards, and nothing that it calls may allocate or lock.
 */
struct birth {
	struct guardian_spawn *spawn;
	int input_end[2]; /* write ends of the two pipes */
	pid_t guardian;
	char path[PATH_MAX];
};

static int fail(struct birth *b, enum wire_step step)
{
	b->spawn->error = errno ? errno : EINVAL;
	b->spawn->step = step;
	return -1;
}

static const char *search_path(char *const *envp)
{
	for (; *envp; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	return PATH_DEFAULT;
}

/* As execvpe, without its memory, and without handing what is no program to a shell. */
static void execute(struct birth *b)
{
	const struct wire_spec *s = b->spawn->spec;
	const char *name = s->argv[0];
	if (strchr(name, '/')) {
		execve(name, s->argv, s->envp);
		return;
	}
	int found = ENOENT;
	for (const char *from = search_path(s->envp), *to; from; from = *to ? to + 1 : NULL) {
		to = strchrnul(from, ':');
		size_t folder = (size_t)(to - from), file = strlen(name);
		if (folder + file + 2 > sizeof b->path)
			continue;
		memcpy(b->path, from, folder);
		b->path[folder] = '/';
		memcpy(b->path + folder + (folder > 0), name, file + 1);
		execve(b->path, s->argv, s->envp);
		if (errno == EACCES)
			found = EACCES;
		else if (errno != ENOENT && errno != ENOTDIR)
			return;
	}
	errno = found;
}

/* The kernel forgets it when the user changes. */
static int die_with_guardian(struct birth *b)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return fail(b, WIRE_STEP_SESSION);
	/* It may have died before the line above; then nobody would tell us. */
	if (getppid() != b->guardian) {
		errno = ESRCH;
		return fail(b, WIRE_STEP_SESSION);
	}
	return 0;
}

static int set_up_process(struct birth *b)
{
	if (b->spawn->cgroup_fd >= 0 && write(b->spawn->cgroup_fd, "0", 1) != 1)
		return fail(b, WIRE_STEP_CGROUP);
	if (setsid() < 0)
		return fail(b, WIRE_STEP_SESSION);
	umask(b->spawn->request->umask < 0 ? 022 : (mode_t)b->spawn->request->umask);
	return die_with_guardian(b);
}

/* Soft and hard alike: a limit that the program could lift would be none. */
static int set_limit(int resource, int64_t value)
{
	rlim_t most = value == SETUP_UNLIMITED ? RLIM_INFINITY : (rlim_t)value;
	return setrlimit((__rlimit_resource_t)resource, &(struct rlimit){most, most});
}

static int set_up_limits(struct birth *b)
{
	static const int resources[SETUP_RLIMIT_COUNT] = {
		[SETUP_NOFILE] = RLIMIT_NOFILE,
		[SETUP_NPROC] = RLIMIT_NPROC,
		[SETUP_CORE] = RLIMIT_CORE,
		[SETUP_FSIZE] = RLIMIT_FSIZE,
		[SETUP_DATA] = RLIMIT_DATA,
		[SETUP_STACK] = RLIMIT_STACK,
		[SETUP_AS] = RLIMIT_AS,
		[SETUP_MEMLOCK] = RLIMIT_MEMLOCK,
		[SETUP_CPU] = RLIMIT_CPU,
	};
	const struct wire_message *m = b->spawn->request;
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = b->spawn->open_files;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (int i = 0; i < SETUP_RLIMIT_COUNT; i++)
		if (m->limits_given >> i & 1 && set_limit(resources[i], m->limits[i]) < 0)
			return fail(b, (enum wire_step)(WIRE_STEP_LIMITS + i));
	return 0;
}

/*
 * Groups, then the group, then the user: each takes what the next one gives up. By the system
 * calls, since the C library's would change all threads of the process whose memory this is.
 */
static int become(struct birth *b)
{
	const struct guardian_identity *i = &b->spawn->identity;
	if (i->user && syscall(SYS_setgroups, (size_t)i->group_count, i->groups) < 0)
		return fail(b, WIRE_STEP_GROUP);
	if (i->group && syscall(SYS_setresgid, i->gid, i->gid, i->gid) < 0)
		return fail(b, WIRE_STEP_GROUP);
	if (i->user && syscall(SYS_setresuid, i->uid, i->uid, i->uid) < 0)
		return fail(b, WIRE_STEP_USER);
	return i->user ? die_with_guardian(b) : 0;
}

/* The write ends are above 2 (the guardian keeps 0 to 2 in use), so no dup2 hits the other. */
static int set_up_descriptors(struct birth *b)
{
	if (dup2(b->spawn->null_fd, 0) < 0 || dup2(b->input_end[0], 1) < 0 ||
		dup2(b->input_end[1], 2) < 0 || close_range(3, ~0U, 0) < 0)
		return fail(b, WIRE_STEP_DESCRIPTORS);
	/* So that it may open /dev/stdout, as many a program does. */
	for (int fd = 1; fd <= 2 && b->spawn->identity.user; fd++)
		if (fchown(fd, b->spawn->identity.uid, b->spawn->identity.gid) < 0)
			return fail(b, WIRE_STEP_DESCRIPTORS);
	return 0;
}

void guardian_reset_signal(int number)
{
	static const char disposition[64]; /* the kernel's struct sigaction, all default */

	syscall(SYS_rt_sigaction, number, disposition, NULL, (size_t)8);
}

/* Those that the guardian ignores; of all others it has made the default itself (guardian.c). */
static void reset_signals(void)
{
	sigset_t none;

	guardian_reset_signal(SIGTERM);
	guardian_reset_signal(SIGINT);
	guardian_reset_signal(SIGHUP);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static __attribute__((no_sanitize("address", "undefined"))) int child_main(void *data)
{
	struct birth *b = data;
	if (set_up_process(b) < 0 || set_up_descriptors(b) < 0 || set_up_limits(b) < 0 ||
		become(b) < 0)
		_exit(127);
	if (chdir(b->spawn->spec->cwd) < 0) {
		fail(b, WIRE_STEP_CHDIR);
		_exit(127);
	}
	reset_signals();
	execute(b);
	fail(b, WIRE_STEP_EXEC);
	_exit(127);
}

static void close_both(int fds[2])
{
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	fds[0] = fds[1] = -1;
}

static int open_pipes(struct birth *b)
{
	for (int i = 0; i < 2; i++) {
		int ends[2];
		if (pipe2(ends, O_CLOEXEC) < 0)
			return fail(b, WIRE_STEP_PIPE);
		b->spawn->output[i] = ends[0];
		b->input_end[i] = ends[1];
		/* Only our end: the child expects to be able to block. */
		if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
			return fail(b, WIRE_STEP_PIPE);
	}
	return 0;
}

static int give_birth(struct birth *b)
{
	static _Alignas(16) char stack[STACK_BYTES];
	b->guardian = getpid();
	pid_t pid = clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, b);
	if (pid < 0)
		return fail(b, WIRE_STEP_FORK);
	if (b->spawn->step != WIRE_STEP_NONE) {
		/* Its exit 127 tells nothing new: reaped here, nobody hears of it. */
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return -1;
	}
	b->spawn->pid = pid;
	return 0;
}

bool guardian_spawn(struct guardian_spawn *s)
{
	struct birth b = {.spawn = s, .input_end = {-1, -1}};
	s->pid = 0;
	s->error = 0;
	s->step = WIRE_STEP_NONE;
	s->output[0] = s->output[1] = -1;
	bool born = open_pipes(&b) == 0 && give_birth(&b) == 0;
	close_both(b.input_end);
	if (!born)
		close_both(s->output);
	return born;
}
