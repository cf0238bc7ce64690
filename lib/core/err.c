/* SPDX-License-Identifier: Apache-2.0 */
#include "core/err.h"

#include <errno.h>

static const struct {
	const char *name, *text, *diameter;
	unsigned int http;
} rows[] = {
#define ROW(id, text, diameter, http) { #id, text, diameter, http },
	GBA_ERRORS(ROW)
#undef ROW
};

static unsigned int row_of(enum gba_err err)
{
	return (unsigned int)err < GBA_ERR_COUNT ? (unsigned int)err : GBA_E_INTERNAL;
}

const char *gba_strerror(enum gba_err err)
{
	return rows[row_of(err)].text;
}

const char *gba_err_name(enum gba_err err)
{
	return rows[row_of(err)].name;
}

const char *gba_err_diameter(enum gba_err err)
{
	return rows[row_of(err)].diameter;
}

unsigned int gba_err_http(enum gba_err err)
{
	return rows[row_of(err)].http;
}

enum gba_err gba_err_from_errno(int errnum)
{
	switch (errnum) {
	case 0: return GBA_OK;
	case ENOMEM: return GBA_E_NOMEM;
	case ENOSPC:
	case EDQUOT:
	case EFBIG: return GBA_E_NOSPACE;
	case ENOENT: return GBA_E_NOT_FOUND;
	case EEXIST: return GBA_E_EXISTS;
	case EACCES:
	case EPERM: return GBA_E_DENIED;
	case ETIMEDOUT: return GBA_E_TIMEOUT;
	default: return GBA_E_IO;
	}
}
