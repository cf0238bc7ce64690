/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/peer/peer_conf.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/codec.h"
#include "core/ident.h"
#include "registry-fn/conf.h"
#include "registry-fn/id/regid.h"
#include "registry-fn/log/event_priv.h"

static const char *const bond_names[] = { "parent", "child", "peer", NULL };
const char *const equipment_names[] = { "whitelisted", "blacklisted", "greylisted", "unknown", NULL };

static bool key_valid(struct bytes hex)
{
	uint8_t key[SIGN_PUBLIC_LEN];

	return hex_decode(hex, key, sizeof(key)) == GBA_OK;
}

const struct conf_item neighbour_conf_items[] = {
	CONF_STR("reg-id", NULL, 1, REGID_MAX, regid_valid, struct neighbour_conf, reg_id, "Its RegID"),
	CONF_STR("host", NULL, 1, 255, fqdn_valid, struct neighbour_conf, host, "Its Diameter identity"),
	CONF_STR("key", NULL, 64, 64, key_valid, struct neighbour_conf, key, "Its public key: 64 hex digits"),
	CONF_ENUM("reg-type", NULL, registry_type_names, struct neighbour_conf, type, "What it is in its hierarchy"),
	CONF_ENUM("bond", NULL, bond_names, struct neighbour_conf, bond, "What it is to this registry"),
	CONF_STRLIST("send", "device, status, vulnerability, list", 1, 16, NULL, struct neighbour_conf, send,
		     "Classes of events it is sent: device, status, vulnerability, list, custodian"),
	CONF_STRLIST("accept", "device, status, vulnerability, list", 1, 16, NULL, struct neighbour_conf, accept,
		     "Classes of events it may send; whatever else it sends is refused"),
	CONF_END
};

bool peering_classes(const struct conf_strlist *words, unsigned int *_classes)
{
	size_t i, k;

	*_classes = 1u << EVENT_REGISTRY;
	for (i = 0; i < words->n; i++) {
		for (k = 0; k < EVENT_CLASSES && strcmp(words->v[i], event_class_names[k]) != 0; k++)
			;
		if (k == EVENT_CLASSES)
			return false;
		*_classes |= 1u << k;
	}
	if ((*_classes & 1u << EVENT_STATUS) != 0)
		*_classes |= 1u << EVENT_BLACK;
	return true;
}

static enum gba_err fail(struct conf_error *_error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static enum gba_err fail(struct conf_error *_error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(_error->text, sizeof(_error->text), fmt, args);
	va_end(args);
	return GBA_E_CONF;
}

/* Y.3059 3.2, 6.1: who may stand above whom; a RegID begins with its parent's. */
static enum gba_err check_tree(const struct neighbour_conf *n, const char *reg_id, uint32_t reg_type, struct conf_error *_error)
{
	bool up = n->bond == BOND_PARENT;
	const char *above = up ? n->reg_id : reg_id, *below = up ? reg_id : n->reg_id;
	enum registry_type upper = up ? n->type : reg_type, lower = up ? reg_type : n->type;

	if (n->bond == BOND_PEER)
		return GBA_OK;
	if (!event_parent_may(upper, lower))
		return fail(_error, "neighbours: %s: a %s registry is no parent of a %s one", n->reg_id, registry_type_names[upper],
			    registry_type_names[lower]);
	if (strlen(below) <= strlen(above) || strncmp(below, above, strlen(above)) != 0)
		return fail(_error, "neighbours: %s: a RegID begins with that of its parent, %s", below, above);
	return GBA_OK;
}

static enum gba_err check_one(const struct neighbour_conf *n, const char *reg_id, uint32_t reg_type, const char *parent,
			      struct conf_error *_error)
{
	unsigned int classes;

	if (strcmp(n->reg_id, reg_id) == 0)
		return fail(_error, "neighbours: %s is this registry itself", n->reg_id);
	if (!peering_classes(&n->send, &classes) || !peering_classes(&n->accept, &classes))
		return fail(_error, "neighbours: %s: send, accept: device, status, vulnerability, list, custodian", n->reg_id);
	if (n->bond == BOND_PARENT && strcmp(n->reg_id, parent) != 0)
		return fail(_error, "neighbours: %s is not the parent, %s", n->reg_id, parent[0] != '\0' ? parent : "none");
	return check_tree(n, reg_id, reg_type, _error);
}

static enum gba_err check_pair(const struct neighbour_conf *a, const struct neighbour_conf *b, struct conf_error *_error)
{
	if (strcmp(a->reg_id, b->reg_id) == 0 || strcasecmp(a->host, b->host) == 0)
		return fail(_error, "neighbours: %s, %s: RegIDs and hosts are named once", a->reg_id, b->reg_id);
	if (a->bond == BOND_PARENT && b->bond == BOND_PARENT)
		return fail(_error, "neighbours: %s, %s: a registry has one parent", a->reg_id, b->reg_id);
	if (a->bond == BOND_CHILD && b->bond == BOND_CHILD &&
	    (strncmp(a->reg_id, b->reg_id, strlen(a->reg_id)) == 0 || strncmp(a->reg_id, b->reg_id, strlen(b->reg_id)) == 0))
		return fail(_error, "neighbours: %s, %s: one RegID begins the other", a->reg_id, b->reg_id);
	return GBA_OK;
}

enum gba_err peering_conf_check(const struct peering_conf *conf, const char *reg_id, uint32_t reg_type, const char *parent,
				struct conf_error *_error)
{
	const struct neighbour_conf *n = conf->neighbours.v;
	enum gba_err err = GBA_OK;
	size_t i, k;

	for (i = 0; i < conf->neighbours.n && err == GBA_OK; i++) {
		for (k = 0; k < i && err == GBA_OK; k++)
			err = check_pair(&n[k], &n[i], _error);
		if (err == GBA_OK)
			err = check_one(&n[i], reg_id, reg_type, parent, _error);
	}
	return err;
}
