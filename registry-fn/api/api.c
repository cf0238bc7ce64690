/* SPDX-License-Identifier: Apache-2.0 */
/* Start and stop; whose a credential is. */
#include "registry-fn/api/api.h"

#include <unistd.h>

#include "audit/audit_conf.h"
#include "core/log.h"
#include "registry-fn/ask/ask.h"
#include "registry-fn/record/credential.h"
#include "registry-fn/record/rules.h"

/* Of each room that has some. */
static const struct api_rows *const rooms[] = { &api_own_rows, &ask_api_rows, &tell_api_rows, &listing_api_rows };
#define ROOMS (sizeof(rooms) / sizeof(rooms[0]))

static struct {
	TALLOC_CTX *root;
	struct rest_setup setup;
	struct audit *audit;
	struct rest *rest;
} api;

struct registry *api_registry(const struct rest_call *call)
{
	return rest_own(call->rest);
}

static enum gba_err handle_open(TALLOC_CTX *mem_ctx, void *own, struct records **_r, const char **_error)
{
	return registry_records(mem_ctx, own, _r, _error);
}

static enum gba_err authenticate(struct rest_call *call)
{
	int type = call->credential == REST_TOKEN ? REG_CREDENTIAL_TOKEN : REG_CREDENTIAL_CERTIFICATE;

	enum gba_err err = reg_authenticate(call->r, &call->rc, type, call->hash, &call->actor);

	/* Y.3059 9.3-iii: an enquirer answers a challenge before it learns anything: TLS's, or ours. A token answers none. */
	if (err == GBA_OK && call->actor->role == REG_ROLE_ENQUIRER && type == REG_CREDENTIAL_TOKEN) {
		call->actor = NULL;
		return GBA_E_NOT_AUTHORIZED;
	}
	return err == GBA_E_NOT_AUTHORIZED && call->credential == REST_TOKEN ? ask_by_session(call) : err;
}

/* Callers have each role but those of the node's own doors. */
#define CALLERS                                                                                                        \
	(1U << REG_ROLE_ADMIN | 1U << REG_ROLE_PRIVACY | FOR_BULK | FOR_AGENCY | FOR_MAKER | FOR_CUSTODIAN |           \
	 FOR_ENQUIRER | FOR_PARTIES)

static const struct rest_setup pattern = { .set = &registry_set,
					   .answers = true,
					   .title = "Trust registry of devices (Y.3059 9.1)",
					   .metrics = "gba_registry_api",
					   .callers = CALLERS,
					   .importers = FOR_ADMIN | FOR_BULK | FOR_AGENCY | FOR_MAKER | FOR_PARTIES,
					   .guest = REG_ROLE_ENQUIRER,
					   .open = handle_open,
					   .authenticate = authenticate };

static enum gba_err setup_make(void)
{
	struct route *rows;
	size_t i, n = 0;

	api.setup = pattern;
	api.setup.terms = &registry_set.kinds[REG_CUSTODIAN]; /* a device is transferred to an account */
	for (i = 0; i < ROOMS; i++)
		n += rooms[i]->count;
	rows = talloc_array(api.root, struct route, n);
	if (rows == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < ROOMS; i++) {
		memcpy(rows + api.setup.n_rows, rooms[i]->rows, rooms[i]->count * sizeof(*rows));
		api.setup.n_rows += rooms[i]->count;
	}
	api.setup.rows = rows;
	return GBA_OK;
}

static void api_stop(struct registry *registry)
{
	(void)registry;
	if (api.rest != NULL)
		rest_stop(api.rest);
	audit_close(api.audit);
	talloc_free(api.root);
	memset(&api, 0, sizeof(api));
}

static enum gba_err api_start(struct registry *registry, const char **_why)
{
	const struct registry_conf *conf = registry->conf;
	const char *beside;
	enum gba_err err;

	if (conf->api.listen[0] == '\0')
		return GBA_OK;
	api.root = talloc_named_const(NULL, 0, "api");
	beside = api.root != NULL ? registry_conf_audit_log(api.root, conf->database) : NULL;
	if (beside == NULL)
		return GBA_E_NOMEM;
	err = setup_make();
	if (err == GBA_OK)
		err = audit_open_items(api.root, &conf->audit, beside, conf->reg_id, &api.audit, _why);
	if (err == GBA_OK)
		err = rest_start(api.root, &conf->api, &api.setup, registry, api.audit, &api.rest, _why);
	if (err == GBA_OK) {
		log_event(LOG_L_INFO, "registry.api", NULL, "REST API on port %u", rest_port(api.rest));
		return GBA_OK;
	}
	*_why = talloc_strdup(registry, *_why);
	api_stop(registry);
	return err;
}

const struct registry_room api_room = { "api", api_start, api_stop };
