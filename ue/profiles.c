/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/profiles.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_NAME "profiles.json"

/* One row per text of a profile: file, output and length check follow it. */
static const struct text_row {
	const char *key;
	size_t offset, cap;
	bool required;
} text_rows[] = {
#define TEXT(key, m, required)                                                                                         \
	{                                                                                                              \
		key, offsetof(struct profile, m), sizeof(((struct profile *)0)->m), required                           \
	}
	TEXT("name", name, true),        TEXT("bsf", bsf, true),          TEXT("url", url, false),
	TEXT("connect", connect, false), TEXT("ca-file", ca_file, false), TEXT("usim", usim, true),
	TEXT("impi", impi, false),       TEXT("replaces", replaces, false),
#undef TEXT
};
#define TEXT_ROWS (sizeof(text_rows) / sizeof(text_rows[0]))

static const char *text_at(const struct profile *profile, const struct text_row *row)
{
	return (const char *)profile + row->offset;
}

static enum gba_err profile_from_json(const json_t *object, struct profile *_profile)
{
	size_t i;

	memset(_profile, 0, sizeof(*_profile));
	for (i = 0; i < TEXT_ROWS; i++) {
		const json_t *value = json_object_get(object, text_rows[i].key);

		if (value == NULL && !text_rows[i].required)
			continue;
		if (!json_is_string(value) || json_string_length(value) >= text_rows[i].cap)
			return GBA_E_CORRUPT;
		memcpy((char *)_profile + text_rows[i].offset, json_string_value(value), json_string_length(value));
	}
	_profile->certificate = json_is_true(json_object_get(object, "certificate"));
	_profile->announce = json_is_true(json_object_get(object, "announce"));
	return profile_check(_profile, NULL) == GBA_OK ? GBA_OK : GBA_E_CORRUPT;
}

json_t *profile_json(const struct profile *profile, bool active)
{
	json_t *object = json_object();
	size_t i;

	for (i = 0; i < TEXT_ROWS; i++) {
		if (text_at(profile, &text_rows[i])[0] != '\0')
			json_object_set_new(object, text_rows[i].key, json_string(text_at(profile, &text_rows[i])));
	}
	if (profile->certificate)
		json_object_set_new(object, "certificate", json_true());
	json_object_set_new(object, "announce", json_boolean(profile->announce));
	json_object_set_new(object, "active", json_boolean(active));
	return object;
}

/* A scheme we speak, a host, no control characters or blanks, no user information. */
static bool url_valid(const char *url)
{
	const char *host = strncmp(url, "http://", 7) == 0    ? url + 7
			   : strncmp(url, "https://", 8) == 0 ? url + 8
							      : NULL;
	size_t authority;

	if (host == NULL)
		return false;
	authority = strcspn(host, "/?#");
	if (authority == 0 || memchr(host, '@', authority) != NULL)
		return false;
	for (; *url != '\0'; url++) {
		if (*url <= 0x20 || *url >= 0x7f || *url == '"' || *url == '\\')
			return false;
	}
	return true;
}

static bool connect_valid(const char *text)
{
	const char *colon = strrchr(text, ':');
	char *end;
	long port;

	if (colon == NULL || colon == text || strpbrk(text, " \t\r\n\"") != NULL)
		return false;
	port = strtol(colon + 1, &end, 10);
	return end != colon + 1 && *end == '\0' && port > 0 && port < 65536;
}

enum gba_err profile_check(const struct profile *profile, struct why *why)
{
	if (!state_name_valid(bytes_of(profile->name)))
		return why_fail(why, GBA_E_SYNTAX, "profile name: 1 to 31 letters, digits, '-', '_', '.'");
	if (!fqdn_valid(bytes_of(profile->bsf)))
		return why_fail(why, GBA_E_SYNTAX, "BSF: not a host name");
	if (profile->url[0] != '\0' && !url_valid(profile->url))
		return why_fail(why, GBA_E_SYNTAX, "URL: not http://host... or https://host...");
	if (profile->certificate && profile->url[0] != '\0' && strncmp(profile->url, "https://", 8) != 0)
		return why_fail(why, GBA_E_SYNTAX, "URL: by certificate only over https://");
	if (profile->connect[0] != '\0' && !connect_valid(profile->connect))
		return why_fail(why, GBA_E_SYNTAX, "address to connect to: not address:port");
	if (!usim_name_valid(bytes_of(profile->usim)))
		return why_fail(why, GBA_E_SYNTAX, "USIM: a name of 1 to 31 letters, digits, '-', '_', '.', or pcsc:READER");
	if (profile->impi[0] != '\0' && !impi_valid(bytes_of(profile->impi)))
		return why_fail(why, GBA_E_IMPI_SYNTAX, "IMPI: not user@realm");
	if (profile->replaces[0] != '\0' && !state_name_valid(bytes_of(profile->replaces)))
		return why_fail(why, GBA_E_SYNTAX, "profile replaced: 1 to 31 letters, digits, '-', '_', '.'");
	return GBA_OK;
}

