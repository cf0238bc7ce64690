/* SPDX-License-Identifier: Apache-2.0 */
/** What ub.c (what a request leads to) and ub_reply.c (how it is answered) share. */
#ifndef GBA_BSF_UB_PRIV_H
#define GBA_BSF_UB_PRIV_H

#include "bsf/ub.h"
#include "bsf/reporter.h"
#include "core/log.h"

#define UB_CODES 12
#define UB_APP_HEADER "Y3056-Application" /* the application the token is wanted for, Y.3056 10.4-1a */

/** Who said whether an application is permitted. */
enum permit_source { PERMIT_WITH_VECTOR, PERMIT_ASKED, PERMIT_SETTINGS, PERMIT_POLICY, PERMIT_SOURCES };

struct ub_cert;

struct ub {
	const struct bsf_conf *conf;
	struct ctx_store *store;
	struct hss *hss;
	struct agents *agents; /* may be NULL */
	struct reporter *_Atomic reporter; /* may be NULL */
	struct guss_cache *guss;
	struct runs *runs;
	struct boot_how how_3g;
	atomic_uint asking; /* questions to HSSs under way */
	atomic_bool stopping;
	atomic_uint notices;	      /* of the hss, so far */
	struct metric *m_seconds, *m_runs, *m_asking, *m_boots, *m_zh_seconds;
	struct metric *m_codes[UB_CODES];
	struct metric *m_permissions[PERMIT_SOURCES][2];
};

/** One request on its way; below its http_req. */
struct ub_op {
	struct run_waiter waiter; /* first: run_settle() hands it back */
	struct ub *ub;
	struct http_req *req;
	uint64_t started_us, seen_at; /* monotonic for metrics; wall clock for the trace, 0 when that is off */
	bool first;		      /* the first leg */
	bool tmpi_wanted;	      /* the UE can use a TMPI */
	bool changing;		      /* its operator: the HSS waits for its first token here */
	bool by_certificate;	      /* mutual TLS instead of the digest: each connection serves one request */
	struct ub_cert *place;	      /* by_certificate: where */
	uint8_t mark[CTX_CERT_LEN];   /* by_certificate: trust_mark() */
	struct bytes certificate;     /* DER: the one the device shall show from now on; absent: it has that one */
	struct digest_auth auth;
	struct bytes impi, source;
	struct application *application; /* NULL: none named */
	struct push_set *pushes;	 /* NULL: nothing to push */
	char corr[CORR_LEN + 1];      /* "" until a RAND is known */
	char btid[BTID_MAX + 1];
	time_t made, ends; /* of the context */
	char *body, *info, expires[32];
};

/** NULL: out of memory, and answered so. */
struct ub_op *ub_op_new(struct ub *ub, struct http_req *req);
bool ub_path_served(const struct bsf_conf *conf, struct bytes target);
/** The application named, if any: a hint, it can only lead to a refusal. @retval GBA_E_NAF_ID_SYNTAX */
enum gba_err ub_application_read(struct ub_op *op);
/** The GUSS that goes with an answer: the one just received, the one we held, or none. @param _guss  the caller's reference */
enum gba_err ub_guss_of(struct ub *ub, struct bytes impi, struct guss_kept *held, const struct hss_answer *answer,
			struct guss_kept **_guss);
/** The user has proved itself: on to its permission or its token. Takes what outcome refers to. */
void ub_proved(struct ub_op *op, struct run_outcome *outcome);
/** 401 with this challenge. */
void ub_reply_challenge(struct ub_op *op, const struct challenge *challenge, bool stale);
/** Make body and Authentication-Info of the 200, while the password is at hand. @retval GBA_E_NOMEM */
enum gba_err ub_reply_prepare(struct ub_op *op, const struct challenge_secret *secret, time_t expires);
/** Send what was prepared. */
void ub_reply_done(struct ub_op *op);
/** Refuse. @param retry_s  [s] 0: none, but 503 always has one */
void ub_reply_refuse(struct ub_op *op, enum gba_err err, unsigned int retry_s);
/** 405. */
void ub_reply_method(struct ub_op *op);
/** A source without its port. */
struct bytes ub_address(const char *source);
/** The user has proved itself; refuse, or go on to ub_token_make(), perhaps later and in another thread. Takes what outcome
 * refers to. */
void ub_permit_check(struct ub_op *op, struct run_outcome *outcome);
void ub_permit_metrics(struct ub *ub);
/** Make the token, store it, answer 200. Takes what outcome refers to. */
void ub_token_make(struct ub_op *op, struct run_outcome *outcome);
/** All of a digest_calc but the password, from the request. */
struct digest_calc ub_calc(const struct ub_op *op);
void ub_metrics_make(struct ub *ub);

#endif
