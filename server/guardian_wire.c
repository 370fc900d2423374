#include "server/guardian_wire.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS_MAX 2
#define WIRE_HEADS 3 /* strings of a spec that come before its arguments */

/* Wide enough for FDS_MAX descriptors, and aligned as the kernel wants it. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

struct wire_message wire_message(enum wire_verb verb, const char *ref, uint64_t epoch)
{
	struct wire_message m = {.version = WIRE_VERSION, .verb = verb, .epoch = epoch};
	size_t count = ref ? strlen(ref) : 0;
	assert(count < sizeof m.ref);
	if (ref)
		memcpy(m.ref, ref, count);
	return m;
}

const char *wire_step_text(int step)
{
	static const char *const texts[] = {
#define X(name, text) [WIRE_STEP_##name] = text,
		WIRE_STEPS(X)
#undef X
#define X(code, name) [WIRE_STEP_LIMITS + SETUP_##code] = "limits." name,
			SETUP_LIMITS(X)
#undef X
	};
	return step >= 0 && step < WIRE_STEP_END ? texts[step] : "unknown";
}

enum err wire_pair(int ret_fds[2])
{
	const int bytes = WIRE_SOCKET_BYTES;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) < 0)
		return ERR_SYSTEM;
	for (int i = 0; i < 2; i++)
		setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	return ERR_OK;
}

/* ---- sending ------------------------------------------------------------------------------- */

static enum err send_packet(
	int socket_fd, struct iovec *parts, size_t part_count, const int *fds, unsigned fd_count)
{
	union control control = {0};
	struct msghdr packet = {.msg_iov = parts, .msg_iovlen = part_count};
	if (fd_count) {
		packet.msg_control = control.bytes;
		packet.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
	}
	while (sendmsg(socket_fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno == EINTR)
			continue;
		/* ETOOMANYREFS: too many descriptors are on their way; they will arrive. */
		if (errno == EAGAIN)
			return ERR_NOT_READY;
		return errno == ENOMEM || errno == ENOBUFS || errno == ETOOMANYREFS ? ERR_NO_MEMORY
										    : ERR_IO;
	}
	return ERR_OK;
}

static enum err memory_file(const char *bytes, size_t count, int *ret_fd)
{
	int fd = memfd_create("horde-spec", MFD_CLOEXEC);
	if (fd < 0)
		return ERR_NO_MEMORY;
	for (size_t done = 0; done < count;) {
		ssize_t n = write(fd, bytes + done, count - done);
		if (n <= 0) {
			close(fd);
			return ERR_NO_MEMORY;
		}
		done += (size_t)n;
	}
	*ret_fd = fd;
	return ERR_OK;
}

enum err wire_send(int socket_fd, const struct wire_message *m, const void *spec, const int *fds,
	unsigned fd_count)
{
	assert(fd_count <= FDS_MAX && (!m->spec_bytes || (spec && !fd_count)));
	struct iovec parts[2] = {
		{(void *)(uintptr_t)m, sizeof *m}, {(void *)(uintptr_t)spec, m->spec_bytes}};
	if (!m->spec_bytes || m->spec_bytes <= WIRE_INLINE_BYTES_MAX)
		return send_packet(socket_fd, parts, m->spec_bytes ? 2 : 1, fds, fd_count);
	int file;
	enum err e = memory_file(spec, m->spec_bytes, &file);
	if (e)
		return e;
	e = send_packet(socket_fd, parts, 1, &file, 1);
	close(file);
	return e;
}

/* ---- receiving ----------------------------------------------------------------------------- */

static void take_fds(struct msghdr *packet, int ret_fds[2])
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(packet); h; h = CMSG_NXTHDR(packet, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(ret_fds, CMSG_DATA(h), (count < FDS_MAX ? count : FDS_MAX) * sizeof(int));
	}
}

