/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/mosquitto/rights.h"

#include <stdlib.h>
#include <string.h>

#include "naf-adapter/shared/release.h"

#define TOPIC_MAX 2048 /* [octets] of a rule with the user's name in it */

static bool name_good(const char *name)
{
	const char *c;

	for (c = name; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f || strchr("+#/", *c) != NULL)
			return false;
	}
	return c != name && c - name <= 512;
}

const char *mqtt_user_of(TALLOC_CTX *mem_ctx, const struct mqtt_conf *conf, const struct gba_naf_result *result)
{
	static const enum release_policy policies[] = { RELEASE_UIDS, RELEASE_UIDS_IMPI, RELEASE_IMPI };
	struct released told;

	if (release_of_result(mem_ctx, policies[conf->identity], false, result, &told) != GBA_OK)
		return NULL;
	return name_good(told.user) ? told.user : NULL;
}

static bool has_settings(const struct gba_naf_result *result, uint32_t gsid)
{
	size_t i;

	for (i = 0; result != NULL && i < gba_naf_result_uss_count(result); i++) {
		if (gba_naf_result_uss_gsid(result, i) == gsid)
			return true;
	}
	return false;
}

static bool holds(const struct mqtt_right *right, const struct gba_naf_result *result)
{
	uint32_t gsid = (uint32_t)strtoul(right->gsid, NULL, 10);

	if (right->gsid[0] == '\0')
		return true;
	return has_settings(result, gsid) && (right->flag == 0 || gba_naf_result_flag(result, gsid, right->flag));
}

uint64_t mqtt_rights_of(const struct mqtt_conf *conf, const struct gba_naf_result *result)
{
	const struct mqtt_right *right = conf->rights.v;
	uint64_t held = 0;
	size_t i;

	for (i = 0; i < conf->rights.n; i++)
		held |= (uint64_t)holds(&right[i], result) << i;
	return held;
}

/* The rule with the user's name in place of %u. @return false: too long for any topic */
static bool expand(const char *rule, const char *user, char out[TOPIC_MAX])
{
	size_t n = 0, piece;

	while (*rule != '\0') {
		const char *from = strncmp(rule, "%u", 2) == 0 ? user : rule;

		piece = from == user ? strlen(user) : 1;
		if (n + piece >= TOPIC_MAX)
			return false;
		memcpy(out + n, from, piece);
		n += piece;
		rule += from == user ? 2 : 1;
	}
	out[n] = '\0';
	return true;
}

static bool is_level(const char *text, size_t n, char wildcard)
{
	return n == 1 && text[0] == wildcard;
}

/* Does the rule match whatever the topic or filter may stand for (MQTT 5.0, 4.7)? */
static bool covers(const char *rule, const char *topic)
{
	size_t r, t;

	if (topic[0] == '$' && (rule[0] == '#' || rule[0] == '+')) /* MQTT-4.7.2-1 */
		return false;
	for (;; rule += r + 1, topic += t + 1) {
		r = strcspn(rule, "/");
		t = strcspn(topic, "/");
		if (is_level(rule, r, '#') && rule[r] == '\0')
			return true;
		if (is_level(rule, r, '+') ? is_level(topic, t, '#') : r != t || memcmp(rule, topic, r) != 0)
			return false;
		if (topic[t] == '\0')
			return rule[r] == '\0' || strcmp(rule + r, "/#") == 0;
		if (rule[r] == '\0')
			return false;
	}
}

/* A shared subscription is one to what stands behind its group (MQTT 5.0, 4.8.2). */
static const char *unshared(const char *filter)
{
	const char *group = strncmp(filter, "$share/", 7) == 0 ? strchr(filter + 7, '/') : NULL;

	return group != NULL ? group + 1 : filter;
}

bool mqtt_rights_allow(const struct mqtt_conf *conf, uint64_t held, const char *user, enum mqtt_access access, const char *topic)
{
	const struct mqtt_right *right = conf->rights.v;
	char rule[TOPIC_MAX];
	size_t i;

	if (access == MQTT_READ)
		topic = unshared(topic);
	for (i = 0; i < conf->rights.n; i++) {
		if ((held >> i & 1) == 0 || (right[i].access != access && right[i].access != MQTT_READWRITE))
			continue;
		if (expand(right[i].topic, user, rule) && covers(rule, topic))
			return true;
	}
	return false;
}

bool mqtt_client_id_good(const struct mqtt_conf *conf, const char *user, const char *client_id)
{
	size_t n = strlen(user);

	return conf->client_ids == MQTT_IDS_ANY ||
	       (strncmp(client_id, user, n) == 0 && (client_id[n] == '\0' || client_id[n] == '/'));
}
