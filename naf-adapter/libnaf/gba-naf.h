/* SPDX-License-Identifier: Apache-2.0 */
/** libgba-naf: ask the NAF agent of this host for the key of a bootstrapped device (3GPP GBA, TS 33.220).
 *
 * An application (NAF) that meets a B-TID on its Ua interface asks here for Ks_NAF, its expiry and what the operator tells
 * about the user. The agent speaks Diameter Zn to the BSF of the device's operator, caches and authorises; this library
 * speaks to the agent over a UNIX socket and needs nothing but the C library.
 *
 * Threads: a handle belongs to one thread at a time; different handles are independent. Results may be read by any number
 * of threads; their reference count is atomic. Every function that takes a pointer and frees it accepts NULL.
 */
#ifndef GBA_NAF_H
#define GBA_NAF_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GBA_NAF_API __attribute__((visibility("default")))

#define GBA_NAF_KEY_LEN	  32  /* [octets] Ks_NAF, Ks_int_NAF: TS 33.220 B.3 */
#define GBA_NAF_UA_ID_LEN 5   /* [octets] Ua security protocol identifier: TS 33.220 Annex H */
#define GBA_NAF_BTID_MAX  278 /* [octets] 24 of base64, '@', host name of 253 */
#define GBA_NAF_FQDN_MAX  253 /* [octets] */
#define GBA_NAF_GSID_MAX  16  /* service identifiers in one query */
#define GBA_NAF_SOURCE_MAX 45 /* [octets] text of an IPv6 address */
#define GBA_NAF_TIMEOUT_DEFAULT 3000 /* [ms] */

/** Why there is no key, and what the application does about it. Values are stable; unknown ones are to be treated as
 * GBA_NAF_E_UNREACHABLE. */
enum gba_naf_error {
	GBA_NAF_OK = 0,
	/* the device has to bootstrap again: 401 with the bootstrapping-required challenge, or a fatal TLS alert */
	GBA_NAF_E_BTID_UNKNOWN = 1, /* unknown to its BSF, or expired (TS 29.109: 5403) */
	GBA_NAF_E_BTID_SYNTAX = 2,  /* not "base64(RAND)@host name" */
	/* refuse the service (403): bootstrapping again does not help */
	GBA_NAF_E_NOT_AUTHORIZED = 10, /* the BSF does not give this NAF the key (TS 29.109: 5402) */
	GBA_NAF_E_REALM = 11,	       /* the agent serves no BSF of the B-TID's domain */
	GBA_NAF_E_NO_INT_KEY = 12,     /* Ks_int_NAF was asked for, and the bootstrap was not GBA_U */
	/* a fault of ours, not of the device: 503, try again later; never tell the device to bootstrap again */
	GBA_NAF_E_UNREACHABLE = 20, /* no BSF can be reached */
	GBA_NAF_E_TIMEOUT = 21,	    /* nobody answered within the query's time */
	GBA_NAF_E_BUSY = 22,	    /* the agent or the BSF sheds load */
	GBA_NAF_E_PEER = 23,	    /* the BSF's answer was unusable */
	GBA_NAF_E_NO_AGENT = 24,    /* the agent's socket cannot be reached, or the agent went away and was not back in time */
	GBA_NAF_E_PROTOCOL = 25,    /* the agent and this library do not understand each other */
	GBA_NAF_E_NOMEM = 26,
	/* a mistake of the application or its configuration */
	GBA_NAF_E_DENIED = 30,	 /* the agent does not let this process ask for that FQDN */
	GBA_NAF_E_ARGUMENT = 31, /* a query that cannot be asked: see the members of struct gba_naf_query */
	GBA_NAF_E_SYSTEM = 32,	 /* errno tells */
};

