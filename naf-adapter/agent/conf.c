/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/conf.h"

#include <grp.h>
#include <pwd.h>
#include <sys/types.h>

#include "core/ident.h"
#include "core/log.h"

/* A name, or "*." and the domain all of whose names are meant. */
static bool pattern_valid(struct bytes text)
{
	if (text.n > 2 && text.p[0] == '*' && text.p[1] == '.')
		text = BYTES(text.p + 2, text.n - 2);
	return fqdn_valid(text);
}

static bool mode_valid(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '7')
			return false;
	}
	return true;
}

static const struct conf_item realm_items[] = {
	CONF_STR("domain", NULL, 1, FQDN_MAX, fqdn_valid, struct realm_conf, domain,
		 "B-TIDs of this domain, and below it"),
	CONF_STR("realm",  NULL, 1, FQDN_MAX, fqdn_valid, struct realm_conf, realm,
		 "Diameter realm of its BSFs; no other may answer"),
	CONF_STR("host",   "",   0, FQDN_MAX, fqdn_valid, struct realm_conf, host,
		 "Diameter identity of its BSF; empty: any of the realm"),
	CONF_STRLIST("push-from", "", 1, FQDN_MAX, fqdn_valid, struct realm_conf, push_from,
		 "BSFs, by Diameter identity, that may push tokens and revoke them; empty: host"),
	CONF_END
};

static const char *const use_names[] = { "", "multiple", "single", NULL };

static bool ua_valid(struct bytes text)
{
	uint8_t octets[UA_ID_LEN];

	return hex_decode(text, octets, UA_ID_LEN) == GBA_OK;
}

static const struct conf_item application_items[] = {
	CONF_STR    ("fqdn", NULL, 1, FQDN_MAX, fqdn_valid, struct application_conf, fqdn, "The application"),
	CONF_ENUM   ("token-use", "", use_names, struct application_conf, token_use,
		 "single: no other application may be given keys of its tokens; multiple; empty: not said"),
	CONF_STRLIST("ua-protocols", "", 10, 10, ua_valid, struct application_conf, ua_protocols,
		 "Ua security protocols it speaks, ten hex digits each; empty: not said"),
	CONF_STR    ("address", "", 0, 255, NULL, struct application_conf, address, "Where it is reached; empty: not said"),
	CONF_STR    ("mechanisms", "", 0, 255, NULL, struct application_conf, mechanisms,
		 "Its authentication and key generation mechanisms; empty: not said"),
	CONF_END
};

static const struct conf_item client_items[] = {
	CONF_STR    ("name",  "application", 1, CLIENT_NAME_MAX, NULL, struct client_conf, name,
		 "What logs and traces call it"),
	CONF_STR    ("user",  "",            0, 64,   NULL,   struct client_conf, user,
		 "User it runs as, by name or number; \"*\": any"),
	CONF_STR    ("group", "",            0, 64,   NULL,   struct client_conf, group,
		 "Group it runs in, by name or number"),
	CONF_STRLIST("fqdns", NULL,          1, FQDN_MAX, pattern_valid, struct client_conf, fqdns,
		 "Names it may ask keys for; \"*.example.com\": all below"),
	CONF_END
};

/* One row feeds parser, range check, --defaults and manual.
 *         key                 default  min  max       unit                                        help */
