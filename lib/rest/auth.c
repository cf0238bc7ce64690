/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls: a bearer token or a certificate of the realm's CA, both known by their SHA-256 only. Whoever is not known
 * gets the same 401, whatever there is; what a known caller may see is decided by the tables of records. */
#include "core/clock.h"
#include "core/codec.h"
#include "core/log.h"
#include "rest/rest_priv.h"

#define BEARER     "Bearer "
#define OPEN_BURST 10 /* times the lasting rate */

static void credential_shown(struct rest_call *call)
{
	struct bytes auth = bytes_of(call->authorization);

	if (auth.p != NULL) {
		if (auth.n <= sizeof(BEARER) - 1 ||
		    !bytes_eq_nocase(BYTES(auth.p, sizeof(BEARER) - 1), bytes_of(BEARER)))
			return;
		token_hash(BYTES(auth.p + sizeof(BEARER) - 1, auth.n - (sizeof(BEARER) - 1)), call->hash);
		call->credential = REST_TOKEN;
	} else if (call->cert.verified) {
		hex_encode(BYTES(call->cert.fingerprint, sizeof(call->cert.fingerprint)), call->hash);
		call->credential = REST_CERTIFICATE;
	}
}

static enum gba_err who(struct rest_call *call)
{
	const struct rest_setup *setup = call->rest->setup;

	credential_shown(call);
	if (call->credential == REST_NONE && setup->headers == NULL)
		return GBA_E_NOT_AUTHORIZED;
	return setup->authenticate(call);
}

static void too_fast(struct rest_call *call, uint32_t wait)
{
	metric_add(call->rest->metrics.limited, 1);
	rest_refuse(call, PROBLEM_RATE, "%s", "");
	rest_header(call, "Retry-After", "%u", wait);
}

/* By address, without its port. */
static bool stranger_passes(struct rest_call *call)
{
	const struct rest_conf *conf = call->rest->conf;
	const char *colon = strrchr(call->source, ':');
	char *address =
		talloc_asprintf(call, "from %.*s", colon != NULL ? (int)(colon - call->source) : 0, call->source);
	uint32_t wait = 1;

	if (address != NULL && limits_pass(call->rest->limits, address, conf->open_rate, conf->open_rate * OPEN_BURST,
					   clock_mono_ms(), &wait))
		return true;
	too_fast(call, wait);
	return false;
}

static bool refuse_stranger(struct rest_call *call)
{
	metric_add(call->rest->metrics.refused_auth, 1);
	if (stranger_passes(call))
		rest_refuse(call, PROBLEM_UNAUTHORIZED, "%s", "");
	return false;
}

/* An invitation opens one door only, and an invited one has no other. */
static bool role_fits(const struct rest_call *call)
{
	unsigned int roles = call->route.route->roles;

	if (call->invited != ((call->route.route->flags & REST_INVITED) != 0))
		return false;
	return roles == 0 || (roles & (1U << call->actor->role)) != 0;
}

bool rest_may_import(struct rest_call *call)
{
	call->rc = (struct record_call){ .now = clock_now(), .mem_ctx = call };
	return who(call) == GBA_OK && (call->rest->setup->importers & (1U << call->actor->role)) != 0;
}

bool rest_admit(struct rest_call *call)
{
	const struct rest_conf *conf = call->rest->conf;
	bool open = (call->route.route->flags & REST_OPEN) != 0;
	uint32_t wait = 0;
	enum gba_err err;

	if (open)
		return stranger_passes(call);
	err = who(call);
	call->rc.field[0] = call->rc.why[0] = '\0';
	if (err == GBA_E_NOT_AUTHORIZED || err == GBA_E_NOT_FOUND)
		return refuse_stranger(call);
	if (err != GBA_OK) {
		rest_fail(call, err);
		return false;
	}
	call->rc.actor = call->actor;
	if (!limits_pass(call->rest->limits, call->actor->name, conf->rate, conf->burst, clock_mono_ms(), &wait)) {
		too_fast(call, wait);
		return false;
	}
	if (role_fits(call))
		return true;
	rest_refuse(call, PROBLEM_FORBIDDEN, "%s", "");
	return false;
}

enum gba_err rest_again(struct rest *rest, struct records *r, TALLOC_CTX *mem_ctx, const struct rest_shown *shown,
			struct actor **_actor)
{
	struct rest_call *call = talloc_zero(mem_ctx, struct rest_call);
	enum gba_err err;

	if (call == NULL)
		return GBA_E_NOMEM;
	call->rest = rest;
	call->r = r;
	call->rc = (struct record_call){ .now = clock_now(), .mem_ctx = call };
	call->credential = shown->credential;
	memcpy(call->hash, shown->hash, sizeof(call->hash));
	err = rest->setup->authenticate(call);
	if (err == GBA_OK)
		*_actor = call->actor;
	return err == GBA_E_NOT_FOUND ? GBA_E_NOT_AUTHORIZED : err;
}
