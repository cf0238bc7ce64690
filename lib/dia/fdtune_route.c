/* SPDX-License-Identifier: Apache-2.0 */
/* Messages whose way is plain. freeDiameter (1.2 to 1.6) hands every message from its peer's thread to one that routes it in,
 * one that dispatches it, and one that routes it out. Where there is nothing to decide, fewer threads are woken:
 * - a request for this node goes from its peer's thread straight to the dispatch thread,
 * - an answer to a request of this node is given to whoever asked in the thread of the peer that answers,
 * - an answer of this node goes straight to the thread that sends to the peer that asked.
 * All else goes the long way, where the framework makes the same checks again and answers what is wrong. */
#include "dia/fdtune.h"

#include <freeDiameter/extension.h>
#include <string.h>
#include <strings.h>

enum { USER_NAME = 1, ROUTE_RECORD = 282, DESTINATION_REALM = 283, DESTINATION_HOST = 293 }; /* RFC 6733 4.5 */

/* The core's own, in no header of it. */
extern struct fifo *fd_g_incoming, *fd_g_local, *fd_g_outgoing;
int fd_out_send(struct msg **msg, void *connection, struct peer_hdr *peer, int count_pending);
void fd_hook_call(enum fd_hook_type type, struct msg *msg, struct peer_hdr *peer, const void *other, struct fd_msg_pmdl *data);

/* Whatever else is started under our preload has no core. */
#pragma weak fd_g_incoming
#pragma weak fd_g_local
#pragma weak fd_g_outgoing
#pragma weak fd_g_config
#pragma weak fd_out_send
#pragma weak fd_hook_call
#pragma weak fd_msg_pmdl_get
#pragma weak fd_peer_getbyid
#pragma weak fd_peer_get_state
#pragma weak fd_app_check
#pragma weak fd_msg_hdr
#pragma weak fd_msg_free
#pragma weak fd_msg_browse_internal
#pragma weak fd_msg_avp_hdr
#pragma weak fd_msg_parse_dict
#pragma weak fd_msg_parse_or_error
#pragma weak fd_msg_answ_getq
#pragma weak fd_msg_anscb_get
#pragma weak fd_msg_source_get

static bool is_same(const union avp_value *value, const char *name, size_t n)
{
	return value->os.len == n && strncasecmp((const char *)value->os.data, name, n) == 0;
}

static bool parse(struct avp *avp)
{
	struct fd_pei error = { 0 };
	int rc = fd_msg_parse_dict(avp, fd_g_config->cnf_dict, &error);

	if (error.pei_avp_free && error.pei_avp != NULL)
		fd_msg_free(error.pei_avp);
	return rc == 0;
}

/* What the AVPs of a request say of where it goes. */
struct aim {
	bool host, realm; /* named, and ours */
	bool plain;	  /* nothing speaks against us */
};

static void look_at(struct avp *avp, struct aim *aim)
{
	const struct fd_config *node = fd_g_config;
	struct avp_hdr *hdr;
	bool ours;

	if (fd_msg_avp_hdr(avp, &hdr) != 0) {
		aim->plain = false;
		return;
	}
	if ((hdr->avp_flags & AVP_FLAG_VENDOR) != 0 || (hdr->avp_code != DESTINATION_HOST && hdr->avp_code != DESTINATION_REALM &&
							hdr->avp_code != USER_NAME && hdr->avp_code != ROUTE_RECORD))
		return;
	if (!parse(avp) || hdr->avp_value == NULL) {
		aim->plain = false;
		return;
	}
	ours = is_same(hdr->avp_value, node->cnf_diamid, node->cnf_diamid_len);
	if (hdr->avp_code == DESTINATION_HOST)
		aim->host = ours;
	else if (hdr->avp_code == DESTINATION_REALM)
		aim->realm = ours = is_same(hdr->avp_value, node->cnf_diamrlm, node->cnf_diamrlm_len);
	else if (hdr->avp_code == USER_NAME) /* RFC 5729 4.4: may name another realm */
		ours = memchr(hdr->avp_value->os.data, '!', hdr->avp_value->os.len) == NULL;
	else
		ours = !ours; /* it has been here */
	aim->plain = aim->plain && ours;
}

