/* SPDX-License-Identifier: Apache-2.0 */
/* Everything an application's agent needs to run in this realm (Y.3056 10.1-3b, 10.2-1c), as one archive: configuration
 * of freeDiameter, guard and agent, certificate, the key when it was made here, the CA, and what to do with them. */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>

#include "core/ident.h"
#include "core/log.h"
#include "core/secret.h"
#include "hss-stub/api/api_priv.h"
#include "pki/ca.h"

#define ARCHIVE_MAX 131072 /* [octets] */
#define FILES_MAX   8
#define AGENT_USER  "www-data"

struct file {
	const char *name, *text;
	mode_t mode;
};

struct bundle {
	struct api_call *call;
	const struct record *app, *realm;
	const char *identity, *agent_realm, *user, *btid_domain;
	struct ca_issued *issued;
	struct file files[FILES_MAX];
	size_t n;
};

static void add(struct bundle *b, const char *name, mode_t mode, const char *text)
{
	if (text != NULL && b->n < FILES_MAX)
		b->files[b->n++] = (struct file){ name, text, mode };
}

/* Host of the URL devices bootstrap at: the domain of the realm's B-TIDs. */
static const char *url_host(TALLOC_CTX *mem_ctx, const char *url)
{
	const char *host = strstr(url, "://");

	host = host != NULL ? host + 3 : url;
	return talloc_strndup(mem_ctx, host, strcspn(host, ":/?#"));
}

static char *daemon_conf(struct bundle *b)
{
	const char *address = b->call->api->conf->connect_to, *bsf = api_text(b->realm, REALM_BSF_IDENTITY);

	return talloc_asprintf(
		b->call,
		"# freeDiameter.conf of the agent. Paths are relative to the folder it is started in.\n"
		"Identity = \"%s\";\nRealm = \"%s\";\nPort = 3868;\nSecPort = 5868;\nNo_SCTP;\nNoRelay;\n"
		"AppServThreads = 2;\nThreadsPerServer = 200;\nTcTimer = 5;\nTwTimer = 6;\n"
		"TLS_Cred = \"agent.pem\", \"agent.key\";\nTLS_CA = \"ca.pem\";\nTLS_Prio = \"NORMAL:-VERS-TLS1.3\";\n"
		"LoadExtension = \"%s/dict_gba.fdx\";\nLoadExtension = \"%s/gba_guard.fdx\" : \"guard.conf\";\n"
		"LoadExtension = \"%s/naf.fdx\" : \"naf.conf\";\n"
		"ConnectPeer = \"%s\" { %s%s%sPort = 5868; No_SCTP; };\n",
		b->identity, b->agent_realm, GBA_PKGLIBDIR, GBA_PKGLIBDIR, GBA_PKGLIBDIR, bsf,
		address[0] != '\0' ? "ConnectTo = \"" : "", address, address[0] != '\0' ? "\"; " : "");
}

static char *agent_conf(struct bundle *b)
{
	return talloc_asprintf(
		b->call,
		"# naf.conf: whose devices are served, and which local user may ask for the application's keys.\n"
		"realms = ( { domain = \"%s\"; realm = \"%s\"; host = \"%s\"; } );\n"
		"clients = ( { name = \"application\"; user = \"%s\"; fqdns = [ \"%s\" ]; } );\n",
		b->btid_domain, api_text(b->realm, REALM_REALM), api_text(b->realm, REALM_BSF_IDENTITY), b->user,
		api_text(b->app, APPLICATION_NAF_FQDN));
}

static char *guard_conf(struct bundle *b)
{
	return talloc_asprintf(b->call,
			       "# guard.conf: nobody but the operator's BSF is talked to.\n"
			       "peers = ( { identity = \"%s\"; applications = [ \"zn\" ]; } );\n",
			       api_text(b->realm, REALM_BSF_IDENTITY));
}

static char *readme(struct bundle *b)
{
	return talloc_asprintf(
		b->call,
		"Agent of %s in the realm %s\n\n"
		"1. Install gba-suite and freediameterd on the host of the application.\n"
		"2. %s\n"
		"3. In this folder: gba-naf-agent --check-config naf.conf && gba-naf-agent -c freeDiameter.conf\n"
		"4. Put gba-naf-proxy in front of the application, or link it with libgba-naf: see asp-guide.md.\n\n"
		"The operator has to let the Diameter identity %s ask for the keys of %s (nafs in bsf.conf).\n"
		"Service identifier (GSID) of the application: %lld. The certificate is good for %s.\n",
		api_text(b->app, APPLICATION_NAME), api_text(b->realm, REALM_NAME),
		b->issued->private_key != NULL
			? "agent.key is secret: keep it readable by the agent's user alone."
			: "Put the key of your request beside these files as agent.key, mode 0600.",
		b->identity, api_text(b->app, APPLICATION_NAF_FQDN), (long long)b->app->v[APPLICATION_GSID].n,
		"TLS towards the operator's Diameter nodes only");
}

static bool archive_put(struct archive *a, const char *folder, const struct file *file, time_t now)
{
	struct archive_entry *entry = archive_entry_new();
	char path[FQDN_MAX + 64];
	size_t n = strlen(file->text);
	bool good;

	if (entry == NULL)
		return false;
	snprintf(path, sizeof(path), "%s/%s", folder, file->name);
	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, file->mode);
	archive_entry_set_size(entry, (la_int64_t)n);
	archive_entry_set_mtime(entry, now, 0);
	good = archive_write_header(a, entry) == ARCHIVE_OK && archive_write_data(a, file->text, n) == (la_ssize_t)n;
	archive_entry_free(entry);
	return good;
}

