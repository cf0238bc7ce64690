/* SPDX-License-Identifier: Apache-2.0 */
/* Answers without an end. libmicrohttpd asks for octets when the socket takes some; when there are none the connection
 * is suspended until the writer has more. Who of the two threads comes first is decided under the stream's lock; a
 * suspended connection can neither be served nor closed, so whoever has taken it out of that state may wake it. */
#include <limits.h>
#include <sys/socket.h>

#include "http/server_priv.h"

#define BLOCK       16384 /* [octets] asked for at a time */
#define SEND_BUFFER 65536 /* [octets] of the kernel: what it holds for a slow reader counts, too */
#define STOP_GRACE  500   /* [ms] for the last octets when the server ends */

struct http_stream {
	LIST_ENTRY(http_stream) list;            /* server->streams, under server->lock, as told */
	bool told;                               /* that the server stops */
	struct http_server *server;              /* NULL: not answered with */
	struct http_conn *conn;                  /* looked at by its own thread, or while suspended */
	pthread_mutex_t lock;                    /* all below */
	bool begun, ended, gone, cut, suspended; /* begun: its connection is there until the answer ends */
	unsigned int stall_ms;
	_Atomic int refs; /* the writer, who answers with it, and the answer */
	size_t room, n;
	uint8_t buffer[];
};

struct http_stream *http_stream_new(size_t room, unsigned int stall_ms)
{
	struct http_stream *stream = talloc_zero_size(NULL, sizeof(*stream) + room);

	if (stream == NULL)
		return NULL;
	pthread_mutex_init(&stream->lock, NULL);
	atomic_init(&stream->refs, 1);
	stream->room = room;
	stream->stall_ms = stall_ms;
	return stream;
}

struct http_stream *http_stream_keep(struct http_stream *stream)
{
	atomic_fetch_add(&stream->refs, 1);
	return stream;
}

void http_stream_drop(struct http_stream *stream)
{
	if (atomic_fetch_sub(&stream->refs, 1) > 1)
		return;
	pthread_mutex_destroy(&stream->lock);
	talloc_free(stream);
}

/* In the connection's thread. Its deadline runs while there are octets that it does not take. */
static ssize_t on_read(void *arg, uint64_t pos, char *out, size_t max)
{
	struct http_stream *stream = arg;
	ssize_t taken;

	(void)pos;
	pthread_mutex_lock(&stream->lock);
	stream->begun = true;
	taken = (ssize_t)(stream->n < max ? stream->n : max);
	memcpy(out, stream->buffer, (size_t)taken);
	stream->n -= (size_t)taken;
	memmove(stream->buffer, stream->buffer + taken, stream->n);
	if (taken > 0) {
		http_conn_deadline(stream->conn, stream->stall_ms);
	} else if (stream->ended) {
		taken = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		http_conn_deadline(stream->conn, 0);
		MHD_suspend_connection(stream->conn->mhd);
		stream->suspended = true;
	}
	pthread_mutex_unlock(&stream->lock);
	return taken;
}

/* Its part of the answer is over: the connection has ended it, or was never given it. */
static void on_free(void *arg)
{
	struct http_stream *stream = arg;
	struct http_server *server = stream->server;

	if (server != NULL) {
		pthread_mutex_lock(&server->lock);
		LIST_REMOVE(stream, list);
		pthread_mutex_unlock(&server->lock);
		metric_add(server->m_streams, -1);
	}
	pthread_mutex_lock(&stream->lock);
	stream->gone = true;
	stream->cut = stream->begun && atomic_load(&stream->conn->shut);
	pthread_mutex_unlock(&stream->lock);
	http_stream_drop(stream);
}

struct MHD_Response *http_stream_response(struct http_stream *stream)
{
	struct MHD_Response *response =
		MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, on_read, stream, on_free);

	if (response != NULL)
		http_stream_keep(stream);
	return response;
}

void http_stream_attach(struct http_stream *stream, struct http_req *req)
{
	int size = SEND_BUFFER;

	stream->server = req->server;
	stream->conn = req->conn;
	setsockopt(req->conn->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	LIST_INSERT_HEAD(&req->server->streams, stream, list);
	metric_add(req->server->m_streams, 1);
	if (!atomic_load(&req->server->stopping))
		return;
	pthread_mutex_lock(&stream->lock);
	stream->ended = true;
	pthread_mutex_unlock(&stream->lock);
}

/* The lock is held, and let go. */
static void wake(struct http_stream *stream)
{
	struct http_conn *conn = stream->suspended ? stream->conn : NULL;

	stream->suspended = false;
	if (conn != NULL)
		http_conn_deadline(conn, stream->stall_ms);
	pthread_mutex_unlock(&stream->lock);
	if (conn != NULL)
		http_loop_resume(conn->loop, conn->mhd);
}

enum gba_err http_stream_write(struct http_stream *stream, struct bytes text)
{
	enum gba_err err = GBA_OK;

	pthread_mutex_lock(&stream->lock);
	if (stream->gone || stream->ended)
		err = GBA_E_UNREACHABLE;
	else if (text.n > stream->room - stream->n)
		err = GBA_E_BUSY;
	if (err != GBA_OK) {
		pthread_mutex_unlock(&stream->lock);
		return err;
	}
	memcpy(stream->buffer + stream->n, text.p, text.n);
	stream->n += text.n;
	wake(stream);
	return GBA_OK;
}

bool http_stream_open(struct http_stream *stream)
{
	bool open;

	pthread_mutex_lock(&stream->lock);
	open = !stream->gone && !stream->ended;
	pthread_mutex_unlock(&stream->lock);
	return open;
}

bool http_stream_cut(struct http_stream *stream)
{
	bool cut;

	pthread_mutex_lock(&stream->lock);
	cut = stream->cut;
	pthread_mutex_unlock(&stream->lock);
	return cut;
}

static void end(struct http_stream *stream, unsigned int stall_ms)
{
	pthread_mutex_lock(&stream->lock);
	stream->ended = true;
	stream->stall_ms = stall_ms < stream->stall_ms ? stall_ms : stream->stall_ms;
	wake(stream);
	http_stream_drop(stream);
}

void http_stream_end(struct http_stream *stream)
{
	end(stream, UINT_MAX);
}

/* The next one that nobody has told yet, with a reference. */
static struct http_stream *next_open(struct http_server *server)
{
	struct http_stream *stream, *found = NULL;

	pthread_mutex_lock(&server->lock);
	LIST_FOREACH(stream, &server->streams, list)
	{
		if (!stream->told) {
			stream->told = true;
			found = http_stream_keep(stream);
			break;
		}
	}
	pthread_mutex_unlock(&server->lock);
	return found;
}

void http_streams_stop(struct http_server *server)
{
	struct http_stream *stream;

	while ((stream = next_open(server)) != NULL)
		end(stream, STOP_GRACE);
}
