/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about devices that are registered at other registries: every layer answers by make, model, capability, trust attribute
 * and ownership (Y.3059 8), from what registrations have told it. */
#include "registry-fn/ask/question.h"

#include "http/json.h"
#include "registry-fn/id/regid.h"

bool question_is_wide(const struct question *q)
{
	const struct registry_conf *conf = ask_registry(q->call)->conf;

	return conf->reg_type != REGISTRY_PRIMARY || (q->registry != NULL && strcmp(q->registry, conf->reg_id) != 0);
}

static const char *or_any(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

/* Accounts are their registry's: those of one name with two registries are two people. */
static enum gba_err search_of(struct question *q, struct event_search *_search)
{
	int word = -1;

	if (q->registry != NULL && !regid_valid(bytes_of(q->registry)))
		return record_refuse(&q->call->rc, GBA_E_SYNTAX, "registry", "a RegID: A-Z and 0-9");
	if (question_word(q, &word) && word < 0)
		return record_refuse(&q->call->rc, GBA_E_SYNTAX, "value", "no such %s", q->by);
	*_search = (struct event_search){ .registry = q->registry, .make = or_any(q->make), .model = or_any(q->model), .status = -1,
					  .after = q->after, .limit = ASK_PAGE_MAX };
	if (strcmp(q->by, "custodian") == 0) {
		_search->owner = q->value;
		if (q->registry == NULL)
			return record_refuse(&q->call->rc, GBA_E_SYNTAX, "registry", "accounts are a primary registry's: name it");
	} else if (strcmp(q->by, "status") == 0) {
		_search->status = word;
	} else if (strcmp(q->by, "model") == 0) {
		_search->make = q->value;
	} else if (strcmp(q->by, "use_case") == 0) {
		_search->kind = q->value;
	} else if (strcmp(q->by, "root_of_trust") == 0) {
		_search->root_of_trust = q->value;
	} else {
		_search->capability = q->value;
	}
	return GBA_OK;
}

enum gba_err question_by_view(struct question *q)
{
	struct event_log *log = registry_handle_of(q->call->r)->events;
	const struct event_view known = { .known = true };
	struct event_search search;
	struct event_subjects found;
	enum gba_err err = search_of(q, &search);
	size_t i;

	if (err == GBA_OK)
		err = event_find(log, q->call, &search, &found);
	for (i = 0; err == GBA_OK && i < found.n; i++)
		err = question_result(q, &(struct meant){ found.v[i], found.v[i], 0, &known });
	if (err == GBA_OK)
		q->behind = found.next;
	return err;
}

enum gba_err question_elsewhere(struct question *q, const struct meant *meant, json_t *result)
{
	struct event_traits traits;
	enum gba_err err;
	bool known = meant->view != NULL && meant->view->known;

	json_object_set_new(result, "known", json_boolean(known));
	if (!known || meant->subject == NULL)
		return GBA_OK;
	err = event_traits(registry_handle_of(q->call->r)->events, q->call, meant->subject, &traits);
	if (err == GBA_E_NOT_FOUND || (err == GBA_OK && (traits.registry[0] == '\0' || traits.removed)))
		return GBA_OK; /* spoken of, not registered */
	if (err != GBA_OK)
		return err;
	json_object_set_new(result, "registry", json_string(traits.registry));
	json_object_set_new(result, "make", json_string(traits.make));
	json_object_set_new(result, "model", json_string(traits.model));
	json_object_set_new(result, "kind", json_string(traits.kind));
	json_object_set_new(result, "root_of_trust", json_string(traits.root_of_trust));
	json_object_set_new(result, "capabilities",
			    json_split(bytes_of(traits.capabilities + strspn(traits.capabilities, "\n")), '\n'));
	return GBA_OK;
}
