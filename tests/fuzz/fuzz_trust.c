/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in vulnerabilities, in rules of trust and in the greetings of neighbours: two lines of text, read as each of them.
 * Versions have an order, a good range can be asked, a good vector has a score. */
#include <stdlib.h>
#include <string.h>

#include "registry-fn/peer/sync.h"
#include "registry-fn/trust/cvss.h"
#include "registry-fn/trust/policy.h"
#include "registry-fn/trust/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int sign_of(int n)
{
	return (n > 0) - (n < 0);
}

static void check_versions(struct bytes a, struct bytes b)
{
	const char *why = "";

	if (sign_of(version_compare(a, b)) != -sign_of(version_compare(b, a)) || version_compare(a, a) != 0)
		abort();
	if (version_range_check(b, &why) != GBA_OK && (why[0] == '\0' || version_in(a, b)))
		abort();
	if (!version_in(a, bytes_of("*")))
		abort();
}

static void check_vector(struct bytes in)
{
	const char *why = "";
	int score = -1;

	if (cvss_read(in, &score, &why) == GBA_OK ? score < 0 || score > 100 || cvss_check(in, &why) != GBA_OK : why[0] == '\0')
		abort();
	cve_check(in, &why);
}

static void check_rule(TALLOC_CTX *ctx, struct bytes in)
{
	struct trust_rule_conf row = { talloc_strndup(ctx, (const char *)in.p, in.n), TRUST_BLACK };
	const struct conf_groups rules = { .v = &row, .n = 1 };
	struct trust_facts facts = { .registered = true, .root = true };
	char cause[POLICY_CAUSE_MAX + 1];
	struct trust_policy *policy = NULL;
	const char *why = "";

	if (in.n > POLICY_CAUSE_MAX) /* the configuration has no longer ones */
		return;
	if (trust_policy_new(ctx, &rules, &policy, &why) != GBA_OK) {
		if (strstr(why, "is no rule") == NULL)
			abort();
		return;
	}
	if (trust_policy_judge(policy, &facts, cause) == TRUST_BLACK && strcmp(cause, row.when) != 0)
		abort();
}

static void check_greeting(TALLOC_CTX *ctx, struct bytes have, struct bytes accepts)
{
	struct sync_peer *peer = sync_peer_new(ctx, "IN", 0x3f, 0x3f);
	const struct sync_list haves = { &have, 1 }, classes = { &accepts, 1 };

	if ((sync_greeted(peer, &haves, &classes) == GBA_OK) != sync_is_greeted(peer))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes a = BYTES(data, size), b = BYTES(data, 0);
	TALLOC_CTX *ctx = talloc_new(NULL);

	if (bytes_split(BYTES(data, size), '\n', &a, &b) && b.p == NULL)
		b = BYTES(data, 0);
	check_versions(a, b);
	check_vector(a);
	check_rule(ctx, a);
	check_greeting(ctx, a, b);
	talloc_free(ctx);
	return 0;
}
