/* SPDX-License-Identifier: Apache-2.0 */
/* What an ASP may call its applications by itself. The operator keeps these names when it takes the ASP on board; all else it
 * registers for it. So nobody gets keys for another's host name, and an ASP that tries others' names learns nothing: one
 * that is taken is refused like one that is free, before any look at who has it.
 *
 * A name belongs to one ASP: to that whose entry covers it most closely, as in the DNS ("shop.example" is another's though
 * "example" is one's own). So no two ASPs have the same entry, and the operator registers nothing for one ASP under a name
 * that belongs to another. */
#include "core/ident.h"
#include "ident/idrule.h"
#include "hss-stub/mapping/mapping_priv.h"

static bool is_host(int64_t type)
{
	return type == APPLICATION_FQDN || type == APPLICATION_URL;
}

/* The kind of an entry "KIND:TEXT"; APPLICATION_FQDN: a host name. */
static int64_t entry_split(struct bytes entry, struct bytes *_text)
{
	struct bytes kind;
	size_t i;

	*_text = entry;
	if (!bytes_split(entry, ':', &kind, _text))
		return APPLICATION_FQDN;
	for (i = 0; application_identity_words[i] != NULL; i++) {
		if (bytes_eq_str(kind, application_identity_words[i]))
			return (int64_t)i;
	}
	return -1;
}

enum gba_err asp_name_check(struct bytes entry, const char **_why)
{
	struct bytes text;
	int64_t type = entry_split(entry, &text);

	if (type >= 0 && (type == APPLICATION_FQDN ? fqdn_valid(text) : !is_host(type) && text.n > 0))
		return id_text(text, _why);
	*_why = "a host name, or ip, gs1, onem2m or aid, ':' and an identity, at whose end '*' stands for any";
	return GBA_E_SYNTAX;
}

/* Without scheme, port and what follows; id_url() has passed it. */
static struct bytes url_host(struct bytes url)
{
	struct bytes host = BYTES_NONE;
	size_t i;

	for (i = 0; i + 2 < url.n && memcmp(url.p + i, "://", 3) != 0; i++)
		;
	if (i + 3 <= url.n)
		host = BYTES(url.p + i + 3, url.n - i - 3);
	for (i = 0; i < host.n && strchr("/?#:", host.p[i]) == NULL; i++)
		;
	return BYTES(host.p, i);
}

/* How closely an entry covers an identity; 0: not at all. Of two different entries that cover it one is the closer. */
static size_t text_covers(struct bytes entry, struct bytes identity)
{
	bool any = entry.n > 0 && entry.p[entry.n - 1] == '*';
	size_t n = any ? entry.n - 1 : entry.n;

	if (identity.n < n || (!any && identity.n > n) || memcmp(identity.p, entry.p, n) != 0)
		return 0;
	return any ? 2 * n + 1 : 2 * n + 2;
}

static size_t entry_covers(struct bytes entry, int64_t type, struct bytes identity)
{
	struct bytes text, host = type == APPLICATION_URL ? url_host(identity) : identity;
	int64_t kind = entry_split(entry, &text);

	if (kind == APPLICATION_FQDN)
		return is_host(type) && fqdn_within(host, text) ? 1 + text.n : 0;
	return !is_host(type) && kind == type ? text_covers(text, identity) : 0;
}

/* Of names, one a line. */
static bool entry_next(struct bytes *rest, struct bytes *_entry)
{
	if (rest->n == 0)
		return false;
	*_entry = *rest;
	*rest = BYTES_NONE;
	bytes_split(*_entry, '\n', _entry, rest);
	return true;
}

static size_t names_cover(struct bytes names, int64_t type, struct bytes identity)
{
	struct bytes entry;
	size_t closest = 0, n;

	while (entry_next(&names, &entry)) {
		n = entry_covers(entry, type, identity);
		closest = n > closest ? n : closest;
	}
	return closest;
}

static enum gba_err names_read(struct records *m, struct record *now, struct bytes *_names)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = records_stmt(m, "SELECT names FROM asp WHERE id = ?1", &stmt);
	bool row = false;

	*_names = BYTES_NONE;
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, now->v[APPLICATION_ASP].n);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		err = records_keep(now, db_col_text(stmt, 0), _names);
	db_reset(stmt);
	return err;
}

/* The rows of all other ASPs whose names the operator has agreed to. */
static enum gba_err others_names(struct records *m, int64_t asp, struct db_stmt **_stmt)
{
	enum gba_err err = records_stmt(
		m, "SELECT id, names FROM asp WHERE id <> ?1 AND state <> ?2 AND names IS NOT NULL ORDER BY id", _stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(*_stmt, 1, asp);
	db_bind_int(*_stmt, 2, ASP_REQUESTED);
	return GBA_OK;
}

/* Another ASP that has the name, since its entry is closer than `own`; 0: none. */
static enum gba_err name_owner(struct records *m, int64_t asp, int64_t type, struct bytes identity, size_t own,
			       int64_t *_other)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = others_names(m, asp, &stmt);
	bool row = false;
	size_t n;

	*_other = 0;
	while (err == GBA_OK && (err = db_step(stmt, &row)) == GBA_OK && row) {
		n = names_cover(db_col_text(stmt, 1), type, identity);
		if (n <= own)
			continue;
		own = n;
		*_other = db_col_int(stmt, 0);
	}
	if (stmt != NULL)
		db_reset(stmt);
	return err;
}

