/*
 * A program for children to run, that is wherever the tests are: the test itself. It is given a
 * script in place of what it would do otherwise, steps separated by ';':
 *
 *	await FILE       until there is such a file
 *	touch FILE       makes one
 *	tcp PORT         listens; nobody accepts
 *	http PORT FILE   answers with the status that FILE holds, or 200; for ever
 *	owner PORT DIR	answers as owner.h says; for ever
 *	notify TEXT      sends it to NOTIFY_SOCKET, '|' for a newline
 *	fork TEXT        the same from a child that leaves its session
 *	tell FILE        writes NOTIFY_SOCKET and WATCHDOG_USEC there
 *	to FILE TEXT     sends it to the socket that is named there
 *	feed MS FILE     sends WATCHDOG=1 so often, until there is such a file
 *	exit CODE        ends
 *
 * At the end of the script it sleeps for ever.
 */
#ifndef HORDE_TESTS_HELPER_H
#define HORDE_TESTS_HELPER_H

/*
 * A spec whose process runs this script; `members` are further members, or NULL. The text is valid
 * until 32 more were made.
 */
const char *helper_spec(const char *script, const char *members);

#endif
