/*
 * Writes the seeds of the corpus: DIRECTORY/TARGET/seed-NAME. They are made by the code under test
 * from bodies as they really are, so that a new format only needs `make fuzz-seeds`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/body.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds_http.h"
#include "tests/fuzz/seeds_text.h"
#include "tests/fuzz/story.h"

static void put(const char *directory, const char *target, const char *name, const char *bytes,
	size_t count)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/seed-%s", directory, target, name);
	file = fopen(path, "wb");
	if (!file || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static void put_texts(const char *directory)
{
	for (size_t i = 0; i < sizeof(seeds_http) / sizeof(seeds_http[0]); i++)
		put(directory, "http", seeds_http[i].name, seeds_http[i].text,
			strlen(seeds_http[i].text));
	for (size_t i = 0; i < sizeof(seeds_text) / sizeof(seeds_text[0]); i++)
		put(directory, "text", seeds_text[i].name, seeds_text[i].text,
			strlen(seeds_text[i].text));
}

static void put_bodies(const char *directory)
{
	struct story_body bodies[STORY_BODIES_MAX];
	size_t count = story_bodies(bodies);

	for (size_t i = 0; i < count; i++) {
		put(directory, "fragment", bodies[i].name, bodies[i].text.bytes,
			bodies[i].text.used);
		text_fini(&bodies[i].text);
	}
}

static void put_poll(const char *directory, const char *name, struct wire_request *q)
{
	struct text t = TEXT_INIT;

	q->n++;
	wire_request_write(q, body_retired(), &t);
	put(directory, "poll", name, t.bytes, t.used);
	text_fini(&t);
}

/* A first poll, which knows nothing, and those of a client of the story. */
static void put_polls(const char *directory)
{
	struct wire_request q = {.link = "5d000000000000000000000000000003-1"};
	struct rows rows = {0};
	struct map *m = story_client(STORY_CLIENTS - 1, &rows);
	struct vector none = VECTOR_INIT;

	put_poll(directory, "first", &q);
	q.seen = q.n;
	q.wait_ms = 25000;
	q.poll.after = *map_vector(m);
	q.poll.ack = none;
	q.poll.origins = &q.poll.after.items[0].origin;
	q.poll.origin_count = 1;
	q.poll.own_seq = 3;
	q.poll.own_chain = 0x5ad;
	put_poll(directory, "slices", &q);
	q.poll.ack = q.poll.after;
	q.poll.all = true;
	q.compact = true;
	q.retired_hash = BODY_RETIRED_HASH;
	put_poll(directory, "all", &q);
	must(map_block_sums(m, &q.blocks) == ERR_OK, "there is memory");
	q.wait_ms = 0;
	q.digest = true;
	put_poll(directory, "digest", &q);
	q.repair = true;
	q.compact = false;
	put_poll(directory, "repair", &q);
	block_sums_fini(&q.blocks);
	map_free(m);
	rows_fini(&rows);
}

/* Programs for three replicas; any bytes are one. */
static void put_programs(const char *directory)
{
	static const size_t sizes[] = {12, 40, 120, 400, 1200};
	uint64_t random = 7;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char bytes[1200], name[32];

		for (size_t j = 0; j < sizes[i]; j++)
			bytes[j] = (char)fuzz_draw(&random, 256);
		snprintf(name, sizeof(name), "program-%zu", sizes[i]);
		put(directory, "map", name, bytes, sizes[i]);
	}
}

int main(int count, char **arguments)
{
	if (count != 2) {
		fprintf(stderr, "usage: seeds DIRECTORY\n");
		return 2;
	}
	put_texts(arguments[1]);
	put_bodies(arguments[1]);
	put_polls(arguments[1]);
	put_programs(arguments[1]);
	return 0;
}
