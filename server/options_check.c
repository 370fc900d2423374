#include "server/options_table.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/core/event.h"

#define DEFAULT_DIR "/var/lib/horde"

/* ---- what has no constant default ---- */

static void default_name(struct option_reading *r)
{
	char host[NAME_BYTES_MAX + 1] = "";

	if (r->o->name)
		return;
	if (gethostname(host, sizeof host - 1) != 0 || !host[0])
		option_fault(r, "this host has no name: set --name");
	else if (!(r->o->name = strdup(host)))
		r->no_memory = true;
}

/* The cores that this process may use: a container may have fewer than its machine. */
static void default_start_parallel(struct option_reading *r)
{
	cpu_set_t set;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		cores = CPU_COUNT(&set);
	if (r->o->start_parallel == 0)
		r->o->start_parallel = cores > 0 ? 2 * cores : 2;
}

/* FIRST-LAST, both included. */
static void check_port_range(struct option_reading *r)
{
	unsigned first, last;
	int used = 0;

	if (sscanf(r->o->port_range, "%5u-%5u%n", &first, &last, &used) != 2 ||
		r->o->port_range[used] || first < 1 || last > UINT16_MAX || first > last) {
		option_fault(r, "--port-range: '%.200s' is not FIRST-LAST, from 1 to 65535",
			r->o->port_range);
		return;
	}
	r->o->port_first = (uint16_t)first;
	r->o->port_last = (uint16_t)last;
}

static void default_data_dir(struct option_reading *r, char *const *environment)
{
	const char *state = options_variable(environment, "XDG_STATE_HOME");
	const char *home = options_variable(environment, "HOME");
	char *dir = NULL;
	int bytes = 0;

	if (r->o->data_dir)
		return;
	if (access(DEFAULT_DIR, W_OK | X_OK) == 0 ||
		(access(DEFAULT_DIR, F_OK) != 0 && access("/var/lib", W_OK | X_OK) == 0))
		bytes = asprintf(&dir, "%s", DEFAULT_DIR);
	else if (state && state[0] == '/')
		bytes = asprintf(&dir, "%s/horde", state);
	else if (home)
		bytes = asprintf(&dir, "%s/.local/state/horde", home);
	else
		option_fault(r, DEFAULT_DIR " is not writable and HOME is not set: set --data-dir");
	if (bytes < 0)
		r->no_memory = true;
	else
		r->o->data_dir = dir;
}

/* ---- names and URLs ---- */

/* The same shape as that of children and supervisors. */
static void check_name(struct option_reading *r, const char *option, const char *name)
{
	size_t bytes = name ? strlen(name) : 0;

	if (!name)
		return;
	for (size_t i = 0; i < bytes; i++)
		if (!isalnum((unsigned char)name[i]) &&
			(i == 0 || i + 1 == bytes || !strchr("._-", name[i])))
			bytes = 0;
	if (bytes == 0 || bytes > NAME_BYTES_MAX)
		option_fault(r,
			"--%s: '%.200s' is no name: 1 to %d of A-Z a-z 0-9 . _ - with a letter or "
			"digit first and last",
			option, name, NAME_BYTES_MAX);
}

/*
 * A peer's URL is scheme, host and port. An address without a scheme gets http and, when it has
 * none, the usual port.
 */
static char *peer_url(const char *text)
{
	const char *host = strstr(text, "://");
	char *url = NULL;
	size_t bytes = strlen(text);
	int made;

	while (bytes > 0 && text[bytes - 1] == '/')
		bytes--;
	if (host) {
		made = asprintf(&url, "%.*s", (int)bytes, text);
	} else {
		const char *bracket = memrchr(text, ']', bytes);
		const char *from = bracket ? bracket : text;
		bool port = memchr(from, ':', (size_t)(text + bytes - from));
		made = asprintf(
			&url, "http://%.*s%s", (int)bytes, text, port ? "" : ":" OPTIONS_PORT);
	}
	return made < 0 ? NULL : url;
}

static bool url_good(const char *url)
{
	const char *host = strstr(url, "://");

	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return false;
	host += 3;
	if (!*host || *host == ':' || strlen(url) > URL_BYTES_MAX)
		return false;
	for (const char *p = host; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(".-_:[]%", *p))
			return false;
	return true;
}

static void settle_url(struct option_reading *r, const char *option, char **url)
{
	char *settled = peer_url(*url);

	if (!settled) {
		r->no_memory = true;
	} else if (!url_good(settled)) {
		option_fault(r, "--%s: '%.200s' is no URL like http://HOST:PORT", option, *url);
		free(settled);
	} else {
		free(*url);
		*url = settled;
	}
}

/* ---- the address ---- */

