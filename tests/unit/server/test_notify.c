/* Who is heard on the node's socket. This process stands for the guardian: its children are those.
 */
#include "server/notify.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/notice.h"

#define NOTICE_ROOM (NOTICE_BYTES_MAX + 2)

struct scene {
	struct loop *loop;
	struct notify *notify;
	struct loop_timer timer;
	int guardian;
	char heard[4096]; /* "REF WHAT TEXT|" each */
};

static void on_event(void *data, struct event *e)
{
	struct scene *s = data;
	size_t used = strlen(s->heard);

	cr_assert_eq(e->kind, EVENT_NOTIFIED);
	snprintf(s->heard + used, sizeof s->heard - used, "%s %u %s|", e->notified.ref,
		e->notified.what, e->notified.text ? e->notified.text : "-");
}

static int guardian_pid(void *data)
{
	return ((struct scene *)data)->guardian;
}

static void begin(struct scene *s)
{
	struct notify_config c = {.guardian_pid = guardian_pid, .event = on_event, .data = s};

	*s = (struct scene){.guardian = getpid()};
	cr_assert_eq(loop_new(&s->loop), ERR_OK);
	c.loop = s->loop;
	cr_assert_eq(notify_new(&c, &s->notify), ERR_OK);
	cr_assert_eq(notify_address(s->notify)[0], '@');
}

static void end(struct scene *s)
{
	notify_free(s->notify);
	loop_free(s->loop);
}

static void stop(void *data)
{
	loop_stop(data);
}

/* What is there is read in the turn; the timer ends it. */
static void turn(struct scene *s)
{
	cr_assert_eq(loop_timer_set(s->loop, &s->timer, loop_clock_ms(), stop, s->loop), ERR_OK);
	loop_run(s->loop, (int (*)(void *))NULL, NULL);
}

static int send_bytes(const struct scene *s, const char *bytes, size_t count)
{
	const char *address = notify_address(s->notify);
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ssize_t sent;

	memcpy(at.sun_path + 1, address + 1, strlen(address) - 1);
	sent = sendto(fd, bytes, count, 0, (struct sockaddr *)&at,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address)));
	close(fd);
	return sent == (ssize_t)count ? 0 : -1;
}

enum how { ITSELF, BY_CHILD, BY_ORPHAN_IN_SESSION, BY_CHILD_WITH_SESSION };

