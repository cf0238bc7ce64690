/* SPDX-License-Identifier: Apache-2.0 */
/* The score of a CVSS 4.0 vector (FIRST, "CVSS v4.0 specification", 8.2 and 8.3): the vector belongs to a MacroVector, whose score
 * is in a table; from it a share is taken off, by how far the vector is below the worst of its MacroVector and how far the next
 * lower one is. All of it in whole numbers: tenths, and steps of a metric. */
#include "registry-fn/trust/cvss_priv.h"

#define EQS  6	 /* sets of equal vectors, EQ1 to EQ6 */
#define NONE 0	 /* no such MacroVector: EQ3 2 with EQ6 0 */
#define PART 840 /* a multiple of every depth */

/* Places of metrics; those the environment modifies stand from MODIFIED on in the order of the base. */
enum { AV, AC, AT, PR, UI, VC, VI, VA, SC, SI, SA, E, CR, IR, AR, MODIFIED };

/* Scores of MacroVectors, in tenths: [EQ1][EQ2][EQ3][EQ4], then EQ5 and EQ6 as 00 01 10 11 20 21. */
static const uint8_t macro_scores[3][2][3][3][6] = {
	{ { { { 100, 99, 98, 95, 95, 92 }, { 100, 96, 93, 87, 91, 81 }, { 93, 90, 89, 80, 81, 68 } },
	    { { 98, 95, 95, 92, 90, 84 }, { 93, 92, 89, 81, 81, 65 }, { 88, 80, 78, 70, 69, 48 } },
	    { { NONE, 92, NONE, 82, NONE, 72 }, { NONE, 79, NONE, 69, NONE, 50 }, { NONE, 69, NONE, 55, NONE, 27 } } },
	  { { { 99, 97, 95, 92, 92, 85 }, { 95, 91, 90, 83, 84, 71 }, { 92, 81, 82, 71, 72, 53 } },
	    { { 95, 93, 92, 85, 85, 73 }, { 92, 82, 80, 72, 70, 59 }, { 84, 70, 71, 52, 50, 30 } },
	    { { NONE, 86, NONE, 75, NONE, 52 }, { NONE, 71, NONE, 52, NONE, 29 }, { NONE, 63, NONE, 29, NONE, 17 } } } },
	{ { { { 98, 95, 94, 87, 91, 81 }, { 94, 89, 86, 74, 77, 64 }, { 87, 75, 74, 63, 63, 49 } },
	    { { 94, 89, 88, 77, 76, 67 }, { 86, 76, 74, 58, 59, 50 }, { 72, 57, 57, 52, 52, 25 } },
	    { { NONE, 83, NONE, 70, NONE, 54 }, { NONE, 65, NONE, 58, NONE, 26 }, { NONE, 53, NONE, 21, NONE, 13 } } },
	  { { { 95, 90, 88, 76, 76, 70 }, { 90, 77, 75, 62, 61, 53 }, { 77, 66, 68, 59, 52, 30 } },
	    { { 89, 78, 76, 67, 62, 58 }, { 74, 59, 57, 57, 47, 23 }, { 61, 52, 57, 29, 24, 16 } },
	    { { NONE, 71, NONE, 59, NONE, 30 }, { NONE, 58, NONE, 26, NONE, 15 }, { NONE, 23, NONE, 13, NONE, 6 } } } },
	{ { { { 93, 87, 86, 72, 75, 58 }, { 86, 74, 74, 61, 56, 34 }, { 70, 54, 52, 40, 40, 22 } },
	    { { 85, 75, 74, 55, 62, 51 }, { 72, 57, 55, 41, 46, 19 }, { 53, 36, 34, 19, 19, 8 } },
	    { { NONE, 64, NONE, 51, NONE, 20 }, { NONE, 47, NONE, 21, NONE, 11 }, { NONE, 24, NONE, 9, NONE, 4 } } },
	  { { { 88, 75, 73, 53, 60, 50 }, { 73, 55, 59, 40, 41, 20 }, { 54, 43, 45, 22, 20, 11 } },
	    { { 75, 55, 58, 45, 40, 21 }, { 61, 51, 48, 18, 20, 9 }, { 46, 18, 17, 7, 8, 2 } },
	    { { NONE, 53, NONE, 24, NONE, 14 }, { NONE, 24, NONE, 12, NONE, 5 }, { NONE, 10, NONE, 3, NONE, 1 } } } },
};

/* Letters of a metric from the worst on; SC has no S, and its H counts as that of SI and SA. */
static const char *const order[AR + 1] = { [AV] = "NALP", [AC] = "LH", [AT] = "NP", [PR] = "NLH", [UI] = "NPA",
					   [VC] = "HLN", [VI] = "HLN", [VA] = "HLN", [SC] = "SHLN", [SI] = "SHLN",
					   [SA] = "SHLN", [E] = "APU", [CR] = "HML", [IR] = "HML", [AR] = "HML" };

/* The letter that counts: what the environment modifies; the worst where nothing is said. */
static char letter_of(const char m[CVSS_METRICS], int metric)
{
	char modified = metric <= SA ? m[MODIFIED + metric] : 'X';

	if (modified != 'X' && modified != 0)
		return modified;
	return m[metric] == 'X' || m[metric] == 0 ? order[metric][0] : m[metric];
}

