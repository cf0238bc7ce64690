/* SPDX-License-Identifier: Apache-2.0 */
/* Which registries there are, and their keys: those of the configuration, those that their parents have assigned, and those
 * that a registry above has vouched for. */
#include "core/clock.h"
#include "core/codec.h"
#include "registry-fn/log/event_priv.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
#define LETTERS (sizeof(alphabet) - 1)

/* ---- keys ---- */

enum gba_err event_key_add(struct event_log *log, const struct event_registry *registry)
{
	static const char sql[] = "INSERT INTO event_registry (reg_id, public_key, type, parent, rank) VALUES (?1, ?2, ?3, ?4,"
				  " (SELECT count(*) FROM event_registry WHERE reg_id = ?1))"
				  " ON CONFLICT (reg_id, public_key) DO UPDATE SET parent = excluded.parent"
				  " WHERE event_registry.parent = '' AND excluded.parent <> ''";
	char key[HEX_LEN(SIGN_PUBLIC_LEN) + 1];
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	hex_encode(BYTES(registry->key, SIGN_PUBLIC_LEN), key);
	db_bind_text(stmt, 1, bytes_of(registry->reg_id));
	db_bind_text(stmt, 2, bytes_of(key));
	db_bind_int(stmt, 3, registry->type);
	db_bind_text(stmt, 4, bytes_of(registry->parent));
	return db_run(stmt, NULL);
}

static enum gba_err key_check(struct bytes hex, struct bytes wire)
{
	uint8_t key[SIGN_PUBLIC_LEN];
	struct bytes text = BYTES(wire.p + SIGN_LEN, wire.n - SIGN_LEN);

	if (hex_decode(hex, key, sizeof(key)) != GBA_OK)
		return GBA_E_CORRUPT;
	return sign_verify(key, text, wire.p);
}

static enum gba_err signed_by_us(struct event_log *log, struct bytes wire, enum registry_type *_type)
{
	struct bytes text = BYTES(wire.p + SIGN_LEN, wire.n - SIGN_LEN);

	*_type = log->self.type;
	return sign_verify(sign_key_public(log->self.key), text, wire.p) == GBA_OK ? GBA_OK : GBA_E_SIGNATURE;
}

enum gba_err event_signed(struct event_log *log, const struct event *event, enum registry_type *_type)
{
	static const char sql[] = "SELECT public_key, type FROM event_registry WHERE reg_id = ?1 ORDER BY rank DESC";
	struct db_stmt *stmt;
	bool row = true, good = false;
	enum gba_err err;

	if (strcmp(event->origin, log->reg_id) == 0)
		return signed_by_us(log, event->wire, _type);
	err = event_stmt(log, sql, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(event->origin));
	while (err == GBA_OK && !good) {
		err = db_step(stmt, &row);
		if (err != GBA_OK || !row)
			break;
		*_type = (enum registry_type)db_col_int(stmt, 1);
		if (key_check(db_col_text(stmt, 0), event->wire) == GBA_OK)
			err = event_key_good(log, db_col_text(stmt, 0), event, &good);
	}
	db_reset(stmt);
	if (err != GBA_OK)
		return err;
	return good ? GBA_OK : GBA_E_SIGNATURE;
}

enum gba_err event_registry_find(struct event_log *log, const char *reg_id, struct event_registry *_registry)
{
	static const char sql[] = "SELECT public_key, type, parent FROM event_registry WHERE reg_id = ?1"
				  " ORDER BY rank DESC LIMIT 1";
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(reg_id));
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		event_copy(_registry->reg_id, sizeof(_registry->reg_id), bytes_of(reg_id));
		event_copy(_registry->parent, sizeof(_registry->parent), db_col_text(stmt, 2));
		_registry->type = (enum registry_type)db_col_int(stmt, 1);
		err = hex_decode(db_col_text(stmt, 0), _registry->key, SIGN_PUBLIC_LEN) == GBA_OK ? GBA_OK : GBA_E_CORRUPT;
	}
	db_reset(stmt);
	return err == GBA_OK && !row ? GBA_E_NOT_FOUND : err;
}

enum gba_err event_registry_trust(struct event_log *log, const struct event_registry *registry)
{
	return event_key_add(log, registry);
}

/* ---- RegIDs ---- */

/* Does the RegID begin another of the same parent, or begin with it? Its own row does not count. */
static enum gba_err clashes(struct event_log *log, const char *parent, const char *reg_id, bool *_clashes)
{
	static const char sql[] = "SELECT count(*) FROM event_registry WHERE parent = ?1 AND reg_id <> ?2 AND"
				  " (substr(reg_id, 1, ?3) = ?2 OR substr(?2, 1, length(reg_id)) = reg_id)";
	struct db_stmt *stmt;
	int64_t count = 0;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(parent));
	db_bind_text(stmt, 2, bytes_of(reg_id));
	db_bind_int(stmt, 3, (int64_t)strlen(reg_id));
	err = event_int(stmt, &count);
	*_clashes = count > 0;
	return err;
}

/* The RegID after this one, in the last `length` places. @return false: the first again */
static bool step(char *suffix, unsigned int length)
{
	while (length > 0) {
		const char *at = strchr(alphabet, suffix[--length]);

		if (at[1] != '\0') {
			suffix[length] = at[1];
			return true;
		}
		suffix[length] = alphabet[0];
	}
	return false;
}

static enum gba_err taken(struct event_log *log, const char *reg_id, bool *_taken)
{
	struct event_registry known;
	enum gba_err err = event_registry_find(log, reg_id, &known);

