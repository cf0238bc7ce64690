/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls: a bearer token or a certificate of the realm's CA, both known by their SHA-256 only. Whoever is not known
 * gets the same 401, whatever there is; what a known caller may see is decided by the mapping function. */
#include "core/clock.h"
#include "core/codec.h"
#include "core/log.h"
#include "hss-stub/api/api_priv.h"

#define BEARER     "Bearer "
#define OPEN_BURST 10 /* times the lasting rate */

/* @return what kind of credential was shown, -1: none */
static int credential_shown(struct api_call *call)
{
	struct bytes auth = bytes_of(call->authorization);

	if (auth.p != NULL) {
		if (auth.n <= sizeof(BEARER) - 1 ||
		    !bytes_eq_nocase(BYTES(auth.p, sizeof(BEARER) - 1), bytes_of(BEARER)))
			return -1;
		token_hash(BYTES(auth.p + sizeof(BEARER) - 1, auth.n - (sizeof(BEARER) - 1)), call->hash);
		return CREDENTIAL_TOKEN;
	}
	if (!call->cert.verified)
		return -1;
	hex_encode(BYTES(call->cert.fingerprint, sizeof(call->cert.fingerprint)), call->hash);
	return CREDENTIAL_CERTIFICATE;
}

static void too_fast(struct api_call *call, uint32_t wait)
{
	metric_add(call->api->metrics.limited, 1);
	api_refuse(call, PROBLEM_RATE, "%s", "");
	api_header(call, "Retry-After", "%u", wait);
}

/* By address, without its port. */
static bool stranger_passes(struct api_call *call)
{
	const struct api_conf *conf = call->api->conf;
	const char *colon = strrchr(call->source, ':');
	char *address =
		talloc_asprintf(call, "from %.*s", colon != NULL ? (int)(colon - call->source) : 0, call->source);
	uint32_t wait = 1;

	if (address != NULL && limits_pass(call->api->limits, address, conf->open_rate, conf->open_rate * OPEN_BURST,
					   clock_mono_ms(), &wait))
		return true;
	too_fast(call, wait);
	return false;
}

static bool refuse_stranger(struct api_call *call)
{
	metric_add(call->api->metrics.refused_auth, 1);
	if (stranger_passes(call))
		api_refuse(call, PROBLEM_UNAUTHORIZED, "%s", "");
	return false;
}

/* An invitation opens one door only, and an invited one has no other. */
static bool role_fits(const struct api_call *call)
{
	unsigned int roles = call->route.route->roles;

	if (call->invited != (call->route.route->run == api_invitation))
		return false;
	return roles == 0 || (roles & (1U << call->actor->role)) != 0;
}

static enum gba_err invitation_of(struct api_call *call, int type)
{
	const struct actor system = { ACTOR_SYSTEM, 0, "system" };
	struct record_call mc = { .actor = &system, .now = call->mc.now, .mem_ctx = call };
	json_t *key = json_pack("{s:s, s:s}", "type", credential_words[type], "hash", call->hash);
	struct record *credential = NULL;
	enum gba_err err = GBA_E_NOMEM;

	if (key != NULL)
		err = records_find(call->m, &mc, KIND_CREDENTIAL, key, &credential);
	json_decref(key);
	if (err == GBA_OK)
		call->invited = bytes_eq_str(credential->v[CREDENTIAL_NAME].t, TOKEN_INVITATION);
	return err;
}

bool api_may_import(struct api_call *call)
{
	int type = credential_shown(call);

	call->mc = (struct record_call){ .now = clock_now(), .mem_ctx = call };
	return type >= 0 && mapping_authenticate(call->m, &call->mc, type, call->hash, &call->actor) == GBA_OK &&
	       call->actor->role != ACTOR_SUBSCRIBER;
}

bool api_admit(struct api_call *call)
{
	const struct api_conf *conf = call->api->conf;
	bool open = (call->route.route->flags & API_OPEN) != 0;
	int type = credential_shown(call);
	enum gba_err err = GBA_E_NOT_AUTHORIZED;
	uint32_t wait = 0;

	if (open)
		return stranger_passes(call);
	if (type >= 0)
		err = mapping_authenticate(call->m, &call->mc, type, call->hash, &call->actor);
	if (err == GBA_OK)
		err = invitation_of(call, type);
	call->mc.field[0] = call->mc.why[0] = '\0';
	if (err == GBA_E_NOT_AUTHORIZED || err == GBA_E_NOT_FOUND)
		return refuse_stranger(call);
	if (err != GBA_OK) {
		api_fail(call, err);
		return false;
	}
	call->mc.actor = call->actor;
	if (!limits_pass(call->api->limits, call->actor->name, conf->rate, conf->burst, clock_mono_ms(), &wait)) {
		too_fast(call, wait);
		return false;
	}
	if (role_fits(call))
		return true;
	api_refuse(call, PROBLEM_FORBIDDEN, "%s", "");
	return false;
}
