/* SPDX-License-Identifier: Apache-2.0 */
/** Change of operator between two authorization elements (Y.3056 10.6, Y.OBF 12.3, 12.4; doc/operator-change.md): records,
 * states and what each message does to them. No Diameter here. Every step is one transaction of the subscribers' database
 * together with what it does to subscribers, so that a node killed between two steps goes on where it stood; every message
 * may come twice.
 *
 *   new operator  REQUESTED - VERIFIED - OFFERED - CONFIRMED - DONE        device and user are ours
 *                      \          \         \- CANCELLING - CANCELLED      given up: nothing of it is left
 *                       \          \- REFUSED                              the old operator said no
 *   asymmetric:                 OFFERED - SHOWN - RELEASED - CONFIRMED     the device's certificate is asked for
 *   old operator  HELD - LEFT                                              keys erased, subscriber gone
 *                   \--- RETURNED                                          the new operator gave up
 */
#ifndef GBA_HSS_CHANGE_CHANGE_H
#define GBA_HSS_CHANGE_CHANGE_H

#include "core/why.h"
#include "crypto/key_update.h"
#include "crypto/seal.h"
#include "hss-stub/sub_store.h"

#define CHANGE_ID_TEXT	(2 * CHANGE_ID_LEN) /* [characters] */
#define CHANGE_CERT_MAX 4096		    /* [octets] DER */
#define CHANGE_DIGEST_LEN 32		    /* [octets] SHA-256 */

enum change_state {
	CHANGE_REQUESTED,  /* 10.6.1-1: the user applied here; nothing has left the node */
	CHANGE_VERIFIED,   /* -2: user and device are verified; the old operator is asked */
	CHANGE_OFFERED,	   /* -3, -4: the key update is made, the subscriber can bootstrap here */
	CHANGE_CONFIRMED,  /* -4: first token here; cannot be undone any more */
	CHANGE_DONE,	   /* -5, -6: the old operator and the user know */
	CHANGE_CANCELLING, /* given up: the old operator is to be told */
	CHANGE_CANCELLED,
	CHANGE_REFUSED,
	CHANGE_HELD,	 /* old operator: the key was released for this change */
	CHANGE_LEFT,	 /* old operator: the subscriber is gone, its keys are erased */
	CHANGE_RETURNED, /* old operator: as if nothing had been */
	CHANGE_SHOWN,	 /* 10.6.2-3: the device trusts us: it has shown a certificate; the old operator is asked for it */
	CHANGE_RELEASED, /* -4: the device's public key is ours to trust; its first token is awaited */
	CHANGE_STATE_COUNT
};
extern const char *const change_state_names[], *const change_kind_names[]; /* by value; kind from 1 */

/** One change; texts and views below the context it was read into. */
struct change {
	char id[CHANGE_ID_TEXT + 1];
	enum key_update_kind kind;
	enum change_state state;
	const char *impi;     /* in the old realm */
	const char *new_impi; /* in the new one; old operator: as it was told */
	const char *imsi;     /* in the new one */
	const char *peer;     /* the other operator's realm */
	const char *bsf;      /* of the new realm */
	const char *who;      /* who asked for it */
	const char *why;      /* why it ended as it did; "" */
	uint64_t counter;
	struct bytes update; /* the key update; absent: none yet */
	struct bytes shown;  /* CHANGE_SHOWN: SHA-256 of the certificate */
	time_t created, changed, deadline;
};

/** An operator with whom there is an agreement. */
struct change_peer {
	const char *realm, *host;
	uint8_t public[OP_PUBLIC_LEN];
	bool shared_wrap; /* transfer keys by AES key wrap under `shared`; else by X25519 */
	uint8_t shared[OP_SHARED_LEN];
};

struct change_conf {
	const char *realm, *bsf;   /* ours: name as an operator, BSF for devices that come */
	const struct op_key *key;  /* ours */
	const struct change_peer *peers;
	size_t peer_n;
	uint32_t min_level;  /* of a user's verification */
	uint32_t deadline_s; /* from VERIFIED, and again from OFFERED, until it is given up */
};