/** English text, static, never NULL; names no identity and no key. */
GBA_NAF_API const char *gba_naf_strerror(enum gba_naf_error error);
/** "GBA_NAF_E_..." as written above, static, never NULL. */
GBA_NAF_API const char *gba_naf_error_name(enum gba_naf_error error);
/** 1: the device should bootstrap again (renegotiation indication, TS 24.109 5.2.5). */
GBA_NAF_API int gba_naf_error_renegotiate(enum gba_naf_error error);
/** HTTP status an application may answer with: 200, 401, 403, 500 or 503. */
GBA_NAF_API unsigned int gba_naf_error_http(enum gba_naf_error error);

/* ---- handle ---- */

struct gba_naf;
struct gba_naf_request;
struct gba_naf_result;

/** Make a handle. The agent need not be running: the connection is made by the first query and made again when it was
 * lost. @param socket_path  NULL: environment GBA_NAF_SOCKET, else the path of the installation
 * @param _naf  written on GBA_NAF_OK
 * @retval GBA_NAF_E_ARGUMENT  path too long for a socket @retval GBA_NAF_E_NOMEM @retval GBA_NAF_E_SYSTEM */
GBA_NAF_API enum gba_naf_error gba_naf_open(const char *socket_path, struct gba_naf **_naf);
/** Free the handle. Requests still waiting get their callback with GBA_NAF_E_NO_AGENT. Not from inside a callback. */
GBA_NAF_API void gba_naf_close(struct gba_naf *naf);

/* ---- query ---- */

enum gba_naf_flag {
	GBA_NAF_GBA_U_AWARE = 1,  /* tell the BSF that we can use Ks_int_NAF (GBA_U-Awareness-Indicator) */
	GBA_NAF_NEED_INT_KEY = 2, /* no result without Ks_int_NAF; implies GBA_NAF_GBA_U_AWARE */
	GBA_NAF_NO_CACHE = 4,	  /* the agent asks the BSF even if it has the key */
};

/** What to ask for. Start from GBA_NAF_QUERY_INIT; new members are only ever added at the end. */
struct gba_naf_query {
	size_t size; /* sizeof(struct gba_naf_query) as the application was compiled */
	const char *btid;
	size_t btid_len;      /* [octets] no NUL needed */
	const char *fqdn;     /* our name as the device addressed it; NUL-terminated, any case */
	uint8_t ua_id[GBA_NAF_UA_ID_LEN];
	const uint32_t *gsids; /* user security settings wanted (TS 29.109 GAA-Service-Identifier); may be NULL */
	size_t gsid_count;	/* 0..GBA_NAF_GSID_MAX */
	unsigned int timeout_ms; /* 0: GBA_NAF_TIMEOUT_DEFAULT */
	unsigned int flags;	 /* enum gba_naf_flag */
	const char *source; /* address of the device ("192.0.2.1", "2001:db8::1"), so that the agent can limit who makes up
			     * B-TIDs without hurting others; NULL: not known. At most GBA_NAF_SOURCE_MAX octets */
	time_t until; /* [s since epoch] we take this token, for this name, no longer than until then: the agent gives nobody a
		       * key of it at or after that instant, tells shorter expiries before it, and when it comes notices go out
		       * (GBA_NAF_CHANGED). An instant that is past ends the token here and now: GBA_NAF_E_BTID_UNKNOWN comes
		       * back, and makes the device bootstrap again. Never lengthens anything. 0: nothing is said. Not obeyed
		       * by older agents: a result whose expiry is later shows it */
};
#define GBA_NAF_QUERY_INIT { sizeof(struct gba_naf_query), NULL, 0, NULL, { 0 }, NULL, 0, 0, 0, NULL, 0 }

/** Ask and wait. Runs callbacks of other requests of the handle meanwhile.
 * @param _result  written on GBA_NAF_OK: to be given back with gba_naf_result_free()
 * @return any row of enum gba_naf_error */
GBA_NAF_API enum gba_naf_error gba_naf_get(struct gba_naf *naf, const struct gba_naf_query *query,
					   struct gba_naf_result **_result);

/** Called once per accepted request, from gba_naf_process(), gba_naf_get() or gba_naf_close(), never from gba_naf_ask().
 * May ask, cancel and free; must not close the handle.
 * @param result  NULL unless error is GBA_NAF_OK; now the callback's: gba_naf_result_free() */
