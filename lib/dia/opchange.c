/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/opchange.h"

struct dia_field opc_ocr_fields[] = { /* Y.3056 10.6 */
	DIA_OCTETS("User-Name",           DIA_REQUIRED, struct opc_ocr, user_name,    IMPI_MAX),
	DIA_ENUM  ("Y3056-Change-Step",   DIA_REQUIRED, struct opc_ocr, step),
	DIA_OCTETS("Y3056-Change-Id",     DIA_OPTIONAL, struct opc_ocr, change_id,    CHANGE_ID_LEN),
	DIA_ENUM  ("Y3056-Change-Kind",   DIA_OPTIONAL, struct opc_ocr, kind),
	DIA_OCTETS("Y3056-Operator-Key",  DIA_OPTIONAL, struct opc_ocr, operator_key, OP_PUBLIC_LEN),
	DIA_OCTETS("Y3056-New-Identity",  DIA_OPTIONAL, struct opc_ocr, new_impi,     IMPI_MAX),
	DIA_OCTETS("Y3056-BSF-Name",      DIA_OPTIONAL, struct opc_ocr, bsf,          FQDN_MAX),
	DIA_OCTETS("Y3056-Certificate-Digest", DIA_OPTIONAL, struct opc_ocr, digest,  OPC_DIGEST_LEN),
	DIA_OCTETS("Y3056-Signature",     DIA_OPTIONAL, struct opc_ocr, signature,    OP_SIG_LEN),
	DIA_END
};

struct dia_field opc_oca_fields[] = {
	DIA_OCTETS("Y3056-Wrapped-Key",        DIA_OPTIONAL, struct opc_oca, wrapped,     OPC_WRAPPED_MAX),
	DIA_OCTETS("Y3056-Change-Counter",     DIA_OPTIONAL, struct opc_oca, counter,     OPC_COUNTER_LEN),
	DIA_OCTETS("Y3056-Key-Update",         DIA_OPTIONAL, struct opc_oca, update,      KEY_UPDATE_MAX),
	DIA_OCTETS("Y3056-Device-Certificate", DIA_OPTIONAL, struct opc_oca, certificate, OPC_CERT_MAX),
	DIA_END
};

struct dia_cmd opc_ocr_cmd = { "Y3056-Operator-Change-Request", DIA_BY_NAME, DIA_BY_NAME, NULL, NULL };

enum gba_err opc_resolve(void)
{
	enum gba_err err = dia_cmd_resolve(&opc_ocr_cmd);

	if (err == GBA_OK)
		err = dia_fields_resolve(opc_ocr_fields);
	return err == GBA_OK ? dia_fields_resolve(opc_oca_fields) : err;
}
