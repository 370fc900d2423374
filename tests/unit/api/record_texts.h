/* Texts of records, and their decoding, for the tests of what is read from them. */
#ifndef HORDE_TESTS_UNIT_API_RECORD_TEXTS_H
#define HORDE_TESTS_UNIT_API_RECORD_TEXTS_H

#include <criterion/criterion.h>
#include <string.h>

#include "api/records.h"

#define SPEC(members) "{\"desired\":\"running\",\"spec\":{\"command\":[\"x\"]," members "}}"

#define CHECKS                                                                                     \
	"\"ready\":{\"kind\":\"http\",\"port\":80,\"path\":\"/"                                    \
	"r\",\"host\":\"h\",\"timeout_ms\":1,"                                                     \
	"\"period_ms\":200,\"try_timeout_ms\":300},\"health\":[{\"kind\":\"tcp\",\"port\":81},"    \
	"{\"kind\":\"http\",\"port\":82,\"host\":\"i\",\"path\":\"/h\",\"period_ms\":2000,"        \
	"\"timeout_ms\":400,\"grace_ms\":0,\"threshold\":1},"                                      \
	"{\"kind\":\"exec\",\"command\":[\"a\",\"b\"]}]"

#define CLAIMS                                                                                     \
	"\"register\":[{\"key\":\"web/1\"},{\"key\":\"x\",\"registry\":\"default\","               \
	"\"value\":{\"b\":[0.1,null],\"a\":\"\\u00fc\"}}]"

static inline struct record *decode(const char *key, const char *json)
{
	struct record *r = NULL;

	cr_assert_eq(record_decode(key, strlen(key), json, strlen(json), &r), ERR_OK);
	return r;
}

#endif
