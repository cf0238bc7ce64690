/* SPDX-License-Identifier: Apache-2.0 */
/* Units as their makers made them (TEC 31188 Annex II vi): which serial number has which IMEI, MEID, MAC. */
#include <stdio.h>

#include "registry-fn/listing/listing.h"

/* What a device sends with, and what is burnt into it. */
static const char *const sends[] = { "imei", "meid", "mac", "eui64", "wlan-mac", "bluetooth", "eid", NULL };

/* "imei:35...": its scheme, and the canonical form of what is behind it. */
static enum gba_err entry_read(struct bytes text, const struct scheme **_scheme, char *out, const char **_why)
{
	struct bytes word, value;
	size_t i;

	*_why = "SCHEME:IDENTITY, such as imei:490154203237518; schemes: imei, meid, mac, eui64, wlan-mac, bluetooth, eid";
	if (!bytes_split(text, ':', &word, &value))
		return GBA_E_SYNTAX;
	for (i = 0; sends[i] != NULL && !bytes_eq_str(word, sends[i]); i++)
		;
	if (sends[i] == NULL)
		return GBA_E_SYNTAX;
	*_scheme = scheme_by_word(word);
	return scheme_canonical(*_scheme, value, out, _why);
}

enum gba_err listing_unit_check(struct bytes text, const char **_why)
{
	const struct scheme *scheme;
	char out[IDENTIFIER_MAX + 1];

	return entry_read(text, &scheme, out, _why);
}

/* The next line of a list; false: that was the last. */
static bool next_line(struct bytes *list, struct bytes *_line)
{
	if (list->p == NULL)
		return false;
	if (!bytes_split(*list, '\n', _line, list)) {
		*_line = *list;
		*list = BYTES_NONE;
	}
	return true;
}

/* The same maker has not given it to another unit. Other makers are not asked: what they have is not this one's business. */
static enum gba_err unique_check(struct records *r, struct record_call *call, const struct record *now, const struct scheme *scheme,
				 const char *value)
{
	struct db_stmt *stmt;
	int64_t other = 0;
	enum gba_err err;

	err = records_stmt(r, "SELECT u.id FROM unit_identity AS i JOIN unit AS u ON u.id = i.unit"
			      " WHERE i.value = ?1 AND i.scheme = ?2 AND u.maker = ?3 AND u.id <> ?4 LIMIT 1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(value));
	db_bind_int(stmt, 2, scheme - schemes);
	db_bind_int(stmt, 3, now->v[UNIT_MAKER].n);
	db_bind_int(stmt, 4, now->id);
	err = records_int(stmt, &other);
	if (err == GBA_E_NOT_FOUND)
		return GBA_OK;
	if (err != GBA_OK)
		return err;
	return record_refuse(call, GBA_E_EXISTS, "identities", "another serial number has %s:%s", scheme->word, value);
}

enum gba_err reg_unit_before(struct records *r, struct record_call *call, const struct record *old, struct record *now)
{
	struct bytes list = now != NULL ? now->v[UNIT_IDENTITIES].t : BYTES_NONE, line;
	char value[IDENTIFIER_MAX + 1], *text;
	const struct scheme *scheme = NULL;
	const char *why = "";
	enum gba_err err = GBA_OK;

	if (now == NULL)
		return listing_due_unit(r, old->id);
	if (list.p == NULL)
		return record_refuse(call, GBA_E_SYNTAX, "identities", "a serial number is mapped to what its unit sends with");
	text = talloc_strdup(now, "");
	while (err == GBA_OK && text != NULL && next_line(&list, &line)) {
		err = entry_read(line, &scheme, value, &why);
		if (err != GBA_OK)
			return record_refuse(call, err, "identities", "%s", why);
		err = unique_check(r, call, now, scheme, value);
		text = talloc_asprintf_append(text, "%s%s:%s", *text != '\0' ? "\n" : "", scheme->word, value);
	}
	if (err == GBA_OK && text == NULL)
		err = GBA_E_NOMEM;
	if (err != GBA_OK)
		return err;
	now->v[UNIT_IDENTITIES].t = bytes_of(text);
	/* What it was about is judged again, too. Written last: what is refused has written nothing. */
	return old != NULL ? listing_due_unit(r, old->id) : GBA_OK;
}

static enum gba_err mapping_write(struct records *r, const struct record *now)
{
	struct bytes list = now->v[UNIT_IDENTITIES].t, line;
	char value[IDENTIFIER_MAX + 1];
	const struct scheme *scheme = NULL;
	struct db_stmt *stmt;
	const char *why;
	enum gba_err err;

	err = records_stmt(r, "INSERT INTO unit_identity (value, scheme, unit) VALUES (?1, ?2, ?3)"
			      " ON CONFLICT (value, scheme, unit) DO NOTHING", &stmt);
	while (err == GBA_OK && next_line(&list, &line)) {
		err = entry_read(line, &scheme, value, &why);
		if (err != GBA_OK)
			break;
		db_bind_text(stmt, 1, bytes_of(value));
		db_bind_int(stmt, 2, scheme - schemes);
		db_bind_int(stmt, 3, now->id);
		err = db_run(stmt, NULL);
	}
	return err;
}

enum gba_err reg_unit_after(struct records *r, struct record_call *call, const struct record *old, const struct record *now)
{
	enum gba_err err = GBA_OK;

	(void)call;
	if (old != NULL)
		err = records_run(r, "DELETE FROM unit_identity WHERE unit = ?1", old->id);
	if (err == GBA_OK && now != NULL)
		err = mapping_write(r, now);
	return err == GBA_OK && now != NULL ? listing_due_unit(r, now->id) : err;
}

enum gba_err listing_due_unit(struct records *r, int64_t unit)
{
	static const char *const sql[] = {
		LISTING_DUE("d.id FROM unit_identity AS u JOIN device AS d ON d.identity = u.value AND d.scheme = u.scheme"
			    " WHERE u.unit = ?1"),
		LISTING_DUE("i.device FROM unit_identity AS u JOIN device_identity AS i ON i.value = u.value"
			    " AND i.scheme = u.scheme WHERE u.unit = ?1"),
		LISTING_DUE("i.device FROM unit AS u JOIN device_identity AS i ON i.value = u.serial WHERE u.id = ?1"),
	};
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; err == GBA_OK && i < sizeof(sql) / sizeof(sql[0]); i++)
		err = records_run(r, sql[i], unit);
	return err;
}
