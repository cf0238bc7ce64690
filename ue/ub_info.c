/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "ue/ub_priv.h"

static enum gba_err check(const struct ub_conf *conf, const uint8_t want[RAND_LEN], const struct bsinfo *info, struct why *why)
{
	uint8_t rand[RAND_LEN];
	struct bytes fqdn;

	if (strlen(info->btid) > BTID_MAX || btid_parse(bytes_of(info->btid), rand, &fqdn) != GBA_OK)
		return why_fail(why, GBA_E_BTID_SYNTAX, "BSF gave a malformed B-TID");
	if (memcmp(rand, want, RAND_LEN) != 0)
		return why_fail(why, GBA_E_PEER, "BSF gave the B-TID of another run");
	if (!bytes_eq_nocase(fqdn, conf->bsf))
		return why_fail(why, GBA_E_REALM, "B-TID of %.*s, not of %.*s", BYTES_FMT(fqdn), BYTES_FMT(conf->bsf));
	if (info->lifetime <= conf->now)
		return why_fail(why, GBA_E_PEER, "token is over before it begins: check the clock of this device");
	return GBA_OK;
}

enum gba_err ub_info_take(TALLOC_CTX *mem_ctx, const struct ub_conf *conf, const uint8_t rand[RAND_LEN], struct bytes body,
			  struct bsinfo *_info, struct ub_result *_result, struct why *why)
{
	enum gba_err err = bsinfo_parse(mem_ctx, body, _info);

	if (err != GBA_OK)
		return why_fail(why, err, "BootstrappingInfo: %s", gba_strerror(err));
	err = check(conf, rand, _info, why);
	if (err != GBA_OK)
		return err;
	snprintf(_result->btid, sizeof(_result->btid), "%s", _info->btid);
	_result->expires = _info->lifetime;
	if (_info->realm_profile != NULL)
		snprintf(_result->realm_profile, sizeof(_result->realm_profile), "%s", _info->realm_profile);
	if (_info->token_format != NULL)
		snprintf(_result->token_format, sizeof(_result->token_format), "%s", _info->token_format);
	return GBA_OK;
}

enum gba_err ub_refused(const struct ub_conf *conf, const struct fetch_answer *answer, struct ub_result *_result, struct why *why)
{
	unsigned int status = answer->status;

	if (status == 503) {
		_result->retry_after = answer->retry_after;
		return why_fail(why, GBA_E_BUSY, "BSF is busy: 503, Retry-After %u s", answer->retry_after);
	}
	if (status == 403)
		return why_fail(why, GBA_E_NOT_AUTHORIZED, "BSF refuses this device%s: 403",
				conf->application.p != NULL ? ", or this application for it" : "");
	if (status >= 300 && status < 400)
		return why_fail(why, GBA_E_PEER, "redirect refused: %u", status);
	return why_fail(why, GBA_E_PEER, "unexpected answer: %u", status);
}