static bool is_for_us(struct msg *request, const struct msg_hdr *hdr)
{
	struct aim aim = { .plain = (hdr->msg_flags & CMD_FLAG_ERROR) == 0 && hdr->msg_appl != 0 && hdr->msg_appl != AI_RELAY };
	struct fd_app *app = NULL;
	struct avp *avp = NULL;

	if (!aim.plain || fd_app_check(&fd_g_config->cnf_apps, hdr->msg_appl, &app) != 0 || app == NULL ||
	    fd_msg_browse(request, MSG_BRW_FIRST_CHILD, &avp, NULL) != 0)
		return false;
	while (avp != NULL && aim.plain) {
		look_at(avp, &aim);
		if (fd_msg_browse(avp, MSG_BRW_NEXT, &avp, NULL) != 0)
			return false;
	}
	return aim.plain && aim.realm;
}

static bool request_in(struct msg *request, const struct msg_hdr *hdr)
{
	void *item = request;

	if (!is_for_us(request, hdr))
		return false;
	fd_hook_call(HOOK_MESSAGE_ROUTING_LOCAL, request, NULL, NULL, fd_msg_pmdl_get(request));
	return fdtune_queue(fd_g_local, &item) == 0;
}

/* As the dispatch thread does. */
static void answer_give(struct msg *answer, void (*done)(void *, struct msg **), void *arg)
{
	struct msg *error = NULL;
	void *rest;
	int rc;

	fd_hook_call(HOOK_MESSAGE_ROUTING_LOCAL, answer, NULL, NULL, fd_msg_pmdl_get(answer));
	rc = fd_msg_parse_or_error(&answer, &error);
	if (rc != 0 && (rc != EBADMSG || error == NULL)) {
		fd_hook_call(HOOK_MESSAGE_DROPPED, answer, NULL, "the answer does not follow the dictionary and its rules",
			     fd_msg_pmdl_get(answer));
		fd_msg_free(answer);
		return;
	}
	done(arg, &answer);
	rest = answer;
	if (rest != NULL && fdtune_queue(fd_g_local, &rest) != 0)
		fd_msg_free(answer);
}

/* A thread of a peer may be cancelled; not in the middle of somebody's function. */
static bool answer_in(struct msg *answer)
{
	void (*done)(void *, struct msg **) = NULL;
	struct msg *request = NULL;
	DiamId_t source = NULL;
	void *arg = NULL;
	size_t n = 0;
	int state;

	if (fd_msg_answ_getq(answer, &request) != 0 || request == NULL || fd_msg_source_get(request, &source, &n) != 0 ||
	    source != NULL || fd_msg_anscb_get(request, &done, NULL, &arg) != 0 || done == NULL)
		return false;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	answer_give(answer, done, arg);
	pthread_setcancelstate(state, &state);
	return true;
}

/* Not in the thread of a peer: where one takes its answers slowly, that thread must not wait for itself. */
static bool answer_out(struct msg *answer, struct msg_hdr *hdr)
{
	struct msg_hdr *request_hdr;
	struct peer_hdr *peer = NULL;
	struct msg *request = NULL;
	DiamId_t source = NULL;
	size_t n = 0;

	if (fdtune_is_psm() || fd_msg_answ_getq(answer, &request) != 0 || request == NULL ||
	    fd_msg_source_get(request, &source, &n) != 0 || source == NULL || fd_peer_getbyid(source, n, 0, &peer) != 0 ||
	    peer == NULL || fd_peer_get_state(peer) != STATE_OPEN || fd_msg_hdr(request, &request_hdr) != 0)
		return false;
	hdr->msg_hbhid = request_hdr->msg_hbhid;
	return fd_out_send(&answer, NULL, peer, 1) == 0;
}

bool fdtune_shorten(struct fifo *queue, void **_item)
{
	bool in = &fd_g_incoming != NULL && queue == fd_g_incoming, done;
	struct msg *msg = *_item;
	struct msg_hdr *hdr;

	if (!in && (&fd_g_outgoing == NULL || queue != fd_g_outgoing))
		return false;
	if (queue == NULL || &fd_out_send == NULL || &fd_hook_call == NULL || fd_msg_hdr(msg, &hdr) != 0)
		return false;
	if ((hdr->msg_flags & CMD_FLAG_REQUEST) != 0)
		done = in && request_in(msg, hdr);
	else
		done = in ? answer_in(msg) : answer_out(msg, hdr);
	if (done)
		*_item = NULL;
	return done;
}
