/* SPDX-License-Identifier: Apache-2.0 */
/** The parts of a handle: connection (link.c) and requests (naf.c). Internal to libgba-naf. */
#ifndef NAF_LIBNAF_NAF_H
#define NAF_LIBNAF_NAF_H

#include <stdbool.h>
#include <sys/un.h>

#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/libnaf/wire.h"

/** Connection to the agent: one socket, what waits to be sent, what has been received. */
struct link {
	int epoll; /* what the application watches; holds the socket and the handle's timer */
	int sock;  /* -1: not connected */
	struct sockaddr_un agent;
	bool want_write;
	uint8_t *out, *in;
	size_t out_n, out_cap, in_n, in_off, in_cap; /* in: octets in_off..in_n are not used yet */
};

/** @retval GBA_NAF_E_ARGUMENT, GBA_NAF_E_SYSTEM */
enum gba_naf_error link_init(struct link *link, const char *path);
void link_close(struct link *link);
/** Forget the connection; the buffers are wiped. */
void link_drop(struct link *link);
/** @retval GBA_NAF_E_NO_AGENT, GBA_NAF_E_SYSTEM */
enum gba_naf_error link_connect(struct link *link);
/** Send or queue a whole frame. @retval GBA_NAF_E_NO_AGENT  the connection is gone: link_drop()
 * @retval GBA_NAF_E_BUSY  the agent does not read @retval GBA_NAF_E_NOMEM */
enum gba_naf_error link_send(struct link *link, const uint8_t *frame, size_t n);
/** Send what is queued and receive what is there. @return false: the connection is gone */
bool link_pump(struct link *link);
/** Take the next whole frame; its body is valid until the next call of a link function.
 * @return WIRE_BAD: the peer is no agent of ours */
enum wire_state link_next(struct link *link, struct wire_frame *_frame);

#endif
