/* SPDX-License-Identifier: Apache-2.0 */
/** Change of operator between the authorization elements of two operators (Y.3056 10.6, Y.OBF 12.3, 12.4), as structs and
 * rows: the new operator asks, the old one answers. doc/operator-change.md. */
#ifndef GBA_DIA_OPCHANGE_H
#define GBA_DIA_OPCHANGE_H

#include "core/ident.h"
#include "crypto/key_update.h"
#include "dia/dia.h"

enum opc_step {
	OPC_KEYS = 1,	/* hand over what opens the device (10.6.1-3), or sign (10.6.2-3) */
	OPC_DONE = 2,	/* the first token was generated: erase (10.6.1-5) */
	OPC_CANCEL = 3, /* the change will not take place */
	OPC_TOKEN = 4,	/* of an own BSF: a device that is changing has its first token */
	OPC_RELEASE = 5, /* the device has shown its certificate: give it (10.6.2-4) */
};

#define OPC_WRAPPED_MAX 256  /* [octets] our limit */
#define OPC_CERT_MAX	4096 /* [octets] our limit */
#define OPC_COUNTER_LEN 8
#define OPC_DIGEST_LEN	32

struct opc_ocr {
	int32_t step;		  /* enum opc_step */
	struct bytes user_name;	  /* IMPI in the old realm; TOKEN: in ours */
	struct bytes change_id;	  /* CHANGE_ID_LEN; all but TOKEN */
	int32_t kind;		  /* enum key_update_kind; all but TOKEN */
	struct bytes operator_key; /* KEYS: OP_PUBLIC_LEN, of the new operator */
	struct bytes new_impi, bsf; /* KEYS: in the new realm */
	struct bytes digest;	  /* RELEASE: SHA-256 of the certificate the device has shown */
	struct bytes signature;	  /* of the new operator over opc_signed_text(); all but TOKEN */
};

struct opc_oca {
	struct bytes wrapped, counter; /* symmetric */
	struct bytes update;	       /* asymmetric: signed by the old operator */
	struct bytes certificate;      /* asymmetric, to RELEASE and DONE: the device's, DER */
};

extern struct dia_field opc_ocr_fields[], opc_oca_fields[];
extern struct dia_cmd opc_ocr_cmd;

/** Resolve rows and command; once, at load, after dict_gba and dict_y3056. The process then advertises the application.
 * @retval GBA_E_NOT_FOUND  dict_y3056 is not loaded: go on without */
enum gba_err opc_resolve(void);

#endif