static int steps(char letter, int metric)
{
	return (int)(strchr(order[metric], letter) - order[metric]);
}

static bool no_impact(const char l[AR + 1])
{
	int i;

	for (i = VC; i <= SA; i++) {
		if (l[i] != 'N')
			return false;
	}
	return true;
}

/* 8.2: tables 24 to 29. */
static void macro_of(const char l[AR + 1], int eq[EQS])
{
	int unhindered = (l[AV] == 'N') + (l[PR] == 'N') + (l[UI] == 'N');

	eq[0] = unhindered == 3 ? 0 : unhindered > 0 && l[AV] != 'P' ? 1 : 2;
	eq[1] = l[AC] == 'L' && l[AT] == 'N' ? 0 : 1;
	eq[2] = l[VC] == 'H' && l[VI] == 'H' ? 0 : l[VC] == 'H' || l[VI] == 'H' || l[VA] == 'H' ? 1 : 2;
	eq[3] = l[SI] == 'S' || l[SA] == 'S' ? 0 : l[SC] == 'H' || l[SI] == 'H' || l[SA] == 'H' ? 1 : 2;
	eq[4] = steps(l[E], E);
	eq[5] = (l[CR] == 'H' && l[VC] == 'H') || (l[IR] == 'H' && l[VI] == 'H') || (l[AR] == 'H' && l[VA] == 'H') ? 0 : 1;
}

static int score_of(const int eq[EQS])
{
	if (eq[0] > 2 || eq[1] > 1 || eq[2] > 2 || eq[3] > 2 || eq[4] > 2 || eq[5] > 1)
		return NONE;
	return macro_scores[eq[0]][eq[1]][eq[2]][eq[3]][2 * eq[4] + eq[5]];
}

/* The score when one set is a step lower; EQ3 and EQ6 go together. */
static int lower_of(const int eq[EQS], int set)
{
	int next[EQS], left, right;

	memcpy(next, eq, sizeof(next));
	if (set != 2 || eq[5] == 1) {
		next[set]++;
		return score_of(next);
	}
	next[5]++;
	left = score_of(next);
	if (eq[2] == 1)
		return left;
	next[5]--;
	next[2]++;
	right = score_of(next);
	return left > right ? left : right;
}

/* 8.3: the worst vectors of each level: their letters, in the order of the set's metrics; and how deep the level goes. */
struct level {
	int depth;
	const char *worst[6]; /* NULL-terminated */
};
static const struct level levels_1[] = { { 1, { "NNN" } }, { 4, { "ANN", "NLN", "NNP" } }, { 5, { "PNN", "ALP" } } };
static const struct level levels_2[] = { { 1, { "LN" } }, { 2, { "HN", "LP" } } };
static const struct level levels_3[] = { /* EQ3 and EQ6 */
	{ 7, { "HHHHHH" } }, { 6, { "HHLMMH", "HHHMMM" } }, { 8, { "LHHHHH", "HLHHHH" } },
	{ 8, { "LHLHMH", "LHHHMM", "HLHMHM", "HLLMHH", "LLHHHM" } }, { NONE, { NULL } }, { 10, { "LLLHHH" } },
};
static const struct level levels_4[] = { { 6, { "HSS" } }, { 5, { "HHH" } }, { 4, { "LLL" } } };

/* Steps between the vector and the first worst one that none of its metrics is above of. */
static int distance(const char l[AR + 1], const int *metrics, int n, const struct level *level)
{
	int i, w, one, sum = 0;

	for (w = 0; level->worst[w] != NULL; w++) {
		for (i = 0, sum = 0; i < n; i++) {
			one = steps(l[metrics[i]], metrics[i]) - steps(level->worst[w][i], metrics[i]);
			if (one < 0)
				break;
			sum += one;
		}
		if (i == n)
			return sum;
	}
	return sum;
}

/* What one set takes off the score, in tenths by PART. */
static int share(const char l[AR + 1], const int eq[EQS], int set, int available)
{
	static const struct {
		int metrics[6], n;
		const struct level *levels;
	} sets[] = {
		{ { AV, PR, UI }, 3, levels_1 }, { { AC, AT }, 2, levels_2 }, { { VC, VI, VA, CR, IR, AR }, 6, levels_3 },
		{ { SC, SI, SA }, 3, levels_4 },
	};
	const struct level *level;

	if (set == 4) /* a level of EQ5 is one vector */
		return 0;
	level = &sets[set].levels[set == 2 ? 2 * eq[2] + eq[5] : eq[set]];
	return available * distance(l, sets[set].metrics, sets[set].n, level) * (PART / level->depth);
}

int cvss_score_40(const char m[CVSS_METRICS])
{
	int i, eq[EQS], value, lower, off = 0, n = 0;
	char l[AR + 1];

	for (i = 0; i <= AR; i++)
		l[i] = letter_of(m, i);
	if (no_impact(l))
		return 0;
	macro_of(l, eq);
	value = score_of(eq);
	for (i = 0; i < 5; i++) {
		lower = lower_of(eq, i);
		if (lower == NONE)
			continue;
		off += share(l, eq, i, value - lower);
		n++;
	}
	/* Less the mean, to the next tenth, halves upwards. */
	n = n > 0 ? n : 1;
	value = (2 * (value * PART * n - off) + PART * n) / (2 * PART * n);
	return value < 0 ? 0 : value;
}
