/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/oidc/roster.h"

#include <stdatomic.h>
#include <string.h>

struct roster {
	atomic_uint refs;
	struct client *clients;
	size_t n;
};

static enum gba_err clients_make(struct roster *roster, TALLOC_CTX *mem_ctx, const struct oidc_conf *conf, const char **_why)
{
	const struct client_conf *row = conf->clients.v;
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; err == GBA_OK && i < roster->n; i++) {
		roster->clients[i].conf = &row[i];
		roster->clients[i].sector = row[i].sector[0] != '\0' ? row[i].sector : row[i].id;
		if (row[i].key[0] != '\0')
			err = jwt_public_read(roster, row[i].key, &roster->clients[i].key);
		if (err != GBA_OK)
			*_why = talloc_asprintf(mem_ctx, "clients: %s: key: %s: %s", row[i].id, row[i].key, gba_strerror(err));
	}
	return err;
}

enum gba_err roster_new(TALLOC_CTX *mem_ctx, TALLOC_CTX *tree, const struct oidc_conf *conf, struct roster **_roster,
			const char **_why)
{
	struct roster *roster = talloc_zero(NULL, struct roster);
	enum gba_err err;

	*_why = "out of memory";
	if (roster == NULL)
		return GBA_E_NOMEM;
	roster->n = conf->clients.n;
	roster->clients = talloc_zero_array(roster, struct client, roster->n > 0 ? roster->n : 1);
	err = roster->clients != NULL ? clients_make(roster, mem_ctx, conf, _why) : GBA_E_NOMEM;
	if (err != GBA_OK) {
		talloc_free(roster);
		return err;
	}
	atomic_init(&roster->refs, 1);
	if (tree != NULL)
		talloc_steal(roster, tree);
	*_roster = roster;
	return GBA_OK;
}

struct roster *roster_ref(struct roster *roster)
{
	atomic_fetch_add(&roster->refs, 1);
	return roster;
}

void roster_drop(struct roster *roster)
{
	if (roster != NULL && atomic_fetch_sub(&roster->refs, 1) == 1)
		talloc_free(roster);
}

size_t roster_size(const struct roster *roster)
{
	return roster->n;
}

const struct client *roster_at(const struct roster *roster, size_t i)
{
	return i < roster->n ? &roster->clients[i] : NULL;
}

const struct client *roster_find(const struct roster *roster, const char *id)
{
	size_t i;

	for (i = 0; id != NULL && i < roster->n; i++) {
		if (strcmp(roster->clients[i].conf->id, id) == 0)
			return &roster->clients[i];
	}
	return NULL;
}