enum gba_err application_name_refuse(struct record_call *call, const char *field)
{
	return record_refuse(call, GBA_E_DENIED, field,
			     "not among the ASP's names: the operator keeps those, or registers the application");
}

/* One of the names it gives its application: `field` as the caller knows it. */
static enum gba_err name_check(struct records *m, struct record_call *call, struct record *now, struct bytes names,
			       const char *field)
{
	bool as_host = strcmp(field, "naf_fqdn") == 0;
	int64_t type = as_host ? (int64_t)APPLICATION_FQDN : now->v[APPLICATION_TYPE].n, other = 0,
		asp = now->v[APPLICATION_ASP].n;
	struct bytes name = now->v[as_host ? APPLICATION_NAF_FQDN : APPLICATION_IDENTITY].t;
	size_t own = names_cover(names, type, name);
	enum gba_err err = name_owner(m, asp, type, name, own, &other);

	if (err != GBA_OK)
		return err;
	if (call->actor->role == ACTOR_ASP)
		return own > 0 && other == 0 ? GBA_OK : application_name_refuse(call, field);
	if (other == 0)
		return GBA_OK;
	return record_refuse(call, GBA_E_STATE, field,
			     "among the names of ASP %lld: put it among those of ASP %lld first", (long long)other,
			     (long long)asp);
}

enum gba_err application_names_check(struct records *m, struct record_call *call, struct record *now)
{
	struct bytes names;
	enum gba_err err = names_read(m, now, &names);

	if (err == GBA_OK)
		err = name_check(m, call, now, names, "identity");
	if (err == GBA_OK && now->v[APPLICATION_NAF_FQDN].t.p != NULL)
		err = name_check(m, call, now, names, "naf_fqdn");
	return err;
}

static bool same_entry(struct bytes a, struct bytes b)
{
	struct bytes text_a, text_b;
	int64_t kind = entry_split(a, &text_a);

	if (kind != entry_split(b, &text_b))
		return false;
	return kind == APPLICATION_FQDN ? bytes_eq_nocase(text_a, text_b) : bytes_eq(text_a, text_b);
}

/* An entry of the one that is an entry of the other. */
static bool entry_shared(struct bytes names, struct bytes others, struct bytes *_entry)
{
	struct bytes rest, other;

	while (entry_next(&names, _entry)) {
		for (rest = others; entry_next(&rest, &other);) {
			if (same_entry(*_entry, other))
				return true;
		}
	}
	return false;
}

static enum gba_err entries_free(struct records *m, struct record_call *call, const struct record *now)
{
	struct bytes names = now->v[ASP_NAMES].t, entry;
	struct db_stmt *stmt = NULL;
	enum gba_err err = others_names(m, now->id, &stmt);
	bool row = false;

	while (err == GBA_OK && (err = db_step(stmt, &row)) == GBA_OK && row) {
		if (entry_shared(names, db_col_text(stmt, 1), &entry))
			err = record_refuse(call, GBA_E_STATE, "names", "\"%.*s\" is among the names of ASP %lld", BYTES_FMT(entry),
					    (long long)db_col_int(stmt, 0));
	}
	if (stmt != NULL)
		db_reset(stmt);
	return err;
}

/* An application with its ASP's names, and the domain of host names that are made. */
#define APPLICATIONS_OF_OTHERS                                                                                         \
	"SELECT a.type, a.identity, a.naf_fqdn, p.names, (SELECT alias_domain FROM realm ORDER BY id LIMIT 1), a.id,"  \
	" p.id FROM application a JOIN asp p ON p.id = a.asp WHERE p.id <> ?1 ORDER BY a.id"

/* Would one of the names of the application in this row be among `names`? */
static bool row_covered(struct db_stmt *stmt, struct bytes names)
{
	struct bytes identity = db_col_text(stmt, 1), host = db_col_text(stmt, 2), theirs = db_col_text(stmt, 3);
	int64_t type = db_col_int(stmt, 0);

	if (names_cover(names, type, identity) > names_cover(theirs, type, identity))
		return true;
	if (fqdn_within(host, db_col_text(stmt, 4)))
		return false;
	return names_cover(names, APPLICATION_FQDN, host) > names_cover(theirs, APPLICATION_FQDN, host);
}

/* Would an application of another ASP stand under a name that is from now on this one's? */
static enum gba_err entries_unused(struct records *m, struct record_call *call, const struct record *now)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = records_stmt(m, APPLICATIONS_OF_OTHERS, &stmt);
	bool row = false;

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, now->id);
	while (err == GBA_OK && (err = db_step(stmt, &row)) == GBA_OK && row) {
		if (row_covered(stmt, now->v[ASP_NAMES].t))
			err = record_refuse(
				call, GBA_E_STATE, "names",
				"application %lld of ASP %lld stands under them: put it among the names of that ASP first",
				(long long)db_col_int(stmt, 5), (long long)db_col_int(stmt, 6));
	}
	db_reset(stmt);
	return err;
}

enum gba_err asp_names_check(struct records *m, struct record_call *call, const struct record *old, const struct record *now)
{
	struct bytes names = now->v[ASP_NAMES].t;
	enum gba_err err;

	if (names.p == NULL || now->v[ASP_STATE].n == ASP_REQUESTED)
		return GBA_OK; /* who asks for names learns nothing of them, either */
	if (old != NULL && old->v[ASP_STATE].n != ASP_REQUESTED && bytes_eq(names, old->v[ASP_NAMES].t))
		return GBA_OK;
	err = entries_free(m, call, now);
	return err == GBA_OK ? entries_unused(m, call, now) : err;
}
