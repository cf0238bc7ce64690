/* SPDX-License-Identifier: Apache-2.0 */
/** One error space. The row decides: the log's text, the Diameter answer and the HTTP status. */
#ifndef GBA_CORE_ERR_H
#define GBA_CORE_ERR_H

/* DIAMETER_ERROR_* names are 3GPP's: sent as Experimental-Result with Vendor-Id 10415 (TS 29.109 6.2). Failure to reach
 * a store or a peer must not look like ignorance: it is TOO_BUSY / 503, never 5401 / 5403 / 403. */
#define GBA_ERRORS(X) \
	/* id                   log text                               for the Diameter peer                      HTTP */ \
	X(GBA_OK,                 "success",                             "DIAMETER_SUCCESS",                              200) \
	X(GBA_E_NOMEM,            "out of memory",                       "DIAMETER_UNABLE_TO_COMPLY",                     503) \
	X(GBA_E_INTERNAL,         "internal error",                      "DIAMETER_UNABLE_TO_COMPLY",                     500) \
	X(GBA_E_IO,               "input/output error",                  "DIAMETER_TOO_BUSY",                             503) \
	X(GBA_E_NOSPACE,          "no space left",                       "DIAMETER_TOO_BUSY",                             503) \
	X(GBA_E_BUSY,             "too busy",                            "DIAMETER_TOO_BUSY",                             503) \
	X(GBA_E_TIMEOUT,          "no answer in time",                   "DIAMETER_TOO_BUSY",                             503) \
	X(GBA_E_UNREACHABLE,      "peer unreachable",                    "DIAMETER_TOO_BUSY",                             503) \
	X(GBA_E_UNCERTAIN,        "outcome of the commit unknown",       "DIAMETER_TOO_BUSY",                             503) \
	X(GBA_E_PEER,             "unusable answer from peer",           "DIAMETER_UNABLE_TO_COMPLY",                     502) \
	X(GBA_E_NOT_FOUND,        "not found",                           "DIAMETER_UNABLE_TO_COMPLY",                     404) \
	X(GBA_E_EXISTS,           "exists already",                      "DIAMETER_UNABLE_TO_COMPLY",                     409) \
	X(GBA_E_SYNTAX,           "syntax error",                        "DIAMETER_INVALID_AVP_VALUE",                    400) \
	X(GBA_E_RANGE,            "value out of range",                  "DIAMETER_INVALID_AVP_VALUE",                    400) \
	X(GBA_E_TOO_LONG,         "too long",                            "DIAMETER_INVALID_AVP_LENGTH",                   431) \
	X(GBA_E_UNSUPPORTED,      "not supported",                       "DIAMETER_UNABLE_TO_COMPLY",                     501) \
	X(GBA_E_DENIED,           "not allowed",                         "DIAMETER_ERROR_NOT_AUTHORIZED",                 403) \
	X(GBA_E_CORRUPT,          "stored data damaged or key wrong",    "DIAMETER_UNABLE_TO_COMPLY",                     500) \
	X(GBA_E_CONF,             "configuration error",                 "DIAMETER_UNABLE_TO_COMPLY",                     500) \
	X(GBA_E_AKA_MAC,          "AUTN not from this home network",     "DIAMETER_UNABLE_TO_COMPLY",                     403) \
	X(GBA_E_AKA_SYNC,         "SQN out of range",                    "DIAMETER_UNABLE_TO_COMPLY",                     401) \
	X(GBA_E_AUTS,             "AUTS not from this USIM",             "DIAMETER_UNABLE_TO_COMPLY",                     403) \
	X(GBA_E_AUTH_SCHEME,      "authentication scheme not supported", "DIAMETER_ERROR_AUTH_SCHEME_NOT_SUPPORTED",      403) \
	X(GBA_E_IMPI_SYNTAX,      "malformed IMPI",                      "DIAMETER_INVALID_AVP_VALUE",                    400) \
	X(GBA_E_IMPI_UNKNOWN,     "IMPI unknown",                        "DIAMETER_ERROR_IDENTITY_UNKNOWN",               403) \
	X(GBA_E_IMPI_BARRED,      "subscriber barred",                   "DIAMETER_ERROR_NOT_AUTHORIZED",                 403) \
	X(GBA_E_BTID_SYNTAX,      "malformed B-TID",                     "DIAMETER_INVALID_AVP_VALUE",                    400) \
	X(GBA_E_BTID_UNKNOWN,     "B-TID unknown or expired",            "DIAMETER_ERROR_TRANSACTION_IDENTIFIER_INVALID", 401) \
	X(GBA_E_NAF_ID_SYNTAX,    "malformed NAF-Id",                    "DIAMETER_INVALID_AVP_VALUE",                    400) \
	X(GBA_E_NOT_AUTHORIZED,   "not authorized",                      "DIAMETER_ERROR_NOT_AUTHORIZED",                 403) \
	X(GBA_E_AVP_UNSUPPORTED,  "unknown AVP with the M bit",          "DIAMETER_AVP_UNSUPPORTED",                      400) \
	X(GBA_E_AVP_VALUE,        "invalid AVP value",                   "DIAMETER_INVALID_AVP_VALUE",                    400) \
	X(GBA_E_AVP_MISSING,      "AVP missing",                         "DIAMETER_MISSING_AVP",                          400) \
	X(GBA_E_AVP_OCCURS,       "AVP occurs too many times",           "DIAMETER_AVP_OCCURS_TOO_MANY_TIMES",            400) \
	X(GBA_E_AVP_LENGTH,       "invalid AVP length",                  "DIAMETER_INVALID_AVP_LENGTH",                   400) \
	X(GBA_E_DIGEST_SYNTAX,    "malformed Digest header",             "DIAMETER_UNABLE_TO_COMPLY",                     400) \
	X(GBA_E_DIGEST_STALE,     "Digest nonce stale or replayed",      "DIAMETER_UNABLE_TO_COMPLY",                     401) \
	X(GBA_E_DIGEST_MISMATCH,  "Digest response wrong",               "DIAMETER_UNABLE_TO_COMPLY",                     401) \
	X(GBA_E_XML,              "malformed XML document",              "DIAMETER_INVALID_AVP_VALUE",                    400) \
	X(GBA_E_REALM,            "realm is not the node addressed",     "DIAMETER_UNABLE_TO_COMPLY",                     502) \
	X(GBA_E_SQN_USED_UP,      "no sequence number left for key",     "DIAMETER_UNABLE_TO_COMPLY",                     500) \
	X(GBA_E_STALE,            "changed meanwhile",                   "DIAMETER_UNABLE_TO_COMPLY",                     412) \
	X(GBA_E_STATE,            "not possible in this state",          "DIAMETER_UNABLE_TO_COMPLY",                     409) \
	X(GBA_E_SIGNATURE,        "not from the operator trusted",       "DIAMETER_ERROR_NOT_AUTHORIZED",                 403) \
	X(GBA_E_REPLAY,           "older than what is known",            "DIAMETER_UNABLE_TO_COMPLY",                     409) \
	X(GBA_E_KYC,              "user or device not verified",         "DIAMETER_ERROR_NOT_AUTHORIZED",                 403) \
	X(GBA_E_EQUIPMENT_UNKNOWN, "equipment unknown",                  "DIAMETER_ERROR_EQUIPMENT_UNKNOWN",              404) \
	X(GBA_E_GAP,              "events are missing before it",        "DIAMETER_UNABLE_TO_COMPLY",                     409) \
	X(GBA_E_FORK,             "another event has this number",       "DIAMETER_UNABLE_TO_COMPLY",                     409) \
	X(GBA_E_EXHAUSTED,        "no identity left to assign",          "DIAMETER_UNABLE_TO_COMPLY",                     409) \
	X(GBA_E_CERTIFICATE,      "certificate not good for this",       "DIAMETER_ERROR_NOT_AUTHORIZED",                 403)

#define GBA_ERR_ID(id, text, diameter, http) id,
enum gba_err { GBA_ERRORS(GBA_ERR_ID) GBA_ERR_COUNT };
#undef GBA_ERR_ID

/** Text for the log, never NULL, static. */
const char *gba_strerror(enum gba_err err);
/** "GBA_E_..." as written above, never NULL, static. */
const char *gba_err_name(enum gba_err err);
/** Name of the Result-Code or Experimental-Result-Code in the dictionary; see the note above the table. */
const char *gba_err_diameter(enum gba_err err);
/** HTTP status for a client of ours. */
unsigned int gba_err_http(enum gba_err err);
/** The row for an errno value: ENOMEM, ENOSPC/EDQUOT/EFBIG, ENOENT, EEXIST, EACCES/EPERM, ETIMEDOUT; others GBA_E_IO. */
enum gba_err gba_err_from_errno(int errnum);

#endif
