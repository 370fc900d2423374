/* Records as fuzz targets look at them: equality, and what must hold of each that was decoded. */
#ifndef HORDE_TESTS_FUZZ_RECORDS_H
#define HORDE_TESTS_FUZZ_RECORDS_H

#include "api/records.h"
#include "tests/fuzz/fuzz.h"

static inline void records_words(struct text *out, char *const *words)
{
	for (; *words; words++)
		text_add(out, *words, strlen(*words) + 1);
	text_add(out, "", 1);
}

static inline void records_check_of(struct text *out, const struct check *c)
{
	text_addf(out, " %d %u %s %s %lld %lld %lld %lld %u ", (int)c->kind, c->port,
		c->host ? c->host : "", c->path ? c->path : "", (long long)c->period_ms,
		(long long)c->timeout_ms, (long long)c->limit_ms, (long long)c->grace_ms,
		c->threshold);
	if (c->command)
		records_words(out, c->command);
}

static inline void records_checks(struct text *out, const struct checks *c)
{
	if (c->ready)
		records_check_of(out, c->ready);
	text_addf(out, " %u %lld", c->health_count, (long long)c->watchdog_ms);
	for (uint32_t i = 0; i < c->health_count; i++)
		records_check_of(out, &c->health[i]);
}

/* All that a spec says, one way only. */
static inline void records_spec(struct text *out, const struct spec_record *s)
{
	records_words(out, s->command);
	records_words(out, s->env);
	if (s->env_from)
		records_words(out, s->env_from);
	if (s->env_files)
		records_words(out, s->env_files);
	text_addf(out, " %s:%s %d %o", s->setup.user ? s->setup.user : "",
		s->setup.group ? s->setup.group : "", s->setup.umask_given, s->setup.umask);
	for (int i = 0; i < SETUP_LIMIT_COUNT; i++)
		text_addf(out, " %d %lld", s->setup.limits_given >> i & 1,
			(long long)s->setup.limits[i]);
	text_adds(out, s->cwd);
	records_checks(out, &s->checks);
	for (uint32_t i = 0; i < s->claims.count; i++)
		text_addf(out, " %s=%s", s->claims.items[i].key, s->claims.items[i].value);
	text_add(out, (const char *)s->success_exit, sizeof(s->success_exit));
	text_addf(out, " %d %d %u %u %lld %lld %a %lld", (int)s->restart.type,
		(int)s->restart.policy, s->restart.max_restarts, s->restart.max_seconds,
		(long long)s->restart.initial_ms, (long long)s->restart.max_ms, s->restart.factor,
		(long long)s->restart.reset_after_ms);
	text_addf(out, " %d %lld %llu %u %lld %d %d %llx", s->shutdown_signal,
		(long long)s->shutdown_timeout_ms, (unsigned long long)s->log_bytes_max,
		s->log_files_max, (long long)s->retain_ms, s->desired_running, s->from_file,
		(unsigned long long)s->hash);
}

/* A record as text; `value` is the text that it was decoded from. */
static inline struct text records_text(const struct record *r, const char *value)
{
	struct text t = TEXT_INIT;

	if (r->family == FAMILY_SPEC)
		records_spec(&t, &r->spec);
	else if (r->family == FAMILY_ENTRY)
		record_encode(r, value + r->entry.value_at, r->entry.value_bytes, &t);
	else if (r->family == FAMILY_STATE) /* its text is the API's */
		json_put_uint(&t, "epoch", r->state.epoch);
	else if (r->family == FAMILY_REPLY)
		json_put_int(&t, "expires_at", r->reply.expires_ms);
	else
		record_encode(r, NULL, 0, &t);
	must(text_ok(&t), "there is memory");
	return t;
}

/* Both were decoded from `value`. */
static inline bool records_equal(const struct record *a, const struct record *b, const char *value)
{
	struct text s, t;
	bool equal;

	if (!a || !b || a->family != b->family)
		return !a && !b;
	s = records_text(a, value);
	t = records_text(b, value);
	equal = s.used == t.used && memcmp(s.bytes, t.bytes, s.used) == 0;
	text_fini(&s);
	text_fini(&t);
	return equal;
}

/* What the core writes of a record must mean that record. */
static inline void records_check_text(
	const struct record *r, const char *key, size_t key_bytes, const char *value)
{
	struct text first = records_text(r, value), second;
	struct record *again = NULL;

	must(record_decode_checked(key, key_bytes, first.bytes, first.used, &again) == ERR_OK &&
			again,
		"what the core writes is understood");
	second = records_text(again, first.bytes);
	must(first.used == second.used && memcmp(first.bytes, second.bytes, first.used) == 0,
		"and means the same");
	record_free(again);
	text_fini(&first);
	text_fini(&second);
}

/* Decodes a value in both ways, and checks what came out. */
static inline void records_check(
	const char *key, size_t key_bytes, const char *value, size_t value_bytes)
{
	struct record *r = NULL, *checked = NULL, *copy;
	enum err e = record_decode_checked(key, key_bytes, value, value_bytes, &checked);

	must(record_decode(key, key_bytes, value, value_bytes, &r) == ERR_OK,
		"a value that is not understood is no error");
	must(e == ERR_OK || !r, "what is no JSON has no record");
	must(records_equal(r, checked, value), "both decode the same");
	if (r) {
		must(r->family == family_of(key, key_bytes), "the key says the family");
		must(r->family != FAMILY_ENTRY ||
				r->entry.value_at + r->entry.value_bytes <= value_bytes,
			"the raw value is part of the text");
		copy = record_dup(r);
		must(copy && records_equal(r, copy, value), "a copy is the same");
		record_free(copy);
		if (r->family != FAMILY_SPEC && r->family != FAMILY_STATE &&
			r->family != FAMILY_REPLY)
			records_check_text(r, key, key_bytes, value);
	}
	record_free(r);
	record_free(checked);
}

#endif