/* Every row, and the one that is active. */
static enum gba_err from_json(const json_t *root, struct profiles *profiles)
{
	const json_t *list = json_object_get(root, "profiles");
	const char *active = json_string_value(json_object_get(root, "active"));
	enum gba_err err;
	struct profile row;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > PROFILES_MAX)
		return GBA_E_CORRUPT;
	for (i = 0; i < json_array_size(list); i++) {
		err = profile_from_json(json_array_get(list, i), &row);
		if (err == GBA_OK)
			err = profiles_add(profiles, &row, NULL);
		if (err != GBA_OK)
			return err == GBA_E_NOMEM ? err : GBA_E_CORRUPT;
	}
	if (profiles->count == 0)
		return GBA_OK;
	return active != NULL && profiles_use(profiles, active) == GBA_OK ? GBA_OK : GBA_E_CORRUPT;
}

enum gba_err profiles_load(TALLOC_CTX *mem_ctx, struct state *state, struct profiles **_profiles, struct why *why)
{
	struct profiles *profiles = talloc_zero(mem_ctx, struct profiles);
	struct bytes content;
	json_error_t error;
	enum gba_err err;
	json_t *root;

	if (profiles == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	err = state_read(profiles, state, FILE_NAME, &content);
	if (err == GBA_E_NOT_FOUND) {
		*_profiles = profiles;
		return GBA_OK;
	}
	if (err != GBA_OK) {
		talloc_free(profiles);
		return why_fail(why, err, FILE_NAME ": %s", gba_strerror(err));
	}
	root = json_loadb((const char *)content.p, content.n, JSON_REJECT_DUPLICATES, &error);
	err = from_json(root, profiles);
	json_decref(root);
	if (err != GBA_OK) {
		talloc_free(profiles);
		return why_fail(why, err, FILE_NAME ": line %d: %s", error.line,
			       root == NULL ? error.text : "not a list of profiles");
	}
	*_profiles = profiles;
	return GBA_OK;
}

enum gba_err profiles_save(struct state *state, const struct profiles *profiles)
{
	json_t *root = json_object(), *list = json_array();
	enum gba_err err = GBA_E_NOMEM;
	char *text;
	size_t i;

	for (i = 0; i < profiles->count; i++) {
		json_t *row = profile_json(&profiles->rows[i], false);

		json_object_del(row, "active");
		json_array_append_new(list, row);
	}
	json_object_set_new(root, "profiles", list);
	if (profiles->count > 0)
		json_object_set_new(root, "active", json_string(profiles_active(profiles)->name));
	text = json_dumps(root, JSON_INDENT(2));
	if (text != NULL)
		err = state_write(state, FILE_NAME, bytes_of(text));
	free(text);
	json_decref(root);
	return err;
}

const struct profile *profiles_find(const struct profiles *profiles, const char *name)
{
	size_t i;

	for (i = 0; i < profiles->count; i++) {
		if (strcmp(profiles->rows[i].name, name) == 0)
			return &profiles->rows[i];
	}
	return NULL;
}

const struct profile *profiles_active(const struct profiles *profiles)
{
	return profiles->count > 0 ? &profiles->rows[profiles->active] : NULL;
}

enum gba_err profiles_add(struct profiles *profiles, const struct profile *profile, struct why *why)
{
	enum gba_err err = profile_check(profile, why);
	struct profile *rows;

	if (err != GBA_OK)
		return err;
	if (profiles_find(profiles, profile->name) != NULL)
		return why_fail(why, GBA_E_EXISTS, "profile %s exists already", profile->name);
	if (profiles->count >= PROFILES_MAX)
		return why_fail(why, GBA_E_NOSPACE, "more than %d profiles", PROFILES_MAX);
	rows = talloc_realloc(profiles, profiles->rows, struct profile, profiles->count + 1);
	if (rows == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	rows[profiles->count++] = *profile;
	profiles->rows = rows;
	return GBA_OK;
}

enum gba_err profiles_use(struct profiles *profiles, const char *name)
{
	const struct profile *profile = profiles_find(profiles, name);

	if (profile == NULL)
		return GBA_E_NOT_FOUND;
	profiles->active = (size_t)(profile - profiles->rows);
	return GBA_OK;
}

enum gba_err profiles_remove(struct profiles *profiles, const char *name)
{
	const struct profile *profile = profiles_find(profiles, name);
	size_t at;

	if (profile == NULL)
		return GBA_E_NOT_FOUND;
	at = (size_t)(profile - profiles->rows);
	if (at == profiles->active && profiles->count > 1)
		return GBA_E_DENIED;
	memmove(&profiles->rows[at], &profiles->rows[at + 1], (profiles->count - at - 1) * sizeof(profiles->rows[0]));
	profiles->count--;
	if (profiles->active > at)
		profiles->active--;
	return GBA_OK;
}
