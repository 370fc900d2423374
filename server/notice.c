#include "server/notice.h"

#include <string.h>

#include "api/utf8.h"

static void take_text(struct notice *n, const char *bytes, size_t count)
{
	size_t used = 0;

	for (size_t i = 0; i < count;) {
		const unsigned char *p = (const unsigned char *)bytes + i;
		size_t length = utf8_sequence(p, count - i);

		if (used + (length > 0 ? length : 1) > STATUS_TEXT_MAX)
			break;
		if (length == 0)
			n->text[used] = '?';
		else if (*p < ' ' || *p == 0x7f)
			n->text[used] = ' ';
		else
			memcpy(n->text + used, p, length);
		used += length > 0 ? length : 1;
		i += length > 0 ? length : 1;
	}
	n->text[used] = '\0';
	n->told = true;
}

static bool is(const char *line, size_t count, const char *word)
{
	return count == strlen(word) && memcmp(line, word, count) == 0;
}

static bool take_line(struct notice *n, const char *line, size_t count)
{
	static const char status[] = "STATUS=";
	const size_t name = sizeof status - 1;
	unsigned what = is(line, count, "READY=1")            ? NOTIFIED_READY
			: is(line, count, "STOPPING=1")       ? NOTIFIED_STOPPING
			: is(line, count, "WATCHDOG=1")       ? NOTIFIED_WATCHDOG
			: is(line, count, "WATCHDOG=trigger") ? NOTIFIED_TRIGGER
							      : 0;

	n->what |= what;
	if (count < name || memcmp(line, status, name) != 0)
		return what != 0;
	take_text(n, line + name, count - name);
	return true;
}

bool notice_read(struct notice *n, const char *bytes, size_t count)
{
	bool understood = false;

	while (count > 0) {
		const char *end = memchr(bytes, '\n', count);
		size_t length = end ? (size_t)(end - bytes) : count;

		understood = take_line(n, bytes, length) || understood;
		length += end != NULL;
		bytes += length;
		count -= length;
	}
	return understood;
}
