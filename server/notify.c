#include "server/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/notice.h"

#define BUCKETS 1024

struct speaker { /* a child that is heard */
	struct speaker *next;
	uint64_t epoch;
	int pid; /* 0: it is being started */
	char ref[REF_BYTES_MAX];
};

struct sender { /* of one datagram */
	int pid;
	int session;
	int top; /* its ancestor right below the guardian, or itself */
};

struct held { /* what a process said whose start is not known yet */
	struct sender sender;
	struct notice notice;
};

struct notify {
	struct notify_config config;
	struct loop_io io;
	char address[NOTIFY_ADDRESS_BYTES];
	struct speaker *starting;
	struct speaker *by_pid[BUCKETS];
	struct held held[NOTIFY_HELD_MAX];
	size_t held_count;
};

/* ---- who is heard ---- */

static struct speaker **bucket(struct notify *n, int pid)
{
	return &n->by_pid[(unsigned)pid % BUCKETS];
}

static struct speaker *speaker_of(struct notify *n, int pid)
{
	struct speaker *s = *bucket(n, pid);

	while (s && s->pid != pid)
		s = s->next;
	return s;
}

static struct speaker *take_starting(struct notify *n, const char *ref, uint64_t epoch)
{
	struct speaker **at = &n->starting, *s;

	while (*at && ((*at)->epoch != epoch || strcmp((*at)->ref, ref) != 0))
		at = &(*at)->next;
	s = *at;
	if (s)
		*at = s->next;
	if (!n->starting)
		n->held_count = 0; /* nobody is left who could have said it */
	return s;
}

enum err notify_expect(struct notify *n, const char *ref, uint64_t epoch)
{
	struct speaker *s = calloc(1, sizeof *s);

	if (!s)
		return ERR_NO_MEMORY;
	s->epoch = epoch;
	snprintf(s->ref, sizeof s->ref, "%s", ref);
	s->next = n->starting;
	n->starting = s;
	return ERR_OK;
}

void notify_failed(struct notify *n, const char *ref, uint64_t epoch)
{
	free(take_starting(n, ref, epoch));
}

/* ---- who has spoken ---- */

/* Parent and session of a process, from /proc; false: it is gone. */
static bool look_up(int pid, int *ret_parent, int *ret_session)
{
	char path[32], text[512], *after;
	FILE *f;
	size_t bytes;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	bytes = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[bytes] = '\0';
	/* Its name, in parentheses, may be anything. */
	after = strrchr(text, ')');
	return after && sscanf(after + 1, " %*c %d %*d %d", ret_parent, ret_session) == 2;
}

/* False: it is no child's, or nobody can say whose it is. */
static bool trace(const struct notify *n, int pid, struct sender *ret)
{
	int guardian = n->config.guardian_pid(n->config.data), parent = 0, session = 0;

	*ret = (struct sender){.pid = pid, .top = pid};
	if (guardian <= 0 || !look_up(pid, &parent, &ret->session))
		return false;
	for (int i = 0; parent != guardian && i < NOTIFY_ANCESTORS_MAX; i++) {
		ret->top = parent;
		if (parent <= 1 || !look_up(parent, &parent, &session))
			return false;
	}
	return parent == guardian;
}

static struct speaker *find(struct notify *n, const struct sender *s)
{
	struct speaker *found = speaker_of(n, s->session);

	return found ? found : speaker_of(n, s->top);
}

static void tell(struct notify *n, const struct speaker *s, const struct notice *notice)
{
	struct event e = {.kind = EVENT_NOTIFIED};

	e.notified.ref = s->ref;
	e.notified.epoch = s->epoch;
	e.notified.what = notice->what;
	e.notified.text = notice->told ? notice->text : NULL;
	n->config.event(n->config.data, &e);
}

/* One place for each process, so that none can take all of them. */
static void hold(struct notify *n, const struct sender *s, const char *bytes, size_t count)
{
	size_t i = 0;

	while (i < n->held_count && n->held[i].sender.top != s->top)
		i++;
	if (i == NOTIFY_HELD_MAX)
		return;
	if (i == n->held_count)
		n->held[n->held_count++] = (struct held){.sender = *s};
	notice_read(&n->held[i].notice, bytes, count);
}

