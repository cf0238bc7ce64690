/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/applications/{id}/bundle: a certificate for the agent, the agent noted as the one tokens may be pushed to,
 * and both packed with its configuration. */
#include <stdio.h>

#include "core/ident.h"
#include "hss-stub/api/api_priv.h"
#include "hss-stub/api/pack.h"
#include "pki/ca.h"

struct bundle {
	struct api_call *call;
	const struct record *app, *realm;
	const char *identity;
	struct ca_issued *issued;
};

static bool identity_good(struct bundle *b)
{
	const char *why;

	if (pack_identity_good(b->app, b->realm, b->identity, &why))
		return true;
	snprintf(b->call->mc.field, sizeof(b->call->mc.field), "identity");
	snprintf(b->call->mc.why, sizeof(b->call->mc.why), "%s", why);
	api_fail(b->call, GBA_E_DENIED);
	return false;
}

static const char *text_or(const json_t *body, const char *name, const char *other)
{
	const char *text = json_string_value(json_object_get(body, name));

	return text != NULL ? text : other;
}

/* The agent is where tokens of this application may be pushed to: its first handshakes then need no Zn. */
static enum gba_err agent_bind(struct bundle *b)
{
	const struct actor system = { ACTOR_SYSTEM, 0, b->call->actor->name }, *caller = b->call->mc.actor;
	json_t *values = json_pack("{s:s}", "push_peer", b->identity);
	enum gba_err err = records_begin(b->call->m);

	if (err == GBA_OK) {
		b->call->mc.actor = &system;
		err = values != NULL ? records_set(b->call->m, &b->call->mc, b->app, values, NULL) : GBA_E_NOMEM;
		b->call->mc.actor = caller;
		err = api_write(b->call, err, "bundle", b->app->kind, b->app);
	}
	json_decref(values);
	return err;
}

static enum gba_err certificate(struct bundle *b, const json_t *body)
{
	const json_t *days = json_object_get(body, "days");
	char *cn = talloc_strndup(b->call, b->identity, CA_CN_MAX); /* the name that counts is the DNS name */
	struct ca_order order = { .cn = cn,
				  .dns = b->identity,
				  .csr = bytes_of(json_string_value(json_object_get(body, "csr"))),
				  .days = days != NULL ? (unsigned int)json_integer_value(days) : 365 };
	enum gba_err err =
		cn != NULL ? ca_issue(b->call->api->ca, b->call, &order, b->call->mc.now, &b->issued) : GBA_E_NOMEM;

	if (err == GBA_E_SYNTAX || err == GBA_E_RANGE) {
		snprintf(b->call->mc.field, sizeof(b->call->mc.field), "csr");
		snprintf(b->call->mc.why, sizeof(b->call->mc.why),
			 "no PKCS #10 request signed with its own key of 256 bit EC or 2048 bit RSA");
	}
	return err;
}

static void reply(struct bundle *b, const json_t *body)
{
	const char *dot = strchr(b->identity, '.');
	const struct pack_order order = { .app = b->app,
					  .realm = b->realm,
					  .identity = b->identity,
					  .agent_realm = text_or(body, "realm", dot != NULL ? dot + 1 : b->identity),
					  .user = text_or(body, "user", PACK_USER),
					  .connect_to = b->call->api->conf->connect_to,
					  .certificate = b->issued->certificate,
					  .private_key = b->issued->private_key,
					  .ca = ca_certificate(b->call->api->ca) };
	struct bytes archive;
	enum gba_err err = pack_make(b->call, &order, b->call->mc.now, &archive);

	if (err != GBA_OK) {
		api_fail(b->call, err);
		return;
	}
	api_body(b->call, 200, API_GZIP_TYPE, archive);
	api_header(b->call, "Content-Disposition", "attachment; filename=\"gba-naf-%s.tar.gz\"",
		   record_text(b->app, APPLICATION_NAF_FQDN));
}

static bool realm_read(struct bundle *b)
{
	if (b->call->api->ca == NULL) {
		api_refuse(b->call, PROBLEM_CONFLICT, "this realm has no CA: no bundles");
		return false;
	}
	b->realm = api_realm_record(b->call);
	return b->realm != NULL;
}

void api_bundle(struct route_call *route)
{
	struct api_call *call = api_call_of(route);
	struct bundle b = { .call = call, .app = api_record(call, &mapping_kinds[KIND_APPLICATION], route->param[0]) };
	json_t *body = b.app != NULL ? api_read_body(call) : NULL;
	enum gba_err err;

	if (body == NULL || !realm_read(&b))
		goto done;
	b.identity = text_or(body, "identity", "");
	if (!identity_good(&b))
		goto done;
	err = certificate(&b, body);
	if (err == GBA_OK) {
		err = agent_bind(&b);
		if (err != GBA_OK)
			ca_revoke(call->api->ca, b.issued->serial, call->mc.now, NULL);
	}
	if (err == GBA_OK)
		reply(&b, body);
	else
		api_fail(call, err);
done:
	json_decref(body);
}
