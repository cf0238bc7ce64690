/* SPDX-License-Identifier: Apache-2.0 */
/** Diameter messages as tables: one row per AVP, one decoder, one encoder, one place that builds answers. The only user of
 * freeDiameter's message functions; roles hand it structs. */
#ifndef GBA_DIA_DIA_H
#define GBA_DIA_DIA_H

#include <freeDiameter/extension.h>
#include <limits.h>
#include <stddef.h>
#include <talloc.h>
#include <time.h>

#include "core/bytes.h"
#include "core/err.h"

#define DIA_VENDOR_3GPP 10415
#define DIA_APP_ZH	16777221
#define DIA_APP_ZN	16777220
#define DIA_APP_ZPN	16777268
#define DIA_BY_NAME	0	   /* for struct dia_cmd: code and application as the dictionary has them */
#define DIA_NO_ENUM	INT32_MIN  /* an Enumerated or Unsigned member that is absent */
#define DIA_NO_U32	UINT32_MAX
#define DIA_NO_TIME	((time_t)0)

/** DIA_EXTENSION: optional, and of dict_y3056: without that dictionary the row is as if it were not there. */
enum dia_need { DIA_OPTIONAL, DIA_REQUIRED, DIA_EXTENSION };
enum dia_kind { DIA_K_OCTETS, DIA_K_ENUM, DIA_K_U32, DIA_K_TIME, DIA_K_GROUP, DIA_K_OCTETS_LIST, DIA_K_IGNORE };

struct dia_list {
	struct bytes *v; /* below the decoder's mem_ctx */
	size_t n;
};

/** One AVP of a message or group. Tables are not const: dia_fields_resolve() fills what stands below `group`. */
struct dia_field {
	const char *avp; /* name as lib/dia/names.h or RFC 6733 has it */
	enum dia_kind kind;
	enum dia_need need;
	size_t offset;
	uint32_t max;		 /* OCTETS: longest value [octets]; LIST: most values */
	struct dia_field *group; /* GROUP: its rows; the member's struct starts with `bool present` */
	struct dict_object *model;
	uint32_t code, vendor;
	uint8_t flags; /* V and M as we send them */
};

#define DIA_OF(st, m, type) (offsetof(st, m) + 0 * sizeof((type *)0 == &((st *)0)->m)) /* wrong type: no compile */
#define DIA_ROW(avp, kind, need, offset, max, group) { avp, kind, need, offset, max, group, NULL, 0, 0, 0 }
#define DIA_OCTETS(avp, need, st, m, max) DIA_ROW(avp, DIA_K_OCTETS, need, DIA_OF(st, m, struct bytes), max, NULL)
#define DIA_ENUM(avp, need, st, m)	  DIA_ROW(avp, DIA_K_ENUM, need, DIA_OF(st, m, int32_t), 0, NULL)
#define DIA_U32(avp, need, st, m)	  DIA_ROW(avp, DIA_K_U32, need, DIA_OF(st, m, uint32_t), 0, NULL)
#define DIA_TIME(avp, need, st, m)	  DIA_ROW(avp, DIA_K_TIME, need, DIA_OF(st, m, time_t), 0, NULL)
#define DIA_GROUP(avp, need, st, m, rows)                                                                              \
	DIA_ROW(avp, DIA_K_GROUP, need, offsetof(st, m.present) + 0 * sizeof((bool *)0 == &((st *)0)->m.present), 0, rows)
#define DIA_LIST(avp, need, st, m, max)	  DIA_ROW(avp, DIA_K_OCTETS_LIST, need, DIA_OF(st, m, struct dia_list), max, NULL)
/* Known to us, of no interest here: accepted with either M bit, any number of times, never written. */
#define DIA_IGNORE(avp) DIA_ROW(avp, DIA_K_IGNORE, DIA_OPTIONAL, 0, 0, NULL)
#define DIA_END		DIA_ROW(NULL, DIA_K_OCTETS, DIA_OPTIONAL, 0, 0, NULL)

/** Find each row's AVP in the dictionary and check its type; once, at load. Logs the row that fails.
 * @retval GBA_E_NOT_FOUND, GBA_E_UNSUPPORTED (type differs) */
enum gba_err dia_fields_resolve(struct dia_field *fields);

/** Which AVP a request failed on: goes into Failed-AVP. */
struct dia_failed {
	struct avp *avp;	   /* the offending AVP in the request; or */
	struct dict_object *model; /* the missing one, in */
	struct avp *group;	   /* this group; NULL: in the message itself */
};

/** Read msg into *out (all members of the rows written; absent ones as DIA_NO_*, BYTES_NONE, present = false).
 * Views point into msg and live as long as it. AVPs without a row: M bit set and no command or framework row: error;
 * else ignored. Time values: 4 octets, both eras (RFC 6733 4.3.1).
 * @retval GBA_E_AVP_MISSING, GBA_E_AVP_VALUE, GBA_E_AVP_OCCURS, GBA_E_AVP_LENGTH, GBA_E_AVP_UNSUPPORTED, GBA_E_NOMEM */
enum gba_err dia_decode(TALLOC_CTX *mem_ctx, struct msg *msg, const struct dia_field *fields, void *out,
			struct dia_failed *_failed);