/* In the child: whoever is to say it says it, and says on `done` that it was said. */
static void speak(const struct scene *s, enum how how, const char *text, int done)
{
	if (how != ITSELF && fork() != 0) {
		if (how == BY_ORPHAN_IN_SESSION)
			pause(); /* the middle one ends below */
		for (;;)
			pause();
	}
	if (how == BY_CHILD_WITH_SESSION)
		setsid();
	if (how == BY_ORPHAN_IN_SESSION && fork() != 0)
		_exit(0);
	send_bytes(s, text, strlen(text));
	if (write(done, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* A child in a session of its own, that has spoken. */
static pid_t child_that_says(const struct scene *s, enum how how, const char *text)
{
	int done[2];
	char byte;
	pid_t pid;

	cr_assert_eq(pipe(done), 0);
	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	pid = fork();
	if (pid == 0) {
		setsid();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		speak(s, how, text, done[1]);
	}
	cr_assert_eq(read(done[0], &byte, 1), 1);
	close(done[0]);
	close(done[1]);
	return pid;
}

static void kill_all(void)
{
	char path[64], text[4096];
	FILE *f;
	int pid, bytes, at = 0;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	for (int rounds = 0; rounds < 3; rounds++) {
		f = fopen(path, "r");
		text[fread(text, 1, sizeof text - 1, f)] = '\0';
		fclose(f);
		for (at = 0; sscanf(text + at, "%d%n", &pid, &bytes) == 1; at += bytes) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
	}
}

static void cr_heard(struct scene *s, const char *want)
{
	cr_assert_str_eq(s->heard, want);
	s->heard[0] = '\0';
}

Test(notify, a_child_is_heard_itself_and_by_all_that_descend_from_it)
{
	for (int how = ITSELF; how <= BY_CHILD_WITH_SESSION; how++) {
		struct scene s;
		pid_t pid;

		begin(&s);
		cr_assert_eq(notify_expect(s.notify, "default/a", 7), ERR_OK);
		pid = child_that_says(&s, (enum how)how, "READY=1\nSTATUS=up");
		notify_started(s.notify, "default/a", 7, pid);
		turn(&s);
		cr_heard(&s, "default/a 1 up|");
		kill_all();
		end(&s);
	}
}

Test(notify, who_is_no_child_that_is_expected_is_not_heard)
{
	struct scene s;

	begin(&s);
	cr_assert_eq(notify_expect(s.notify, "default/a", 7), ERR_OK);
	notify_started(s.notify, "default/a", 7, 1);
	child_that_says(&s, ITSELF, "READY=1");
	child_that_says(&s, BY_CHILD, "READY=1");
	cr_assert_eq(send_bytes(&s, "READY=1", 7), 0);
	turn(&s);
	cr_heard(&s, "");
	s.guardian = 0;
	child_that_says(&s, ITSELF, "READY=1");
	turn(&s);
	cr_heard(&s, "");
	kill_all();
	end(&s);
}

Test(notify, a_word_before_the_news_of_its_start_waits_for_it)
{
	struct scene s;
	pid_t a, b;

	begin(&s);
	cr_assert_eq(notify_expect(s.notify, "default/a", 7), ERR_OK);
	cr_assert_eq(notify_expect(s.notify, "default/b", 8), ERR_OK);
	a = child_that_says(&s, BY_CHILD, "STATUS=a");
	turn(&s);
	b = child_that_says(&s, ITSELF, "READY=1\nSTATUS=b");
	turn(&s);
	cr_heard(&s, "");
	notify_started(s.notify, "default/b", 8, b);
	cr_heard(&s, "default/b 1 b|");
	notify_started(s.notify, "default/a", 7, a);
	cr_heard(&s, "default/a 0 a|");
	kill_all();
	end(&s);
}

Test(notify, what_nobody_can_have_said_is_not_kept)
{
	struct scene s;
	pid_t pid;

	begin(&s);
	cr_assert_eq(notify_expect(s.notify, "default/a", 7), ERR_OK);
	pid = child_that_says(&s, ITSELF, "READY=1");
	turn(&s);
	notify_failed(s.notify, "default/a", 6);
	notify_failed(s.notify, "default/a", 7);
	cr_assert_eq(notify_expect(s.notify, "default/b", 8), ERR_OK);
	notify_started(s.notify, "default/b", 8, pid);
	turn(&s);
	cr_heard(&s, "");
	kill_all();
	end(&s);
}

Test(notify, more_strangers_than_there_are_places_leave_those_that_have_one)
{
	struct scene s;
	pid_t first = 0;

	begin(&s);
	cr_assert_eq(notify_expect(s.notify, "default/a", 7), ERR_OK);
	for (int i = 0; i <= NOTIFY_HELD_MAX; i++) {
		pid_t pid = child_that_says(&s, ITSELF, "READY=1");

		first = first ? first : pid;
		turn(&s);
	}
	notify_started(s.notify, "default/a", 7, first);
	cr_heard(&s, "default/a 1 -|");
	kill_all();
	end(&s);
}

Test(notify, last_words_are_heard_and_nothing_afterwards)
{
	struct scene s;
	pid_t pid;

	begin(&s);
	cr_assert_eq(notify_expect(s.notify, "default/a", 7), ERR_OK);
	pid = child_that_says(&s, ITSELF, "READY=1");
	notify_started(s.notify, "default/a", 7, pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	notify_ended(s.notify, pid + 1);
	cr_heard(&s, "");
	notify_ended(s.notify, pid);
	cr_heard(&s, "default/a 1 -|");
	notify_ended(s.notify, pid);
	end(&s);
}

Test(notify, what_is_too_long_or_nothing_is_ignored_as_a_whole)
{
	struct scene s;
	char text[NOTICE_ROOM];
	pid_t pid;

	begin(&s);
	memset(text, 'x', sizeof text);
	memcpy(text, "READY=1\nSTATUS=", 15);
	text[sizeof text - 1] = '\0';
	cr_assert_eq(notify_expect(s.notify, "default/a", 7), ERR_OK);
	pid = child_that_says(&s, ITSELF, text);
	notify_started(s.notify, "default/a", 7, pid);
	turn(&s);
	cr_heard(&s, "");
	kill_all();
	cr_assert_eq(notify_expect(s.notify, "default/b", 7), ERR_OK);
	text[NOTICE_ROOM - 2] = '\0'; /* as long as it may be */
	pid = child_that_says(&s, ITSELF, text);
	notify_started(s.notify, "default/b", 7, pid);
	turn(&s);
	cr_assert_eq(strncmp(s.heard, "default/b 1 xxx", 15), 0);
	kill_all();
	end(&s);
}
