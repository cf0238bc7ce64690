/* SPDX-License-Identifier: Apache-2.0 */
/** The one ordered outbox: what happened at this registry, and what arrived of others'. Replication and notification read it
 * with cursors of their own. doc/registry-peering.md.
 *
 * An event is a statement of one registry, its origin, signed with the origin's Ed25519 key and never rewritten on its way.
 * Kinds are words "class.what"; each class of an origin is a stream of its own, numbered from 1 without gaps, each event naming
 * the digest of the one before. So a bond that leaves a class out leaves no gap, and an origin that says two different things
 * under one number is found out.
 *
 * One log per handle of the store, used by that handle's thread; everything between db_begin() and db_commit() of the caller:
 * what an event tells and the event itself become durable together. */
#ifndef GBA_REGISTRY_EVENT_H
#define GBA_REGISTRY_EVENT_H

#include <jansson.h>

#include "crypto/sign.h"
#include "registry-fn/conf.h"
#include "registry-fn/id/regid.h"
#include "store/db.h"

#define EVENT_MAX	   16384	 /* [octets] signature and text */
#define EVENT_KIND_MAX	   48		 /* [octets] */
#define EVENT_SUBJECT_MAX  255		 /* [octets] */
#define EVENT_AHEAD_MS	   (60 * 1000)  /* how far our own may run ahead of the time before events share a moment */
#define EVENT_SKEW_MS	   (300 * 1000) /* how far a clock of another registry may be ahead */
#define EVENT_LIST_MAX	   128		 /* [values] subjects of one list.published */
#define EVENT_DIGEST_LEN   32		 /* [octets] SHA-256 */

/** What bonds and streams are counted by. CUSTODIAN alone may hold personal data. */
enum event_class {
	EVENT_REGISTRY,	     /* registries assigned and introduced: every bond carries it */
	EVENT_DEVICE,	     /* registrations */
	EVENT_STATUS,	     /* White, Grey, Black of one subject */
	EVENT_VULNERABILITY,
	EVENT_LIST,	     /* White, Grey, Black lists as a whole */
	EVENT_CUSTODIAN,     /* personal data of custodians */
	EVENT_BLACK,	     /* a Black that waits behind no other status: kind black.set, else as status.set */
	EVENT_CLASSES
};
extern const char *const event_class_names[]; /* by value, NULL-terminated */

enum trust_status { TRUST_GREY, TRUST_WHITE, TRUST_BLACK, TRUST_STATUSES }; /* Y.3059 6.1: unknown, trusted, rogue */
extern const char *const trust_status_names[];				      /* "grey", "white", "black" */

struct event {
	int64_t seq; /* place in this registry's log */
	char origin[REGID_MAX + 1];
	enum event_class class;
	int64_t number;	 /* in the stream of origin and class, from 1 */
	int64_t lamport; /* [ms] not before the origin's clock, and after all it had seen of the subject */
	time_t at;
	const char *kind, *subject;
	json_t *body;		/* object */
	struct bytes wire;	/* signature and text, as it travels */
};

/** "status" of a body: "white" and so on. */
bool event_status_of(const json_t *body, enum trust_status *_status);

struct event_log;

/** Who keeps the log. */
struct event_self {
	const char *reg_id;
	enum registry_type type;
	const struct sign_key *key;
};

/** @param self  copied; the key outlives the log */
enum gba_err event_log_open(TALLOC_CTX *mem_ctx, struct db *db, const struct event_self *self, struct event_log **_log);

/** Called within the transaction for each event that is new here, our own too. It does not judge: any error ends the whole
 * transaction, and with it what came in the same batch. */
typedef enum gba_err (*event_listener)(void *arg, const struct event *event);
void event_log_listen(struct event_log *log, event_listener listener, void *arg);

/** Say something. @param body  object, borrowed; integers, texts, lists, objects: no reals
 * @param _seq  may be NULL
 * @retval GBA_E_RANGE     kind or status unknown, body or subject not of the kind's form
 * @retval GBA_E_DENIED    not for a registry of our type; personal data outside of EVENT_CUSTODIAN
 * @retval GBA_E_TOO_LONG  longer than EVENT_MAX */
