/* SPDX-License-Identifier: Apache-2.0 */
/** One end of a relayed connection: a non-blocking socket, with or without TLS, and what was read from it and is to be
 * written to it. Belongs to the thread of its event base. */
#ifndef GBA_PROXY_CHAN_H
#define GBA_PROXY_CHAN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/ssl.h>

#include "naf-adapter/proxy/buf.h"

#define CHAN_READ_OCTETS 16384 /* [octets] per read: one TLS record */
#define CHAN_HIGH	 65536 /* [octets] queued for writing: no more is taken from the other end */

struct chan {
	int fd; /* -1: closed */
	SSL *ssl;
	struct event on_read, on_write;
	struct buf in, out;
	bool eof;	    /* the peer sends no more */
	bool failed;	    /* nothing can be received any more */
	bool write_failed;  /* nothing can be sent any more; what the peer said before may still be read */
	bool shut;	    /* we send no more */
	bool read_wants_write, write_wants_read; /* TLS */
};

/** Take over fd (non-blocking). @param run  called when the socket can go on */
void chan_open(struct chan *chan, struct event_base *base, int fd, event_callback_fn run, void *arg);
/** Read once if less than `limit` octets wait. @return true: octets came, or the end */
bool chan_fill(struct chan *chan, size_t limit);
/** Read from the bare socket until exactly `want` octets wait. @return true: octets came, or the end */
bool chan_fill_exactly(struct chan *chan, size_t want);
/** Write what is queued. @return true: octets went */
bool chan_flush(struct chan *chan);
/** Say what to wait for: writing whenever octets are queued. */
void chan_wait(struct chan *chan, bool for_reading);
/** Wait for just this. */
void chan_wait_for(struct chan *chan, bool reading, bool writing);
/** Call again in the next turn of the loop, whatever the socket does: there is work left that no event will tell. */
void chan_again(struct chan *chan);
/** The peer said that no more will come, and nothing is owed to it: answer its close_notify, before closing. */
void chan_goodbye(struct chan *chan);
/** All queued octets are written: tell the peer that no more will come. */
void chan_shut(struct chan *chan);
void chan_close(struct chan *chan);

#endif