typedef void (*gba_naf_done)(void *arg, enum gba_naf_error error, struct gba_naf_result *result);

/** Ask without waiting; any number of requests may be on their way. The query is copied. An agent that ends meanwhile is asked
 * again, once, if it is back within the query's time.
 * @param _request  may be NULL; valid until done was called or gba_naf_cancel()
 * @return GBA_NAF_OK: done will be called. Else it will not: GBA_NAF_E_ARGUMENT, GBA_NAF_E_BTID_SYNTAX,
 *         GBA_NAF_E_NO_AGENT, GBA_NAF_E_BUSY (the agent does not read), GBA_NAF_E_NOMEM, GBA_NAF_E_SYSTEM */
GBA_NAF_API enum gba_naf_error gba_naf_ask(struct gba_naf *naf, const struct gba_naf_query *query, gba_naf_done done,
					   void *arg, struct gba_naf_request **_request);
/** Forget a request: its callback will not be called. */
GBA_NAF_API void gba_naf_cancel(struct gba_naf_request *request);
/** The descriptor to put into an event loop: the same for the whole life of the handle (also over reconnections), and
 * readable, level-triggered, whenever gba_naf_process() has something to do, a request's time-out included. Wait for
 * nothing else, never read from it. */
GBA_NAF_API int gba_naf_fd(const struct gba_naf *naf);
/** Do what can be done without waiting: send, receive, call back, time out. */
GBA_NAF_API void gba_naf_process(struct gba_naf *naf);

/* ---- notices ---- */

/** What the agent says unasked about tokens that were given out. */
struct gba_naf_notice;
enum gba_naf_notice_kind {
	GBA_NAF_REVOKED = 1,  /* the token is no more: end its sessions now, no key of it will be given again */
	GBA_NAF_CHANGED = 2,  /* the user's right or settings for this name are others: end its sessions, then ask again */
	GBA_NAF_DOUBTFUL = 3, /* the connection to the agent was lost for a while, and notices with it: ask again before use */
};
/** Called from gba_naf_process() or gba_naf_get(), never from gba_naf_ask(). The notice is valid during the call. May ask, cancel
 * and free; must not close the handle. */
typedef void (*gba_naf_noticed)(void *arg, const struct gba_naf_notice *notice);
/** Be told of tokens that are revoked or changed while results of them are held: remembered keys, sessions. The handle then keeps
 * its connection to the agent, or makes it again; gba_naf_fd() has to be watched all the time. An agent that is too old for
 * notices sends none. @param noticed  NULL: no more */
GBA_NAF_API void gba_naf_watch(struct gba_naf *naf, gba_naf_noticed noticed, void *arg);
GBA_NAF_API enum gba_naf_notice_kind gba_naf_notice_kind(const struct gba_naf_notice *notice);
/** 1: the notice is about this result, 0: it is not. GBA_NAF_DOUBTFUL is about every one. */
GBA_NAF_API int gba_naf_notice_concerns(const struct gba_naf_notice *notice, const struct gba_naf_result *result);

/* ---- result ---- */

enum gba_naf_type { /* GBA-Type of TS 29.109 */
	GBA_NAF_TYPE_3G = 0,
	GBA_NAF_TYPE_2G = 1,
	GBA_NAF_TYPE_DIGEST = 2,
};

/** One more owner. @return the same result */
GBA_NAF_API struct gba_naf_result *gba_naf_result_ref(struct gba_naf_result *result);
/** One owner less; the last one wipes the keys. */
GBA_NAF_API void gba_naf_result_free(struct gba_naf_result *result);

