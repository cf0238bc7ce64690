/* SPDX-License-Identifier: Apache-2.0 */
/** Rules of identifiers that only the registry takes; form and errors as ident/idrule.h. */
#ifndef GBA_REGISTRY_SCHEME_RULE_H
#define GBA_REGISTRY_SCHEME_RULE_H

#include "core/bytes.h"
#include "core/err.h"

enum gba_err scheme_imei(struct bytes text, const char **_why);	  /* 14 digits, or 15 with the check digit (TEC Annex I) */
enum gba_err scheme_meid(struct bytes text, const char **_why);	  /* 14 hex digits, the first of A-F; 3GPP2 C.S0072 */
enum gba_err scheme_imsi(struct bytes text, const char **_why);	  /* up to 15 digits with MCC and MNC */
enum gba_err scheme_uuid(struct bytes text, const char **_why);	  /* RFC 9562 text; neither nil nor max */
enum gba_err scheme_oid(struct bytes text, const char **_why);	  /* 1.2.840.113549, "urn:oid:" before it allowed */
enum gba_err scheme_epc(struct bytes text, const char **_why);	  /* urn:epc:id:sgtin:0614141.112345.400; scheme_epc.c */
enum gba_err scheme_upc(struct bytes text, const char **_why);	  /* UPC-A: 12 digits, GS1 check digit */
enum gba_err scheme_handle(struct bytes text, const char **_why); /* prefix/suffix, RFC 3651 */
enum gba_err scheme_doi(struct bytes text, const char **_why);	  /* a handle whose prefix starts with 10. */
enum gba_err scheme_ecode(struct bytes text, const char **_why);  /* digits, letters, '.', '-' */
enum gba_err scheme_cid(struct bytes text, const char **_why);
enum gba_err scheme_uri(struct bytes text, const char **_why);	  /* RFC 3986 with a scheme */
enum gba_err scheme_package(struct bytes text, const char **_why); /* com.example.app */
enum gba_err scheme_nfc(struct bytes text, const char **_why);	  /* 4, 7 or 10 octets in hex, ISO/IEC 14443-3 */

#endif
