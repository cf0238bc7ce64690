/* SPDX-License-Identifier: Apache-2.0 */
/* The text of an event: JSON in one form only (members sorted, no blanks), so that a signature over it means one thing. */
#include <stdlib.h>

#include "core/codec.h"
#include "crypto/hash.h"
#include "http/json.h"
#include "registry-fn/log/event_priv.h"

#define CANONICAL (JSON_COMPACT | JSON_SORT_KEYS)

const char *const event_class_names[] = { "registry", "device", "status", "vulnerability", "list", "custodian", "black", NULL };
const char *const trust_status_names[] = { "grey", "white", "black", NULL };

enum gba_err event_class_of(const char *kind, enum event_class *_class)
{
	size_t n = strcspn(kind, "."), i;

	if (kind[n] != '.' || kind[n + 1] == '\0' || strlen(kind) > EVENT_KIND_MAX)
		return GBA_E_RANGE;
	for (i = 0; i < EVENT_CLASSES; i++) {
		if (bytes_eq_str(BYTES(kind, n), event_class_names[i])) {
			*_class = (enum event_class)i;
			return GBA_OK;
		}
	}
	return GBA_E_RANGE;
}

char *event_text(const struct event *event, const uint8_t previous[EVENT_DIGEST_LEN])
{
	char hex[HEX_LEN(EVENT_DIGEST_LEN) + 1], *text;
	json_t *root;

	hex_encode(BYTES(previous, EVENT_DIGEST_LEN), hex);
	root = json_pack("{s:I, s:O, s:s, s:I, s:I, s:s, s:s, s:s}", "at", (json_int_t)event->at, "body", event->body, "kind",
			 event->kind, "lamport", (json_int_t)event->lamport, "number", (json_int_t)event->number, "origin",
			 event->origin, "previous", hex, "subject", event->subject);
	if (root == NULL)
		return NULL;
	text = json_dumps(root, CANONICAL);
	json_decref(root);
	return text;
}

/* Exactly the members of event_text(). */
static enum gba_err members_read(json_t *root, struct event *event, uint8_t _previous[EVENT_DIGEST_LEN])
{
	char hex[HEX_LEN(EVENT_DIGEST_LEN) + 1];
	json_int_t at, lamport, number;
	const char *origin, *previous;

	if (json_unpack_ex(root, NULL, JSON_STRICT, "{s:I, s:o, s:s, s:I, s:I, s:s, s:s, s:s}", "at", &at, "body", &event->body,
			   "kind", &event->kind, "lamport", &lamport, "number", &number, "origin", &origin, "previous", &previous,
			   "subject", &event->subject) != 0)
		return GBA_E_SYNTAX;
	if (!json_is_object(event->body) || hex_decode(bytes_of(previous), _previous, EVENT_DIGEST_LEN) != GBA_OK)
		return GBA_E_SYNTAX;
	hex_encode(BYTES(_previous, EVENT_DIGEST_LEN), hex);
	if (strcmp(hex, previous) != 0) /* capitals: another text for the same digest */
		return GBA_E_SYNTAX;
	if (at < 0 || lamport < 1 || number < 1 || !regid_valid(bytes_of(origin)) || event->subject[0] == '\0' ||
	    strlen(event->subject) > EVENT_SUBJECT_MAX)
		return GBA_E_RANGE;
	event->at = (time_t)at;
	event->lamport = lamport;
	event->number = number;
	event_copy(event->origin, sizeof(event->origin), bytes_of(origin));
	return event_class_of(event->kind, &event->class);
}

static bool is_canonical(const json_t *root, struct bytes text)
{
	char *again = json_dumps(root, CANONICAL);
	bool same = again != NULL && bytes_eq_str(text, again);

	free(again);
	return same;
}

enum gba_err event_read(struct bytes wire, struct event *event, uint8_t _previous[EVENT_DIGEST_LEN], json_t **_root)
{
	struct bytes text;
	json_t *root = NULL;
	enum gba_err err;

	if (wire.n > EVENT_MAX)
		return GBA_E_TOO_LONG;
	if (wire.n <= SIGN_LEN)
		return GBA_E_SYNTAX;
	text = BYTES(wire.p + SIGN_LEN, wire.n - SIGN_LEN);
	err = json_read(text, &root, NULL);
	if (err != GBA_OK)
		return err;
	err = members_read(root, event, _previous);
	if (err == GBA_OK && !is_canonical(root, text))
		err = GBA_E_SYNTAX;
	if (err != GBA_OK) {
		json_decref(root);
		return err;
	}
	event->wire = wire;
	*_root = root;
	return GBA_OK;
}

void event_digest(struct bytes wire, uint8_t _digest[EVENT_DIGEST_LEN])
{
	struct bytes text = BYTES(wire.p + SIGN_LEN, wire.n - SIGN_LEN);

	hash_pieces(HASH_SHA256, &text, 1, _digest);
}

void event_copy(char *out, size_t cap, struct bytes text)
{
	snprintf(out, cap, "%.*s", BYTES_FMT(text));
}
