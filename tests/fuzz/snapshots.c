#include "tests/fuzz/snapshots.h"

#include <sys/mman.h>
#include <unistd.h>

#include "api/uuid.h"
#include "server/core/text.h"
#include "tests/fuzz/clock.h"
#include "tests/fuzz/fuzz.h"

#define KEPT_MAX 3
#define ID_BYTES 129 /* openapi.yaml: any name of 128 */
#define BYTES_MAX 65536

struct snapshot {
	char id[ID_BYTES];
	struct text bytes;
};

struct snapshots_upload {
	char id[ID_BYTES];
	struct text bytes;
};

struct snapshots_job {
	enum err err;
};

static struct snapshot kept[KEPT_MAX]; /* by id */
static size_t kept_count;
static size_t uploads, jobs; /* under way */
static unsigned made;

/* In the place of the one that draws its ids: a target draws nothing. */
bool uuid_make(char ret_text[UUID_TEXT_BYTES])
{
	snprintf(ret_text, UUID_TEXT_BYTES, "01956f3e-7c1a-7b52-9d44-%012x", ++made);
	return true;
}

static struct snapshot *find_kept(const char *id)
{
	for (size_t i = 0; i < kept_count; i++)
		if (strcmp(kept[i].id, id) == 0)
			return &kept[i];
	return NULL;
}

static int compare_kept(const void *a, const void *b)
{
	return strcmp(((const struct snapshot *)a)->id, ((const struct snapshot *)b)->id);
}

static void keep(const char *id, struct text *bytes_take)
{
	struct snapshot *s = find_kept(id);

	if (!s)
		s = &kept[kept_count++];
	text_fini(&s->bytes);
	memmove(s->id, id, strlen(id) + 1);
	s->bytes = *bytes_take;
	*bytes_take = (struct text)TEXT_INIT;
	qsort(kept, kept_count, sizeof(*kept), compare_kept);
}

void snapshots_free(void)
{
	must(uploads == 0 && jobs == 0, "jobs are released");
	for (size_t i = 0; i < kept_count; i++)
		text_fini(&kept[i].bytes);
	memset(kept, 0, sizeof(kept));
	kept_count = 0;
}

void snapshots_reset(void)
{
	struct text bytes = TEXT_INIT;

	snapshots_free();
	made = 0;
	text_adds(&bytes, "SQLite format 3");
	keep(SNAPSHOTS_FIRST, &bytes);
}

static struct snapshot_view view_of(const struct snapshot *s)
{
	return (struct snapshot_view){.id = s->id,
		.created_ms = CLOCK_WALL_MS,
		.bytes = s->bytes.used,
		.checksum = "0123456789abcdef0123456789abcdef"};
}

static bool at(void *node, size_t index, struct snapshot_view *ret)
{
	(void)node;
	if (index >= kept_count)
		return false;
	*ret = view_of(&kept[index]);
	return true;
}

static bool find(void *node, const char *id, struct snapshot_view *ret)
{
	const struct snapshot *s = find_kept(id);

	(void)node;
	if (s)
		*ret = view_of(s);
	return s != NULL;
}

static bool full(void *node)
{
	(void)node;
	return kept_count + uploads >= KEPT_MAX;
}

static enum err drop(void *node, const char *id)
{
	struct snapshot *s = find_kept(id);

	(void)node;
	if (!s)
		return ERR_NOT_FOUND;
	text_fini(&s->bytes);
	*s = kept[--kept_count];
	qsort(kept, kept_count, sizeof(*kept), compare_kept);
	return ERR_OK;
}

static enum err open_file(void *node, const char *id, int *ret_fd)
{
	const struct snapshot *s = find_kept(id);
	int fd;

	(void)node;
	if (!s)
		return ERR_NOT_FOUND;
	fd = memfd_create("snapshot", MFD_CLOEXEC);
	must(fd >= 0 && write(fd, s->bytes.bytes, s->bytes.used) == (ssize_t)s->bytes.used &&
			lseek(fd, 0, SEEK_SET) == 0,
		"there is memory");
	*ret_fd = fd;
	return ERR_OK;
}

/* ---- jobs, which are done before they are asked about ---- */

static enum err new_job(enum err err, struct snapshots_job **ret_job)
{
	struct snapshots_job *j = malloc(sizeof(*j));

	must(j, "there is memory");
	j->err = err;
	jobs++;
	*ret_job = j;
	return ERR_OK;
}

static enum err create(void *node, const char *id, struct snapshots_job **ret_job)
{
	struct text bytes = TEXT_INIT;

	if (full(node))
		return ERR_LIMIT;
	text_adds(&bytes, id);
	keep(id, &bytes);
	return new_job(ERR_OK, ret_job);
}

static enum err receive(void *node, const char *id, struct snapshots_upload **ret_upload)
{
	struct snapshots_upload *u;

	if (uploads > 0)
		return ERR_WRONG_STATE;
	if (full(node) && !find_kept(id))
		return ERR_LIMIT;
	u = calloc(1, sizeof(*u));
	must(u && strlen(id) < sizeof(u->id), "an id has its limit");
	strcpy(u->id, id);
	uploads++;
	*ret_upload = u;
	return ERR_OK;
}

static enum err write_some(struct snapshots_upload *u, const void *bytes, size_t count)
{
	if (u->bytes.used + count > BYTES_MAX)
		return ERR_LIMIT;
	text_add(&u->bytes, bytes, count);
	return ERR_OK;
}

static void abandon(struct snapshots_upload *u)
{
	uploads--;
	text_fini(&u->bytes);
	free(u);
}

static enum err finish(
	struct snapshots_upload *u, const char *checksum, struct snapshots_job **ret_job)
{
	enum err err = checksum && strlen(checksum) != 32 ? ERR_MALFORMED : ERR_OK;

	if (err == ERR_OK && u->bytes.used == 0)
		err = ERR_STORAGE_CORRUPT;
	if (err == ERR_OK)
		keep(u->id, &u->bytes);
	abandon(u);
	return new_job(err, ret_job);
}

static enum err restore(void *node, const char *id, bool reput, struct snapshots_job **ret_job)
{
	(void)node;
	if (!find_kept(id))
		return ERR_NOT_FOUND;
	return new_job(reput ? ERR_CLUSTER_MISMATCH : ERR_OK, ret_job);
}

static bool job(const struct snapshots_job *j, enum err *ret_err)
{
	*ret_err = j->err;
	return true;
}

static uint64_t ticket(const struct snapshots_job *j)
{
	(void)j;
	return 1;
}

static void release(struct snapshots_job *j)
{
	jobs--;
	free(j);
}

static enum err step(void *node, struct snapshots_job *j, struct restore_step *s)
{
	(void)node;
	(void)j;
	s->finished = ++s->added == 3;
	return ERR_OK;
}

const struct snapshot_service snapshots_service = {
	.at = at,
	.find = find,
	.full = full,
	.remove = drop,
	.read = open_file,
	.create = create,
	.receive = receive,
	.write = write_some,
	.finish = finish,
	.abort = abandon,
	.restore = restore,
	.job = job,
	.ticket = ticket,
	.release = release,
	.step = step,
};
