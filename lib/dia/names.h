/* SPDX-License-Identifier: Apache-2.0 */
/** The dictionary of Zh, Zn, Zpn and S13 as rows: dict_gba defines what is written here, and lib/dia finds AVPs by code and
 * vendor, so that it does not matter what another dictionary, loaded first, calls them. Macros only: needs no library. */
#ifndef GBA_DIA_NAMES_H
#define GBA_DIA_NAMES_H

#define DIA_TYPE_ENUM(avp) "3GPP/Enumerated(" avp ")"

/* M bit: MUST (set), MUST_NOT (clear), MAY (we send it clear). On reception either is accepted (TS 29.109 6.3 note).
 * Names and rules of 601..635 are those of freeDiameter's own dict_dcca_3gpp, so that both load in any order. RFC 4740 has
 * AVPs of the same names under vendor 0 (SIP-Auth-Data-Item is 376 there): look these up with the vendor, always. */
#define DIA_AVPS(X)                                                                                                    \
	/* code vendor name                    base type    M bit     derived type */                                  \
	/* TS 29.109 6.3.1 */                                                                                          \
	X(400, 10415, "GBA-UserSecSettings",        OCTETSTRING, MUST,     NULL)                                       \
	X(401, 10415, "Transaction-Identifier",     OCTETSTRING, MUST,     NULL)                                       \
	X(402, 10415, "NAF-Id",                     OCTETSTRING, MUST,     NULL)                                       \
	X(403, 10415, "GAA-Service-Identifier",     OCTETSTRING, MUST,     NULL)                                       \
	X(404, 10415, "Key-ExpiryTime",             OCTETSTRING, MUST,     "Time")                                     \
	X(405, 10415, "ME-Key-Material",            OCTETSTRING, MUST,     NULL)                                       \
	X(406, 10415, "UICC-Key-Material",          OCTETSTRING, MUST,     NULL)                                       \
	X(407, 10415, "GBA_U-Awareness-Indicator",  INTEGER32,   MUST,     DIA_TYPE_ENUM("GBA_U-Awareness-Indicator")) \
	X(408, 10415, "BootstrapInfoCreationTime",  OCTETSTRING, MUST,     "Time")                                     \
	X(409, 10415, "GUSS-Timestamp",             OCTETSTRING, MAY,      "Time")                                     \
	X(410, 10415, "GBA-Type",                   INTEGER32,   MUST,     DIA_TYPE_ENUM("GBA-Type"))                  \
	X(411, 10415, "UE-Id",                      OCTETSTRING, MUST,     NULL)                                       \
	X(412, 10415, "UE-Id-Type",                 INTEGER32,   MUST,     DIA_TYPE_ENUM("UE-Id-Type"))                \
	X(413, 10415, "UICC-App-Label",             OCTETSTRING, MUST,     NULL)                                       \
	X(414, 10415, "UICC-ME",                    INTEGER32,   MUST,     DIA_TYPE_ENUM("UICC-ME"))                   \
	X(415, 10415, "Requested-Key-Lifetime",     OCTETSTRING, MUST,     "Time")                                     \
	X(416, 10415, "Private-Identity-Request",   INTEGER32,   MUST,     DIA_TYPE_ENUM("Private-Identity-Request"))  \
	X(417, 10415, "GBA-Push-Info",              OCTETSTRING, MUST,     NULL)                                       \
	X(418, 10415, "NAF-SA-Identifier",          OCTETSTRING, MUST,     NULL)                                       \
	X(419, 10415, "Security-Feature-Request",   OCTETSTRING, MAY,      NULL)                                       \
	X(420, 10415, "Security-Feature-Response",  OCTETSTRING, MAY,      NULL)                                       \
	/* TS 29.229 6.3 */                                                                                            \
	X(601, 10415, "Public-Identity",            OCTETSTRING, MUST,     "UTF8String")                               \
	X(607, 10415, "SIP-Number-Auth-Items",      UNSIGNED32,  MUST,     NULL)                                       \
	X(608, 10415, "SIP-Authentication-Scheme",  OCTETSTRING, MUST,     "UTF8String")                               \
	X(609, 10415, "SIP-Authenticate",           OCTETSTRING, MUST,     NULL)                                       \
	X(610, 10415, "SIP-Authorization",          OCTETSTRING, MUST,     NULL)                                       \
	X(611, 10415, "SIP-Authentication-Context", OCTETSTRING, MUST,     NULL)                                       \
	X(612, 10415, "SIP-Auth-Data-Item",         GROUPED,     MUST,     NULL)                                       \
	X(613, 10415, "SIP-Item-Number",            UNSIGNED32,  MUST,     NULL)                                       \
	X(625, 10415, "Confidentiality-Key",        OCTETSTRING, MUST,     NULL)                                       \
	X(626, 10415, "Integrity-Key",              OCTETSTRING, MUST,     NULL)                                       \
	X(628, 10415, "Supported-Features",         GROUPED,     MAY,      NULL)                                       \
	X(629, 10415, "Feature-List-ID",            UNSIGNED32,  MUST_NOT, NULL)                                       \
	X(630, 10415, "Feature-List",               UNSIGNED32,  MUST_NOT, NULL)                                       \
	X(635, 10415, "SIP-Digest-Authenticate",    GROUPED,     MUST_NOT, NULL)                                       \
	/* TS 29.272 7.3 */                                                                                            \
	X(1401, 10415, "Terminal-Information",      GROUPED,     MUST,     NULL)                                       \
	X(1402, 10415, "IMEI",                      OCTETSTRING, MUST,     "UTF8String")                               \
	X(1403, 10415, "Software-Version",          OCTETSTRING, MUST,     "UTF8String")                               \
	X(1445, 10415, "Equipment-Status",          INTEGER32,   MUST,     DIA_TYPE_ENUM("Equipment-Status"))          \
	X(1471, 10415, "3GPP2-MEID",                OCTETSTRING, MUST,     NULL)                                       \
	/* RFC 5090, inside SIP-Digest-Authenticate */                                                                 \
	X(104, 0,     "Digest-Realm",               OCTETSTRING, MUST,     "UTF8String")                               \
	X(110, 0,     "Digest-QoP",                 OCTETSTRING, MUST,     "UTF8String")                               \
	X(111, 0,     "Digest-Algorithm",           OCTETSTRING, MUST,     "UTF8String")                               \
	X(121, 0,     "Digest-HA1",                 OCTETSTRING, MUST,     "UTF8String")

