/* SPDX-License-Identifier: Apache-2.0 */
/** Tells the BSFs of the realm what the mapping function has put into its outbox (Y.3056 9.2.2-6, 9, 10; mapping G6), in order,
 * until each has heard it; and carries out what falls due by time. A thread of its own with a handle of its own. */
#ifndef GBA_HSS_TELLER_H
#define GBA_HSS_TELLER_H

#include "hss-stub/conf.h"
#include "hss-stub/mapping/grant.h"

#define TELLER_BATCH 32 /* notices to one BSF under way */

enum teller_reach { TELLER_AWAY, TELLER_DEAF, TELLER_HEARS }; /* not connected; a plain BSF; one that takes notices */

struct teller;
/** How a BSF is reached. Both from the teller's thread. */
struct teller_port {
	enum teller_reach (*reach)(void *arg, const char *bsf);
	/** Send without waiting. @return GBA_OK: teller_heard() will be called once, from any thread */
	enum gba_err (*send)(void *arg, const char *bsf, const struct outbox_row *row, struct teller *teller, size_t line,
			     size_t place);
	void *arg;
};

struct teller_conf {
	const struct hss_conf *hss;
	struct kek *kek;
	struct teller_port port;
};
/** @param _error  for the operator, below mem_ctx */
enum gba_err teller_start(TALLOC_CTX *mem_ctx, const struct teller_conf *conf, struct teller **_teller, const char **_error);
/** A BSF has answered, or not. */
void teller_heard(struct teller *teller, size_t line, size_t place, enum gba_err err);
/** No more sends afterwards; what is under way may still be heard until teller_free(). NULL passes, as below. */
void teller_stop(struct teller *teller);
/** When nothing is under way any more. */
void teller_free(struct teller *teller);

#endif
