/* SPDX-License-Identifier: Apache-2.0 */
/** The AVPs of Zh, Zn and Zpn as rows: the dictionary (dict_gba) defines them from here, and lib/dia finds them by code, so
 * that it does not matter what another dictionary, loaded first, has called them. Macros only: needs no library. */
#ifndef GBA_DIA_NAMES_H
#define GBA_DIA_NAMES_H

/* RFC 4740 has AVPs of the same names and other codes (SIP-Auth-Data-Item is 376 there): ours are named as packet
 * analysers name them. */
#define AVP_SIP_NUMBER_AUTH_ITEMS	"3GPP-SIP-Number-Auth-Items"
#define AVP_SIP_AUTHENTICATION_SCHEME	"3GPP-SIP-Authentication-Scheme"
#define AVP_SIP_AUTHENTICATE		"3GPP-SIP-Authenticate"
#define AVP_SIP_AUTHORIZATION		"3GPP-SIP-Authorization"
#define AVP_SIP_AUTHENTICATION_CONTEXT	"3GPP-SIP-Authentication-Context"
#define AVP_SIP_AUTH_DATA_ITEM		"3GPP-SIP-Auth-Data-Item"
#define AVP_SIP_ITEM_NUMBER		"3GPP-SIP-Item-Number"

/* M: MUST (the bit is required), MUST_NOT, MAY (both are accepted; what we send is as the second word says).
 * Derived types: Enumerated ones are named as DIA_ENUM_VALUES names them; NULL: the base type is all. */
#define DIA_AVPS(X)                                                                                                    \
	/* code vendor name                       base type    M bit     derived type                    source */   \
	X(400, 10415, "GBA-UserSecSettings",            OCTETSTRING, MUST,     NULL)                /* TS 29.109 6.3.1.1 */  \
	X(401, 10415, "Transaction-Identifier",         OCTETSTRING, MUST,     NULL)                                   \
	X(402, 10415, "NAF-Id",                         OCTETSTRING, MUST,     NULL)                                   \
	X(403, 10415, "GAA-Service-Identifier",         OCTETSTRING, MUST,     NULL)                                   \
	X(404, 10415, "Key-ExpiryTime",                 OCTETSTRING, MUST,     "Time")                                 \
	X(405, 10415, "ME-Key-Material",                OCTETSTRING, MUST,     NULL)                                   \
	X(406, 10415, "UICC-Key-Material",              OCTETSTRING, MUST,     NULL)                                   \
	X(407, 10415, "GBA_U-Awareness-Indicator",      INTEGER32,   MUST,     "3GPP/Enumerated(GBA_U-Awareness-Indicator)") \
	X(408, 10415, "BootstrapInfoCreationTime",      OCTETSTRING, MUST,     "Time")                                 \
	X(409, 10415, "GUSS-Timestamp",                 OCTETSTRING, MAY,      "Time")                                 \
	X(410, 10415, "GBA-Type",                       INTEGER32,   MUST,     "3GPP/Enumerated(GBA-Type)")            \
	X(411, 10415, "UE-Id",                          OCTETSTRING, MUST,     NULL)                                   \
	X(412, 10415, "UE-Id-Type",                     INTEGER32,   MUST,     "3GPP/Enumerated(UE-Id-Type)")          \
	X(413, 10415, "UICC-App-Label",                 OCTETSTRING, MUST,     NULL)                                   \
	X(414, 10415, "UICC-ME",                        INTEGER32,   MUST,     "3GPP/Enumerated(UICC-ME)")             \
	X(415, 10415, "Requested-Key-Lifetime",         OCTETSTRING, MUST,     "Time")                                 \
	X(416, 10415, "Private-Identity-Request",       INTEGER32,   MUST,     "3GPP/Enumerated(Private-Identity-Request)") \
	X(417, 10415, "GBA-Push-Info",                  OCTETSTRING, MUST,     NULL)                                   \
	X(418, 10415, "NAF-SA-Identifier",              OCTETSTRING, MUST,     NULL)                                   \
	X(419, 10415, "Security-Feature-Request",       OCTETSTRING, MAY,      NULL)                                   \
	X(420, 10415, "Security-Feature-Response",      OCTETSTRING, MAY,      NULL)                                   \
	X(601, 10415, "Public-Identity",                OCTETSTRING, MUST,     "UTF8String")        /* TS 29.229 6.3.2 */    \
	X(607, 10415, AVP_SIP_NUMBER_AUTH_ITEMS,        UNSIGNED32,  MUST,     NULL)                                   \
	X(608, 10415, AVP_SIP_AUTHENTICATION_SCHEME,    OCTETSTRING, MUST,     "UTF8String")                           \
	X(609, 10415, AVP_SIP_AUTHENTICATE,             OCTETSTRING, MUST,     NULL)                                   \
	X(610, 10415, AVP_SIP_AUTHORIZATION,            OCTETSTRING, MUST,     NULL)                                   \
	X(611, 10415, AVP_SIP_AUTHENTICATION_CONTEXT,   OCTETSTRING, MUST,     NULL)                                   \
	X(612, 10415, AVP_SIP_AUTH_DATA_ITEM,           GROUPED,     MUST,     NULL)                                   \
	X(613, 10415, AVP_SIP_ITEM_NUMBER,              UNSIGNED32,  MUST,     NULL)                                   \
	X(625, 10415, "Confidentiality-Key",            OCTETSTRING, MUST,     NULL)                                   \
	X(626, 10415, "Integrity-Key",                  OCTETSTRING, MUST,     NULL)                                   \
	X(628, 10415, "Supported-Features",             GROUPED,     MAY,      NULL)                                   \
	X(629, 10415, "Feature-List-ID",                UNSIGNED32,  MUST_NOT, NULL)                                   \
	X(630, 10415, "Feature-List",                   UNSIGNED32,  MUST_NOT, NULL)                                   \
	X(635, 10415, "SIP-Digest-Authenticate",        GROUPED,     MUST_NOT, NULL)                                   \
	X(104, 0,     "Digest-Realm",                   OCTETSTRING, MUST,     "UTF8String")        /* RFC 5090 */           \
	X(110, 0,     "Digest-QoP",                     OCTETSTRING, MUST,     "UTF8String")                           \
	X(111, 0,     "Digest-Algorithm",               OCTETSTRING, MUST,     "UTF8String")                           \
	X(121, 0,     "Digest-HA1",                     OCTETSTRING, MUST,     "UTF8String")

#endif
