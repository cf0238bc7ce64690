/* SPDX-License-Identifier: Apache-2.0 */
/** Runs on Ub in progress: for each IMPI the challenges that nobody has answered yet and the answer awaited from the HSS.
 * In memory only, bounded in number and age; secrets in memory of their own that is locked and left out of dumps.
 * Thread-safe; nothing here blocks. */
#ifndef GBA_BSF_RUN_H
#define GBA_BSF_RUN_H

#include "bsf/boot.h"

#define RUN_OPAQUE_CHARS 32

struct runs;

struct run_conf {
	uint32_t max;		/* runs held; the oldest makes place */
	uint32_t per_source;	/* runs begun from one address, while the table is more than half full */
	uint32_t life_ms;	/* a challenge can be answered for this long */
	uint32_t ask_ms;	/* an unanswered challenge is handed out again for this long: one MAR per IMPI in it */
	uint32_t wrong_limit;	/* the n-th wrong answer from one address for one IMPI closes the door */
	uint32_t wrong_hold_ms; /* for this long, doubled each time, at most WRONG_HOLD_MAX_MS */
	uint32_t resync_rounds; /* AUTS accepted in one attempt */
};

/** One request of a UE. Views. */
struct run_leg {
	struct bytes impi;     /* whose run */
	struct bytes username; /* as sent: the IMPI or a TMPI */
	struct bytes source;   /* address without port */
	uint64_t now_ms;       /* clock_mono_ms() */
};

/** What waits for the HSS; embedded by the owner. */
struct run_waiter {
	struct run_waiter *next;
	bool stale; /* tell the UE that its credentials were fine but old (RFC 7616 3.3) */
};

enum run_verdict {
	RUN_CHALLENGE, /* answer 401 with .offer */
	RUN_WAIT,      /* the waiter is kept: run_settle() hands it back */
	RUN_ASK,       /* the same, and the caller asks the HSS, with .resync when .resyncing */
	RUN_PROVED,    /* the UE has proved itself: .challenge and .secret are the caller's, and nobody else gets them */
	RUN_REFUSED,   /* .err, with .retry_s when waiting helps */
};
struct run_outcome {
	enum run_verdict verdict;
	enum gba_err err;     /* RUN_REFUSED; for RUN_CHALLENGE, RUN_WAIT, RUN_ASK: why the answer before did not do */
	unsigned int retry_s; /* [s] 0: none */
	bool stale;
	bool resyncing;
	uint8_t resync[RAND_LEN + AKA_AUTS_LEN];
	struct challenge challenge; /* RUN_CHALLENGE (no reference held), RUN_PROVED (caller unrefs .guss, .permit) */
	struct challenge_secret secret; /* RUN_PROVED; the caller wipes it */
};

/** NULL: out of memory. */
struct runs *runs_new(TALLOC_CTX *mem_ctx, const struct run_conf *conf);
/** Are secrets in locked memory? (The operator may need LimitMEMLOCK.) */
bool runs_locked(const struct runs *runs);
/** Forget what is too old; call every second. @return runs held */
size_t runs_sweep(struct runs *runs, uint64_t now_ms);

/** A first GET: no nonce, no response. */
void run_first(struct runs *runs, const struct run_leg *leg, struct run_waiter *waiter, struct run_outcome *_outcome);
/** A GET with nonce and response. calc has all but the password. nc and qop have been checked. */
void run_answer(struct runs *runs, const struct run_leg *leg, const struct digest_auth *auth, struct digest_calc *calc,
		struct run_waiter *waiter, struct run_outcome *_outcome);
/** The HSS has answered the question of a RUN_ASK.
 * @param challenge  GBA_OK: the references to its guss and permit move into the table
 * @return the waiters, oldest first; each gets 401 with this challenge or the refusal of err */
struct run_waiter *run_settle(struct runs *runs, struct bytes impi, enum gba_err err, const struct challenge *challenge,
			      const struct challenge_secret *secret, uint64_t now_ms);
/** Nobody can answer a challenge of this user that is open now. */
void run_forget(struct runs *runs, struct bytes impi);
/** The opaque value that binds a challenge to the one who asked for it: a wrong answer spoils it for him only. out has
 * RUN_OPAQUE_CHARS + 1 octets. */
void run_opaque(struct runs *runs, const struct challenge *challenge, struct bytes username, char *out);

#endif
