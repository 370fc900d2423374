/*
 * What every reply must look like. Each function gives its reply back, so that calls can be nested.
 */
#ifndef HORDE_TESTS_EXPECT_H
#define HORDE_TESTS_EXPECT_H

#include "tests/lib/http.h"

/* This status, and the headers that every reply below /v1 carries. */
struct http_reply *expect_status(struct http_reply *reply, long status);

/* Any 2xx. */
struct http_reply *expect_success(struct http_reply *reply);

/*
 * RFC 9457: content type, type, title, status, and `code`, which may be NULL when the contract
 * leaves it open. Several codes can be allowed: "invalid-spec|out-of-range".
 */
struct http_reply *expect_problem(struct http_reply *reply, long status, const char *code);

/* A problem that blames this JSON pointer in errors[]. */
struct http_reply *expect_fault(struct http_reply *reply, const char *pointer);

/* The strong ETag of the reply with its quotes; equals "etag" of the body.
 * Valid until 4 calls later. */
const char *expect_etag(const struct http_reply *reply);

#endif
