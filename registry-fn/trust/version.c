/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/trust/version.h"

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
	c = octet_lower(c);
	return c >= 'a' && c <= 'z';
}

/* The next run of digits or letters; n 0: the end. */
static struct bytes next_run(struct bytes *rest)
{
	struct bytes run;
	bool digits;

	while (rest->n > 0 && !is_digit(rest->p[0]) && !is_letter(rest->p[0]))
		*rest = BYTES(rest->p + 1, rest->n - 1);
	run = BYTES(rest->p, 0);
	digits = rest->n > 0 && is_digit(rest->p[0]);
	while (rest->n > 0 && (digits ? is_digit(rest->p[0]) : is_letter(rest->p[0]))) {
		run.n++;
		*rest = BYTES(rest->p + 1, rest->n - 1);
	}
	if (digits) { /* by value: leading zeros do not count */
		while (run.n > 1 && run.p[0] == '0')
			run = BYTES(run.p + 1, run.n - 1);
	}
	return run;
}

enum rank { BEFORE_END, AT_END, LETTERS, NUMBER };

/* What a run is worth where the other version may have ended: 0 is as good as nothing. */
static enum rank rank_of(struct bytes run)
{
	static const char *const before[] = { "alpha", "beta", "dev", "pre", "preview", "rc", "snapshot", NULL };
	size_t i;

	if (run.n == 0 || (run.n == 1 && run.p[0] == '0'))
		return AT_END;
	for (i = 0; before[i] != NULL; i++) {
		if (bytes_eq_nocase(run, bytes_of(before[i])))
			return BEFORE_END;
	}
	return is_digit(run.p[0]) ? NUMBER : LETTERS;
}

static int compare_runs(struct bytes a, struct bytes b)
{
	enum rank x = rank_of(a), y = rank_of(b);
	size_t i;

	if (x != y)
		return x < y ? -1 : 1;
	if (x == AT_END)
		return 0;
	if (x == NUMBER)
		return a.n != b.n ? (a.n < b.n ? -1 : 1) : memcmp(a.p, b.p, a.n);
	for (i = 0; i < a.n && i < b.n; i++) {
		if (octet_lower(a.p[i]) != octet_lower(b.p[i]))
			return octet_lower(a.p[i]) < octet_lower(b.p[i]) ? -1 : 1;
	}
	return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

static struct bytes without_v(struct bytes version)
{
	return version.n > 1 && octet_lower(version.p[0]) == 'v' && is_digit(version.p[1]) ?
		       BYTES(version.p + 1, version.n - 1) : version;
}

int version_compare(struct bytes a, struct bytes b)
{
	struct bytes x, y;
	int order = 0;

	a = without_v(a);
	b = without_v(b);
	do {
		x = next_run(&a);
		y = next_run(&b);
		order = compare_runs(x, y);
	} while (order == 0 && (x.n > 0 || y.n > 0));
	return order;
}

static bool text_good(struct bytes version)
{
	size_t i;

	if (version.n == 0 || version.n > VERSION_MAX || (!is_digit(version.p[0]) && !is_letter(version.p[0])))
		return false;
	for (i = 0; i < version.n; i++) {
		if (!is_digit(version.p[i]) && !is_letter(version.p[i]) && strchr("._-+~:/", version.p[i]) == NULL)
			return false;
	}
	return true;
}

/* The next condition of a range: the operator and its version. False: none, or no condition. */
static bool next_condition(struct bytes *rest, char op[3], struct bytes *_version)
{
	struct bytes word;
	size_t n = 0;

	while (rest->n > 0 && rest->p[0] == ' ')
		*rest = BYTES(rest->p + 1, rest->n - 1);
	if (!bytes_split(*rest, ' ', &word, rest)) {
		word = *rest;
		*rest = BYTES(word.p, 0);
	}
	while (n < 2 && n < word.n && strchr("<>=", word.p[n]) != NULL) {
		op[n] = (char)word.p[n];
		n++;
	}
	op[n] = '\0';
	*_version = BYTES(word.p + n, word.n - n);
	return n > 0 && text_good(*_version) && (n == 1 || op[1] == '=') && strcmp(op, "==") != 0;
}

static bool holds(int order, const char *op)
{
	if (order == 0)
		return strchr(op, '=') != NULL;
	return op[0] == (order < 0 ? '<' : '>');
}

bool version_in(struct bytes version, struct bytes range)
{
	struct bytes limit;
	char op[3];

	if (bytes_eq_str(range, "*"))
		return true;
	if (version.n == 0 || range.n == 0)
		return false;
	while (range.n > 0) {
		if (!next_condition(&range, op, &limit) || !holds(version_compare(version, limit), op))
			return false;
	}
	return true;
}

bool version_in_any(struct bytes version, struct bytes ranges)
{
	struct bytes one, rest;

	if (ranges.p == NULL || ranges.n == 0)
		return true;
	for (; ranges.p != NULL; ranges = rest) {
		if (!bytes_split(ranges, '\n', &one, &rest)) {
			one = ranges;
			rest = BYTES_NONE;
		}
		if (version_in(version, one))
			return true;
	}
	return false;
}

enum gba_err version_range_check(struct bytes range, const char **_why)
{
	struct bytes limit;
	char op[3];

	*_why = "a range is *, or conditions such as >=1.2 <2.0.5";
	if (bytes_eq_str(range, "*"))
		return GBA_OK;
	if (range.n == 0)
		return GBA_E_SYNTAX;
	while (range.n > 0) {
		if (!next_condition(&range, op, &limit))
			return GBA_E_SYNTAX;
	}
	return GBA_OK;
}
