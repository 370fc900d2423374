/*
 * Many plain connections to one server, each with at most one request under way: for what happens
 * to thousands of clients at once, which libcurl is too large for. It may have as many open files
 * as the hard limit allows.
 */
#ifndef HORDE_TESTS_CROWD_H
#define HORDE_TESTS_CROWD_H

#include <stdbool.h>
#include <stdint.h>

struct crowd;

/* Connects to this loopback port `count` times. */
struct crowd *crowd_open(int port, int count);
/* Hangs up and frees; NULL is fine. */
void crowd_close(struct crowd *crowd);

/* Sends a GET; whatever was answered before is forgotten. */
void crowd_get(struct crowd *crowd, int index, const char *path);

/*
 * Takes what comes until `count` requests are answered that were not told of before, or `ms` are
 * over; returns how many are.
 */
int crowd_collect(struct crowd *crowd, int count, long ms);
/* When the last of these was whole (check_now_ns). */
int64_t crowd_last_ns(const struct crowd *crowd);
/* 0: it is not answered. */
int crowd_status(const struct crowd *crowd, int index);
/* The whole answer, head and body, ended by a NUL. */
const char *crowd_answer(const struct crowd *crowd, int index);

/* Hangs up on this one, whether it was answered or not. */
void crowd_hang_up(struct crowd *crowd, int index);

#endif
