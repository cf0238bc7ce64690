/* SPDX-License-Identifier: Apache-2.0 */
/* Answers from a file: read when the socket takes some, so that their length costs no memory. */
#include <unistd.h>

#include "http/server_priv.h"

#define BLOCK 65536 /* [octets] asked for at a time */

struct http_file {
	int fd;
	struct http_conn *conn; /* of the request: it is there while the answer is read */
	unsigned int stall_ms;
};

/* In the connection's thread. Its deadline is for what it was given last. */
static ssize_t on_read(void *arg, uint64_t pos, char *out, size_t max)
{
	struct http_file *file = arg;
	ssize_t n = pread(file->fd, out, max, (off_t)pos);

	if (n <= 0) /* shorter than it was said to be */
		return MHD_CONTENT_READER_END_WITH_ERROR;
	http_conn_deadline(file->conn, file->stall_ms);
	return n;
}

static void on_free(void *arg)
{
	struct http_file *file = arg;

	close(file->fd);
	talloc_free(file);
}

struct MHD_Response *http_file_response(struct http_req *req, int fd, uint64_t octets)
{
	struct http_file *file = talloc(NULL, struct http_file);
	struct MHD_Response *response = NULL;

	if (file != NULL) {
		*file = (struct http_file){ fd, req->conn, req->server->head_timeout_ms };
		response = MHD_create_response_from_callback(octets, BLOCK, on_read, file, on_free);
	}
	if (response == NULL) {
		talloc_free(file);
		close(fd);
	}
	return response;
}
