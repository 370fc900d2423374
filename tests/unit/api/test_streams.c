/* Bodies that are never held: received piece by piece, and sent from a file. */
#include "tests/unit/api/served.h"

TestSuite(streams, .init = served_setup, .fini = served_stop, .timeout = 30);

#define BYTES "Content-Type: application/octet-stream\r\n"

/* Of so many bytes; to be freed. */
static char *make_body(size_t count, unsigned long *ret_sum)
{
	char *body = malloc(count + 1);

	*ret_sum = 0;
	for (size_t i = 0; i < count; i++) {
		body[i] = (char)('a' + i * 31 % 26);
		*ret_sum += (unsigned char)body[i] * (i + 1);
	}
	body[count] = '\0';
	return body;
}

Test(streams, a_body_reaches_its_receiver_in_pieces_and_then_the_handler_runs)
{
	unsigned long sum;
	char *body = make_body(250000, &sum), wanted[100];
	struct answer *a = ask("PUT /blob/a", BYTES, body);

	snprintf(wanted, sizeof(wanted), "250000 bytes, sum %lu, pieces", sum);
	cr_assert_eq(a->status, 200);
	cr_assert_str_eq(a->body, wanted);
	wait_idle();
	cr_assert_eq(served.freed, 1);
	free(body);
}

Test(streams, a_chunked_body_is_received_and_limited_too)
{
	unsigned long sum;
	char *body = make_body(60000, &sum), length[16];
	int fd = served_connect();
	struct answer *a;

	send_request(fd, "PUT /blob/a", BYTES "Transfer-Encoding: chunked\r\n", NULL);
	snprintf(length, sizeof(length), "%x\r\n", 60000);
	for (int i = 0; i < 5; i++) {
		send_all(fd, length, strlen(length));
		send_all(fd, body, 60000);
		send_all(fd, "\r\n", 2);
	}
	send_all(fd, "0\r\n\r\n", 5);
	a = receive(fd, false);
	cr_assert_eq(a->status, 200);
	cr_assert(says(a, "300000 bytes"));
	send_request(fd, "PUT /blob/a", BYTES "Transfer-Encoding: chunked\r\n", NULL);
	for (int i = 0; i < 6; i++) {
		send_all(fd, length, strlen(length));
		send_all(fd, body, 60000);
		send_all(fd, "\r\n", 2);
	}
	send_all(fd, "0\r\n\r\n", 5);
	a = receive(fd, false);
	cr_assert_eq(a->status, 413);
	cr_assert(says(a, "body-too-large"));
	close(fd);
	free(body);
}

Test(streams, parameters_type_and_length_are_checked_before_the_first_piece)
{
	struct answer *a;
	char key[600];

	blob.pieces = 0;
	memset(key, 'k', sizeof(key));
	memcpy(key, "PUT /blob/", 10);
	key[sizeof(key) - 1] = '\0';
	a = ask(key, BYTES, "body");
	cr_assert_eq(a->status, 400);
	cr_assert(says(a, "bad-key"));
	a = ask("PUT /blob/a", "Content-Type: text/html\r\n", "body");
	cr_assert_eq(a->status, 415);
	a = ask("PUT /blob/a?odd=1", BYTES, "body");
	cr_assert_eq(a->status, 400);
	a = ask("PUT /blob/a", BYTES "Content-Length: 300001\r\nExpect: 100-continue\r\n", NULL);
	cr_assert_eq(a->status, 413);
	a = ask("PUT /blob/a", BYTES "Content-Length: 0\r\n", NULL);
	cr_assert_eq(a->status, 400);
	cr_assert(says(a, "a body is needed"));
	cr_assert_eq(blob.pieces, 0);
}

Test(streams, a_receiver_may_refuse_in_the_middle)
{
	unsigned long sum;
	char *body = make_body(250000, &sum);
	struct answer *a = ask("PUT /blob/a?fails", BYTES, body);

	cr_assert_eq(a->status, 507);
	cr_assert(says(a, "storage-full"));
	cr_assert_eq(blob.pieces, 2);
	wait_idle();
	cr_assert_eq(served.freed, 1);
	free(body);
}

Test(streams, a_client_that_goes_away_in_the_middle_frees_the_state)
{
	int fd = served_connect();

	send_request(fd, "PUT /blob/a", BYTES "Content-Length: 200000\r\n", NULL);
	send_all(fd, "some", 4);
	/* Not together with the end: libmicrohttpd sees an end that comes with bytes only when the
	 * connection has been idle for HTTP_IDLE_SECONDS. */
	for (int i = 0; i < 5000 && __atomic_load_n(&blob.pieces, __ATOMIC_ACQUIRE) == 0; i++)
		usleep(1000);
	close(fd);
	wait_idle();
	cr_assert_eq(served.freed, 1);
}

Test(streams, a_file_is_sent_with_its_length_and_without_its_body_for_head)
{
	char path[] = "/tmp/horde-stream-XXXXXX", what[100];
	unsigned long sum;
	char *body = make_body(60000, &sum);
	int fd = mkstemp(path);
	struct answer *a;

	cr_assert_eq(write(fd, body, 60000), 60000);
	close(fd);
	snprintf(what, sizeof(what), "GET /blob/%%2Ftmp%%2F%s", path + 5);
	a = ask(what, "", NULL);
	cr_assert_eq(a->status, 200);
	cr_assert_str_eq(a->body, body);
	cr_assert(says(a, "Content-Length: 60000\r\n"));
	cr_assert(says(a, "Content-Type: application/octet-stream\r\n"));
	cr_assert(says(a, "ETag: \"blob\"\r\n"));
	snprintf(what, sizeof(what), "HEAD /blob/%%2Ftmp%%2F%s", path + 5);
	a = ask(what, "", NULL);
	cr_assert_eq(a->status, 200);
	cr_assert(says(a, "Content-Length: 60000\r\n"));
	cr_assert_str_eq(a->body, "");
	unlink(path);
	free(body);
}
