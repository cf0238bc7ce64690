/* SPDX-License-Identifier: Apache-2.0 */
/** What the BSF needs of an HSS, without Diameter: a question, an answer, and what makes an answer good (TS 29.109 4.2). */
#ifndef GBA_BSF_HSS_H
#define GBA_BSF_HSS_H

#include <stdbool.h>
#include <time.h>

#include "core/ident.h"
#include "crypto/aka.h"

struct hss;

struct hss_question {
	struct bytes impi;
	struct bytes resync;   /* RAND || AUTS; absent: a vector, please */
	time_t guss_timestamp; /* of the GUSS we hold; 0: none */
	struct bytes application; /* host name in lower case: is it permitted to the user? absent: not asked */
	bool permission_only;	  /* no vector: only ask where permits() */
	struct bytes certificate; /* DER: is it this user's? Instead of a vector; absent: not asked */
};

/** What the mapping function says of a user and an application (Y.3056 10.4-3b). */
struct hss_permission {
	bool set, single;
	time_t from, until;	   /* [s since epoch] 0: open */
	uint32_t lifetime;	   /* [s] 0: not said */
	struct bytes push_peer, ua_ids; /* absent: none; five octets each */
};

/** Views that live while the done callback runs; all absent unless err is GBA_OK. */
struct hss_answer {
	struct bytes user_name, scheme, authenticate, authorization, ck, ik;
	struct bytes guss; /* XML; absent: the user has none, or ours is the newest */
	const struct hss_permission *permission; /* NULL: not asked for, or a plain HSS */
	struct bytes certificate; /* DER: the device shall show this one from now on; absent: it has it */
	bool awaited;		  /* the user is changing its operator: made() for its first token */
};
/** Called once, from a thread of the HSS client; must not block. err: GBA_OK, GBA_E_IMPI_UNKNOWN, GBA_E_NOT_AUTHORIZED,
 * GBA_E_AUTS (resynchronisation refused), GBA_E_TIMEOUT, GBA_E_UNREACHABLE, GBA_E_BUSY, GBA_E_PEER. */
typedef void (*hss_done)(void *arg, enum gba_err err, const struct hss_answer *answer);

struct hss {
	/** Copies the question. @return GBA_OK: done will be called, maybe before this returns; else it is not */
	enum gba_err (*ask)(struct hss *hss, const struct hss_question *question, hss_done done, void *arg);
	/** Is a peer there that can answer? */
	bool (*ready)(struct hss *hss);
	/** Does the HSS of this user answer questions for permissions? NULL: never. */
	bool (*permits)(struct hss *hss, struct bytes impi);
	/** A user whose AUTN says that it is changing its operator has a token (Y.3056 10.6.1-4). Does not block; NULL: the
	 * HSS cannot be told. */
	void (*made)(struct hss *hss, struct bytes impi);
};

/** The row for a result of Zh. vendor 0: Result-Code, else Experimental-Result-Code.
 * @param resync  the question carried AUTS: 5012 then means that the HSS did not accept it */
enum gba_err hss_result(uint32_t vendor, uint32_t code, bool resync);
/** Is another HSS worth asking after this? */
bool hss_try_next(enum gba_err err);
/** Check an answer strictly and take the vector out: our user, AKA scheme, RAND || AUTN of 32 octets, XRES of 4..32 octets, CK
 * and IK of 16 octets. @param _vector  written on GBA_OK only; the caller wipes it. @retval GBA_E_PEER */
enum gba_err hss_answer_vector(const struct hss_answer *answer, struct bytes impi, struct aka_vector *_vector);

#endif
