/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/trust/cvss_priv.h"

const char *const cvss_severity_words[] = { "none", "low", "medium", "high", "critical", NULL };

/* A metric and the letters it may have; longer words stand apart. */
struct metric {
	const char *name, *values;
};

#define BASE_31 8
static const struct metric metrics_31[] = {
	{ "AV", "NALP" }, { "AC", "LH" },  { "PR", "NLH" },  { "UI", "NR" },   { "S", "UC" },	{ "C", "NLH" },	  { "I", "NLH" },
	{ "A", "NLH" },	  { "E", "XHFPU" }, { "RL", "XUWTO" }, { "RC", "XCRU" }, { "CR", "XHML" }, { "IR", "XHML" }, { "AR", "XHML" },
	{ "MAV", "XNALP" }, { "MAC", "XLH" }, { "MPR", "XNLH" }, { "MUI", "XNR" }, { "MS", "XUC" }, { "MC", "XNLH" }, { "MI", "XNLH" },
	{ "MA", "XNLH" }, { NULL, NULL },
};
#define BASE_40 11
static const struct metric metrics_40[] = {
	{ "AV", "NALP" },   { "AC", "LH" },   { "AT", "NP" },	{ "PR", "NLH" },  { "UI", "NPA" },  { "VC", "HLN" },  { "VI", "HLN" },
	{ "VA", "HLN" },    { "SC", "HLN" },  { "SI", "HLN" },	{ "SA", "HLN" },  { "E", "XAPU" },  { "CR", "XHML" }, { "IR", "XHML" },
	{ "AR", "XHML" },   { "MAV", "XNALP" }, { "MAC", "XLH" }, { "MAT", "XNP" }, { "MPR", "XNLH" }, { "MUI", "XNPA" }, { "MVC", "XHLN" },
	{ "MVI", "XHLN" },  { "MVA", "XHLN" }, { "MSC", "XHLN" }, { "MSI", "XSHLN" }, { "MSA", "XSHLN" }, { "S", "XNP" }, { "AU", "XNY" },
	{ "R", "XAUI" },    { "V", "XDC" },   { "RE", "XLMH" }, { "U", NULL },	  { NULL, NULL },
};
static const char *const urgencies[] = { "X", "Clear", "Green", "Amber", "Red", NULL };

static int metric_named(const struct metric *metrics, struct bytes name)
{
	int i;

	for (i = 0; metrics[i].name != NULL; i++) {
		if (bytes_eq_str(name, metrics[i].name))
			return i;
	}
	return -1;
}

static bool value_good(const struct metric *metric, struct bytes value)
{
	size_t i;

	if (metric->values != NULL)
		return value.n == 1 && strchr(metric->values, value.p[0]) != NULL && value.p[0] != '\0';
	for (i = 0; urgencies[i] != NULL; i++) {
		if (bytes_eq_str(value, urgencies[i]))
			return true;
	}
	return false;
}

static enum gba_err fail(const char **_why, const char *text)
{
	*_why = text;
	return GBA_E_SYNTAX;
}

/* Letters by place in the table; 0: not given. */
static enum gba_err read_metrics(const struct metric *metrics, int base, bool ordered, struct bytes rest,
				 char letters[CVSS_METRICS], const char **_why)
{
	struct bytes part, name, value, next;
	int i, last = -1;

	memset(letters, 0, CVSS_METRICS);
	for (; rest.p != NULL; rest = next) {
		if (!bytes_split(rest, '/', &part, &next)) {
			part = rest;
			next = BYTES_NONE;
		}
		if (!bytes_split(part, ':', &name, &value) || value.n == 0)
			return fail(_why, "a CVSS metric is NAME:VALUE");
		i = metric_named(metrics, name);
		if (i < 0 || !value_good(&metrics[i], value))
			return fail(_why, "no such CVSS metric or value");
		if (letters[i] != 0)
			return fail(_why, "a CVSS metric occurs twice");
		if (ordered && i < last)
			return fail(_why, "CVSS 4.0 metrics stand in the order of its table 23");
		letters[i] = (char)value.p[0];
		last = i;
	}
	for (i = 0; i < base; i++) {
		if (letters[i] == 0)
			return fail(_why, "a CVSS base metric is missing");
	}
	return GBA_OK;
}