enum gba_err event_append(struct event_log *log, const char *kind, const char *subject, const json_t *body, time_t now,
			  int64_t *_seq);

/** Take what another registry has handed on. What is known already changes nothing.
 * @param classes  bits 1 << enum event_class that the bond allows
 * @param _new     was it new?
 * @retval GBA_E_TOO_LONG, GBA_E_SYNTAX   not the text of an event, or not its canonical form
 * @retval GBA_E_DENIED     the bond, or the origin's type, does not allow this kind; personal data
 * @retval GBA_E_SIGNATURE  unknown origin, or not signed by it
 * @retval GBA_E_GAP        the ones before are missing    @retval GBA_E_FORK  another event has this number, or went before
 * @retval GBA_E_RANGE      from the future, or a value out of range */
enum gba_err event_take(struct event_log *log, struct bytes wire, unsigned int classes, time_t now, bool *_new);

/** Events after a place in the log, in order. @param _events, _n  below mem_ctx; bodies are freed with it */
enum gba_err event_next(struct event_log *log, TALLOC_CTX *mem_ctx, int64_t after, size_t limit, struct event **_events,
			size_t *_n);
/** Classes that go before others: registries, lists and Blacks; statuses and vulnerabilities; registrations and custodians. */
enum event_lane { EVENT_LANE_FIRST, EVENT_LANE_TRUST, EVENT_LANE_OTHER, EVENT_LANES };
enum event_lane event_lane_of(enum event_class class);
struct event_range {
	int64_t after, upto; /* places in the log: behind after, none behind upto */
	size_t limit;
};
/** The same of one lane. */
enum gba_err event_next_in(struct event_log *log, TALLOC_CTX *mem_ctx, enum event_lane lane, const struct event_range *range,
			   struct event **_events, size_t *_n);
/** Place of the last event; 0: none. */
enum gba_err event_last(struct event_log *log, int64_t *_seq);

/** How far a stream has come. */
struct event_have {
	char origin[REGID_MAX + 1];
	enum event_class class;
	int64_t number;
};
/** All streams. */
enum gba_err event_haves(struct event_log *log, TALLOC_CTX *mem_ctx, struct event_have **_haves, size_t *_n);
/** Place in the log of the first event of a stream after number; 0: there is none. */
enum gba_err event_place(struct event_log *log, const char *origin, enum event_class class, int64_t number, int64_t *_seq);

/* ---- registries ---- */

struct event_registry {
	char reg_id[REGID_MAX + 1], parent[REGID_MAX + 1]; /* parent "": configured, or introduced */
	enum registry_type type;
	uint8_t key[SIGN_PUBLIC_LEN];
};
/** A registry of the configuration: trusted without further proof. */
enum gba_err event_registry_trust(struct event_log *log, const struct event_registry *registry);
/** @retval GBA_E_NOT_FOUND */
enum gba_err event_registry_find(struct event_log *log, const char *reg_id, struct event_registry *_registry);
/** Make a RegID for a child: ours, and `length` more of A-Z and 0-9; none that is another's, begins another's or begins with
 * another's. @retval GBA_E_EXHAUSTED  all are given */
enum gba_err event_registry_free_id(struct event_log *log, unsigned int length, char _reg_id[REGID_MAX + 1]);
/** Assign a child its RegID, type and key, unless that has been said already.
 * @retval GBA_E_DENIED  a primary has no children; a sectoral one has primary ones  @retval GBA_E_EXISTS  clashes with another */
enum gba_err event_registry_assign(struct event_log *log, const struct event_registry *child, time_t now);
/** Vouch for a neighbour of the configuration towards others, unless that has been said already.
 * @retval GBA_E_DENIED  a primary vouches for nobody */
enum gba_err event_registry_introduce(struct event_log *log, const struct event_registry *neighbour, time_t now);

