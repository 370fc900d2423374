#include "tests/lib/meter.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void begin_message(struct meter *m, struct meter_sum *sum)
{
	int status = m->line_bytes > 12 ? atoi(m->line + 9) : 0;

	m->response = strncmp(m->line, "HTTP/1.", 7) == 0;
	m->bodiless = m->response && (status < 200 || status == 204 || status == 304);
	m->chunked = m->sized = false;
	m->left = 0;
	if (m->response || strstr(m->line, " HTTP/1.")) {
		m->state = METER_HEADER;
		sum->messages++;
	} else {
		m->state = METER_TO_THE_END;
		sum->lost = true;
	}
}

static void read_header(struct meter *m)
{
	if (strncasecmp(m->line, "Content-Length:", 15) == 0) {
		m->left = atol(m->line + 15);
		m->sized = true;
	}
	if (strncasecmp(m->line, "Transfer-Encoding:", 18) == 0)
		m->chunked = strcasestr(m->line + 18, "chunked");
}

static void end_head(struct meter *m)
{
	if (m->bodiless)
		m->state = METER_FIRST_LINE;
	else if (m->chunked)
		m->state = METER_CHUNK_LINE;
	else if (m->sized || !m->response)
		m->state = m->left > 0 ? METER_BODY : METER_FIRST_LINE;
	else
		m->state = METER_TO_THE_END;
}

/* A whole line without its end, which is not kept. */
static void take_line(struct meter *m, struct meter_sum *sum)
{
	switch (m->state) {
	case METER_FIRST_LINE:
		if (m->line_bytes > 0)
			begin_message(m, sum);
		break;
	case METER_HEADER:
		if (m->line_bytes > 0)
			read_header(m);
		else
			end_head(m);
		break;
	case METER_CHUNK_LINE:
		m->left = strtol(m->line, NULL, 16);
		m->state = m->left > 0 ? METER_CHUNK : METER_TRAILER;
		break;
	case METER_CHUNK_END:
		m->state = METER_CHUNK_LINE;
		break;
	case METER_TRAILER:
		if (m->line_bytes == 0)
			m->state = METER_FIRST_LINE;
		break;
	case METER_BODY:
	case METER_CHUNK:
	case METER_TO_THE_END:
		break;
	}
}

static void pass_line_byte(struct meter *m, char byte, struct meter_sum *sum)
{
	sum->heads++;
	if (byte == '\n') {
		m->line[m->line_bytes] = '\0';
		take_line(m, sum);
		m->line_bytes = 0;
	} else if (byte != '\r' && m->line_bytes + 1 < sizeof m->line) {
		m->line[m->line_bytes++] = byte;
	}
}

static size_t pass_body(struct meter *m, size_t count, struct meter_sum *sum)
{
	size_t part =
		m->state != METER_TO_THE_END && (size_t)m->left < count ? (size_t)m->left : count;

	sum->bodies += (long)part;
	m->left -= (long)part;
	if (m->state != METER_TO_THE_END && m->left == 0)
		m->state = m->state == METER_CHUNK ? METER_CHUNK_END : METER_FIRST_LINE;
	return part;
}

void meter_pass(struct meter *m, const char *bytes, size_t count, struct meter_sum *sum)
{
	while (count > 0) {
		size_t part = 1;

		if (m->state == METER_BODY || m->state == METER_CHUNK ||
			m->state == METER_TO_THE_END)
			part = pass_body(m, count, sum);
		else
			pass_line_byte(m, *bytes, sum);
		bytes += part;
		count -= part;
	}
}
