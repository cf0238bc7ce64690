/* SPDX-License-Identifier: Apache-2.0 */
/** Key material that leaves the BSF, in the audit log: to whom, and all that it was made of (Y.3056 8.4): of which B-TID, so
 * which RAND and network, whose, for which application, by which kind of run, with which settings of the user. */
#ifndef GBA_BSF_RELEASE_H
#define GBA_BSF_RELEASE_H

#include "audit/audit.h"
#include "bsf/grant.h"

struct release {
	const char *act;	    /* "zn.key", "rpa.push" */
	struct bytes naf;	    /* who gets it */
	struct bytes btid, naf_id;
	const struct grant *grant;  /* NULL: refused */
	const char *corr;	    /* NULL or "": none */
};

/** Before the key goes. Of refusals those that say that somebody asked for what is not his are noted.
 * @param err  the decision  @return err; or why it could not be noted, then the key must not go */
enum gba_err release_note(struct audit *audit, const struct release *release, enum gba_err err);

#endif
