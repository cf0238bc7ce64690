/* SPDX-License-Identifier: Apache-2.0 */
/* Failed-AVP of the framework's own errors has the offending AVP's head and zeros for its value; RFC 6733 7.5 wants the AVP
 * itself. The request still has it. */
#include <stdlib.h>

#include "dia/guard/guard.h"

#define FAILED_AVP    279
#define OCCURS_TOO_MANY_TIMES 5009
#define RESULT_CODE   268

/* The AVP meant: the last of its kind when there were too many, else the first of that length; at the top, or in a group. */
static bool find_raw(struct bytes avps, const struct avp_hdr *hdr, bool last, unsigned int depth, struct guard_raw_avp *_found)
{
	uint32_t vendor = hdr->avp_flags & AVP_FLAG_VENDOR ? hdr->avp_vendor : 0;
	struct bytes rest = avps;
	struct guard_raw_avp avp;
	bool found = false;

	for (; guard_raw_read(rest, &avp); rest = BYTES(rest.p + avp.padded, rest.n - avp.padded)) {
		if (avp.head.code != hdr->avp_code || avp.head.vendor != vendor || (!last && (found || avp.len != hdr->avp_len)))
			continue;
		*_found = avp;
		found = true;
	}
	for (rest = avps; !found && depth < GUARD_GROUPS && guard_raw_read(rest, &avp);
	     rest = BYTES(rest.p + avp.padded, rest.n - avp.padded))
		found = guard_is_group(&avp.head) && find_raw(avp.value, hdr, last, depth + 1, _found);
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

/* Neither known nor of any octets: such an AVP the framework can read, but not write. */
static bool is_bare(struct avp *avp, const struct avp_hdr *hdr)
{
	struct dict_object *model = NULL;

	return fd_msg_model(avp, &model) == 0 && model == NULL && hdr->avp_len <= (hdr->avp_flags & AVP_FLAG_VENDOR ? 12u : 8u);
}

static void drop_bare(msg_or_avp *parent)
{
	struct avp *avp = NULL, *next;
	struct avp_hdr *hdr;

	(void)fd_msg_browse(parent, MSG_BRW_FIRST_CHILD, &avp, NULL);
	for (; avp != NULL; avp = next) {
		next = NULL;
		(void)fd_msg_browse(avp, MSG_BRW_NEXT, &next, NULL);
		if (fd_msg_avp_hdr(avp, &hdr) == 0 && is_bare(avp, hdr))
			fd_msg_free(avp);
		else
			drop_bare(avp);
	}
}

/* An answer that cannot be written costs the connection, and every request on it. */
static void mend_bare(struct avp *failed, struct avp *copy, const struct avp_hdr *hdr)
{
	struct guard_avp_head head = { .code = hdr->avp_code, .flags = hdr->avp_flags };

	if (hdr->avp_flags & AVP_FLAG_VENDOR)
		head.vendor = hdr->avp_vendor;
	fd_msg_free(copy);
	(void)guard_add_raw(failed, &head, BYTES("", 0));
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
	    fd_msg_avp_hdr(copy, &hdr) != 0)
		return;
	if (is_bare(copy, hdr)) {
		mend_bare(failed, copy, hdr);
		return;
	}
	if (fd_msg_answ_getq(error, &request) != 0 || request == NULL)
		return;
	drop_bare(request);
	if (fd_msg_bufferize(request, &octets, &n) != 0)
		return;
	if (find_raw(BYTES(octets + GUARD_MSG_HEAD, n - GUARD_MSG_HEAD), hdr, is_too_many(error), 0, &raw) &&
	    guard_add_raw(failed, &raw.head, raw.value) == GBA_OK)
		fd_msg_free(copy);
	free(octets);
}
