/* SPDX-License-Identifier: Apache-2.0 */
/** S13 (MME, SGSN - EIR) as structs and rows: ME-Identity-Check-Request and -Answer of TS 29.272 7.2.19, 7.2.20. */
#ifndef GBA_DIA_S13_H
#define GBA_DIA_S13_H

#include "core/ident.h"
#include "dia/dia.h"

#define DIA_APP_S13  16777252
#define S13_IMEI_MAX 16 /* [octets] an IMEISV, though TS 29.272 7.3.4 has 14 or 15 digits */
#define S13_SVN_MAX  2	/* [octets] TS 29.272 7.3.5 */
#define S13_MEID_MAX 18 /* [octets] our limit */

enum s13_status { S13_WHITELISTED = 0, S13_BLACKLISTED = 1, S13_GREYLISTED = 2 }; /* TS 29.272 7.3.51 */

/** Terminal-Information, TS 29.272 7.3.3. */
struct s13_terminal {
	bool present;
	struct bytes imei; /* absent: not asked by IMEI */
	struct bytes meid; /* 3GPP2-MEID */
	struct bytes svn;  /* Software-Version */
};

struct s13_ecr {
	struct s13_terminal terminal; /* required */
	struct bytes user_name;	      /* IMSI; optional */
};

struct s13_eca {
	int32_t status; /* enum s13_status; on success */
};

extern struct dia_field s13_terminal_fields[], s13_ecr_fields[], s13_eca_fields[];
extern struct dia_cmd s13_ecr_cmd;

/** Resolve rows and command; once, at load, after dict_gba. Errors as dia_fields_resolve. */
enum gba_err s13_resolve(void);

#endif