	*_taken = err == GBA_OK || strcmp(reg_id, log->reg_id) == 0;
	if (err == GBA_OK || err == GBA_E_NOT_FOUND)
		err = *_taken ? GBA_OK : clashes(log, log->reg_id, reg_id, _taken);
	return err;
}

enum gba_err event_registry_free_id(struct event_log *log, unsigned int length, char _reg_id[REGID_MAX + 1])
{
	size_t own = strlen(log->reg_id);
	char first[REGID_MAX + 1];
	uint8_t octet;
	bool is_taken = true;
	enum gba_err err;

	if (length == 0 || own + length > REGID_MAX)
		return GBA_E_RANGE;
	snprintf(_reg_id, REGID_MAX + 1, "%s", log->reg_id);
	for (unsigned int i = 0; i < length; i++) {
		rand_bytes(&octet, 1);
		_reg_id[own + i] = alphabet[octet % LETTERS]; /* a place to begin: no need to be even */
	}
	_reg_id[own + length] = '\0';
	memcpy(first, _reg_id, sizeof(first));
	do {
		err = taken(log, _reg_id, &is_taken);
		if (err != GBA_OK || !is_taken)
			return err;
		(void)step(_reg_id + own, length);
	} while (strcmp(first, _reg_id) != 0);
	return GBA_E_EXHAUSTED;
}

/* ---- saying who is who ---- */

/* ?1: its RegID, ?2: its key. */
static void bind_key(struct db_stmt *stmt, const struct event_registry *registry)
{
	char key[HEX_LEN(SIGN_PUBLIC_LEN) + 1];

	hex_encode(BYTES(registry->key, SIGN_PUBLIC_LEN), key);
	db_bind_text(stmt, 1, bytes_of(registry->reg_id));
	db_bind_text(stmt, 2, bytes_of(key));
}

static enum gba_err said(struct event_log *log, const struct event_registry *registry, const char *parent, bool *_said)
{
	static const char sql[] = "SELECT count(*) FROM event_registry WHERE reg_id = ?1 AND public_key = ?2 AND parent = ?3";
	struct db_stmt *stmt;
	int64_t count = 0;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	bind_key(stmt, registry);
	db_bind_text(stmt, 3, bytes_of(parent));
	err = event_int(stmt, &count);
	*_said = count > 0;
	return err;
}

static enum gba_err tell(struct event_log *log, const char *kind, const struct event_registry *registry, time_t now)
{
	char key[HEX_LEN(SIGN_PUBLIC_LEN) + 1];
	json_t *body;
	enum gba_err err;

	hex_encode(BYTES(registry->key, SIGN_PUBLIC_LEN), key);
	body = json_pack("{s:s, s:s}", "key", key, "type", registry_type_names[registry->type]);
	if (body == NULL)
		return GBA_E_NOMEM;
	err = event_append(log, kind, registry->reg_id, body, now, NULL);
	json_decref(body);
	return err;
}

enum gba_err event_registry_assign(struct event_log *log, const struct event_registry *child, time_t now)
{
	bool is_said, clash;
	enum gba_err err;

	err = said(log, child, log->reg_id, &is_said);
	if (err != GBA_OK || is_said)
		return err;
	err = clashes(log, log->reg_id, child->reg_id, &clash);
	if (err != GBA_OK)
		return err;
	return clash ? GBA_E_EXISTS : tell(log, "registry.assigned", child, now);
}

enum gba_err event_registry_introduce(struct event_log *log, const struct event_registry *neighbour, time_t now)
{
	static const char sql[] = "INSERT INTO event_introduced (reg_id, public_key) VALUES (?1, ?2)"
				  " ON CONFLICT (reg_id, public_key) DO NOTHING";
	struct db_stmt *stmt;
	int changed = 0;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	bind_key(stmt, neighbour);
	err = db_run(stmt, &changed);
	return err == GBA_OK && changed > 0 ? tell(log, "registry.introduced", neighbour, now) : err;
}

/* ---- hearing it ---- */

/* Nobody is introduced over a registry that is known, or into the range of one: its parent alone speaks for that. */
static enum gba_err may_be_introduced(struct event_log *log, const char *reg_id, bool *_may)
{
	static const char sql[] = "SELECT count(*) FROM event_registry WHERE substr(?1, 1, length(reg_id)) = reg_id";
	struct db_stmt *stmt;
	int64_t count = 0;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(reg_id));
	err = event_int(stmt, &count);
	*_may = count == 0 && strncmp(reg_id, log->reg_id, strlen(log->reg_id)) != 0;
	return err;
}

enum gba_err event_registry_heard(struct event_log *log, const struct event *event)
{
	bool assigned = strcmp(event->kind, "registry.assigned") == 0, may = false, clash = false;
	struct event_registry registry = { .type = REGISTRY_PRIMARY };
	enum gba_err err;

	if (strcmp(event->kind, "registry.revoked") == 0)
		return event_revoked(log, event->subject, event->body);
	if (strcmp(event->subject, log->reg_id) == 0 || event_assignment(event->body, &registry) != GBA_OK)
		return GBA_OK; /* we know ourselves */
	event_copy(registry.reg_id, sizeof(registry.reg_id), bytes_of(event->subject));
	if (assigned) {
		/* In the order of the parent's stream: everybody finds the same clashes. */
		event_copy(registry.parent, sizeof(registry.parent), bytes_of(event->origin));
		err = clashes(log, registry.parent, registry.reg_id, &clash);
		may = !clash;
	} else {
		err = may_be_introduced(log, registry.reg_id, &may);
	}
	return err == GBA_OK && may ? event_key_add(log, &registry) : err;
}