static void resolve(struct option_reading *r, const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	int failure = getaddrinfo(host, port, &hints, &found);

	if (failure) {
		option_fault(r, "--listen: '%.200s': %s", r->o->listen, gai_strerror(failure));
		return;
	}
	memcpy(&r->o->address, found->ai_addr, found->ai_addrlen);
	r->o->address_bytes = found->ai_addrlen;
	freeaddrinfo(found);
}

static void settle_listen(struct option_reading *r)
{
	char host[NAME_BYTES_MAX + 1];
	const char *listen = r->o->listen, *colon = listen ? strrchr(listen, ':') : NULL;
	size_t bytes;

	if (!listen)
		return;
	bytes = colon ? (size_t)(colon - listen) : 0;
	if (bytes > 2 && listen[0] == '[' && listen[bytes - 1] == ']') {
		listen++;
		bytes -= 2;
	} else if (memchr(listen, ':', bytes)) {
		bytes = 0; /* an IPv6 address without its brackets */
	}
	if (bytes == 0 || bytes >= sizeof host || !colon[1] ||
		colon[1 + strspn(colon + 1, "0123456789")] || strlen(colon + 1) > 5 ||
		atoi(colon + 1) > 65535) {
		option_fault(r,
			"--listen: '%.200s' is no ADDR:PORT, such as 127.0.0.1:" OPTIONS_PORT
			" or [::1]:0",
			r->o->listen);
		return;
	}
	memcpy(host, listen, bytes);
	host[bytes] = '\0';
	resolve(r, host, colon + 1);
}

static bool is_loopback(const struct options *o)
{
	const struct sockaddr_in *v4 = (const void *)&o->address;
	const struct sockaddr_in6 *v6 = (const void *)&o->address;

	if (o->address.ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
}

/* ---- secrets ---- */

/* The text itself and a file that holds it: the stronger source counts. */
static bool from_file(struct option_reading *r, const char *name, const char *file)
{
	enum option_source of_text = SOURCE_NONE, of_file = SOURCE_NONE;

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (strcmp(option_rows[i].name, name) == 0)
			of_text = r->sources[i];
		if (strcmp(option_rows[i].name, file) == 0)
			of_file = r->sources[i];
	}
	return of_file > of_text;
}

static void check_secret(struct option_reading *r, const char *where, const char *text)
{
	size_t bytes = strlen(text);

	for (const char *p = text; *p; p++)
		if (!isgraph((unsigned char)*p))
			bytes = 0;
	if (bytes < SECRET_BYTES_MIN)
		option_fault(r, "%s: must be at least %d visible characters without space", where,
			SECRET_BYTES_MIN);
}

static void settle_secret(struct option_reading *r, const char *name, const char *option,
	const char *path, char **text)
{
	char content[OPTION_BYTES_MAX] = "";
	FILE *in;
	size_t bytes;

	if (path && from_file(r, name, option)) {
		in = fopen(path, "re");
		if (!in) {
			option_fault(r, "--%s: cannot read %s: %s", option, path, strerror(errno));
			return;
		}
		bytes = fread(content, 1, sizeof content - 1, in);
		fclose(in);
		while (bytes > 0 && isspace((unsigned char)content[bytes - 1]))
			content[--bytes] = '\0';
		free(*text);
		*text = strdup(content);
		if (!*text)
			r->no_memory = true;
	}
	if (*text)
		check_secret(r, name, *text);
}

/*
 * Starting processes over HTTP is remote execution by design, so nobody offers it to a network
 * without having said so.
 */
static void check_exposure(struct option_reading *r)
{
	const struct options *o = r->o;

	if (o->address_bytes == 0 || is_loopback(o))
		return;
	if (!o->token && !o->token_file)
		option_fault(r,
			"--listen %.200s can be reached by other machines: set --token-file or "
			"HORDE_TOKEN to protect it, or listen on 127.0.0.1",
			o->listen);
	if (!o->secret && !o->secret_file)
		option_fault(r,
			"--listen %.200s can be reached by other machines: set --secret-file or "
			"HORDE_SECRET, the same on all nodes, or listen on 127.0.0.1",
			o->listen);
	if (!o->insecure_plain_http)
		option_fault(r,
			"--listen %.200s would send tokens in clear text: allow it with "
			"--insecure-plain-http, or listen on 127.0.0.1 behind a TLS proxy",
			o->listen);
}

void options_settle(struct option_reading *r, char *const *environment)
{
	struct options *o = r->o;

	default_name(r);
	default_data_dir(r, environment);
	default_start_parallel(r);
	check_port_range(r);
	check_name(r, "name", o->name);
	check_name(r, "cluster", o->cluster);
	settle_listen(r);
	if (o->advertise)
		settle_url(r, "advertise", &o->advertise);
	for (size_t i = 0; i < o->join.count; i++)
		settle_url(r, "join", &o->join.items[i]);
	settle_secret(r, "token", "token-file", o->token_file, &o->token);
	settle_secret(r, "secret", "secret-file", o->secret_file, &o->secret);
	check_exposure(r);
}
