/* SPDX-License-Identifier: Apache-2.0 */
/** What the files of the log share. */
#ifndef GBA_REGISTRY_EVENT_PRIV_H
#define GBA_REGISTRY_EVENT_PRIV_H

#include "registry-fn/log/event.h"

#define EVENT_STATEMENTS 64
#define EVENT_TEXT_MAX	 (EVENT_MAX - SIGN_LEN)

struct event_log {
	struct db *db;
	struct event_self self;
	char reg_id[REGID_MAX + 1];
	event_listener listener;
	void *listener_arg;
	struct {
		const char *sql;
		struct db_stmt *stmt;
	} statement[EVENT_STATEMENTS];
	size_t statements;
};

/** Where a stream stands. */
struct event_stream {
	int64_t number, lamport;
	uint8_t digest[EVENT_DIGEST_LEN];
};

enum gba_err event_stream_read(struct event_log *log, const char *origin, enum event_class class, struct event_stream *_stream);
/** Of event: origin, class, number, lamport. */
enum gba_err event_stream_write(struct event_log *log, const struct event *event, const uint8_t digest[EVENT_DIGEST_LEN]);

/* text: what an event looks like */

/** The class of a kind "class.what". @retval GBA_E_RANGE */
enum gba_err event_class_of(const char *kind, enum event_class *_class);
/** Write the text of an event in its canonical form: members sorted, no blanks. malloc()ed; NULL: out of memory. */
char *event_text(const struct event *event, const uint8_t previous[EVENT_DIGEST_LEN]);
/** Read it: event->body, kind, subject belong to *_root (json_decref()). The wire's octets must be the canonical form.
 * @retval GBA_E_TOO_LONG, GBA_E_SYNTAX, GBA_E_RANGE, GBA_E_NOMEM */
enum gba_err event_read(struct bytes wire, struct event *event, uint8_t _previous[EVENT_DIGEST_LEN], json_t **_root);
void event_digest(struct bytes wire, uint8_t _digest[EVENT_DIGEST_LEN]);

/* rules: what may be said by whom. Nothing of them depends on what else has arrived: all registries judge alike. */

/** @retval GBA_E_RANGE, GBA_E_DENIED */
enum gba_err event_rules(const struct event *event, enum registry_type origin_type);
enum gba_err event_assignment(const json_t *body, struct event_registry *_registry);
/** May a registry of this type have children of that? */
bool event_parent_may(enum registry_type parent, enum registry_type child);

/* store */

/** sql must be a literal. */
enum gba_err event_stmt(struct event_log *log, const char *sql, struct db_stmt **_stmt);
/** One integer; 0 when there is no row. */
enum gba_err event_int(struct db_stmt *stmt, int64_t *_value);
void event_copy(char *out, size_t cap, struct bytes text);

/** A key of a registry: the newest is the one in force, older ones still open what they have signed. Who is its parent is said
 * by the parent, also of one that the configuration names. */
enum gba_err event_key_add(struct event_log *log, const struct event_registry *registry);
/** Is it signed by a key of its origin that is good for it? @retval GBA_E_SIGNATURE */
enum gba_err event_signed(struct event_log *log, const struct event *event, enum registry_type *_type);
/** Of a key's events those that were not revoked are good. */
enum gba_err event_key_good(struct event_log *log, struct bytes key_hex, const struct event *event, bool *_good);
/** Body of registry.revoked: "key", "good": {class: number}. @retval GBA_E_RANGE */
enum gba_err event_revocation(const json_t *body, uint8_t _key[SIGN_PUBLIC_LEN], int64_t _good[EVENT_CLASSES]);
/** What it does here. */
enum gba_err event_revoked(struct event_log *log, const char *reg_id, const json_t *body);
/** What a registry.* event says about registries. */
enum gba_err event_registry_heard(struct event_log *log, const struct event *event);
/** Keep a statement about a subject. */
enum gba_err event_status_keep(struct event_log *log, const struct event *event, const char *subject, enum trust_status status);
/** What an event changes in the database of subjects. */
enum gba_err event_view_update(struct event_log *log, const struct event *event);

#endif