const struct conf_item agent_conf_items[] = {
	CONF_COMMON(struct agent_conf, common),
	CONF_STR("socket",       GBA_RUNDIR "/naf.sock", 1, 107, NULL, struct agent_conf, socket,
		 "Local socket that applications ask on"),
	CONF_STR("socket-mode",  "0660", 3, 4, mode_valid, struct agent_conf, socket_mode,
		 "Permissions of the socket, octal"),
	CONF_STR("socket-group", "",     0, 64, NULL, struct agent_conf, socket_group,
		 "Group of the socket; empty: the agent's"),
	CONF_U32("connections-max",  256,   1, 65536,   "",      struct agent_conf, connections_max,
		 "Applications connected at a time"),
	CONF_U32("requests-max",     8192,  1, 1000000, "",      struct agent_conf, requests_max,
		 "Requests of one application waiting at a time"),
	CONF_GROUPS("realms",  NULL, 1, 10000, realm_items,  struct realm_conf,  struct agent_conf, realms,
		 "Operators whose devices are served"),
	CONF_GROUPS("applications", "", 0, 1000, application_items, struct application_conf, struct agent_conf, applications,
		 "What applications declare of themselves to BSFs that understand it"),
	CONF_GROUPS("clients", NULL, 1, 1000,  client_items, struct client_conf, struct agent_conf, clients,
		 "Who may ask over the local socket"),
	CONF_U32("cache-entries",    10000, 1, 10000000, "",     struct agent_conf, cache_entries,    "Keys kept"),
	CONF_U32("cache-memory",     64,    1, 65536,    "MiB",  struct agent_conf, cache_memory,
		 "Memory for what is kept with them"),
	CONF_U32("negative-entries", 10000, 1, 1000000,  "",     struct agent_conf, negative_entries,
		 "Refusals of BSFs kept"),
	CONF_U32("negative-ttl",     5,     0, 300,      "s",    struct agent_conf, negative_ttl,
		 "How long a refusal is kept"),
	CONF_U32("key-lifetime-max", 86400, 1, 31536000, "s",    struct agent_conf, key_lifetime_max,
		 "Keys are not used longer, whatever the BSF allows"),
	CONF_U32("zn-timeout",       2000,  100, 60000,  "ms",   struct agent_conf, zn_timeout,
		 "Wait for a BSF's answer"),
	CONF_U32("zn-window",        512,   1, 4096,     "",     struct agent_conf, zn_window,
		 "Requests to BSFs under way at a time"),
	CONF_U32("zn-queue",         8192,  0, 1000000,  "",     struct agent_conf, zn_queue,
		 "Requests that wait for their turn"),
	CONF_U32("zn-rate",          20000, 0, 1000000, "/s",    struct agent_conf, zn_rate,
		 "Requests to BSFs in all, whoever causes them; more wait for their turn; 0: no limit"),
	CONF_U32("unknown-burst",    100,   1, 100000,   "",     struct agent_conf, unknown_burst,
		 "Unknown B-TIDs one device address may cause requests for at once"),
	CONF_U32("unknown-rate",     10,    1, 100000,   "/min", struct agent_conf, unknown_rate,
		 "Further ones per minute"),
	CONF_BOOL("accept-2g",       true,                       struct agent_conf, accept_2g,
		 "Take keys of 2G GBA (TS 33.220 Annex I)"),
	CONF_AUDIT(struct agent_conf, audit, GBA_LOCALSTATEDIR "/naf/audit.log"),
	CONF_END
};

const struct role agent_role = {
	.name = "naf",
	.program = "gba-naf-agent",
	.what = "Agent of the application element: fetches keys over Zn and hands them to local applications.",
	.daemon_conf = GBA_SYSCONFDIR "/freeDiameter-naf.conf",
	.items = agent_conf_items,
	.conf_size = sizeof(struct agent_conf),
	.check = agent_conf_check,
};

static bool names_copy(TALLOC_CTX *mem_ctx, struct conf_strlist *names)
{
	const char **copy = talloc_zero_array(mem_ctx, const char *, names->n + 1);
	size_t i;

	for (i = 0; copy != NULL && i < names->n; i++) {
		copy[i] = talloc_strdup(copy, names->v[i]);
		if (copy[i] == NULL)
			return false;
	}
	names->v = copy;
	return copy != NULL;
}