static bool archive_make(struct bundle *b, uint8_t *out, size_t *_used)
{
	struct archive *a = archive_write_new();
	char *folder = talloc_asprintf(b->call, "gba-naf-%s", api_text(b->app, APPLICATION_NAF_FQDN));
	bool good = a != NULL && folder != NULL;
	size_t i;

	good = good && archive_write_set_format_ustar(a) == ARCHIVE_OK &&
	       archive_write_add_filter_gzip(a) == ARCHIVE_OK &&
	       archive_write_open_memory(a, out, ARCHIVE_MAX, _used) == ARCHIVE_OK;
	for (i = 0; good && i < b->n; i++)
		good = archive_put(a, folder, &b->files[i], b->call->mc.now);
	good = good && archive_write_close(a) == ARCHIVE_OK;
	if (a != NULL)
		archive_write_free(a);
	return good;
}

static void refuse_identity(struct api_call *call, const char *why)
{
	snprintf(call->mc.field, sizeof(call->mc.field), "identity");
	snprintf(call->mc.why, sizeof(call->mc.why), "%s", why);
	api_fail(call, GBA_E_DENIED);
}

/* A certificate speaks for its name in Diameter: an ASP gets none but below its application's own host name, and none
 * that could be a node of the operator's. */
static bool identity_good(struct bundle *b)
{
	struct bytes identity = bytes_of(b->identity), fqdn = bytes_of(api_text(b->app, APPLICATION_NAF_FQDN));
	struct bytes alias = bytes_of(api_text(b->realm, REALM_ALIAS_DOMAIN));

	if (!fqdn_within(identity, fqdn)) {
		refuse_identity(b->call, "not the application's host name, nor below it");
		return false;
	}
	if (bytes_eq_nocase(identity, bytes_of(api_text(b->realm, REALM_BSF_IDENTITY))) ||
	    bytes_eq_nocase(identity, bytes_of(api_text(b->realm, REALM_HSS_IDENTITY))) ||
	    bytes_eq_nocase(identity, bytes_of(b->btid_domain)) ||
	    (fqdn_within(identity, bytes_of(api_text(b->realm, REALM_REALM))) && !fqdn_within(identity, alias))) {
		refuse_identity(b->call, "a name of the operator's");
		return false;
	}
	return true;
}

static const char *text_or(const json_t *body, const char *name, const char *other)
{
	const char *text = json_string_value(json_object_get(body, name));

	return text != NULL ? text : other;
}

/* The agent is where tokens of this application may be pushed to (mapping.md G3), and its certificate a credential. */
static enum gba_err bind(struct bundle *b)
{
	const struct actor system = { ACTOR_SYSTEM, 0, b->call->actor->name }, *caller = b->call->mc.actor;
	json_t *values = json_pack("{s:s}", "push_peer", b->identity);
	enum gba_err err = mapping_begin(b->call->m);

	if (err == GBA_OK) {
		b->call->mc.actor = &system;
		err = values != NULL ? mapping_set(b->call->m, &b->call->mc, b->app, values, NULL) : GBA_E_NOMEM;
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

static void reply(struct bundle *b)
{
	uint8_t *out = talloc_zero_size(b->call, ARCHIVE_MAX);
	size_t used = 0;

	add(b, "README", 0644, readme(b));
	add(b, "freeDiameter.conf", 0644, daemon_conf(b));
	add(b, "guard.conf", 0644, guard_conf(b));
	add(b, "naf.conf", 0644, agent_conf(b));
	add(b, "agent.pem", 0644, b->issued->certificate);
	add(b, "agent.key", 0600, b->issued->private_key);
	add(b, "ca.pem", 0644, ca_certificate(b->call->api->ca));
	if (out != NULL)
		secret_guard_chunk(out);
	if (out == NULL || b->n < (b->issued->private_key != NULL ? 7U : 6U) || !archive_make(b, out, &used)) {
		api_refuse(b->call, PROBLEM_UNAVAILABLE, "out of memory");
		return;
	}
	api_body(b->call, 200, API_GZIP_TYPE, BYTES(out, used));
	api_header(b->call, "Content-Disposition", "attachment; filename=\"gba-naf-%s.tar.gz\"",
		   api_text(b->app, APPLICATION_NAF_FQDN));
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
	struct bundle b = { .call = call, .app = api_record(call, &record_kinds[KIND_APPLICATION], route->param[0]) };
	json_t *body = b.app != NULL ? api_read_body(call) : NULL;
	const char *dot;
	enum gba_err err;

	if (body == NULL || !realm_read(&b))
		goto done;
	b.identity = text_or(body, "identity", "");
	dot = strchr(b.identity, '.');
	b.agent_realm = text_or(body, "realm", dot != NULL ? dot + 1 : b.identity);
	b.user = text_or(body, "user", AGENT_USER);
	b.btid_domain = url_host(call, api_text(b.realm, REALM_BSF_URL));
	if (!identity_good(&b))
		goto done;
	err = certificate(&b, body);
	if (err == GBA_OK) {
		err = bind(&b);
		if (err != GBA_OK)
			ca_revoke(call->api->ca, b.issued->serial, call->mc.now, NULL);
	}
	if (err == GBA_OK)
		reply(&b);
	else
		api_fail(call, err);
done:
	json_decref(body);
}
