/* SPDX-License-Identifier: Apache-2.0 */
#include "store/db_dialect.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define WORDS_MAX 4

/* Words of a migration, the longest row first; words may stand any blanks apart. */
static const struct {
	const char *words[WORDS_MAX + 1], *pg;
} words_pg[] = {
	{ { "INTEGER", "PRIMARY", "KEY", "AUTOINCREMENT" }, "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY" },
	{ { "INTEGER" }, "BIGINT" },
	{ { "BLOB" }, "BYTEA" },
	{ { "TEXT" }, "TEXT COLLATE \"C\"" },
	{ { "STRICT" }, "" },
};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t word_len(const char *at)
{
	size_t n = 0;

	while (is_word(at[n]))
		n++;
	return n;
}

static size_t blanks(const char *at)
{
	return strspn(at, " \t\r\n");
}

static bool word_is(const char *at, const char *word)
{
	size_t n = word_len(at);

	return n == strlen(word) && strncasecmp(at, word, n) == 0;
}

/* Characters that the row's words take from here; 0: they do not stand here. */
static size_t row_match(const char *at, const char *const *words)
{
	size_t n = 0;

	for (; *words != NULL; words++) {
		if (n > 0)
			n += blanks(at + n);
		if (!word_is(at + n, *words))
			return 0;
		n += strlen(*words);
	}
	return n;
}

/* Characters of a quoted text or a comment that starts here; 0: none does. A doubled quote starts the next text. */
static size_t opaque_len(const char *at)
{
	const char *end;

	if (at[0] == '\'' || at[0] == '"') {
		end = strchr(at + 1, at[0]);
		return end != NULL ? (size_t)(end - at) + 1 : strlen(at);
	}
	if (at[0] == '-' && at[1] == '-')
		return strcspn(at, "\n");
	if (at[0] == '/' && at[1] == '*') {
		end = strstr(at + 2, "*/");
		return end != NULL ? (size_t)(end - at) + 2 : strlen(at);
	}
	return 0;
}

static char *word_add(char *out, const char *at, bool schema, size_t *_taken)
{
	size_t i;

	for (i = 0; schema && i < sizeof(words_pg) / sizeof(words_pg[0]); i++) {
		*_taken = row_match(at, words_pg[i].words);
		if (*_taken > 0)
			return talloc_strdup_append_buffer(out, words_pg[i].pg);
	}
	*_taken = word_len(at);
	return talloc_strndup_append_buffer(out, at, *_taken);
}

static char *param_add(char *out, const char *at, unsigned int *_next, size_t *_taken)
{
	size_t digits = strspn(at + 1, "0123456789");

	*_taken = 1 + digits;
	if (digits > 0)
		return talloc_asprintf_append_buffer(out, "$%.*s", (int)digits, at + 1);
	return talloc_asprintf_append_buffer(out, "$%u", (*_next)++);
}

char *db_dialect_pg(TALLOC_CTX *mem_ctx, const char *sql, bool schema)
{
	char *out = talloc_strdup(mem_ctx, "");
	unsigned int next = 1;
	size_t n;

	while (out != NULL && *sql != '\0') {
		n = opaque_len(sql);
		if (n > 0) {
			out = talloc_strndup_append_buffer(out, sql, n);
		} else if (is_word(*sql)) {
			out = word_add(out, sql, schema, &n);
		} else if (*sql == '?') {
			out = param_add(out, sql, &next, &n);
		} else {
			n = 1;
			out = talloc_strndup_append_buffer(out, sql, n);
		}
		sql += n;
	}
	return out;
}

bool db_dialect_inserts(const char *sql)
{
	return word_is(sql + blanks(sql), "INSERT");
}

bool db_dialect_writes(const char *sql)
{
	static const char *const verbs[] = { "INSERT", "UPDATE", "DELETE", NULL };
	size_t i, n;

	sql += blanks(sql);
	if (word_is(sql, "SELECT") || word_is(sql, "VALUES"))
		return false;
	if (!word_is(sql, "WITH"))
		return true;
	for (; *sql != '\0'; sql += n) {
		for (i = 0; verbs[i] != NULL; i++) {
			if (word_is(sql, verbs[i]))
				return true;
		}
		n = opaque_len(sql) + word_len(sql);
		n += n == 0;
	}
	return false;
}
