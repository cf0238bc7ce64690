/* SPDX-License-Identifier: Apache-2.0 */
/* The records of the mapping and registration function, for this tool. */
#include <errno.h>
#include <unistd.h>

#include "hss-stub/hss.h"
#include "hss-stub/mapping/mapping.h"
#include "store/db.h"
#include "tools/gba-ctl/rec.h"

static enum gba_err records_of_hss(struct rec *r, bool change)
{
	struct ctl *ctl = r->ctl;
	const char *error = "";
	struct sub_store *store;
	struct kek *kek = NULL;
	enum gba_err err = GBA_OK;

	if (!change && !r->args->dry_run && !db_is_server(ctl->db) && access(ctl->db, F_OK) != 0)
		return why_fail(&ctl->cli.why, GBA_E_UNREACHABLE, "%s: %s", ctl->db, strerror(errno));
	if (change)
		err = ctl_audit_begin(ctl);
	if (err != GBA_OK)
		return err;
	err = sub_store_open(ctl->cli.ctx, ctl->db, &store, &error);
	if (err == GBA_OK) {
		err = hss_kek_open(ctl->cli.ctx, store, ctl->kek, &kek, &error);
		talloc_free(store);
	}
	if (err == GBA_OK)
		err = mapping_open(ctl->cli.ctx, ctl->db, kek, &r->m, &error);
	if (err == GBA_OK)
		return GBA_OK;
	return why_fail(&ctl->cli.why, err == GBA_E_NOT_FOUND || err == GBA_E_IO ? GBA_E_UNREACHABLE : err, "%s",
			error);
}

/* An application by the host name of its NAF_Id. */
static enum gba_err find_application(struct rec *r, const struct record_kind *kind, struct bytes text, struct record **_rec)
{
	char fqdn[256];
	struct record_query query = {
		.kind = KIND_APPLICATION, .limit = 1, .filters = 1, .filter = { { "naf_fqdn", fqdn } }
	};
	struct record_page *page = NULL;
	enum gba_err err;

	if (kind->id != KIND_APPLICATION)
		return GBA_E_UNSUPPORTED;
	snprintf(fqdn, sizeof(fqdn), "%.*s", BYTES_FMT(text));
	err = records_list(r->m, &r->call, &query, &page);
	if (err == GBA_OK && page->count == 0) {
		snprintf(r->call.why, sizeof(r->call.why), "no such application");
		return GBA_E_NOT_FOUND;
	}
	if (err == GBA_OK)
		*_rec = page->rec[0];
	return err;
}

static const char *noun(const struct record_kind *kind)
{
	return kind->id == KIND_APPLICATION ? "app" : kind->name;
}

/* How often a notice failed is the notifier's. */
static bool without(const struct record_kind *kind, enum rec_act act)
{
	return kind->id == KIND_NOTICE && act == REC_SET;
}

/* SQNs are leased aside meanwhile. */
static enum gba_err long_write(struct rec *r, bool begun)
{
	struct aside_hold *hold = r->hold;
	enum gba_err err;

	r->hold = NULL;
	if (!begun) {
		sub_store_long_end(hold);
		return GBA_OK;
	}
	err = sub_store_long_begin(mapping_subscribers(r->m), &hold);
	r->hold = hold;
	return err;
}

const struct rec_family rec_hss = { .prefix = "",
				    .set = &mapping_set,
				    .roles = 1U << ACTOR_ADMIN,
				    .role = ACTOR_ADMIN,
				    .terms = &mapping_kinds[KIND_PERMISSION],
				    .noun = noun,
				    .without = without,
				    .find = find_application,
				    .open = records_of_hss,
				    .long_write = long_write };
