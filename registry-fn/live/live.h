/* SPDX-License-Identifier: Apache-2.0 */
/** Interrogation of a device itself, through its registry (Y.3059 7, 9.1-iv): what an enquirer wants to know waits here
 * under a challenge of ours until the device fetches it over RPD and answers, once, or its time is over. Between the
 * doors of enquirers (ask/) and of devices (device/); all of it within the caller's transaction. doc/registry.md. */
#ifndef GBA_REGISTRY_LIVE_H
#define GBA_REGISTRY_LIVE_H

#include "record/rules.h"

#define LIVE_OPEN_MAX	   16	/* waiting, of one enquirer; and told to a device at once */
#define LIVE_KEEP	   3600 /* [s] that one is kept behind its time */
#define LIVE_CHALLENGE_LEN 32	/* [octets] */
#define LIVE_REF_LEN	   16	/* [octets] */
/** What an enquirer signs for a device: this, the subject as it was asked for, its nonce, the device's demand; blanks between */
#define LIVE_PROOF_SAID "gba-device-challenge"

/** CHALLENGED: the device wants proof of the enquirer before it answers (9.3-iii). */
enum live_state { LIVE_WAITING, LIVE_ANSWERED, LIVE_EXPIRED, LIVE_CHALLENGED };
extern const char *const live_state_words[]; /* by value, NULL-terminated */

/** Texts are below the mem_ctx of the call that gave them, or the caller's. */
struct live {
	const char *ref;       /* what the enquirer knows it by */
	const char *by;        /* "enquirer:5" */
	const char *subject;   /* as it was asked for */
	const char *nonce;     /* the enquirer's */
	const char *challenge; /* ours: told to this device alone until it has answered */
	const char *answer;    /* JSON; NULL: none */
	const char *demand;    /* the device's challenge to the enquirer, hex; NULL: none */
	const char *proof;     /* the enquirer's signature for it, hex; NULL: none yet */
	int64_t device;        /* 0: nobody will answer, and nobody is told so */
	time_t asked, expires, answered;
	enum live_state state;
};

/** Keep one: by, subject, nonce, device, asked and expires are given, the rest comes to be. Old ones go.
 * @retval GBA_E_BUSY  too many of this enquirer's wait  @retval GBA_E_EXISTS  it has used this nonce */
enum gba_err live_ask(struct records *r, TALLOC_CTX *mem_ctx, struct live *live);
/** What the enquirer who asked may know. @retval GBA_E_NOT_FOUND  none, or another's */
enum gba_err live_read(struct records *r, TALLOC_CTX *mem_ctx, const char *ref, const char *by, time_t now, struct live *_live);
/** Those that wait for a device, the oldest first. @param list  LIVE_OPEN_MAX of them */
enum gba_err live_waiting(struct records *r, TALLOC_CTX *mem_ctx, int64_t device, time_t now, struct live *list, size_t *_n);
/** The device's answer; each challenge takes one. @param text  JSON
 * @retval GBA_E_NOT_FOUND  no challenge to this device  @retval GBA_E_REPLAY  answered already  @retval GBA_E_STATE  too
 * late */
enum gba_err live_answer(struct records *r, int64_t device, const char *challenge, const char *text, time_t now);
/** The device's own challenge to the enquirer; the same again changes nothing.
 * @retval GBA_E_NOT_FOUND, GBA_E_REPLAY  as live_answer()  @retval GBA_E_STATE  too late, or it has made another */
enum gba_err live_demand(struct records *r, int64_t device, const char *challenge, const char *demand, time_t now);
/** The enquirer's answer to that. @param proof  verified by the caller
 * @retval GBA_E_STATE  nothing is demanded any more */
enum gba_err live_prove(struct records *r, const char *ref, const char *by, const char *proof, time_t now);

#endif
