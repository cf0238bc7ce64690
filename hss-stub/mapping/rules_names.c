/* SPDX-License-Identifier: Apache-2.0 */
/* What an ASP may call its applications by itself. The operator keeps these names when it takes the ASP on board; all else it
 * registers for it. So nobody gets keys for another's host name, and an ASP that tries others' names learns nothing: one
 * that is taken is refused like one that is free, before any look at who has it. */
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
	*_why = "a host name, or ip, gs1 or onem2m, ':' and an identity, at whose end '*' stands for any";
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

static bool text_covers(struct bytes entry, struct bytes identity)
{
	if (entry.n > 0 && entry.p[entry.n - 1] == '*')
		return identity.n >= entry.n - 1 && memcmp(identity.p, entry.p, entry.n - 1) == 0;
	return bytes_eq(entry, identity);
}

/* Is it among the names, one a line? */
static bool names_cover(struct bytes names, int64_t type, struct bytes identity)
{
	struct bytes host = type == APPLICATION_URL ? url_host(identity) : identity, rest = names, entry, text;
	bool covered = false;

	while (!covered && rest.n > 0) {
		entry = rest;
		rest = BYTES_NONE;
		bytes_split(entry, '\n', &entry, &rest);
		if (entry_split(entry, &text) == APPLICATION_FQDN)
			covered = is_host(type) && fqdn_within(host, text);
		else
			covered = !is_host(type) && entry_split(entry, &text) == type && text_covers(text, identity);
	}
	return covered;
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

enum gba_err application_names_check(struct records *m, struct record_call *call, struct record *now)
{
	struct bytes names, fqdn = now->v[APPLICATION_NAF_FQDN].t;
	const char *field = NULL;
	enum gba_err err;

	if (call->actor->role != ACTOR_ASP)
		return GBA_OK;
	err = names_read(m, now, &names);
	if (err != GBA_OK)
		return err;
	if (!names_cover(names, now->v[APPLICATION_TYPE].n, now->v[APPLICATION_IDENTITY].t))
		field = "identity";
	else if (fqdn.p != NULL && !names_cover(names, APPLICATION_FQDN, fqdn))
		field = "naf_fqdn";
	return field == NULL ? GBA_OK
			     : record_refuse(call, GBA_E_DENIED, field,
					     "not among the ASP's names: the operator keeps those, or registers the application");
}
