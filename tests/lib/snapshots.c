#include "tests/lib/snapshots.h"

#include "tests/lib/check.h"
#include "tests/lib/children.h"
#include "tests/lib/expect.h"

#include <string.h>

const char *snapshot_make(const struct node *at)
{
	struct http_reply *made = expect_status(node_call(at, "POST", NULL, SNAPSHOTS), 201);
	const char *id = json_str(made->json, "id");

	CHECK(*id, "no id in %s", made->body);
	CHECK_STR(http_header(made, "Location"), text_of(SNAPSHOTS "/%s", id));
	return text_of("%s", id);
}

struct http_reply *snapshot_content(const struct node *at, const char *id)
{
	struct http_reply *reply =
		expect_status(node_call(at, "GET", NULL, SNAPSHOTS "/%s/content", id), 200);

	CHECK(reply->body_size > 512 && memcmp(reply->body, "SQLite format 3", 16) == 0,
		"the snapshot %s is no database of SQLite", id);
	return reply;
}

struct http_reply *snapshot_upload(
	const struct node *at, const char *id, const char *bytes, size_t size, const char *header)
{
	return http_send(&(struct http_request){.method = "PUT",
		.url = node_url(at, SNAPSHOTS "/%s/content", id),
		.body = bytes,
		.body_size = size,
		.headers = {"Content-Type: application/octet-stream", header}});
}

struct http_reply *snapshot_restore(const struct node *at, const char *id, const char *mode)
{
	return node_call(
		at, "POST", text_of("{\"snapshot\":\"%s\"}", id), RESTORE "?mode=%s", mode);
}

struct http_reply *snapshot_restored(
	const struct node *at, const char *id, const char *mode, long long added, long long removed)
{
	struct http_reply *reply = expect_status(snapshot_restore(at, id, mode), 200);

	CHECK_STR(json_str(reply->json, "snapshot"), id);
	CHECK_STR(json_str(reply->json, "mode"), mode);
	CHECK_INT(json_number_at(reply->json, "entries_added"), added);
	CHECK_INT(json_number_at(reply->json, "entries_removed"), removed);
	return reply;
}
