#include "server/probes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/expand.h"
#include "server/multi.h"

#define PROBE_NAME_BYTES (REF_BYTES_MAX + 24)
#define URL_MAX 2560 /* host and path at their longest */

struct probe {
	struct probe *next; /* in the order of their begins */
	struct probes *probes;
	enum check_kind kind;
	uint64_t epoch;
	uint32_t check;
	uint32_t number;
	CURL *easy; /* NULL: it waits for its turn */
	struct loop_timer timer;
	char ref[REF_BYTES_MAX];
	char name[PROBE_NAME_BYTES]; /* EXEC */
	bool runs;                   /* EXEC: it has to be killed */
	bool unstarted;              /* EXEC: which is to be told */
	char url[URL_MAX];
};

struct probes {
	struct probes_config config;
	struct multi multi;
	struct probe *first;
	struct probe **last;
	size_t under_way;
	uint64_t commands; /* so far */
	bool waiting;      /* some may have a turn now */
	bool unstarted;    /* some could not be started */
};

static void probe_free(struct probe *one)
{
	struct probes *p = one->probes;
	struct probe **at = &p->first;

	while (*at != one)
		at = &(*at)->next;
	*at = one->next;
	if (p->last == &one->next)
		p->last = at;
	loop_timer_cancel(p->config.loop, &one->timer);
	if (one->runs)
		p->config.kill(p->config.data, one->name, one->epoch);
	if (one->easy) {
		multi_remove(&p->multi, one->easy);
		curl_easy_cleanup(one->easy);
		p->under_way--;
		p->waiting = true;
	}
	free(one);
}

/* It is over; `why` is NULL when it went well. */
static void tell(struct probe *one, const char *why)
{
	struct probes_config c = one->probes->config;
	struct event e = {.kind = EVENT_PROBED};
	char ref[REF_BYTES_MAX];

	memcpy(ref, one->ref, sizeof ref);
	e.probed.ref = ref;
	e.probed.epoch = one->epoch;
	e.probed.check = one->check;
	e.probed.number = one->number;
	e.probed.ok = !why;
	e.probed.why = why;
	probe_free(one); /* the event may begin the next one */
	c.event(c.data, &e);
}

static const char *why_not(CURLcode result)
{
	switch ((int)result) {
	case CURLE_COULDNT_CONNECT:
		return "connection refused";
	case CURLE_COULDNT_RESOLVE_HOST:
		return "no such host";
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return "connection closed";
	case CURLE_OPERATION_TIMEDOUT:
		return "timeout";
	default:
		return "no HTTP answer";
	}
}

static void on_ended(void *data, CURL *easy, CURLcode result)
{
	struct probe *one = NULL;
	char why[PROBES_WHY_BYTES];
	long status = 0;

	(void)data;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&one);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	/* The body is refused, which ends the transfer; its status has been read by then. */
	if (one->kind == CHECK_HTTP && result == CURLE_WRITE_ERROR)
		result = CURLE_OK;
	snprintf(why, sizeof why, "status %ld", status);
	if (result)
		tell(one, why_not(result));
	else
		tell(one, one->kind == CHECK_HTTP && (status < 200 || status > 399) ? why : NULL);
}

static void on_late(void *data)
{
	tell(data, "timeout");
}

static size_t refuse(char *bytes, size_t one, size_t count, void *data)
{
	(void)bytes;
	(void)one;
	(void)count;
	(void)data;
	return 0;
}

/* Spoken to directly, at the address that was given: no proxy, no redirect, no other protocol. */
static bool set_up(struct probe *one)
{
	CURL *e = one->easy;

	return !curl_easy_setopt(e, CURLOPT_URL, one->url) &&
	       !curl_easy_setopt(e, CURLOPT_PRIVATE, one) &&
	       !curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http") &&
	       !curl_easy_setopt(e, CURLOPT_PROXY, "") &&
	       !curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) &&
	       /* The end of a try does not wait for a name server. */
	       !curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L) &&
	       !curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) &&
	       !curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L) &&
	       !curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L) &&
	       !curl_easy_setopt(e, CURLOPT_USERAGENT, "horde") &&
	       !curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       !curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, (long)(one->kind == CHECK_TCP)) &&
	       !curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, refuse);
}

/* False without memory. */
static bool start(struct probe *one)
{
	one->easy = curl_easy_init();
	if (one->easy && set_up(one) && !multi_add(&one->probes->multi, one->easy)) {
		one->probes->under_way++;
		return true;
	}
	curl_easy_cleanup(one->easy);
	one->easy = NULL;
	return false;
}