/** Ks_NAF (Ks_ext_NAF), GBA_NAF_KEY_LEN octets, valid as long as the result. */
GBA_NAF_API const uint8_t *gba_naf_result_key(const struct gba_naf_result *result);
/** Ks_int_NAF, GBA_NAF_KEY_LEN octets, or NULL when there is none. */
GBA_NAF_API const uint8_t *gba_naf_result_int_key(const struct gba_naf_result *result);
/** [s since epoch] do not use the keys at or after this instant: the BSF's Key-ExpiryTime, or the agent's shorter limit. */
GBA_NAF_API time_t gba_naf_result_expiry(const struct gba_naf_result *result);
/** [s since epoch] when the device bootstrapped; 0: not told. */
GBA_NAF_API time_t gba_naf_result_created(const struct gba_naf_result *result);
GBA_NAF_API enum gba_naf_type gba_naf_result_type(const struct gba_naf_result *result);
/** Texts, NUL-terminated, valid as long as the result. IMPI: NULL when this NAF may not know it. */
GBA_NAF_API const char *gba_naf_result_btid(const struct gba_naf_result *result);
GBA_NAF_API const char *gba_naf_result_fqdn(const struct gba_naf_result *result);
GBA_NAF_API const char *gba_naf_result_impi(const struct gba_naf_result *result);
/** The ussList document as the BSF sent it (TS 29.109 Annex A), NUL-terminated; NULL: none. */
GBA_NAF_API const char *gba_naf_result_uss_xml(const struct gba_naf_result *result);

/** User security settings in it: index 0..count-1. */
GBA_NAF_API size_t gba_naf_result_uss_count(const struct gba_naf_result *result);
/** GSID of one; 0 when there is no such index. */
GBA_NAF_API uint32_t gba_naf_result_uss_gsid(const struct gba_naf_result *result, size_t index);
/** Identities the user may use with a service, in the BSF's order. NULL: no such GSID, or index past the end. */
GBA_NAF_API const char *gba_naf_result_uid(const struct gba_naf_result *result, uint32_t gsid, size_t index);
/** 1: the operator set this authorisation flag for the service (TS 29.109 Annex C), 0: not, or no such GSID. */
GBA_NAF_API int gba_naf_result_flag(const struct gba_naf_result *result, uint32_t gsid, uint32_t flag);
/** The service's flags one by one: 1 and *_flag written, 0 past the end or no such GSID. */
GBA_NAF_API int gba_naf_result_flag_at(const struct gba_naf_result *result, uint32_t gsid, size_t index, uint32_t *_flag);

/* ---- identities on Ua ---- */

enum gba_naf_key_kind {
	GBA_NAF_KIND_ME,     /* Ks_NAF: "3GPP-bootstrapping" */
	GBA_NAF_KIND_UICC,   /* Ks_int_NAF: "3GPP-bootstrapping-uicc" */
	GBA_NAF_KIND_DIGEST, /* GBA_Digest: "3GPP-bootstrapping-digest" */
};

#define GBA_NAF_PSK_HINT "3GPP-bootstrapping"

/** A PSK identity taken apart; views into the identity. */
struct gba_naf_identity {
	enum gba_naf_key_kind kind;
	const char *btid;
	size_t btid_len;
};
/** Read a psk_identity (TS 24.109 5.3, F.3): one of the prefixes above, then ';' (also ':', '.' or nothing: peers
 * differ), then a B-TID and nothing else.
 * @retval GBA_NAF_E_BTID_SYNTAX  anything else; nothing written */
GBA_NAF_API enum gba_naf_error gba_naf_identity_parse(const char *identity, size_t len, struct gba_naf_identity *_id);
/** 1: "base64(16 octets)@host name" and nothing else (TS 33.220 4.5.2). */
GBA_NAF_API int gba_naf_btid_valid(const char *btid, size_t len);

/** Ua security protocol identifiers (TS 33.220 H.2, H.3). Write GBA_NAF_UA_ID_LEN octets to out. */
GBA_NAF_API void gba_naf_ua_id_http_digest(uint8_t *out); /* 01 00 00 00 02 */
GBA_NAF_API void gba_naf_ua_id_tls13_psk(uint8_t *out);   /* 01 00 00 00 07 */
GBA_NAF_API void gba_naf_ua_id_tls12(uint16_t suite, uint8_t *out); /* 01 00 01 yy zz: the suite negotiated */

#ifdef __cplusplus
}
#endif
#endif
