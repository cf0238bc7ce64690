/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/applications/{id}/bundle: a certificate for the agent, the agent noted as the one tokens may be pushed to,
 * and both packed with its configuration. */
#include <stdio.h>

#include "core/ident.h"
#include "hss-stub/api/api_priv.h"
#include "hss-stub/api/pack.h"
#include "pki/ca.h"

struct bundle {
	struct rest_call *call;
	const struct record *app, *realm;
	const char *identity;
	struct ca_issued *issued;
};

static bool identity_good(struct bundle *b)
{
	const char *why;

	if (pack_identity_good(b->app, b->realm, b->identity, &why))
		return true;
	snprintf(b->call->rc.field, sizeof(b->call->rc.field), "identity");
	snprintf(b->call->rc.why, sizeof(b->call->rc.why), "%s", why);
	rest_fail(b->call, GBA_E_DENIED);
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
	const struct actor system = { ACTOR_SYSTEM, 0, b->call->actor->name }, *caller = b->call->rc.actor;
	json_t *values = json_pack("{s:s}", "push_peer", b->identity);
	enum gba_err err = records_begin(b->call->r);

	if (err == GBA_OK) {
		b->call->rc.actor = &system;
		err = values != NULL ? records_set(b->call->r, &b->call->rc, b->app, values, NULL) : GBA_E_NOMEM;
		b->call->rc.actor = caller;
		err = rest_write(b->call, err, "bundle", b->app->kind, b->app);
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
		cn != NULL ? ca_issue(rest_ca(b->call->rest), b->call, &order, b->call->rc.now, &b->issued) : GBA_E_NOMEM;

	if (err == GBA_E_SYNTAX || err == GBA_E_RANGE) {
		snprintf(b->call->rc.field, sizeof(b->call->rc.field), "csr");
		snprintf(b->call->rc.why, sizeof(b->call->rc.why),
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
					  .connect_to = api_of(b->call)->conf->connect_to,
					  .certificate = b->issued->certificate,
					  .private_key = b->issued->private_key,
					  .ca = ca_certificate(rest_ca(b->call->rest)) };
	struct bytes archive;
	enum gba_err err = pack_make(b->call, &order, b->call->rc.now, &archive);

	if (err != GBA_OK) {
		rest_fail(b->call, err);
		return;
	}
	rest_body(b->call, 200, REST_GZIP_TYPE, archive);
	rest_header(b->call, "Content-Disposition", "attachment; filename=\"gba-naf-%s.tar.gz\"",
		    record_text(b->app, APPLICATION_NAF_FQDN));
}

static bool realm_read(struct bundle *b)
{
	if (rest_ca(b->call->rest) == NULL) {
		rest_refuse(b->call, PROBLEM_CONFLICT, "this realm has no CA: no bundles");
		return false;
	}
	b->realm = api_realm_record(b->call);
	return b->realm != NULL;
}

void api_bundle(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct bundle b = { .call = call, .app = rest_record(call, &mapping_kinds[KIND_APPLICATION], route->param[0]) };
	json_t *body = b.app != NULL ? rest_read_body(call) : NULL;
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
			ca_revoke(rest_ca(call->rest), b.issued->serial, call->rc.now, NULL);
	}
	if (err == GBA_OK)
		reply(&b, body);
	else
		rest_fail(call, err);
done:
	json_decref(body);
}
