/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/s13.h"

struct dia_field s13_terminal_fields[] = { /* TS 29.272 7.3.3 */
	DIA_OCTETS("IMEI",             DIA_OPTIONAL, struct s13_terminal, imei, S13_IMEI_MAX),
	DIA_OCTETS("3GPP2-MEID",       DIA_OPTIONAL, struct s13_terminal, meid, S13_MEID_MAX),
	DIA_OCTETS("Software-Version", DIA_OPTIONAL, struct s13_terminal, svn,  S13_SVN_MAX),
	DIA_END
};

struct dia_field s13_ecr_fields[] = { /* TS 29.272 7.2.19 */
	DIA_GROUP ("Terminal-Information", DIA_REQUIRED, struct s13_ecr, terminal, s13_terminal_fields),
	DIA_OCTETS("User-Name",            DIA_OPTIONAL, struct s13_ecr, user_name, IMPI_MAX),
	DIA_END
};

struct dia_field s13_eca_fields[] = { /* TS 29.272 7.2.20 */
	DIA_ENUM  ("Equipment-Status", DIA_OPTIONAL, struct s13_eca, status),
	DIA_END
};

struct dia_cmd s13_ecr_cmd = { "ME-Identity-Check-Request", 324, DIA_APP_S13, NULL, NULL };

enum gba_err s13_resolve(void)
{
	enum gba_err err = dia_cmd_resolve(&s13_ecr_cmd);

	if (err == GBA_OK)
		err = dia_fields_resolve(s13_ecr_fields);
	return err == GBA_OK ? dia_fields_resolve(s13_eca_fields) : err;
}
