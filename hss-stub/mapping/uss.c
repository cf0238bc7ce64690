/* SPDX-License-Identifier: Apache-2.0 */
/* The subscriber's GUSS: what the operator gave (the base), and one USS per permission in force (TS 29.109 Annex A). */
#include "xml/guss.h"

#include <stdlib.h>

#include "hss-stub/mapping/mapping_priv.h"
#include "hss-stub/mapping/uss.h"

/* The base, kept beside from the first time on that something is added to it. @param _kept  false: none kept yet */
static enum gba_err base_read(struct records *m, TALLOC_CTX *ctx, int64_t sub, bool *_kept, struct bytes *_base)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	err = records_stmt(m, "SELECT guss FROM guss_base WHERE id = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, sub);
	err = db_step(stmt, _kept);
	if (err == GBA_OK && *_kept)
		err = records_keep(ctx, db_col_blob(stmt, 0), _base);
	db_reset(stmt);
	return err;
}

static enum gba_err base_write(struct records *m, int64_t sub, struct bytes base)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	err = records_stmt(
		m,
		"INSERT INTO guss_base (id, guss) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET guss = excluded.guss",
		&stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, sub);
	db_bind_blob(stmt, 2, base);
	return db_run(stmt, NULL);
}

void uss_fill(TALLOC_CTX *ctx, const struct uss_terms *terms, struct uss *_uss)
{
	static uint32_t permitted = 1; /* the authorisation flag every service of ours looks for */
	const char **uid = talloc_array(ctx, const char *, 1);

	*_uss = (struct uss){ .gsid = terms->gsid,
			      .type = terms->type,
			      .naf_group = terms->naf_group,
			      .uids = uid,
			      .uid_count = uid != NULL,
			      .flags = &permitted,
			      .flag_count = 1 };
	if (uid != NULL)
		uid[0] = terms->pseudonym;
}

static struct uss *uss_at(struct guss *guss, uint32_t gsid, const char *naf_group)
{
	size_t i;

	for (i = 0; i < guss->uss_count; i++) {
		struct uss *uss = &guss->uss[i];

		if (uss->gsid == gsid && (uss->naf_group == NULL) == (naf_group == NULL) &&
		    (naf_group == NULL || strcmp(uss->naf_group, naf_group) == 0))
			return uss;
	}
	return NULL;
}

/* The base with a USS for each of the terms, which win over one of the base with the same GSID and group. */
static enum gba_err compose(TALLOC_CTX *ctx, const struct subscriber *sub, struct bytes base,
			    const struct uss_terms *terms, size_t count, struct bytes *_xml)
{
	struct guss empty = { .uicc = sub->uicc }, *guss = &empty;
	struct uss *all, *at;
	char impi[IMPI_MAX + 1], *xml;
	enum gba_err err;
	size_t i;

	err = base.p != NULL ? guss_parse(ctx, base, &guss) : GBA_OK;
	if (err == GBA_OK)
		err = subscriber_impi(sub->impi, impi);
	if (err != GBA_OK)
		return err;
	all = talloc_zero_array(ctx, struct uss, guss->uss_count + count + 1);
	if (all == NULL)
		return GBA_E_NOMEM;
	if (guss->uss_count > 0)
		memcpy(all, guss->uss, guss->uss_count * sizeof(*all));
	guss->uss = all;
	guss->impi = guss->impi != NULL ? guss->impi : impi;
	for (i = 0; i < count; i++) {
		at = uss_at(guss, terms[i].gsid, terms[i].naf_group);
		uss_fill(ctx, &terms[i], at != NULL ? at : &all[guss->uss_count++]);
	}
	if (guss->uss_count > GUSS_USS_MAX)
		return GBA_E_RANGE;
	xml = guss_build(ctx, guss);
	if (xml == NULL)
		return GBA_E_NOMEM;
	*_xml = bytes_of(xml);
	return _xml->n <= GUSS_XML_MAX ? GBA_OK : GBA_E_RANGE;
}

/* Write the GUSS when it differs from the one that stands; an operator's alone is given back as it was. */
static enum gba_err guss_write(struct records *m, TALLOC_CTX *ctx, struct subscriber *sub, struct bytes base,
			       const struct uss_terms *terms, size_t count, time_t now)
{
	const char *why = "";
	struct bytes xml = base;
	enum gba_err err = GBA_OK;

	if (count > 0 || base.p == NULL)
		err = compose(ctx, sub, base, terms, count, &xml);
	if (err != GBA_OK || bytes_eq(xml, sub->guss))
		return err;
	err = subscriber_set_guss(ctx, sub, xml, now, &why);
	return err == GBA_OK ? sub_store_update(mapping_subscribers(m), sub, now) : err;
}

enum gba_err uss_write(struct records *m, struct bytes impi, const struct uss_terms *terms, size_t count, time_t now)
{
	TALLOC_CTX *tmp = talloc_new(m);
	struct subscriber *sub = NULL;
	struct bytes base = BYTES_NONE;
	bool kept = false;
	enum gba_err err;

	err = sub_store_find(mapping_subscribers(m), tmp, impi, &sub);
	if (err == GBA_OK)
		err = base_read(m, tmp, sub->id, &kept, &base);
	if (err == GBA_OK && !kept && count > 0) {
		base = sub->guss;
		err = base_write(m, sub->id, base);
		kept = true;
	}
	if (err == GBA_OK && kept)
		err = guss_write(m, tmp, sub, base, terms, count, now);
	talloc_free(tmp);
	return err == GBA_E_IMPI_UNKNOWN ? GBA_OK : err; /* the subscriber is gone, and its GUSS with it */
}

static enum gba_err base_drop(struct records *m, int64_t sub)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = records_stmt(m, "DELETE FROM guss_base WHERE id = ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, sub);
	return db_run(stmt, NULL);
}

enum gba_err grant_subscriber_changed(struct records *m, const struct subscriber *before,
				      const struct subscriber *after, time_t now)
{
	bool barred = after == NULL || (after->state == SUBSCRIBER_BARRED && before->state != SUBSCRIBER_BARRED),
	     kept = false;
	struct bytes base = BYTES_NONE;
	TALLOC_CTX *tmp;
	enum gba_err err = GBA_OK;

	if (barred)
		err = outbox_add(m, OUTBOX_SUBSCRIBER_BARRED, before->impi, NULL, now);
	if (err == GBA_OK && after == NULL)
		return base_drop(m, before->id);
	if (err != GBA_OK)
		return err;
	tmp = talloc_new(m);
	err = base_read(m, tmp, after->id, &kept, &base);
	talloc_free(tmp);
	if (err != GBA_OK || !kept)
		return err;
	if (!bytes_eq(before->guss, after->guss))
		err = base_write(m, after->id, after->guss);
	if (err == GBA_OK) /* even when the same: what was read before the lock may have brought back an old one */
		err = mapping_dirty(m, after->impi, now);
	if (err == GBA_OK && !records_in_transaction(m))
		err = mapping_flush(m);
	return err;
}