static void on_datagram(struct notify *n, int pid, const char *bytes, size_t count)
{
	struct speaker *s = speaker_of(n, pid);
	struct notice notice = {0};
	struct sender sender;

	if (!notice_read(&notice, bytes, count))
		return;
	if (!s && !trace(n, pid, &sender))
		return;
	if (!s)
		s = find(n, &sender);
	if (s)
		tell(n, s, &notice);
	else if (n->starting)
		hold(n, &sender, bytes, count);
}

/* The process that the kernel says has sent it; 0: it says none. */
static int pid_of(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct ucred who;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&who, CMSG_DATA(c), sizeof who);
		return who.pid;
	}
	return 0;
}

/* Errors: NOT_READY: there is nothing more. */
static enum err take_one(struct notify *n)
{
	char bytes[NOTICE_BYTES_MAX];
	/* No room for descriptors: the kernel closes those that come along. */
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec v = {.iov_base = bytes, .iov_len = sizeof bytes};
	struct msghdr m = {.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control};
	ssize_t count = recvmsg(n->io.fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int pid;

	if (count < 0)
		return errno == EINTR ? ERR_OK : ERR_NOT_READY;
	pid = pid_of(&m);
	if (pid > 0 && !(m.msg_flags & MSG_TRUNC))
		on_datagram(n, pid, bytes, (size_t)count);
	return ERR_OK;
}

static void take_some(void *data, uint32_t events)
{
	(void)events;
	for (int i = 0; i < NOTIFY_PER_TURN && take_one(data) == ERR_OK; i++)
		;
}

/* ---- starts and ends ---- */

void notify_started(struct notify *n, const char *ref, uint64_t epoch, int pid)
{
	struct speaker *s;
	size_t kept = 0;
	struct notice said = {0};
	bool any = false;

	for (size_t i = 0; i < n->held_count; i++) {
		if (n->held[i].sender.session == pid || n->held[i].sender.top == pid) {
			said = n->held[i].notice;
			any = true;
		} else {
			n->held[kept++] = n->held[i];
		}
	}
	n->held_count = kept;
	s = take_starting(n, ref, epoch);
	if (!s)
		return;
	s->pid = pid;
	s->next = *bucket(n, pid);
	*bucket(n, pid) = s;
	if (any)
		tell(n, s, &said);
}

void notify_ended(struct notify *n, int pid)
{
	struct speaker **at = bucket(n, pid), *s;

	if (!speaker_of(n, pid))
		return;
	take_some(n, 0);
	while (*at && (*at)->pid != pid)
		at = &(*at)->next;
	s = *at;
	if (!s)
		return;
	*at = s->next;
	free(s);
}

/* ---- life ---- */

static enum err open_socket(struct notify *n)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	unsigned long long random[2];
	int fd, on = 1;
	size_t bytes;

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return ERR_SYSTEM;
	bytes = (size_t)snprintf(
		n->address, sizeof n->address, "@horde/%016llx%016llx", random[0], random[1]);
	memcpy(at.sun_path + 1, n->address + 1, bytes - 1); /* the '@' stands for a NUL */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ERR_SYSTEM;
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
		bind(fd, (struct sockaddr *)&at,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes)) < 0 ||
		loop_watch(n->config.loop, &n->io, fd, EPOLLIN, take_some, n)) {
		close(fd);
		return ERR_SYSTEM;
	}
	return ERR_OK;
}

enum err notify_new(const struct notify_config *config, struct notify **ret_notify)
{
	struct notify *n = calloc(1, sizeof *n);
	enum err e;

	if (!n)
		return ERR_NO_MEMORY;
	n->config = *config;
	n->io.fd = -1;
	e = open_socket(n);
	if (e) {
		free(n);
		return e;
	}
	*ret_notify = n;
	return ERR_OK;
}

static void free_all(struct speaker *s)
{
	while (s) {
		struct speaker *next = s->next;

		free(s);
		s = next;
	}
}

void notify_free(struct notify *n)
{
	if (!n)
		return;
	loop_unwatch(n->config.loop, &n->io);
	close(n->io.fd);
	free_all(n->starting);
	for (unsigned i = 0; i < BUCKETS; i++)
		free_all(n->by_pid[i]);
	free(n);
}

const char *notify_address(const struct notify *n)
{
	return n->address;
}
