/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_scan.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define INCLUDES_MAX 10 /* as deep as libconfig goes */

enum token { TOKEN_END, TOKEN_NAME, TOKEN_NUMBER, TOKEN_STRING, TOKEN_INCLUDE, TOKEN_OTHER };

struct scan {
	FILE *in;
	unsigned int line;
	char text[256]; /* of the last token; a longer one is cut */
};

static int next(struct scan *s)
{
	int c = getc_unlocked(s->in);

	s->line += c == '\n';
	return c;
}

static int peek(struct scan *s)
{
	int c = getc_unlocked(s->in);

	if (c != EOF)
		ungetc(c, s->in);
	return c;
}

static void put(struct scan *s, size_t *_n, int c)
{
	if (*_n < sizeof(s->text) - 1)
		s->text[(*_n)++] = (char)c;
	s->text[*_n] = '\0';
}

static void skip_line(struct scan *s)
{
	int c;

	do
		c = peek(s) == '\n' ? EOF : next(s);
	while (c != EOF);
}

static void skip_comment(struct scan *s)
{
	int c = next(s);

	while (c != EOF && !(c == '*' && peek(s) == '/'))
		c = next(s);
	(void)next(s);
}

static void take_string(struct scan *s)
{
	size_t n = 0;
	int c;

	s->text[0] = '\0';
	for (c = next(s); c != EOF && c != '"'; c = next(s)) {
		if (c == '\\')
			c = next(s);
		put(s, &n, c);
	}
}

static void take_word(struct scan *s, int first)
{
	size_t n = 0;

	put(s, &n, first);
	while (isalnum(peek(s)) || (peek(s) != EOF && strchr("-_*.+", peek(s)) != NULL))
		put(s, &n, next(s));
}

static enum token take(struct scan *s)
{
	int c;

	do
		c = next(s);
	while (c != EOF && isspace(c));
	if (c == EOF)
		return TOKEN_END;
	if (c == '#' || (c == '/' && peek(s) == '/')) {
		skip_line(s);
		return TOKEN_OTHER;
	}
	if (c == '/' && peek(s) == '*') {
		(void)next(s);
		skip_comment(s);
		return TOKEN_OTHER;
	}
	if (c == '"') {
		take_string(s);
		return TOKEN_STRING;
	}
	if (!isalnum(c) && strchr("-+*@", c) == NULL)
		return TOKEN_OTHER;
	take_word(s, c);
	if (c == '@')
		return strcmp(s->text, "@include") == 0 ? TOKEN_INCLUDE : TOKEN_OTHER;
	return isalpha(c) || c == '*' ? TOKEN_NAME : TOKEN_NUMBER;
}

/* Would libconfig cut it? Not what is floating, has an L, or is no number at all. */
static bool is_cut(const char *text, long long *_value)
{
	char *end;

	*_value = strtoll(text, &end, strncasecmp(text, "0x", 2) == 0 ? 16 : 10);
	return end != text && *end == '\0' && (*_value > INT_MAX || *_value < INT_MIN);
}

static bool scan_cut(const char *path, int depth, struct conf_cut *cut)
{
	struct scan s = { .in = fopen(path, "re"), .line = 1 };
	bool include = false, found = false;
	enum token token;

	if (s.in == NULL)
		return false;
	cut->name[0] = '\0';
	for (token = take(&s); !found && token != TOKEN_END; token = take(&s)) {
		if (token == TOKEN_NAME)
			snprintf(cut->name, sizeof(cut->name), "%.*s", CONF_SCAN_NAME - 1, s.text);
		else if (token == TOKEN_STRING && include && depth < INCLUDES_MAX)
			found = scan_cut(s.text, depth + 1, cut);
		else if (token == TOKEN_NUMBER && is_cut(s.text, &cut->value)) {
			snprintf(cut->file, sizeof(cut->file), "%s", path);
			cut->line = s.line;
			found = true;
		}
		include = token == TOKEN_INCLUDE;
	}
	fclose(s.in);
	return found;
}

bool conf_scan_cut(const char *path, struct conf_cut *_cut)
{
	return scan_cut(path, 0, _cut);
}

bool conf_scan_name(const char *path, unsigned int line, char name[CONF_SCAN_NAME])
{
	struct scan s = { .in = fopen(path, "re"), .line = 1 };
	unsigned int names = 0;
	char last[CONF_SCAN_NAME] = "";
	enum token token;
	int c;

	if (s.in == NULL)
		return false;
	for (token = take(&s); token != TOKEN_END && s.line <= line; token = take(&s)) {
		if (token == TOKEN_NAME)
			snprintf(last, sizeof(last), "%.*s", CONF_SCAN_NAME - 1, s.text);
		while ((c = peek(&s)) == ' ' || c == '\t')
			(void)next(&s);
		if (token != TOKEN_NAME || s.line != line || (c != '=' && c != ':'))
			continue;
		strcpy(name, last);
		names++;
	}
	fclose(s.in);
	return names == 1;
}