/* An event may begin others, so the list is looked at anew after each. */
static void tell_unstarted(struct probes *p)
{
	struct probe *one = p->unstarted ? p->first : NULL;

	while (one) {
		if (one->unstarted) {
			tell(one, "it could not be started");
			one = p->first;
		} else {
			one = one->next;
		}
	}
	p->unstarted = false;
}

void probes_turn(struct probes *p)
{
	struct probe *one = p->first;

	tell_unstarted(p);
	for (; p->waiting && one && p->under_way < PROBES_MAX; one = one->next)
		if (one->kind != CHECK_EXEC && !one->easy && !start(one))
			break; /* for want of memory: again at the next turn, or never in time */
	p->waiting = p->waiting && one;
	multi_turn(&p->multi);
}

static bool write_url(const struct action *a, char url[URL_MAX])
{
	const struct check *c = a->probe;
	struct text host = TEXT_INIT, path = TEXT_INIT;
	bool made, bare;

	expand(c->host ? c->host : "127.0.0.1", a->identity, false, &host);
	expand(c->kind == CHECK_HTTP && c->path ? c->path : "/", a->identity, false, &path);
	made = text_cstr(&host) && text_cstr(&path);
	bare = made && strchr(host.bytes, ':'); /* an address of IPv6 */
	if (made)
		snprintf(url, URL_MAX, "http://%s%s%s:%u%s", bare ? "[" : "", host.bytes,
			bare ? "]" : "", (unsigned)a->port, path.bytes);
	text_fini(&host);
	text_fini(&path);
	return made;
}

static void execute(struct probe *one, const struct action *a)
{
	struct probes *p = one->probes;

	snprintf(one->name, sizeof one->name, "%s:%llu", one->ref,
		(unsigned long long)++p->commands);
	one->runs = p->config.exec(p->config.data, one->name, a) == ERR_OK;
	one->unstarted = !one->runs;
	p->unstarted = p->unstarted || one->unstarted;
}

enum err probes_begin(struct probes *p, const struct action *a)
{
	struct probe *one = calloc(1, sizeof *one);

	if (!one)
		return ERR_NO_MEMORY;
	one->probes = p;
	one->kind = a->probe->kind;
	one->epoch = a->epoch;
	one->check = a->check;
	one->number = a->number;
	snprintf(one->ref, sizeof one->ref, "%s", a->ref);
	if ((one->kind != CHECK_EXEC && !write_url(a, one->url)) ||
		loop_timer_set(p->config.loop, &one->timer,
			loop_now_ms(p->config.loop) + a->timeout_ms, on_late, one)) {
		free(one);
		return ERR_NO_MEMORY;
	}
	*p->last = one;
	p->last = &one->next;
	if (one->kind == CHECK_EXEC)
		execute(one, a);
	else
		p->waiting = true;
	return ERR_OK;
}

bool probes_own(const char *name)
{
	return strchr(name, ':'); /* which no child has in its name */
}

void probes_ended(struct probes *p, const char *name, const char *why)
{
	struct probe *one = p->first;

	while (one && (one->kind != CHECK_EXEC || strcmp(one->name, name) != 0))
		one = one->next;
	if (!one)
		return; /* it was dropped, or its time is over */
	one->runs = false;
	tell(one, why);
}

void probes_drop(struct probes *p, const char *ref)
{
	struct probe *next;

	for (struct probe *one = p->first; one; one = next) {
		next = one->next;
		if (strcmp(one->ref, ref) == 0)
			probe_free(one);
	}
}

enum err probes_new(const struct probes_config *config, struct probes **ret_probes)
{
	struct probes *p = calloc(1, sizeof *p);

	if (!p)
		return ERR_NO_MEMORY;
	if (curl_global_init(CURL_GLOBAL_NOTHING)) {
		free(p);
		return ERR_NO_MEMORY;
	}
	p->config = *config;
	p->last = &p->first;
	if (multi_init(&p->multi, config->loop, on_ended, p)) {
		probes_free(p);
		return ERR_NO_MEMORY;
	}
	*ret_probes = p;
	return ERR_OK;
}

void probes_free(struct probes *p)
{
	if (!p)
		return;
	while (p->first)
		probe_free(p->first);
	multi_fini(&p->multi);
	free(p);
	curl_global_cleanup();
}