/** The AVP of msg, at top level, that the member at this offset was read from; NULL: none. For Failed-AVP. */
struct avp *dia_avp_of(struct msg *msg, const struct dia_field *fields, size_t offset);
/** The AVP inside the group whose value this view is; the group itself when there is none. */
struct avp *dia_avp_within(struct avp *group, struct bytes view);
/** Add the members that are present, in the order of the rows. Octets are copied. */
enum gba_err dia_encode(struct msg *msg, const struct dia_field *fields, const void *in);

/** A request of ours: header with P bit and application, Session-Id of our own making, Vendor-Specific-Application-Id,
 * Auth-Session-State NO_STATE_MAINTAINED, Origin-Host/-Realm, Destination-Realm, Destination-Host when present. */
struct dia_cmd {
	const char *request; /* "3GPP-Multimedia-Auth-Request", for the log */
	uint32_t code, app;	   /* DIA_BY_NAME both: filled by dia_cmd_resolve */
	struct dict_object *model; /* filled by dia_cmd_resolve, as what follows */
	struct dict_object *app_model;
};
/** @retval GBA_E_NOT_FOUND  logged; with DIA_BY_NAME not logged: the extension's dictionary is not loaded */
enum gba_err dia_cmd_resolve(struct dia_cmd *cmd);
enum gba_err dia_request_new(const struct dia_cmd *cmd, struct bytes dest_realm, struct bytes dest_host, struct msg **_msg);

/** Send and get exactly one call of done, from a thread of freeDiameter: GBA_OK with an answer (any result), GBA_E_TIMEOUT,
 * GBA_E_UNREACHABLE (3002 made locally, no peer), GBA_E_PEER (unusable). Consumes *msg in every case; when this function
 * itself fails, done is not called. The answer is freed after done returns; done must not block.
 * @param timeout_ms  own deadline: also holds where the framework loses the transaction */
typedef void (*dia_done)(void *arg, enum gba_err err, struct msg *answer);
enum gba_err dia_request_send(struct msg **msg, unsigned int timeout_ms, dia_done done, void *arg);
/** Stop own threads and forget transactions; their done is called with GBA_E_UNREACHABLE. From fd_ext_fini. */
void dia_requests_stop(void);

struct dia_result {
	uint32_t code;	       /* Result-Code or Experimental-Result-Code, 0 when neither */
	uint32_t vendor;       /* 0: Result-Code */
	struct bytes origin_host, origin_realm;
};
/** What an answer says; views into it. @retval GBA_E_PEER  both or neither result */
enum gba_err dia_answer_result(struct msg *answer, struct dia_result *_result);
static inline bool dia_result_ok(const struct dia_result *r)
{
	return r->vendor == 0 && r->code >= 2000 && r->code < 3000;
}

/** Turn the request in *msg into its answer and send it, from any thread: Session-Id, Result-Code or
 * Experimental-Result by the row of err, Failed-AVP, Error-Message (text of err, never details), Origin-*, and, when err
 * is GBA_OK, the rows of fields. Consumes *msg; never leaves a request without answer (out of memory: 5012).
 * @param failed  may be NULL */
void dia_answer_send(struct msg **msg, enum gba_err err, const struct dia_failed *failed, const struct dia_field *fields,
		     const void *in);

/** Serve a command: handler gets the request to keep (it must end in dia_answer_send), in a dispatch thread: never block. */
typedef void (*dia_handler)(struct msg *request, void *arg);
struct dia_service;
enum gba_err dia_serve(TALLOC_CTX *mem_ctx, const struct dia_cmd *cmd, dia_handler handler, void *arg,
		       struct dia_service **_service);
void dia_serve_stop(struct dia_service *service);
/** Does this process show peers the application already? An extension that is to be its only server asks before it resolves. */
bool dia_app_shown(uint32_t app);

/** Origin-Host of the request: the guard has made sure that the connection's peer may speak for it. View into msg. */
struct bytes dia_origin_host(struct msg *msg);
/** Its Origin-Realm, as it says. View into msg; absent when there is none. */
struct bytes dia_origin_realm(struct msg *msg);
/** Is any connected peer able to serve the application in the realm? For /readyz and for choosing 503 early. */
bool dia_peer_ready(uint32_t app);
/** What is known of one peer, by its Diameter identity (no case). */
enum dia_peer { DIA_PEER_AWAY, DIA_PEER_PLAIN, DIA_PEER_ABLE }; /* not connected; without; with the application, or a relay */
enum dia_peer dia_peer_of(struct bytes identity, uint32_t app);
/** Realm of a connected peer, as it said in its CER; a copy below mem_ctx. Not connected or out of memory: *_realm stays. */
void dia_peer_realm(struct bytes identity, TALLOC_CTX *mem_ctx, struct bytes *_realm);
/** Is the connection to this open peer a TLS one? Then both sides have shown a certificate: freeDiameter asks for nothing less. */
bool dia_peer_secured(struct bytes identity);
/** Does freeDiameter's TLS_Prio leave out everything before TLS 1.2 (RFC 8996)? When its configuration has been read. */
bool dia_tls_is_current(void);
/** The application is one we ask where a peer has it and can do without: /readyz does not wait for it. */
void dia_app_optional(uint32_t app);

#endif
