/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/libnaf/gba-naf.h"

static const struct error_row {
	enum gba_naf_error error;
	const char *name, *text;
	unsigned int http;
} rows[] = {
#define ROW(error, http, text) { error, #error, text, http }
	ROW(GBA_NAF_OK, 200, "success"),
	ROW(GBA_NAF_E_BTID_UNKNOWN, 401, "B-TID unknown or expired: the device has to bootstrap again"),
	ROW(GBA_NAF_E_BTID_SYNTAX, 401, "malformed B-TID"),
	ROW(GBA_NAF_E_NOT_AUTHORIZED, 403, "the operator does not give this application the key"),
	ROW(GBA_NAF_E_REALM, 403, "no agreement with the operator of this B-TID"),
	ROW(GBA_NAF_E_NO_INT_KEY, 403, "no UICC-based key: the device did not bootstrap with GBA_U"),
	ROW(GBA_NAF_E_UNREACHABLE, 503, "no BSF can be reached"),
	ROW(GBA_NAF_E_TIMEOUT, 503, "no answer in time"),
	ROW(GBA_NAF_E_BUSY, 503, "too busy"),
	ROW(GBA_NAF_E_PEER, 503, "unusable answer from the BSF"),
	ROW(GBA_NAF_E_NO_AGENT, 503, "the agent's socket cannot be reached"),
	ROW(GBA_NAF_E_PROTOCOL, 503, "the agent speaks another protocol version"),
	ROW(GBA_NAF_E_NOMEM, 503, "out of memory"),
	ROW(GBA_NAF_E_DENIED, 500, "the agent does not let this process ask for that name"),
	ROW(GBA_NAF_E_ARGUMENT, 500, "invalid query"),
	ROW(GBA_NAF_E_SYSTEM, 500, "system error"),
#undef ROW
};

static const struct error_row *row_of(enum gba_naf_error error)
{
	static const struct error_row unknown = { GBA_NAF_E_UNREACHABLE, "GBA_NAF_E_?", "unknown error of a newer agent", 503 };
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].error == error)
			return &rows[i];
	}
	return &unknown;
}

const char *gba_naf_strerror(enum gba_naf_error error)
{
	return row_of(error)->text;
}

const char *gba_naf_error_name(enum gba_naf_error error)
{
	return row_of(error)->name;
}

int gba_naf_error_renegotiate(enum gba_naf_error error)
{
	return row_of(error)->http == 401;
}

unsigned int gba_naf_error_http(enum gba_naf_error error)
{
	return row_of(error)->http;
}