/** Read what hss.conf says about changes: keys, operators. @param realm  ours  @param _conf  below mem_ctx
 * @param _error  for the operator, below mem_ctx  @retval GBA_E_NOT_FOUND  no operator-key file */
struct hss_conf;
enum gba_err change_conf_read(TALLOC_CTX *mem_ctx, const struct hss_conf *hss, const char *realm, struct change_conf **_conf,
			      const char **_error);

struct changes;

/** Open the database once more: a handle for one thread. conf outlives it; NULL (tools): the functions for people only.
 * @param _error  for the operator, below mem_ctx; errors as sub_store_open */
enum gba_err changes_open(TALLOC_CTX *mem_ctx, const char *database, struct kek *kek, const struct change_conf *conf,
			  struct changes **_changes, const char **_error);
/** Subscribers through the same handle. */
struct sub_store *changes_subscribers(struct changes *changes);
/** Changes when another handle has committed. */
int64_t changes_version(struct changes *changes);

/** Seal again what an older key-encryption key sealed, after a rotation; once more while _left rows changed meanwhile. */
enum gba_err change_reseal(struct changes *changes, uint64_t *_sealed, uint64_t *_left);

/* ---- for people */

/** Give a subscriber what it takes to leave some day; drawn when absent. For its USIM, too: that is the caller's business.
 * @param transfer_key  TRANSFER_KEY_LEN octets, in and out  @param draw  fill it  @retval GBA_E_IMPI_UNKNOWN */
enum gba_err change_set_transfer_key(struct changes *changes, struct bytes impi, uint8_t *transfer_key, bool draw);
/** The device's certificate, DER; absent: it has none any more. What was bootstrapped by the one before is void: BSFs are told.
 * @retval GBA_E_TOO_LONG, GBA_E_IMPI_UNKNOWN */
enum gba_err change_set_certificate(struct changes *changes, struct bytes impi, struct bytes der, time_t now);
/** Whoever has it has it no more; nobody does: nothing to do. */
enum gba_err change_drop_certificate(struct changes *changes, struct bytes der, time_t now);
/** Below mem_ctx; absent: none. @retval GBA_E_IMPI_UNKNOWN */
enum gba_err change_certificate(struct changes *changes, TALLOC_CTX *mem_ctx, struct bytes impi, struct bytes *_der);

/** What holds of a device that has shown a certificate (Y.3056 10.4-5, 10.6.2). Views below the context given. */
struct change_shown {
	struct bytes guss;   /* of the subscriber; absent: none */
	time_t guss_time;
	struct bytes instead; /* the certificate it shall show from now on; absent: this one */
	bool token_awaited;   /* it is changing its operator, and its first token here is awaited */
};
/** The device has proved that it has the key of this certificate; is it this subscriber's?
 * @retval GBA_E_IMPI_UNKNOWN, GBA_E_IMPI_BARRED  @retval GBA_E_CERTIFICATE  not this subscriber's
 * @retval GBA_E_BUSY  it may be: the old operator is asked for it; come again */
enum gba_err change_certificate_shown(struct changes *changes, TALLOC_CTX *mem_ctx, struct bytes impi, struct bytes der, time_t now,
				      struct change_shown *_shown);

struct change_ask {
	enum key_update_kind kind;
	struct bytes impi, new_impi, imsi, peer;
	const char *who;
};
/** 10.6.1-1: a user of another operator applies here. The subscriber is made, barred, with fresh keys, so that the
 * mapping function can register user and device. @param id  CHANGE_ID_TEXT + 1 octets
 * @retval GBA_E_EXISTS  there is such a subscriber, or a change of this device under way */
enum gba_err change_request(struct changes *changes, const struct change_ask *ask, time_t now, char *id, struct why *why);
/** 10.6.1-2: go on if the user behind the new IMPI is verified and the device authenticated.
 * @retval GBA_E_KYC    not so: why tells what is missing  @retval GBA_E_STATE  not waiting for it */
