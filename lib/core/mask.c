/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mask.h"

#include <string.h>
#include <strings.h>

#define STARS	"***"
#define KEYWORD "password" /* also the end of sslpassword */

struct sink {
	char *at, *end;
};

static void put(struct sink *out, const char *text, size_t n)
{
	size_t room = (size_t)(out->end - out->at);

	n = n < room ? n : room;
	memcpy(out->at, text, n);
	out->at += n;
}

/* Characters up to the value of a password keyword that starts here; 0: none does. */
static size_t key_len(const char *at)
{
	size_t n = sizeof(KEYWORD) - 1;

	if (strncasecmp(at, KEYWORD, n) != 0)
		return 0;
	n += strspn(at + n, " \t");
	if (at[n] != '=')
		return 0;
	n++;
	return n + strspn(at + n, " \t");
}

/* libpq: 'quoted', a backslash escapes one character; else up to a blank, in a URL up to the next parameter. */
static size_t value_len(const char *at)
{
	size_t n = 0;

	if (at[0] != '\'')
		return strcspn(at, " \t\n&");
	for (n = 1; at[n] != '\0' && at[n] != '\''; n++)
		n += at[n] == '\\' && at[n + 1] != '\0';
	return n + (at[n] != '\0');
}

/* Copy scheme://user:*** and return what follows. The last '@' of all is taken: a password may hold any character, and to
 * hide too much is no harm. */
static const char *authority(struct sink *out, const char *text)
{
	const char *start = strstr(text, "://"), *at, *colon;

	if (start == NULL || start != text + strcspn(text, " ='\"/") - 1)
		return text;
	start += 3;
	at = strrchr(start, '@');
	colon = at != NULL ? memchr(start, ':', (size_t)(at - start)) : NULL;
	if (colon == NULL)
		return text;
	put(out, text, (size_t)(colon - text) + 1);
	put(out, STARS, sizeof(STARS) - 1);
	return at;
}

const char *mask_password(const char *text, char out[MASK_MAX])
{
	struct sink sink = { out, out + MASK_MAX - 1 };
	size_t n;

	text = authority(&sink, text);
	while (*text != '\0') {
		n = key_len(text);
		if (n > 0) {
			put(&sink, text, n);
			put(&sink, STARS, sizeof(STARS) - 1);
			text += n + value_len(text + n);
		} else {
			put(&sink, text++, 1);
		}
	}
	*sink.at = '\0';
	return out;
}
