/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/release.h"

#include <stdio.h>

#include "core/codec.h"

enum gba_err release_note(struct audit *audit, const struct release *release, enum gba_err err)
{
	char why[FQDN_MAX + HEX_LEN(UA_ID_LEN) + GRANT_SETTINGS_MAX + 64], ua[HEX_LEN(UA_ID_LEN) + 1];
	struct audit_entry entry = { .act = release->act,
				     .role = "naf",
				     .who = release->naf,
				     .object = release->btid,
				     .corr = release->corr != NULL && release->corr[0] != '\0' ? release->corr : NULL,
				     .result = err };
	enum gba_err noted;
	int n;
	struct naf_id id;

	if (audit == NULL || (err != GBA_OK && err != GBA_E_NOT_AUTHORIZED))
		return err;
	if (release->grant != NULL)
		entry.subject = release->grant->owner;
	if (naf_id_parse(release->naf_id, &id) == GBA_OK) {
		hex_encode(BYTES(id.ua_id, UA_ID_LEN), ua);
		n = snprintf(why, sizeof(why), "Ks_NAF for %.*s %s", BYTES_FMT(id.fqdn), ua);
		if (release->grant != NULL)
			snprintf(why + n, sizeof(why) - (size_t)n, " by %s %s, settings %s",
				 release->grant->type == CTX_2G_GBA ? "2G" : "3G",
				 release->grant->uicc == GUSS_UICC_GBA_U ? "GBA_U" : "GBA_ME", release->grant->settings);
		entry.why = bytes_of(why);
	}
	noted = audit_note(audit, &entry);
	return err == GBA_OK ? noted : err;
}
