#include "api/signals.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

/* The names are POSIX's, the numbers this machine's. */
static const struct {
	const char *name;
	int number;
} signals[] = {
	{"HUP", SIGHUP},
	{"INT", SIGINT},
	{"QUIT", SIGQUIT},
	{"ILL", SIGILL},
	{"TRAP", SIGTRAP},
	{"ABRT", SIGABRT},
	{"BUS", SIGBUS},
	{"FPE", SIGFPE},
	{"KILL", SIGKILL},
	{"USR1", SIGUSR1},
	{"SEGV", SIGSEGV},
	{"USR2", SIGUSR2},
	{"PIPE", SIGPIPE},
	{"ALRM", SIGALRM},
	{"TERM", SIGTERM},
	{"CHLD", SIGCHLD},
	{"CONT", SIGCONT},
	{"STOP", SIGSTOP},
	{"TSTP", SIGTSTP},
	{"TTIN", SIGTTIN},
	{"TTOU", SIGTTOU},
	{"URG", SIGURG},
	{"XCPU", SIGXCPU},
	{"XFSZ", SIGXFSZ},
	{"VTALRM", SIGVTALRM},
	{"PROF", SIGPROF},
	{"WINCH", SIGWINCH},
	{"SYS", SIGSYS},
};

#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

int signal_from_name(const char *name)
{
	for (size_t i = 0; i < SIGNALS; i++) {
		if (strcmp(signals[i].name, name) == 0)
			return signals[i].number;
	}
	return 0;
}

const char *signal_name(int number)
{
	for (size_t i = 0; i < SIGNALS; i++) {
		if (signals[i].number == number)
			return signals[i].name;
	}
	return NULL;
}