static void close_fds(int fds[2])
{
	for (int i = 0; i < FDS_MAX; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static bool read_file(int fd, char *bytes, size_t count)
{
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0 || status.st_size != (off_t)count)
		return false;
	for (size_t done = 0; done < count;) {
		ssize_t n = pread(fd, bytes + done, count - done, (off_t)done);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static enum err take_spec(
	const struct wire_message *m, const char *rest, size_t rest_bytes, int fd, char **ret_spec)
{
	bool inlined = m->spec_bytes <= WIRE_INLINE_BYTES_MAX;
	if (!m->spec_bytes || m->spec_bytes > WIRE_SPEC_BYTES_MAX)
		return ERR_PROTOCOL;
	if (rest_bytes != (inlined ? m->spec_bytes : 0))
		return ERR_PROTOCOL;
	char *spec = malloc(m->spec_bytes);
	if (!spec)
		return ERR_NO_MEMORY;
	if (inlined) {
		memcpy(spec, rest, rest_bytes);
	} else if (!read_file(fd, spec, m->spec_bytes)) {
		free(spec);
		return ERR_PROTOCOL;
	}
	*ret_spec = spec;
	return ERR_OK;
}

static enum err check(const struct wire_message *m, size_t count, int flags)
{
	/* Cut-off descriptors (MSG_CTRUNC) are no fault of the sender: our own table is full. */
	if (count < sizeof *m || (flags & MSG_TRUNC) || m->version != WIRE_VERSION ||
		m->verb >= WIRE_VERB_COUNT || m->ref[sizeof m->ref - 1])
		return ERR_PROTOCOL;
	return ERR_OK;
}

/*
 * ECONNRESET tells once that the peer went without reading all that we sent; what it sent before
 * is still there to be read.
 */
static ssize_t receive(int socket_fd, struct msghdr *packet)
{
	ssize_t count;
	size_t control_size = packet->msg_controllen;
	do {
		packet->msg_controllen = control_size;
		count = recvmsg(socket_fd, packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (count < 0 && (errno == EINTR || errno == ECONNRESET));
	return count;
}

enum err wire_recv(int socket_fd, struct wire_message *ret_message, char **ret_spec, int ret_fds[2])
{
	char rest[WIRE_INLINE_BYTES_MAX];
	union control control;
	struct iovec parts[2] = {{ret_message, sizeof *ret_message}, {rest, sizeof rest}};
	struct msghdr packet = {.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes};
	memset(ret_message, 0, sizeof *ret_message);
	*ret_spec = NULL;
	ret_fds[0] = ret_fds[1] = -1;
	ssize_t count = receive(socket_fd, &packet);
	if (count <= 0)
		return count < 0 && errno == EAGAIN ? ERR_NOT_READY : ERR_IO;
	take_fds(&packet, ret_fds);
	enum err e = check(ret_message, (size_t)count, packet.msg_flags);
	size_t rest_bytes = e ? 0 : (size_t)count - sizeof *ret_message;
	ret_message->ref[sizeof ret_message->ref - 1] = 0;
	if (!e && ret_message->spec_bytes) {
		e = take_spec(ret_message, rest, rest_bytes, ret_fds[0], ret_spec);
		close_fds(ret_fds);
	} else if (!e && rest_bytes) {
		e = ERR_PROTOCOL;
	}
	if (e)
		close_fds(ret_fds);
	return e;
}

/* ---- specs --------------------------------------------------------------------------------- */

static size_t measure(const char *const *strings, uint32_t *ret_count)
{
	size_t bytes = 0;
	uint32_t count = 0;
	for (; strings && strings[count] && bytes <= WIRE_SPEC_BYTES_MAX; count++)
		bytes += strlen(strings[count]) + 1;
	*ret_count = count;
	return bytes;
}

static char *put(char *at, const char *const *strings, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		at = stpcpy(at, strings[i]) + 1;
	return at;
}

static void put_setup(struct wire_message *m, const struct setup *s)
{
	m->umask = s->umask_given ? s->umask : -1;
	m->limits_given = s->limits_given;
	memcpy(m->limits, s->limits, sizeof m->limits);
}

enum err wire_pack(struct wire_message *m, const char *cwd, const struct setup *setup,
	const char *const *argv, const char *const *envp, char **ret_spec)
{
	static const struct setup none;
	const struct setup *s = setup ? setup : &none;
	const char *const head[] = {cwd, s->user ? s->user : "", s->group ? s->group : "", NULL};
	uint32_t arguments, variables, heads;
	size_t bytes = measure(head, &heads);
	bytes += measure(argv, &arguments);
	bytes += measure(envp, &variables);
	if (heads != WIRE_HEADS || !arguments || !argv[0][0])
		return ERR_MALFORMED;
	if (bytes > WIRE_SPEC_BYTES_MAX)
		return ERR_LIMIT;
	char *spec = malloc(bytes);
	if (!spec)
		return ERR_NO_MEMORY;
	put(put(put(spec, head, heads), argv, arguments), envp, variables);
	put_setup(m, s);
	m->argument_count = arguments;
	m->variable_count = variables;
	m->spec_bytes = (uint32_t)bytes;
	*ret_spec = spec;
	return ERR_OK;
}

/* Fills `ret_strings` and ends it by a NULL; moves *at behind the last one. */
static bool split(char **at, const char *end, char **ret_strings, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (*at >= end)
			return false;
		ret_strings[i] = *at;
		*at += strlen(*at) + 1;
	}
	ret_strings[count] = NULL;
	return true;
}

enum err wire_unpack(const struct wire_message *m, char *spec, struct wire_spec **ret)
{
	/* Every string has at least its NUL, so a larger count is a lie. */
	uint64_t count = WIRE_HEADS + (uint64_t)m->argument_count + m->variable_count;
	if (!spec || !m->argument_count || count > m->spec_bytes || spec[m->spec_bytes - 1])
		return ERR_MALFORMED;
	struct wire_spec *s = malloc(sizeof *s + (count + 2) * sizeof(char *));
	if (!s)
		return ERR_NO_MEMORY;
	char *at = spec, *end = spec + m->spec_bytes, *heads[WIRE_HEADS + 1];
	s->argv = (char **)(s + 1);
	s->envp = s->argv + m->argument_count + 1;
	if (!split(&at, end, heads, WIRE_HEADS) || !split(&at, end, s->argv, m->argument_count) ||
		!split(&at, end, s->envp, m->variable_count) || at != end) {
		free(s);
		return ERR_MALFORMED;
	}
	s->cwd = heads[0];
	s->user = heads[1];
	s->group = heads[2];
	*ret = s;
	return ERR_OK;
}