/* TS 29.109 6.3.1, TS 29.272 7.3.51; TS 29.229 has none among the AVPs above. */
#define DIA_ENUM_VALUES(X)                                                                                             \
	/* AVP                       value  name */                                                                    \
	X("GBA_U-Awareness-Indicator", 0,  "NO")                                                                       \
	X("GBA_U-Awareness-Indicator", 1,  "YES")                                                                      \
	X("GBA-Type",                  0,  "3G GBA")                                                                   \
	X("GBA-Type",                  1,  "2G GBA")                                                                   \
	X("GBA-Type",                  2,  "GBA_Digest")                                                               \
	X("UE-Id-Type",                0,  "PRIVATE")                                                                  \
	X("UE-Id-Type",                1,  "PUBLIC")                                                                   \
	X("UICC-ME",                   0,  "GBA_ME")                                                                   \
	X("UICC-ME",                   1,  "GBA_U")                                                                    \
	X("Private-Identity-Request",  0,  "REQUESTED")                                                                \
	X("Private-Identity-Request",  1,  "NOT_REQUESTED")                                                            \
	X("Equipment-Status",          0,  "WHITELISTED")                                                              \
	X("Equipment-Status",          1,  "BLACKLISTED")                                                              \
	X("Equipment-Status",          2,  "GREYLISTED")

/* Experimental-Result-Codes of vendor 10415: TS 29.109 6.2, TS 29.229 6.2, TS 29.272 7.4.3. */
#define DIA_RESULTS_3GPP(X)                                                                                            \
	X(5001, "DIAMETER_ERROR_USER_UNKNOWN")                                                                         \
	X(5006, "DIAMETER_ERROR_AUTH_SCHEME_NOT_SUPPORTED")                                                            \
	X(5401, "DIAMETER_ERROR_IDENTITY_UNKNOWN")                                                                     \
	X(5402, "DIAMETER_ERROR_NOT_AUTHORIZED")                                                                       \
	X(5403, "DIAMETER_ERROR_TRANSACTION_IDENTIFIER_INVALID")                                                       \
	X(5422, "DIAMETER_ERROR_EQUIPMENT_UNKNOWN")

#endif