bool clients_copy(TALLOC_CTX *mem_ctx, const struct conf_groups *clients, struct conf_groups *_clients)
{
	const struct client_conf *rows = clients->v;
	struct client_conf *copy = talloc_zero_array(mem_ctx, struct client_conf, clients->n + 1);
	size_t i;

	for (i = 0; copy != NULL && i < clients->n; i++) {
		copy[i] = rows[i];
		copy[i].name = talloc_strdup(copy, rows[i].name);
		copy[i].user = talloc_strdup(copy, rows[i].user);
		copy[i].group = talloc_strdup(copy, rows[i].group);
		if (copy[i].name == NULL || copy[i].user == NULL || copy[i].group == NULL || !names_copy(copy, &copy[i].fqdns))
			return false;
	}
	*_clients = (struct conf_groups){ copy, clients->n };
	return copy != NULL;
}

void agent_conf_renew(struct agent_conf *conf, const struct agent_conf *fresh)
{
	conf->connections_max = fresh->connections_max;
	conf->requests_max = fresh->requests_max;
	conf->negative_ttl = fresh->negative_ttl;
	conf->key_lifetime_max = fresh->key_lifetime_max;
	conf->zn_timeout = fresh->zn_timeout;
	conf->zn_rate = fresh->zn_rate;
	conf->unknown_burst = fresh->unknown_burst;
	conf->unknown_rate = fresh->unknown_rate;
	conf->accept_2g = fresh->accept_2g;
}

static bool number_of(const char *text, int64_t *_id)
{
	size_t i;

	*_id = 0;
	for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 10; i++)
		*_id = *_id * 10 + (text[i] - '0');
	return i > 0 && text[i] == '\0' && *_id < UINT32_MAX;
}

static bool find_user(const char *text, int64_t *_uid)
{
	const struct passwd *found;

	*_uid = -1;
	if (text[0] == '\0' || strcmp(text, "*") == 0 || number_of(text, _uid))
		return true;
	found = getpwnam(text);
	*_uid = found != NULL ? (int64_t)found->pw_uid : -1;
	return found != NULL;
}

static bool find_group(const char *text, int64_t *_gid)
{
	const struct group *found;

	*_gid = -1;
	if (text[0] == '\0' || number_of(text, _gid))
		return true;
	found = getgrnam(text);
	*_gid = found != NULL ? (int64_t)found->gr_gid : -1;
	return found != NULL;
}

static enum gba_err fail(struct conf_error *error, const char *item, size_t index, const char *what, const char *value)
{
	snprintf(error->text, sizeof(error->text), "%s: entry %zu: %s%s", item, index + 1, what, value);
	return GBA_E_CONF;
}

static enum gba_err check_client(struct client_conf *client, size_t index, struct conf_error *error)
{
	if (client->user[0] == '\0' && client->group[0] == '\0')
		return fail(error, "clients", index, "neither user nor group; user = \"*\" lets everybody ask", "");
	if (!find_user(client->user, &client->uid))
		return fail(error, "clients", index, "no such user: ", client->user);
	if (!find_group(client->group, &client->gid))
		return fail(error, "clients", index, "no such group: ", client->group);
	return GBA_OK;
}

static enum gba_err check_realm(const struct realm_conf *realms, size_t index, struct conf_error *error)
{
	size_t i;

	for (i = 0; i < index; i++) {
		if (bytes_eq_nocase(bytes_of(realms[i].domain), bytes_of(realms[index].domain)))
			return fail(error, "realms", index, "this domain is given twice: ", realms[index].domain);
	}
	return GBA_OK;
}

enum gba_err agent_conf_check(const void *conf, struct conf_error *_error)
{
	const struct agent_conf *c = conf;
	struct client_conf *clients = c->clients.v;
	enum gba_err err = GBA_OK;
	int64_t gid;
	size_t i;

	for (i = 0; i < c->clients.n && err == GBA_OK; i++)
		err = check_client(&clients[i], i, _error);
	for (i = 0; i < c->realms.n && err == GBA_OK; i++)
		err = check_realm(c->realms.v, i, _error);
	if (err == GBA_OK && !find_group(c->socket_group, &gid)) {
		snprintf(_error->text, sizeof(_error->text), "socket-group: no such group: %s", c->socket_group);
		err = GBA_E_CONF;
	}
	return err;
}