/** A key of a registry is trusted no more. Below us: said to all; of others: here only.
 * @param keep  what has come of it until now is good; else nothing that was signed with it */
enum gba_err event_registry_revoke(struct event_log *log, const char *reg_id, const uint8_t key[SIGN_PUBLIC_LEN], bool keep,
				   time_t now);
/** A number that is another one when something has been revoked. */
enum gba_err event_revocations(struct event_log *log, int64_t *_number);
/** Sign all that we have ever said with the key we have now. @param _count  how many events */
enum gba_err event_sign_again(struct event_log *log, TALLOC_CTX *mem_ctx, int64_t *_count);

/* ---- what all events together say: the database that every layer keeps (Y.3059 6.1-14) ---- */

#define EVENT_NOW ((time_t)INT64_MAX)
struct event_view {
	bool known;   /* registered somewhere, or spoken of */
	bool removed;
	char registry[REGID_MAX + 1]; /* that registered it; "": none known */
	enum trust_status status;     /* Grey when nothing was said (6.1-15) */
	char status_origin[REGID_MAX + 1];
	int64_t status_lamport;
	time_t status_at;
};
/** @param at  as it was then, by what has arrived until now; EVENT_NOW */
enum gba_err event_view_subject(struct event_log *log, const char *subject, time_t at, struct event_view *_view);
/** By an identity that device.registered has told, {"type": ..., "value": ...}. Several devices: the worst status. An "imei" is
 * found with its check digit or without, and by its "imeisv". */
enum gba_err event_view_identity(struct event_log *log, const char *type, struct bytes value, time_t at,
				 struct event_view *_view);

/** What somebody has said of a subject's status. */
struct event_statement {
	enum trust_status status;
	int64_t lamport; /* 0: nothing was said */
	char origin[REGID_MAX + 1];
	time_t at;
	const char *cause; /* below the mem_ctx, or static; "": none was told */
};
/** The statement that held at a time. Grey and lamport 0 when there was none. */
enum gba_err event_status_at(struct event_log *log, TALLOC_CTX *mem_ctx, const char *subject, time_t at,
			     struct event_statement *_said);
/** All statements about a subject, the oldest first. @param _said  below mem_ctx */
enum gba_err event_status_history(struct event_log *log, TALLOC_CTX *mem_ctx, const char *subject, size_t limit,
				  struct event_statement **_said, size_t *_n);
struct event_subjects {
	char **v; /* below the mem_ctx */
	size_t n;
	const char *next; /* to go on behind, with fewer than limit found, too; NULL: that was all */
};
/** Subjects that are held to be White, Grey or Black now, in the order of their texts: the list that all registries come to.
 * @param after  subjects behind this one; "": from the first */
enum gba_err event_status_list(struct event_log *log, TALLOC_CTX *mem_ctx, enum trust_status status, const char *after,
			       size_t limit, struct event_subjects *_list);

/** What registrations have said of a device, here or elsewhere; texts below the mem_ctx, "": nothing. */
struct event_traits {
	const char *subject, *registry, *make, *model, *kind, *root_of_trust;
	const char *capabilities; /* each on a line, with one before the first and one behind the last */
	enum trust_status status;
	bool removed;
};
/** @retval GBA_E_NOT_FOUND  never heard of */
enum gba_err event_traits(struct event_log *log, TALLOC_CTX *mem_ctx, const char *subject, struct event_traits *_traits);
/** What is looked for; NULL: whatever. */
struct event_search {
	const char *registry; /* RegID: of it and of those below it */
	const char *make, *model, *kind, *root_of_trust;
	const char *capability; /* a whole one, in letters of any size */
	const char *owner;	/* account of a custodian, which its registry tells: only with `registry`, which is that one */
	int status;		/* enum trust_status, as it is held now; -1: any */
	const char *after;	/* subjects behind this one; "": from the first */
	size_t limit;
};
/** Devices that are registered somewhere, in the order of their texts. */
enum gba_err event_find(struct event_log *log, TALLOC_CTX *mem_ctx, const struct event_search *search,
			 struct event_subjects *_list);

#endif
