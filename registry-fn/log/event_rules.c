/* SPDX-License-Identifier: Apache-2.0 */
/* What may be said, and by whom. Nothing here depends on what else has arrived, so that all registries judge alike. */
#include "core/codec.h"
#include "registry-fn/id/regdevid.h"
#include "registry-fn/log/event_priv.h"

/* Of custodians, in EVENT_CUSTODIAN alone: a registry's policy decides where that class goes (Y.3059 9.1-iii). */
static const char *const personal[] = { "name", "first_name", "last_name", "address", "email", "phone", "msisdn", "imsi", "impi",
					"impu", "document", "document_number", "birth_date", "custodian_name", "user_name", NULL };

static bool holds_personal(const json_t *value)
{
	const json_t *inner;
	const char *key;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach((json_t *)(uintptr_t)value, i, inner) {
			if (holds_personal(inner))
				return true;
		}
	}
	if (!json_is_object(value))
		return false;
	json_object_foreach((json_t *)(uintptr_t)value, key, inner) {
		for (i = 0; personal[i] != NULL; i++) {
			if (strcasecmp(personal[i], key) == 0)
				return true;
		}
		if (holds_personal(inner))
			return true;
	}
	return false;
}

bool event_status_of(const json_t *body, enum trust_status *_status)
{
	const char *word = json_string_value(json_object_get(body, "status"));
	size_t i;

	for (i = 0; word != NULL && i < TRUST_STATUSES; i++) {
		if (strcmp(word, trust_status_names[i]) == 0) {
			*_status = (enum trust_status)i;
			return true;
		}
	}
	return false;
}

/* Y.3059 6.1-15: exactly one of the three. */
static bool status_good(const struct event *event)
{
	enum trust_status status;

	return event_status_of(event->body, &status);
}

static bool list_good(const struct event *event)
{
	const json_t *subjects = json_object_get(event->body, "subjects"), *one;
	size_t i;

	if (!status_good(event) || json_array_size(subjects) == 0 || json_array_size(subjects) > EVENT_LIST_MAX)
		return false;
	json_array_foreach((json_t *)(uintptr_t)subjects, i, one) {
		size_t n = json_string_length(one);

		if (n == 0 || n > EVENT_SUBJECT_MAX)
			return false;
	}
	return true;
}

static bool is_black(const struct event *event)
{
	enum trust_status status;

	return event_status_of(event->body, &status) && status == TRUST_BLACK;
}

/* A RegDevID names its registry, which alone registers, changes and removes the device: others may say what they think of it. */
static bool is_anothers(const struct event *event)
{
	struct regdevid id;
	const char *why;

	return regdevid_parse(bytes_of(event->subject), &id, &why) == GBA_OK && strcmp(id.reg_id, event->origin) != 0;
}

static bool device_good(const struct event *event)
{
	const json_t *identities = json_object_get(event->body, "identities"), *one;
	size_t i;

	if (identities != NULL && !json_is_array(identities))
		return false;
	json_array_foreach((json_t *)(uintptr_t)identities, i, one) {
		if (json_string_length(json_object_get(one, "type")) == 0 || json_string_length(json_object_get(one, "value")) == 0)
			return false;
	}
	return true;
}

enum gba_err event_assignment(const json_t *body, struct event_registry *_registry)
{
	const char *type = json_string_value(json_object_get(body, "type"));
	const char *key = json_string_value(json_object_get(body, "key"));
	size_t i;

	if (type == NULL || key == NULL || hex_decode(bytes_of(key), _registry->key, SIGN_PUBLIC_LEN) != GBA_OK)
		return GBA_E_RANGE;
	for (i = 0; i < REGISTRY_TYPES; i++) {
		if (strcmp(type, registry_type_names[i]) == 0) {
			_registry->type = (enum registry_type)i;
			return GBA_OK;
		}
	}
	return GBA_E_RANGE;
}

/* Y.3059 3.2: a sectoral registry serves primary ones and has one geographical parent; a geographical one serves sectoral
 * ones, and smaller geographical ones where an operator wants more layers (6.1-11). */
bool event_parent_may(enum registry_type parent, enum registry_type child)
{
	switch (parent) {
	case REGISTRY_GEOGRAPHICAL: return child != REGISTRY_PRIMARY;
	case REGISTRY_SECTORAL: return child == REGISTRY_PRIMARY;
	default: return false;
	}
}

static enum gba_err registry_good(const struct event *event, enum registry_type origin_type)
{
	size_t n = strlen(event->origin);
	int64_t good[EVENT_CLASSES];
	struct event_registry who;
	enum gba_err err;

	if (!regid_valid(bytes_of(event->subject)))
		return GBA_E_RANGE;
	if (strcmp(event->kind, "registry.revoked") == 0) { /* by who stands above it, at any distance */
		if (strlen(event->subject) <= n || strncmp(event->subject, event->origin, n) != 0 ||
		    origin_type == REGISTRY_PRIMARY)
			return GBA_E_DENIED;
		return event_revocation(event->body, who.key, good);
	}
	err = event_assignment(event->body, &who);
	if (err != GBA_OK)
		return err;
	if (strcmp(event->kind, "registry.assigned") != 0) /* registry.introduced */
		return origin_type != REGISTRY_PRIMARY ? GBA_OK : GBA_E_DENIED;
	/* A child's RegID begins with its parent's: no two parents can give the same, and none has two. */
	if (strlen(event->subject) <= n || strncmp(event->subject, event->origin, n) != 0)
		return GBA_E_DENIED;
	return event_parent_may(origin_type, who.type) ? GBA_OK : GBA_E_DENIED;
}

enum gba_err event_rules(const struct event *event, enum registry_type origin_type)
{
	if (event->class != EVENT_CUSTODIAN && holds_personal(event->body))
		return GBA_E_DENIED;
	switch (event->class) {
	case EVENT_REGISTRY:
		return registry_good(event, origin_type);
	case EVENT_DEVICE: /* Y.3059 6.1-13: devices register at the primary layer only */
		if (origin_type != REGISTRY_PRIMARY || is_anothers(event))
			return GBA_E_DENIED;
		return device_good(event) ? GBA_OK : GBA_E_RANGE;
	case EVENT_STATUS:
		return status_good(event) ? GBA_OK : GBA_E_RANGE;
	case EVENT_BLACK:
		return status_good(event) && is_black(event) ? GBA_OK : GBA_E_RANGE;
	case EVENT_LIST:
		return list_good(event) ? GBA_OK : GBA_E_RANGE;
	default:
		return GBA_OK;
	}
}
