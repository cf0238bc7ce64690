/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/permit.h"

#include <ctype.h>
#include <stdlib.h>

#include "bsf/uss_pack.h"

static struct bytes trim(struct bytes text)
{
	while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t'))
		text = BYTES(text.p + 1, text.n - 1);
	while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
		text.n--;
	return text;
}

/* The next part up to a ';'; *rest moves on. */
static struct bytes part_of(struct bytes *rest)
{
	struct bytes head, tail;

	if (bytes_split(*rest, ';', &head, &tail)) {
		*rest = tail;
	} else {
		head = *rest;
		*rest = BYTES_NONE;
	}
	return trim(head);
}

static enum gba_err ua_take(struct bytes part, struct application *application)
{
	if (part.n < 3 || !bytes_eq_nocase(BYTES(part.p, 3), bytes_of("ua=")) || application->ua_n == PERMIT_UA_MAX)
		return GBA_E_NAF_ID_SYNTAX;
	if (hex_decode(BYTES(part.p + 3, part.n - 3), application->ua_ids[application->ua_n], UA_ID_LEN) != GBA_OK)
		return GBA_E_NAF_ID_SYNTAX;
	application->ua_n++;
	return GBA_OK;
}

enum gba_err application_parse(struct bytes header, struct application *_application)
{
	struct bytes rest = header, name = part_of(&rest);
	enum gba_err err = GBA_OK;
	size_t i;

	if (!fqdn_valid(name))
		return GBA_E_NAF_ID_SYNTAX;
	memset(_application, 0, sizeof(*_application));
	for (i = 0; i < name.n; i++)
		_application->fqdn[i] = (char)tolower(name.p[i]);
	while (err == GBA_OK && rest.p != NULL)
		err = ua_take(part_of(&rest), _application);
	return err;
}

struct permit *permit_new(const char *application, const struct hss_permission *said, unsigned int notices)
{
	struct permit *permit = calloc(1, sizeof(*permit)); /* not talloc: shared between threads */
	size_t i;

	if (permit == NULL)
		return NULL;
	atomic_init(&permit->refs, 1);
	strcpy(permit->application, application);
	permit->set = said->set;
	permit->single = said->single;
	permit->notices = notices;
	permit->from = said->from;
	permit->until = said->until;
	permit->lifetime = said->lifetime;
	if (fqdn_valid(said->push_peer))
		memcpy(permit->push_peer, said->push_peer.p, said->push_peer.n);
	for (i = 0; i + UA_ID_LEN <= said->ua_ids.n && permit->ua_n < PERMIT_UA_MAX; i += UA_ID_LEN)
		memcpy(permit->ua_ids[permit->ua_n++], said->ua_ids.p + i, UA_ID_LEN);
	return permit;
}

struct permit *permit_ref(struct permit *permit)
{
	if (permit != NULL)
		atomic_fetch_add(&permit->refs, 1);
	return permit;
}

void permit_unref(struct permit *permit)
{
	if (permit != NULL && atomic_fetch_sub(&permit->refs, 1) == 1)
		free(permit);
}

bool permit_in_force(const struct permit *permit, time_t now)
{
	return permit->set && permit->from <= now && (permit->until == 0 || now < permit->until);
}

/* One USS; a list of flags that are all 0 takes the permission back without removing the settings. */
static bool uss_permits(const struct uss *uss, const struct bsf_naf *naf)
{
	bool any = uss->flag_count == 0;
	size_t i;

	if (uss->naf_group != NULL && naf->naf_group[0] != '\0' && strcmp(uss->naf_group, naf->naf_group) != 0)
		return false;
	if (uss->naf_group != NULL && naf->naf_group[0] == '\0')
		return false;
	for (i = 0; i < uss->flag_count && !any; i++)
		any = uss->flags[i] != 0;
	return any;
}

static bool has_gsids(const struct bsf_naf *naf)
{
	size_t i;

	for (i = 0; i < naf->gsids.n; i++) {
		if (naf->gsids.v[i][0] == '*')
			return false;
	}
	return naf->gsids.n > 0;
}

enum permit_by_uss permit_by_uss(const struct bsf_naf *naf, struct bytes uss)
{
	enum permit_by_uss said = PERMIT_USS_CLEARED;
	struct guss *all;
	TALLOC_CTX *tmp;
	size_t i;

	if (!has_gsids(naf))
		return PERMIT_USS_UNKNOWN;
	tmp = talloc_new(NULL);
	if (tmp == NULL || uss_unpack(tmp, uss, &all) != GBA_OK) {
		talloc_free(tmp);
		return PERMIT_USS_UNKNOWN;
	}
	for (i = 0; i < all->uss_count && said != PERMIT_USS_SET; i++) {
		if (bsf_naf_gsid(naf, all->uss[i].gsid) && uss_permits(&all->uss[i], naf))
			said = PERMIT_USS_SET;
	}
	talloc_free(tmp);
	return said;
}

const struct bsf_naf *permit_naf(const struct bsf_conf *conf, const char *application)
{
	const struct bsf_naf *nafs = conf->nafs.v;
	size_t i;

	for (i = 0; i < conf->nafs.n; i++) {
		if (bsf_naf_fqdn(&nafs[i], bytes_of(application)))
			return &nafs[i];
	}
	return NULL;
}
