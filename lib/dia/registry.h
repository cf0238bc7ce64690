/* SPDX-License-Identifier: Apache-2.0 */
/** Peering of registries (Y.3059 7-iv-d, 7-iv-f) as structs and rows: Registry-Sync of the application Y3059-REG.
 * doc/registry-peering.md. */
#ifndef GBA_DIA_REGISTRY_H
#define GBA_DIA_REGISTRY_H

#include "dia/dia.h"

#define REG_ID_MAX	32    /* [octets] of a RegID */
#define REG_CLASS_MAX	16    /* [octets] a class of events, as a word */
#define REG_CLASSES_MAX 8     /* [values] */
#define REG_HAVE_MAX	64    /* [octets] "RegID class number" */
#define REG_HAVES_MAX	4096  /* [values]: registries times classes */
#define REG_EVENTS_MAX	256   /* [values] of one request */
#define REG_EVENT_MAX	16384 /* [octets] of one event, signature and text */

enum reg_step {
	REG_HELLO = 1, /* what I have and what I take: the answer says the same of the other side */
	REG_EVENTS = 2, /* events in order: the answer has the last number of each stream among them */
};

struct reg_rsr {
	struct bytes regid;	 /* of the sender; required */
	int32_t step;		 /* enum reg_step; required */
	struct dia_list haves;	 /* HELLO */
	struct dia_list accepts; /* HELLO */
	struct dia_list events;	 /* EVENTS: signature, then text */
};

struct reg_rsa {
	struct bytes regid;
	struct dia_list haves, accepts;
};

extern struct dia_field reg_rsr_fields[], reg_rsa_fields[];
extern struct dia_cmd reg_rsr_cmd;

/** Resolve rows and command; once, at load, after dict_gba and dict_y3056. The process then advertises the application.
 * @retval GBA_E_NOT_FOUND  dict_y3056 is not loaded */
enum gba_err reg_resolve(void);

#endif