static double weight(char letter, const char *letters, const double *weights)
{
	return weights[strchr(letters, letter) - letters];
}

/* CVSS 3.1 appendix A: the smallest number of tenths not below x, free of what binary fractions add. */
static int round_up(double x)
{
	long scaled = (long)(x * 100000 + 0.5);

	return scaled % 10000 == 0 ? (int)(scaled / 10000) : (int)(scaled / 10000) + 1;
}

/* CVSS 3.1 section 7.1, in tenths. */
static int base_score_31(const char m[CVSS_METRICS])
{
	static const double av[] = { 0.85, 0.62, 0.55, 0.2 }, ac[] = { 0.77, 0.44 }, pr[] = { 0.85, 0.62, 0.27 },
			    pr_changed[] = { 0.85, 0.68, 0.5 }, ui[] = { 0.85, 0.62 }, cia[] = { 0, 0.22, 0.56 };
	bool changed = m[4] == 'C';
	double iss, impact, exploitability, power = 1, sum;
	int i;

	iss = 1 - (1 - weight(m[5], "NLH", cia)) * (1 - weight(m[6], "NLH", cia)) * (1 - weight(m[7], "NLH", cia));
	for (i = 0; i < 15; i++)
		power *= iss - 0.02;
	impact = changed ? 7.52 * (iss - 0.029) - 3.25 * power : 6.42 * iss;
	exploitability = 8.22 * weight(m[0], "NALP", av) * weight(m[1], "LH", ac) *
			 weight(m[2], "NLH", changed ? pr_changed : pr) * weight(m[3], "NR", ui);
	if (impact <= 0)
		return 0;
	sum = changed ? 1.08 * (impact + exploitability) : impact + exploitability;
	return round_up(sum < 10 ? sum : 10);
}

enum gba_err cvss_read(struct bytes vector, int *_score, const char **_why)
{
	char letters[CVSS_METRICS];
	struct bytes version, rest;
	enum gba_err err;
	int score = 0;

	if (vector.n > CVSS_MAX) {
		*_why = "too long for a CVSS vector";
		return GBA_E_TOO_LONG;
	}
	if (!bytes_split(vector, '/', &version, &rest))
		return fail(_why, "no CVSS vector");
	if (bytes_eq_str(version, "CVSS:3.1")) {
		err = read_metrics(metrics_31, BASE_31, false, rest, letters, _why);
		score = err == GBA_OK ? base_score_31(letters) : score;
	} else if (bytes_eq_str(version, "CVSS:4.0")) {
		err = read_metrics(metrics_40, BASE_40, true, rest, letters, _why);
		score = err == GBA_OK ? cvss_score_40(letters) : score;
	} else {
		*_why = "CVSS:3.1/ or CVSS:4.0/ is expected";
		return GBA_E_UNSUPPORTED;
	}
	if (err == GBA_OK && _score != NULL)
		*_score = score;
	return err;
}

enum gba_err cvss_check(struct bytes vector, const char **_why)
{
	enum gba_err err = cvss_read(vector, NULL, _why);

	return err == GBA_E_UNSUPPORTED ? GBA_E_SYNTAX : err;
}

enum cvss_severity cvss_severity(int score)
{
	return score >= 90 ? CVSS_CRITICAL : score >= 70 ? CVSS_HIGH : score >= 40 ? CVSS_MEDIUM : score > 0 ? CVSS_LOW : CVSS_NONE;
}

enum gba_err cve_check(struct bytes text, const char **_why)
{
	size_t i;

	*_why = "a CVE identifier is CVE-YYYY-NNNN";
	if (text.n < 13 || text.n > 28 || memcmp(text.p, "CVE-", 4) != 0 || text.p[8] != '-')
		return GBA_E_SYNTAX;
	for (i = 4; i < text.n; i++) {
		if (i != 8 && (text.p[i] < '0' || text.p[i] > '9'))
			return GBA_E_SYNTAX;
	}
	return GBA_OK;
}
