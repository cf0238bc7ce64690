/* SPDX-License-Identifier: Apache-2.0 */
/* Failed-AVP of the framework's own errors has the offending AVP's head and zeros for its value; RFC 6733 7.5 wants the AVP
 * itself. The request still has it. */
#include <stdlib.h>

#include "dia/guard/guard.h"

#define FAILED_AVP    279
#define OCCURS_TOO_MANY_TIMES 5009
#define RESULT_CODE   268

/* The AVP meant: the last of its kind when there were too many, else the first of that length. */
static bool find_raw(struct bytes avps, const struct avp_hdr *hdr, bool last, struct guard_raw_avp *_found)
{
	uint32_t vendor = hdr->avp_flags & AVP_FLAG_VENDOR ? hdr->avp_vendor : 0;
	struct guard_raw_avp avp;
	bool found = false;

	for (; guard_raw_read(avps, &avp); avps = BYTES(avps.p + avp.padded, avps.n - avp.padded)) {
		if (avp.head.code != hdr->avp_code || avp.head.vendor != vendor || (!last && (found || avp.len != hdr->avp_len)))
			continue;
		*_found = avp;
		found = true;
	}
	return found;
}

static struct avp *child_of(msg_or_avp *parent, uint32_t code)
{
	struct avp *avp = NULL;
	struct avp_hdr *hdr;

	(void)fd_msg_browse(parent, MSG_BRW_FIRST_CHILD, &avp, NULL);
	while (avp != NULL) {
		if (fd_msg_avp_hdr(avp, &hdr) == 0 && hdr->avp_code == code && !(hdr->avp_flags & AVP_FLAG_VENDOR))
			return avp;
		if (fd_msg_browse(avp, MSG_BRW_NEXT, &avp, NULL) != 0)
			return NULL;
	}
	return NULL;
}

static bool is_too_many(struct msg *error)
{
	struct avp *avp = child_of(error, RESULT_CODE);
	struct avp_hdr *hdr;

	return avp != NULL && fd_msg_avp_hdr(avp, &hdr) == 0 && hdr->avp_value != NULL &&
	       hdr->avp_value->u32 == OCCURS_TOO_MANY_TIMES;
}

enum gba_err guard_add_raw(struct avp *failed, const struct guard_avp_head *head, struct bytes octets)
{
	union avp_value value = { .os = { .data = (uint8_t *)(uintptr_t)octets.p, .len = octets.n } }; /* copied */
	struct avp_hdr *hdr;
	struct avp *avp;

	if (fd_msg_avp_new(guard_octets_model(), 0, &avp) != 0)
		return GBA_E_NOMEM;
	if (fd_msg_avp_setvalue(avp, &value) != 0 || fd_msg_avp_hdr(avp, &hdr) != 0 ||
	    fd_msg_avp_add(failed, MSG_BRW_LAST_CHILD, avp) != 0) {
		fd_msg_free(avp);
		return GBA_E_NOMEM;
	}
	hdr->avp_code = head->code;
	hdr->avp_vendor = head->vendor;
	hdr->avp_flags = head->flags;
	return GBA_OK;
}

void guard_mend_failed_avp(struct msg *error)
{
	struct avp *failed = child_of(error, FAILED_AVP), *copy = NULL;
	struct msg *request = NULL;
	struct guard_raw_avp raw;
	struct avp_hdr *hdr;
	uint8_t *octets;
	size_t n;

	if (failed == NULL || fd_msg_browse(failed, MSG_BRW_FIRST_CHILD, &copy, NULL) != 0 || copy == NULL ||
	    fd_msg_avp_hdr(copy, &hdr) != 0 || fd_msg_answ_getq(error, &request) != 0 || request == NULL ||
	    fd_msg_bufferize(request, &octets, &n) != 0)
		return;
	if (find_raw(BYTES(octets + GUARD_MSG_HEAD, n - GUARD_MSG_HEAD), hdr, is_too_many(error), &raw) &&
	    guard_add_raw(failed, &raw.head, raw.value) == GBA_OK)
		fd_msg_free(copy);
	free(octets);
}
