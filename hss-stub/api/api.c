/* SPDX-License-Identifier: Apache-2.0 */
/* Start and stop; whose a credential is. */
#include "hss-stub/api/api.h"

#include "hss-stub/api/api_priv.h"
#include "hss-stub/sub_store.h"

#define STORE_MS 5000 /* longer than any statement of ours takes; callers are told then, and the next ones at once */

enum gba_err api_open(TALLOC_CTX *mem_ctx, void *own, struct records **_r, const char **_error)
{
	struct api *api = own;
	enum gba_err err = mapping_open(mem_ctx, api->database, api->kek, _r, _error);

	if (err == GBA_OK)
		sub_store_patience(mapping_subscribers(*_r), STORE_MS);
	return err;
}

static enum gba_err invitation_of(struct rest_call *call, int type)
{
	const struct actor system = { ACTOR_SYSTEM, 0, "system" };
	struct record_call rc = { .actor = &system, .now = call->rc.now, .mem_ctx = call };
	json_t *key = json_pack("{s:s, s:s}", "type", credential_words[type], "hash", call->hash);
	struct record *credential = NULL;
	enum gba_err err = GBA_E_NOMEM;

	if (key != NULL)
		err = records_find(call->r, &rc, KIND_CREDENTIAL, key, &credential);
	json_decref(key);
	if (err == GBA_OK)
		call->invited = bytes_eq_str(credential->v[CREDENTIAL_NAME].t, TOKEN_INVITATION);
	return err;
}

enum gba_err api_authenticate(struct rest_call *call)
{
	int type = call->credential == REST_TOKEN ? CREDENTIAL_TOKEN : CREDENTIAL_CERTIFICATE;
	enum gba_err err = mapping_authenticate(call->r, &call->rc, type, call->hash, &call->actor);

	return err == GBA_OK ? invitation_of(call, type) : err;
}

/* SQNs are leased aside meanwhile. */
enum gba_err api_long_write(struct rest_call *call, bool begun)
{
	struct api *api = api_of(call);

	if (begun)
		return sub_store_long_begin(mapping_subscribers(call->r), &api->hold);
	sub_store_long_end(api->hold);
	api->hold = NULL;
	return GBA_OK;
}

static void metrics_get(struct api *api)
{
	static const char name[] = "gba_hss_api_notices_total", help[] = "Notices to users and ASPs.";

	api->notices_sent = metric_get(name, help, METRIC_COUNTER, "result=\"delivered\"");
	api->notices_failed = metric_get(name, help, METRIC_COUNTER, "result=\"failed\"");
	api->notices_dropped = metric_get(name, help, METRIC_COUNTER, "result=\"given-up\"");
}

enum gba_err api_start(TALLOC_CTX *mem_ctx, const struct api_conf *conf, const struct api_node *node, struct api **_api,
		       const char **_error)
{
	struct api *api = talloc_zero(NULL, struct api);
	enum gba_err err;

	*_error = "out of memory";
	if (api == NULL)
		return GBA_E_NOMEM;
	api->conf = conf;
	api->database = node->database;
	api->identity = node->identity;
	api->kek = node->kek;
	metrics_get(api);
	err = rest_start(mem_ctx, &conf->rest, &api_setup, api, node->audit, &api->rest, _error);
	if (err == GBA_OK)
		err = notifier_start(api, api, api->database, &api->notifier, _error);
	if (err != GBA_OK) {
		*_error = talloc_strdup(mem_ctx, *_error);
		api_stop(api);
		return err;
	}
	*_api = api;
	return GBA_OK;
}

unsigned int api_port(const struct api *api)
{
	return rest_port(api->rest);
}

void api_stop(struct api *api)
{
	if (api->rest != NULL)
		rest_stop(api->rest);
	if (api->notifier != NULL)
		notifier_stop(api->notifier);
	talloc_free(api);
}
