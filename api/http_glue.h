/* libmicrohttpd's callbacks, defined in http.c and installed by http_start.c. */
#ifndef HORDE_API_HTTP_GLUE_H
#define HORDE_API_HTTP_GLUE_H

#include <microhttpd.h>

enum MHD_Result http_access(void *data, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **con_cls);
void http_completed(void *data, struct MHD_Connection *connection, void **con_cls,
	enum MHD_RequestTerminationCode code);
size_t http_unescape(void *data, struct MHD_Connection *connection, char *text);

#endif
