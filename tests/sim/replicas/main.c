/* horde-replicas: runs seeds. A failure prints its seed, and `--seed N --trace` replays it. */
#include "tests/sim/replicas/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct faults draw_faults(struct world *w)
{
	if (percent(w, 5))
		return (struct faults){.healthy = true};
	return (struct faults){
		.loss = percent(w, 50),
		.duplicate = percent(w, 50),
		.reorder = percent(w, 70),
		.cut = percent(w, 40),
		.stale = percent(w, 30),
		.graft = percent(w, 70),
		.whole = percent(w, 70),
		.drop_held = percent(w, 40),
		.skew = percent(w, 40),
		.truncate = percent(w, 50),
		.stream = percent(w, 30),
		.crash = percent(w, 40),
		.old_store = percent(w, 30),
		.other_store = percent(w, 20),
		.death = percent(w, 40),
		.fork = percent(w, 10),
		.owned_texts = percent(w, 25),
	};
}

struct options {
	uint64_t from, count, failures_max;
	int replicas; /* 0: drawn from the seed */
	int steps;
	bool trace;
};

static void world_begin(struct world *w, uint64_t seed, const struct options *o, bool trace)
{
	w->seed = seed;
	w->random = seed * 0x9E3779B97F4A7C15ull + 1;
	w->hash = 0;
	w->trace = trace;
	w->now_ms = 1700000000000;
	w->tally.steps = 0;
	w->healing = w->doubled = w->forked = false;
	w->failure[0] = '\0';
	memset(w->cut, 0, sizeof(w->cut));
	past_reset(&w->past);
	for (int i = 0; i < 4; i++)
		chance(w); /* small seeds begin alike */
	w->faults = draw_faults(w);
	w->count = o->replicas ? o->replicas : percent(w, 60) ? 3 : 4 + (int)below(w, 2);
	w->keys = 1 + (unsigned)below(w, KEYS_MAX);
	for (int i = 0; i < w->count; i++) {
		struct replica *r = &w->replicas[i];

		r->index = i;
		r->life = 0;
		r->skew_ms = 0;
		r->disk.used = r->backup.used = 0;
		memset(r->diverged, 0, sizeof(r->diverged));
		replica_boot(w, r, false);
	}
}

static void world_end(struct world *w)
{
	network_clear(w);
	for (int i = 0; i < w->count; i++)
		if (w->replicas[i].up)
			replica_stop(&w->replicas[i]);
}

static void world_free(struct world *w)
{
	past_fini(&w->past);
	for (int i = 0; i < REPLICAS_MAX; i++) {
		free(w->replicas[i].disk.rows);
		free(w->replicas[i].backup.rows);
		changes_fini(&w->replicas[i].changes);
	}
	while (w->spare) {
		struct message *m = w->spare;

		w->spare = m->next_spare;
		free(m);
	}
}

static uint64_t run(struct world *w, uint64_t seed, const struct options *o, bool trace)
{
	world_begin(w, seed, o, trace);
	for (int i = 0; i < o->steps && !w->failure[0]; i++) {
		w->tally.steps++;
		chaos_step(w);
	}
	if (!w->failure[0])
		heal(w);
	mix(w, w->past.used);
	world_end(w);
	return w->hash;
}

/* Every seed runs twice, to see that a seed is a run. */
static bool run_seed(struct world *w, uint64_t seed, const struct options *o)
{
	uint64_t hash = run(w, seed, o, o->trace);

	if (!w->failure[0] && run(w, seed, o, false) != hash)
		fail(w, "the same seed ran differently");
	if (w->failure[0])
		printf("seed %llu: %s\n", (unsigned long long)seed, w->failure);
	return !w->failure[0];
}

static bool number(int argc, char **argv, int *i, const char *name, uint64_t *ret)
{
	if (strcmp(argv[*i], name) != 0 || *i + 1 >= argc)
		return false;
	*ret = strtoull(argv[++*i], NULL, 10);
	return true;
}

static struct options read_options(int argc, char **argv)
{
	struct options o = {.from = 1, .count = 200, .failures_max = 20, .steps = STEPS};
	uint64_t value;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--trace") == 0)
			o.trace = true;
		else if (strcmp(argv[i], "--first") == 0)
			o.failures_max = 1;
		else if (number(argc, argv, &i, "--seed", &o.from))
			o.count = 1;
		else if (number(argc, argv, &i, "--replicas", &value))
			o.replicas = value >= 2 && value <= REPLICAS_MAX ? (int)value : 3;
		else if (number(argc, argv, &i, "--steps", &value))
			o.steps = (int)value;
		else if (!number(argc, argv, &i, "--from", &o.from))
			number(argc, argv, &i, "--count", &o.count);
	}
	return o;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report(const struct world *w, const struct options *o, uint64_t seeds, uint64_t failed,
	double took)
{
	const struct tally *t = &w->tally;

	printf("replicas: seeds %llu to %llu, each twice: %llu writes, %llu slices, %llu joint, "
	       "%llu full, %llu checked, %llu streams, %llu restores, %llu renewed, %llu repairs, "
	       "at most %llu held and %llu rounds; %llu failed; %.0f seeds a second\n",
		(unsigned long long)o->from, (unsigned long long)(o->from + seeds - 1),
		(unsigned long long)t->writes, (unsigned long long)t->slices,
		(unsigned long long)t->joint, (unsigned long long)t->fulls,
		(unsigned long long)t->checks, (unsigned long long)t->streams,
		(unsigned long long)t->restores, (unsigned long long)t->forks,
		(unsigned long long)t->repairs, (unsigned long long)t->held_max,
		(unsigned long long)t->rounds_max, (unsigned long long)failed,
		(double)seeds / took);
}

int main(int argc, char **argv)
{
	static struct world w;
	struct options o = read_options(argc, argv);
	uint64_t failed = 0, seeds = 0;
	double start = seconds();

	for (; seeds < o.count && failed < o.failures_max; seeds++)
		failed += !run_seed(&w, o.from + seeds, &o);
	report(&w, &o, seeds, failed, seconds() - start);
	world_free(&w);
	return failed ? 1 : 0;
}
