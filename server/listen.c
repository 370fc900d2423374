#include "server/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/core/event.h"

/* ---- hosts ---- */

static enum err add_host(struct listener *l, const char *host)
{
	size_t count = 0;

	while (l->hosts && l->hosts[count])
		if (strcmp(l->hosts[count++], host) == 0)
			return ERR_OK;
	if (count == LISTEN_HOSTS_MAX)
		return ERR_OK; /* a machine with that many addresses names those it wants */
	const char **hosts = reallocarray(l->hosts, count + 2, sizeof *hosts);
	if (!hosts)
		return ERR_NO_MEMORY;
	l->hosts = hosts;
	hosts[count] = strdup(host);
	hosts[count + 1] = NULL;
	return hosts[count] ? ERR_OK : ERR_NO_MEMORY;
}

static enum err add_address(struct listener *l, const struct sockaddr *address)
{
	char host[INET6_ADDRSTRLEN];

	if (address->sa_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr,
			host, sizeof host);
		return add_host(l, host);
	}
	if (address->sa_family != AF_INET6)
		return ERR_OK;
	inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, host,
		sizeof host);
	return add_host(l, host);
}

static enum err add_interfaces(struct listener *l)
{
	struct ifaddrs *all = NULL;
	enum err e = ERR_OK;

	if (getifaddrs(&all) != 0)
		return ERR_OK; /* then only names are known, and --allow-host helps */
	for (const struct ifaddrs *i = all; i && !e; i = i->ifa_next)
		if (i->ifa_addr)
			e = add_address(l, i->ifa_addr);
	freeifaddrs(all);
	return e;
}

static enum err add_url(struct listener *l, const char *url)
{
	const char *host = strstr(url, "://");
	char copy[URL_BYTES_MAX + 1];
	size_t bytes;

	/* An IPv6 address has brackets in a URL, and none among the hosts. */
	host = host ? host + 3 : url;
	host += *host == '[';
	bytes = host[-1] == '[' ? strcspn(host, "]") : strcspn(host, ":/");
	snprintf(copy, sizeof copy, "%.*s", (int)bytes, host);
	return add_host(l, copy);
}

static bool is_wildcard(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET)
		return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr == 0;
	return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

static enum err add_hosts(struct listener *l, const struct options *o)
{
	char host[NAME_BYTES_MAX + 1] = "";
	enum err e = add_host(l, "localhost");

	if (!e)
		e = add_host(l, "127.0.0.1");
	if (!e)
		e = add_host(l, "::1");
	if (!e)
		e = add_host(l, o->name);
	if (!e && gethostname(host, sizeof host - 1) == 0 && host[0])
		e = add_host(l, host);
	if (!e)
		e = add_address(l, (const void *)&o->address);
	if (!e)
		e = add_url(l, l->public_url);
	if (!e && is_wildcard(&o->address))
		e = add_interfaces(l);
	for (size_t i = 0; i < o->allow_host.count && !e; i++)
		e = add_host(l, o->allow_host.items[i]);
	return e;
}

/* ---- the socket ---- */

static void name_urls(struct listener *l, const struct options *o)
{
	struct sockaddr_storage bound = {0};
	socklen_t bytes = sizeof bound;
	char host[INET6_ADDRSTRLEN + 2], name[NAME_BYTES_MAX + 1] = "localhost";
	char port[8] = "";
	const char *open, *close;

	getsockname(l->fd, (void *)&bound, &bytes);
	getnameinfo((void *)&bound, bytes, host, sizeof host, port, sizeof port,
		NI_NUMERICHOST | NI_NUMERICSERV);
	if (is_wildcard(&bound))
		snprintf(host, sizeof host, "127.0.0.1");
	open = strchr(host, ':') ? "[" : "";
	close = *open ? "]" : "";
	snprintf(l->local_url, sizeof l->local_url, "http://%s%s%s:%s", open, host, close, port);
	gethostname(name, sizeof name - 1);
	if (o->advertise)
		snprintf(l->public_url, sizeof l->public_url, "%s", o->advertise);
	else if (is_wildcard(&bound))
		snprintf(l->public_url, sizeof l->public_url, "http://%s:%s", name, port);
	else
		snprintf(l->public_url, sizeof l->public_url, "%s", l->local_url);
}

/* The guardian of a former life may still be about to let the address go. */
static bool bind_soon(int fd, const struct options *o)
{
	for (int waited_ms = 0;; waited_ms += LISTEN_RETRY_MS) {
		if (bind(fd, (const void *)&o->address, o->address_bytes) == 0 &&
			listen(fd, LISTEN_BACKLOG) == 0)
			return true;
		if (errno != EADDRINUSE || waited_ms >= LISTEN_PATIENCE_MS)
			return false;
		poll(NULL, 0, LISTEN_RETRY_MS);
	}
}

enum err listener_open(
	const struct options *o, struct listener *ret_listener, char why[LISTEN_WHY_BYTES])
{
	struct listener l = {0};
	int on = 1;
	enum err e;

	l.fd = socket(o->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l.fd < 0 || setsockopt(l.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
		!bind_soon(l.fd, o)) {
		snprintf(why, LISTEN_WHY_BYTES, "cannot listen on %.200s: %s%s", o->listen,
			strerror(errno), errno == EADDRINUSE ? "; set --listen" : "");
		e = ERR_SYSTEM;
		goto fail;
	}
	name_urls(&l, o);
	e = add_hosts(&l, o);
	if (e) {
		snprintf(why, LISTEN_WHY_BYTES, "%s", err_text(e));
		goto fail;
	}
	*ret_listener = l;
	return ERR_OK;

fail:
	if (l.fd >= 0)
		close(l.fd);
	listener_fini(&l);
	return e;
}

void listener_fini(struct listener *l)
{
	for (size_t i = 0; l->hosts && l->hosts[i]; i++)
		free((char *)(uintptr_t)l->hosts[i]);
	free(l->hosts);
	l->hosts = NULL;
}
