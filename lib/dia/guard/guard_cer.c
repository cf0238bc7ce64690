/* SPDX-License-Identifier: Apache-2.0 */
/* A CER with an AVP that is unknown and has the M bit: the framework closes the connection without a word, where RFC 6733 7.1.5
 * has an answer, 5001. So that AVP loses the M bit before the framework reads it, and reserved flags say so; the CEA which the
 * framework makes then becomes the refusal, and the connection ends behind it. */
#include <stdlib.h>

#include "dia/guard/guard.h"

#define CER		257 /* RFC 6733 5.3.1 */
#define RESULT_CODE	268
#define FAILED_AVP	279
#define AVP_UNSUPPORTED 5001
#define RESERVED	0x1f
#define UNKNOWN		0x1d /* reserved flags (RFC 6733 4.1) of an AVP that had the M bit */

static bool is_cer(const uint8_t *octets, size_t n)
{
	return n >= GUARD_MSG_HEAD && (octets[4] & CMD_FLAG_REQUEST) && (octets[5] << 16 | octets[6] << 8 | octets[7]) == CER;
}

void guard_cer_mend(uint8_t *octets, size_t n)
{
	struct guard_raw_avp avp;
	size_t at;

	if (!is_cer(octets, n))
		return;
	for (at = GUARD_MSG_HEAD; guard_raw_read(BYTES(octets + at, n - at), &avp); at += avp.padded) {
		if ((avp.head.flags & AVP_FLAG_MANDATORY) && !guard_is_known(&avp.head))
			octets[at + 4] = (avp.head.flags & ~(AVP_FLAG_MANDATORY | RESERVED)) | UNKNOWN;
	}
}

static bool is_marked(uint8_t flags)
{
	return (flags & RESERVED) == UNKNOWN;
}

/* @param _head  as it came */
static bool find_marked(struct msg *cer, struct guard_avp_head *_head)
{
	struct avp *avp = NULL;
	struct avp_hdr *hdr;

	(void)fd_msg_browse(cer, MSG_BRW_FIRST_CHILD, &avp, NULL);
	while (avp != NULL) {
		if (fd_msg_avp_hdr(avp, &hdr) == 0 && is_marked(hdr->avp_flags)) {
			*_head = (struct guard_avp_head){ .code = hdr->avp_code,
							  .flags = (uint8_t)((hdr->avp_flags & ~RESERVED) | AVP_FLAG_MANDATORY) };
			if (hdr->avp_flags & AVP_FLAG_VENDOR)
				_head->vendor = hdr->avp_vendor;
			return true;
		}
		if (fd_msg_browse(avp, MSG_BRW_NEXT, &avp, NULL) != 0)
			return false;
	}
	return false;
}

/* One of no octets the framework cannot write: then nothing is all there is. */
static enum gba_err add_value(struct msg *cer, struct avp *failed, const struct guard_avp_head *head)
{
	struct bytes rest, value = BYTES("", 0);
	struct guard_raw_avp avp;
	uint8_t *octets = NULL;
	enum gba_err err;
	size_t n;

	if (fd_msg_bufferize(cer, &octets, &n) == 0) {
		for (rest = BYTES(octets + GUARD_MSG_HEAD, n - GUARD_MSG_HEAD); guard_raw_read(rest, &avp);
		     rest = BYTES(rest.p + avp.padded, rest.n - avp.padded)) {
			if (!is_marked(avp.head.flags))
				continue;
			value = avp.value;
			break;
		}
	}
	err = guard_add_raw(failed, head, value);
	free(octets);
	return err;
}

static void add_failed(struct msg *cer, struct msg *cea, const struct guard_avp_head *head)
{
	struct dict_object *model = NULL;
	uint32_t code = FAILED_AVP;
	struct avp *failed = NULL;

	if (fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_CODE, &code, &model, ENOENT) != 0 ||
	    fd_msg_avp_new(model, 0, &failed) != 0)
		return;
	if (add_value(cer, failed, head) != GBA_OK || fd_msg_avp_add(cea, MSG_BRW_LAST_CHILD, failed) != 0)
		fd_msg_free(failed);
}

static bool set_result(struct msg *cea)
{
	union avp_value value = { .u32 = AVP_UNSUPPORTED };
	struct dict_object *model = NULL;
	uint32_t code = RESULT_CODE;
	struct avp *avp = NULL;

	return fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_CODE, &code, &model, ENOENT) == 0 &&
	       fd_msg_search_avp(cea, model, &avp) == 0 && avp != NULL && fd_msg_avp_setvalue(avp, &value) == 0;
}

bool guard_cer_refused(struct msg *cea)
{
	struct guard_avp_head head;
	struct msg *cer = NULL;

	if (cea == NULL || fd_msg_answ_getq(cea, &cer) != 0 || cer == NULL || !find_marked(cer, &head))
		return false;
	if (set_result(cea))
		add_failed(cer, cea, &head);
	return true;
}
