#include "server/port_free.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Bound as a server binds: with SO_REUSEADDR what the last process left in TIME_WAIT does not
 * count, and who listens does (ip(7), socket(7)). What else goes wrong says nothing of the port.
 */
static bool is_taken(uint16_t number)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(number)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
	bool taken;

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	taken = bind(fd, (const struct sockaddr *)&any, sizeof any) != 0 && errno == EADDRINUSE;
	close(fd);
	return taken;
}

const struct port *port_taken(const struct ports *p)
{
	for (uint32_t i = 0; i < p->count; i++)
		if (is_taken(p->items[i].number))
			return &p->items[i];
	return NULL;
}
