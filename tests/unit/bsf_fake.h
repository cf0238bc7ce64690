/* SPDX-License-Identifier: Apache-2.0 */
/** Stand-ins for the BSF's surroundings in unit tests: HTTP requests made by hand, an HSS that answers when told, a context
 * store in memory, and a clock that the test moves. */
#ifndef GBA_TESTS_BSF_FAKE_H
#define GBA_TESTS_BSF_FAKE_H

#include "bsf/ctx_store.h"
#include "bsf/hss.h"
#include "common/fixture.h"
#include "http/server.h"

#define IMPI_A "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
#define IMPI_B "001010000000002@ims.mnc001.mcc001.3gppnetwork.org"
#define BSF    "bsf.mnc001.mcc001.pub.3gppnetwork.org"

/* The worked example: TS 35.208 set 1. */
#define RAND_HEX "23553cbe9637a89d218ae64dae47bf35"
#define AUTN_HEX "aa689c64835100009f897ef2e7a4c5f8"
#define XRES_HEX "a54211d5e3ba50bf"
#define CK_HEX	 "b40ba9a3c58b2a05bbf0d987b21bf8cb"
#define IK_HEX	 "f769bcd751044604127672711c6d3441"
#define NONCE	 "I1U8vpY3qJ0hiuZNrke/NaponGSDUQAAn4l+8uekxfg="
#define BTID	 "I1U8vpY3qJ0hiuZNrke/NQ==@" BSF
#define TMPI	 "7g8A0RHDuCXlCTm8IzQ29xYou4F13lIQ@tmpi.bsf.3gppnetwork.org"
#define CNONCE	 "0a4f113b9c2d7e60"
#define AUTS_B64 "RR6L7LQ7BcVC+xeK+y0="

/** [s], [ms]: what clock_now() and clock_mono_ms() return. */
extern time_t fake_now;
extern uint64_t fake_ms;

/** A request and, after http_reply(), its answer. */
struct http_req {
	const char *method, *target, *source;
	struct http_header headers[8]; /* of the request; ends with a NULL name */
	struct bytes body;
	bool tls;
	unsigned int status; /* 0: not answered yet */
	struct http_header answer_headers[8];
	struct bytes answer_body;
};
struct http_req *fake_req_new(const char *source);
void fake_req_header(struct http_req *req, const char *name, const char *value);
/** Header of the answer; NULL when absent. */
const char *fake_req_answer(const struct http_req *req, const char *name);

/** An HSS. Unless hold is set it answers at once with err, or with the vector. */
struct fake_hss {
	struct hss base;
	bool down, hold;
	enum gba_err err;
	enum gba_err resync_err; /* for questions with AUTS */
	unsigned int asked, resyncs;
	time_t last_timestamp;
	struct bytes rand, autn, xres, ck, ik; /* of the answer */
	bool fresh_rand;		       /* RAND begins with the number of the question */
	const char *user_name, *scheme, *guss;
	const char *known; /* IMPI; others are unknown; NULL: all known */
	hss_done done;	   /* held question */
	void *arg;
	char impi[256];
};
void fake_hss_init(struct fake_hss *hss);
void fake_hss_release(struct fake_hss *hss);

/** A store. put_err: what put returns; done_err: what done gets; hold keeps the last done back. */
struct fake_store {
	struct ctx_store base;
	enum gba_err put_err, done_err, find_err;
	bool hold;
	ctx_put_done done;
	void *arg;
	struct ctx *held[64];
	size_t n;
};
void fake_store_init(struct fake_store *store);

#endif
