/*
 * A program for children to run, that is wherever the tests are: the test itself. It is given a
 * script in place of what it would do otherwise, steps separated by ';':
 *
 *	await FILE       until there is such a file
 *	touch FILE       makes one
 *	tcp PORT         listens; nobody accepts
 *	http PORT FILE   answers every request with the status that FILE holds, 200 without it; for
 *ever exit CODE        ends; at the end of the script it sleeps for ever
 */
#ifndef HORDE_TESTS_HELPER_H
#define HORDE_TESTS_HELPER_H

/*
 * A spec whose process runs this script; `members` are further members, or NULL. The text is valid
 * until 32 more were made.
 */
const char *helper_spec(const char *script, const char *members);

#endif
