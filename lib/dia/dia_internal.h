/* SPDX-License-Identifier: Apache-2.0 */
/** What the files of lib/dia share: dictionary objects found once, and small helpers over freeDiameter's messages. */
#ifndef GBA_DIA_INTERNAL_H
#define GBA_DIA_INTERNAL_H

#include <stdbool.h>

#include "dia/dia.h"

/* RFC 6733 4.5 and 4.1 */
enum dia_avp_code {
	AVP_SESSION_ID = 263,
	AVP_AUTH_APPLICATION_ID = 258,
	AVP_VENDOR_SPECIFIC_APPLICATION_ID = 260,
	AVP_ORIGIN_HOST = 264,
	AVP_VENDOR_ID = 266,
	AVP_RESULT_CODE = 268,
	AVP_AUTH_SESSION_STATE = 277,
	AVP_FAILED_AVP = 279,
	AVP_ERROR_MESSAGE = 281,
	AVP_DESTINATION_REALM = 283,
	AVP_PROXY_INFO = 284,
	AVP_DESTINATION_HOST = 293,
	AVP_ORIGIN_REALM = 296,
	AVP_EXPERIMENTAL_RESULT = 297,
	AVP_EXPERIMENTAL_RESULT_CODE = 298,
};
#define DIA_HEADER_LEN 20 /* [octets] RFC 6733 3 */
#define AUTH_NO_STATE_MAINTAINED 1 /* RFC 6733 8.11 */

/** AVPs that lib/dia writes itself. */
struct dia_base {
	struct dict_object *session_id, *auth_application_id, *vendor_specific_application_id, *origin_host, *vendor_id,
		*result_code, *auth_session_state, *failed_avp, *error_message, *destination_realm, *destination_host,
		*origin_realm, *experimental_result, *experimental_result_code;
};
extern struct dia_base dia_base;
/** Find them, once; cheap when done before. @retval GBA_E_NOT_FOUND */
enum gba_err dia_base_resolve(void);

/** An AVP by the name that lib/dia/names.h or the base dictionary gives it; NULL when there is none. */
struct dict_object *dia_avp_by_name(const char *name);

/** Header of the i-th message or group child; NULL at the end. */
static inline struct avp *dia_first(msg_or_avp *parent)
{
	struct avp *avp = NULL;

	return fd_msg_browse(parent, MSG_BRW_FIRST_CHILD, &avp, NULL) == 0 ? avp : NULL;
}

static inline struct avp *dia_next(struct avp *avp)
{
	struct avp *next = NULL;

	return fd_msg_browse(avp, MSG_BRW_NEXT, &next, NULL) == 0 ? next : NULL;
}

static inline struct avp_hdr *dia_hdr(struct avp *avp)
{
	struct avp_hdr *hdr = NULL;

	return fd_msg_avp_hdr(avp, &hdr) == 0 ? hdr : NULL;
}

static inline bool dia_is(const struct avp_hdr *hdr, uint32_t code)
{
	return hdr->avp_code == code && (hdr->avp_flags & AVP_FLAG_VENDOR) == 0;
}

/** First top-level AVP of the base protocol with this code; NULL when absent. */
struct avp *dia_find(msg_or_avp *parent, uint32_t code);

/** Vendor of an application that dia_cmd_resolve() has entered; 3GPP for any other. */
uint32_t dia_vendor_of(uint32_t app);
/** @return false: more applications than one process of ours has */
bool dia_app_enter(uint32_t app, uint32_t vendor);

/** Append an AVP with a value, a copy of octets. Grouped ones: dia_add_group, then add to what it returns. */
enum gba_err dia_add_octets(msg_or_avp *parent, struct dict_object *model, struct bytes octets);
enum gba_err dia_add_u32(msg_or_avp *parent, struct dict_object *model, uint32_t value);
enum gba_err dia_add_group(msg_or_avp *parent, struct dict_object *model, struct avp **_group);
/** Vendor-Specific-Application-Id, Auth-Session-State, Origin-Host, Origin-Realm: what requests and answers share. */
enum gba_err dia_add_common(struct msg *msg, uint32_t app);

/** Result-Code of a row, or its Experimental-Result-Code when *_vendor is not 0. Found in the dictionary once. */
uint32_t dia_result_of(enum gba_err err, uint32_t *_vendor);
enum gba_err dia_results_resolve(void);

/** What an answer is to say. */
struct dia_outcome {
	enum gba_err err;
	const struct dia_failed *failed; /* may be NULL */
	const struct dia_field *fields;	 /* written when err is GBA_OK */
	const void *in;
};
/** Turn the request in *msg into its answer, which owns it then. What cannot be written becomes 5012.
 * @retval GBA_E_NOMEM, GBA_E_INTERNAL  *msg is the request still */
enum gba_err dia_answer_build(struct msg **msg, const struct dia_outcome *outcome);

struct dia_writer;
/** Write Failed-AVP as RFC 6733 7.5 wants it: the AVP itself, or a zero-filled example, inside its groups. */
void dia_write_failed(struct dia_writer *w, const struct dia_failed *failed);

#endif