enum gba_err change_approve(struct changes *changes, const char *id, uint32_t min_level, time_t now, struct why *why);
/** Give up; possible until the first token. @retval GBA_E_STATE */
enum gba_err change_cancel(struct changes *changes, const char *id, time_t now, struct why *why);
/** @retval GBA_E_NOT_FOUND */
enum gba_err change_get(struct changes *changes, TALLOC_CTX *mem_ctx, const char *id, struct change **_change);
/** Oldest first. @param state  -1: any  @param limit  at most so many */
enum gba_err change_list(struct changes *changes, TALLOC_CTX *mem_ctx, int state, size_t limit, struct change ***_list,
			 size_t *_count);

/* ---- the new operator's node */

/** What is said to the old operator: views below mem_ctx. */
struct change_message {
	int32_t step; /* enum opc_step */
	const struct change_peer *peer;
	uint8_t change_id[CHANGE_ID_LEN];
	uint8_t operator_key[OP_PUBLIC_LEN], signature[OP_SIG_LEN];
	uint8_t digest[CHANGE_DIGEST_LEN]; /* RELEASE */
};
/** What comes back. */
struct change_answer {
	struct bytes wrapped, counter, update, certificate;
	struct bytes issued; /* not in any message: by our own CA, for the key of certificate; absent: it stays the device's */
};
/** The message a change is waiting to send, checked once more. @retval GBA_E_STATE  none in its state
 * @retval GBA_E_KYC  the records it stood on are gone  @retval GBA_E_DENIED  no agreement with that operator */
enum gba_err change_message(struct changes *changes, const struct change *change, struct change_message *_message,
			    struct why *why);
/** What became of it. err: GBA_OK with an answer; GBA_E_NOT_AUTHORIZED, GBA_E_SIGNATURE, ...: refused for good;
 * GBA_E_TIMEOUT, GBA_E_UNREACHABLE, GBA_E_BUSY: it is sent again. @param _state  after it */
enum gba_err change_answered(struct changes *changes, const struct change *change, enum gba_err err,
			     const struct change_answer *answer, time_t now, enum change_state *_state);
/** Give up what is past its deadline. */
enum gba_err change_expire(struct changes *changes, const struct change *change, time_t now);
/** 10.6.1-4, 10.6.2-4: a device of ours has its first token. @param _kind  of its change
 * @retval GBA_E_NOT_FOUND  it is not changing (any more) */
enum gba_err change_first_token(struct changes *changes, struct bytes impi, time_t now, enum key_update_kind *_kind);

/* ---- the old operator's node */

/** A message of the new one; origin: its realm, authenticated. Views. */
struct change_request_in {
	int32_t step, kind;
	struct bytes origin, impi, change_id, operator_key, new_impi, bsf, digest, signature;
};
/** 10.6.1-3, -5: serve it. @param _answer  below mem_ctx, written on GBA_OK
 * @retval GBA_E_DENIED      no agreement with this operator  @retval GBA_E_SIGNATURE  not its key
 * @retval GBA_E_IMPI_UNKNOWN, GBA_E_IMPI_BARRED, GBA_E_UNSUPPORTED (no transfer key), GBA_E_STATE (another change) */
enum gba_err change_serve(struct changes *changes, TALLOC_CTX *mem_ctx, const struct change_request_in *in, time_t now,
			  struct change_answer *_answer);

/** The octets a request's signature is over: "Y.3056 change" step kind change-id, fields new operator, old operator,
 * device, new identity, BSF, operator key, and in RELEASE the certificate's digest. @return octets; 0: too long */
size_t change_signed_text(const struct change_request_in *in, struct bytes old_realm, uint8_t *out, size_t cap);
#define CHANGE_SIGNED_MAX 2048
/** What a wrapped key is bound to: "Y.3056 wrap", change id, fields old operator, new operator, device. */
size_t change_wrap_about(const uint8_t change_id[CHANGE_ID_LEN], struct bytes old_realm, struct bytes new_realm,
			 struct bytes device, uint8_t *out, size_t cap);

#endif
