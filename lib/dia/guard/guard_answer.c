/* SPDX-License-Identifier: Apache-2.0 */
/* Answers before the framework reads them: one that does not parse or breaks its grammar would end the daemon, or vanish
 * together with the request that waits for it. It becomes 5012 with our own Origin-Host, which no peer can send. */
#include "core/log.h"
#include "dia/guard/guard.h"

static void remove_all(struct msg *msg)
{
	struct avp *avp = NULL;

	while (fd_msg_browse(msg, MSG_BRW_FIRST_CHILD, &avp, NULL) == 0 && avp != NULL)
		fd_msg_free(avp);
}

static void replace(struct msg *msg, struct msg_hdr *hdr, const struct msg_hdr *request_hdr)
{
	char result[] = "DIAMETER_UNABLE_TO_COMPLY", text[] = "unusable answer";

	remove_all(msg);
	hdr->msg_code = request_hdr->msg_code;
	hdr->msg_appl = request_hdr->msg_appl;
	(void)fd_msg_rescode_set(msg, result, text, NULL, 1);
	hdr->msg_flags |= CMD_FLAG_ERROR; /* the generic grammar holds for it */
}

/* True: an AVP of the answer had a length that does not fit. */
static bool remove_carriers(struct msg *msg)
{
	struct avp *avp = NULL, *next;
	struct guard_avp_head head;
	struct avp_hdr *hdr;
	bool broken = false, noted;

	(void)fd_msg_browse(msg, MSG_BRW_FIRST_CHILD, &avp, NULL);
	for (; avp != NULL; avp = next) {
		next = NULL;
		(void)fd_msg_browse(avp, MSG_BRW_NEXT, &next, NULL);
		if (fd_msg_avp_hdr(avp, &hdr) != 0)
			continue;
		noted = guard_raw_noted(avp, hdr, &head);
		broken |= noted;
		if (noted || guard_is_marker(hdr))
			fd_msg_free(avp);
	}
	return broken;
}

void guard_answer(struct msg *msg, struct guard_peer *peer)
{
	struct msg_hdr *hdr, *request_hdr;
	struct msg *request = NULL;
	struct fd_pei pei = { 0 };
	const char *why;
	bool broken;

	if (fd_msg_hdr(msg, &hdr) != 0 || fd_msg_answ_getq(msg, &request) != 0 || request == NULL ||
	    fd_msg_hdr(request, &request_hdr) != 0)
		return;
	broken = remove_carriers(msg);
	if (guard_peer_impostor(peer) && request_hdr->msg_appl != 0) {
		why = "from a connection with another's certificate";
	} else if (hdr->msg_code != request_hdr->msg_code || hdr->msg_appl != request_hdr->msg_appl) {
		why = "another command or application than asked";
	} else if (request_hdr->msg_appl == 0) { /* watchdogs and the like: the peer's state machine checks them safely */
		return;
	} else if (broken) {
		why = "invalid length of an AVP";
	} else if (fd_msg_parse_rules(msg, fd_g_config->cnf_dict, &pei) == 0) {
		return;
	} else {
		why = pei.pei_errcode != NULL ? pei.pei_errcode : "cannot be parsed";
	}
	guard_peer_bad_answer(peer, why);
	if (pei.pei_avp_free)
		fd_msg_free(pei.pei_avp);
	replace(msg, hdr, request_hdr);
}
