/* SPDX-License-Identifier: Apache-2.0 */
/** What Y.3056 asks and 3GPP lacks, as rows: dict_y3056 defines it, lib/dia finds it by name, so that the numbers can be
 * configured in one place (doc/y3056-diameter.md). Macros only: needs no library.
 *
 * The numbers are defaults for labs. The vendor is the documentation number of RFC 5612, nobody's; an operator sets his own.
 * Applications and commands lie in the ranges RFC 6733 11.3 and 11.2.1 leave to vendors. */
#ifndef GBA_DIA_Y3056_NAMES_H
#define GBA_DIA_Y3056_NAMES_H

#define Y3056_VENDOR	  32473
#define Y3056_VENDOR_NAME "Y3056"
#define Y3056_AVP_BASE	  0 /* added to the codes below */

#define Y3056_RPA "Y3056-RPA"
#define Y3056_RPB "Y3056-RPB"
#define Y3056_OPC "Y3056-OPC"
#define Y3059_REG "Y3059-REG"

/* id, name, item of the configuration */
#define Y3056_APPS(X)                                                                                                  \
	X(4294901761u, Y3056_RPA, "rpa") /* bsf -> application's agent */                                              \
	X(4294901762u, Y3056_RPB, "rpb") /* bsf <-> hss */                                                             \
	X(4294901763u, Y3056_OPC, "opc") /* hss <-> hss of another operator */                                         \
	X(4294901764u, Y3059_REG, "registry") /* registry <-> registry */

/* code, application, name without -Request or -Answer, item of the configuration */
#define Y3056_CMDS(X)                                                                                                  \
	X(8388641, Y3056_RPA, "Y3056-Token-Push",        "token-push")                                                 \
	X(8388642, Y3056_RPA, "Y3056-Revocation-Notice", "revocation-notice")                                          \
	X(8388643, Y3056_RPB, "Y3056-Permission-Query",  "permission-query")                                           \
	X(8388644, Y3056_RPB, "Y3056-Permission-Notice", "permission-notice")                                          \
	X(8388647, Y3056_RPB, "Y3056-Certificate-Query", "certificate-query")                                          \
	X(8388648, Y3056_RPB, "Y3056-Token-Report",      "token-report")                                               \
	X(8388645, Y3056_OPC, "Y3056-Operator-Change",   "operator-change")                                       \
	X(8388646, Y3059_REG, "Y3059-Registry-Sync",     "registry-sync")

