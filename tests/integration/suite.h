/*
 * What every file of integration tests needs: Criterion, the harness, and a suite whose tests each
 * have a process and a cluster of their own, ended with the test however it ends.
 */
#ifndef HORDE_TESTS_SUITE_H
#define HORDE_TESTS_SUITE_H

#include "tests/lib/check.h"
#include "tests/lib/children.h"
#include "tests/lib/cluster.h"
#include "tests/lib/expect.h"
#include "tests/lib/http.h"
#include "tests/lib/procs.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SUITE_TIMEOUT_S = 100 };

static inline void suite_fail(const char *message)
{
	cr_assert_fail("%s", message);
	abort();
}

static inline void suite_begin(void)
{
	check_on_failure(suite_fail);
}

static inline void suite_end(void)
{
	cluster_stop(cluster_present());
	http_forget_all();
}

/*
 * A test that ends its cluster inside its body: Criterion 2.4.1 has judged a test before it runs
 * .fini, so a process that outlives its daemon would be told there and counted by nobody. The .fini
 * stays for the tests that fail on the way.
 */
#define CLUSTER_TEST(suite, name)                                                                  \
	static void suite##_##name(void);                                                          \
	Test(suite, name)                                                                          \
	{                                                                                          \
		suite##_##name();                                                                  \
		suite_end();                                                                       \
	}                                                                                          \
	static void suite##_##name(void)

#define SUITE(name)                                                                                \
	TestSuite(name, .init = suite_begin, .fini = suite_end, .timeout = SUITE_TIMEOUT_S)

#endif