/* No AVP has the M bit: some travel in messages of TS 29.109, where a plain peer must be able to pass over them. */
#define Y3056_AVPS(X)                                                                                                  \
	/* code name                    base type    derived type */                                                   \
	X(1,  "Y3056-Application",      OCTETSTRING, NULL)    /* host name of a trusted application, lower case */     \
	X(2,  "Y3056-Permission",       GROUPED,     NULL)    /* what the mapping function says of client x application */ \
	X(3,  "Y3056-Permission-Flag",  INTEGER32,   "Y3056/Enumerated(Permission-Flag)")                              \
	X(4,  "Y3056-Valid-From",       OCTETSTRING, "Time")                                                           \
	X(5,  "Y3056-Valid-Until",      OCTETSTRING, "Time")                                                           \
	X(6,  "Y3056-Security-Degree",  UNSIGNED32,  NULL)                                                             \
	X(7,  "Y3056-Token-Lifetime",   UNSIGNED32,  NULL)    /* [s] */                                                \
	X(8,  "Y3056-Token-Use",        INTEGER32,   "Y3056/Enumerated(Token-Use)")                                    \
	X(9,  "Y3056-Push-Peer",        OCTETSTRING, "DiameterIdentity") /* agent that takes tokens */                 \
	X(10, "Y3056-Ua-Protocols",     OCTETSTRING, NULL)    /* Ua security protocol identifiers, five octets each */ \
	X(11, "Y3056-Token-Digest",     OCTETSTRING, NULL)    /* SHA-256 of a B-TID */                                 \
	X(12, "Y3056-Notice-Kind",      INTEGER32,   "Y3056/Enumerated(Notice-Kind)")                                  \
	X(13, "Y3056-Declaration",      GROUPED,     NULL)    /* what an application says of itself, 9.6.1 */          \
	X(14, "Y3056-Address",          OCTETSTRING, "UTF8String")                                                     \
	X(15, "Y3056-Mechanisms",       OCTETSTRING, "UTF8String") /* authentication, key generation: words */         \
	X(16, "Y3056-GSID",             UNSIGNED32,  NULL)                                                             \
	X(17, "Y3056-Change-Step",      INTEGER32,   "Y3056/Enumerated(Change-Step)")                                  \
	X(18, "Y3056-Change-Id",        OCTETSTRING, NULL)    /* 16 octets */                                          \
	X(19, "Y3056-Change-Kind",      INTEGER32,   "Y3056/Enumerated(Change-Kind)")                                  \
	X(20, "Y3056-Operator-Key",     OCTETSTRING, NULL)    /* Ed25519 and X25519 public keys, 64 octets */          \
	X(21, "Y3056-Wrapped-Key",      OCTETSTRING, NULL)                                                             \
	X(22, "Y3056-Change-Counter",   OCTETSTRING, NULL)    /* 8 octets, big endian */                               \
	X(23, "Y3056-Key-Update",       OCTETSTRING, NULL)    /* doc/operator-change.md */                             \
	X(24, "Y3056-Device-Certificate", OCTETSTRING, NULL)  /* DER */                                                \
	X(25, "Y3056-Signature",        OCTETSTRING, NULL)    /* Ed25519, 64 octets */                                 \
	X(26, "Y3056-New-Identity",     OCTETSTRING, "UTF8String") /* IMPI in the new realm */                         \
	X(27, "Y3056-BSF-Name",         OCTETSTRING, "DiameterIdentity")                                               \
	X(28, "Y3059-RegID",            OCTETSTRING, "UTF8String") /* registry that speaks */                          \
	X(29, "Y3059-Sync-Step",        INTEGER32,   "Y3059/Enumerated(Sync-Step)")                                    \
	X(30, "Y3059-Have",             OCTETSTRING, "UTF8String") /* "RegID class number" */                          \
	X(31, "Y3059-Accepts",          OCTETSTRING, "UTF8String") /* a class of events */                             \
	X(32, "Y3059-Event",            OCTETSTRING, NULL)    /* signature and text, doc/registry-peering.md */    \
	X(33, "Y3056-Certificate-Digest", OCTETSTRING, NULL)  /* SHA-256 of a certificate */                       \
	X(34, "Y3056-Token-Entry",      OCTETSTRING, "UTF8String") /* digest, times, application, user: doc/y3056-diameter.md */

#define Y3056_VALUES(X)                                                                                                \
	X("Y3056-Permission-Flag", 0, "CLEARED")                                                                       \
	X("Y3056-Permission-Flag", 1, "SET")                                                                           \
	X("Y3056-Token-Use",       0, "MULTIPLE")                                                                      \
	X("Y3056-Token-Use",       1, "SINGLE")                                                                        \
	X("Y3056-Notice-Kind",     0, "PERMISSION_CHANGED")                                                            \
	X("Y3056-Notice-Kind",     1, "PERMISSION_CLEARED")                                                            \
	X("Y3056-Notice-Kind",     2, "DEVICE_REMOVED")                                                                \
	X("Y3056-Notice-Kind",     3, "SUBSCRIBER_BARRED")                                                             \
	X("Y3056-Notice-Kind",     4, "OPERATOR_CHANGED")                                                              \
	X("Y3056-Notice-Kind",     5, "RENEWAL")                                                                       \
	X("Y3056-Change-Step",     1, "KEYS")                                                                          \
	X("Y3056-Change-Step",     2, "DONE")                                                                          \
	X("Y3056-Change-Step",     3, "CANCEL")                                                                        \
	X("Y3056-Change-Step",     4, "TOKEN")                                                                         \
	X("Y3056-Change-Step",     5, "RELEASE")                                                                       \
	X("Y3056-Change-Kind",     1, "SYMMETRIC")                                                                     \
	X("Y3056-Change-Kind",     2, "ASYMMETRIC")                                                                    \
	X("Y3059-Sync-Step",       1, "HELLO")                                                                         \
	X("Y3059-Sync-Step",       2, "EVENTS")

#endif
