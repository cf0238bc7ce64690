/* SPDX-License-Identifier: Apache-2.0 */
/** What the registry keeps (Y.3059 9.2-i): its kinds of record, roles of callers, words and places of fields in their tables. */
#ifndef GBA_REGISTRY_KINDS_H
#define GBA_REGISTRY_KINDS_H

#include "record/record.h"
#include "registry-fn/id/scheme.h"

/** Who asks. SYSTEM: the node itself. PRIVACY: an administrator who may read personal data; ADMIN may not (9.1-iii). */
enum reg_role { REG_ROLE_ADMIN, REG_ROLE_PRIVACY, REG_ROLE_BULK, REG_ROLE_AGENCY, REG_ROLE_MAKER, REG_ROLE_CUSTODIAN,
		REG_ROLE_ENQUIRER, REG_ROLE_DEVICE, REG_ROLE_REGISTRY, REG_ROLE_SYSTEM, REG_ROLE_COUNT };
extern const char *const reg_roles[]; /* by value, NULL-terminated */

/** Sets of roles. */
#define FOR_SYSTEM    (1U << REG_ROLE_SYSTEM)
#define FOR_ADMIN     (1U << REG_ROLE_ADMIN | 1U << REG_ROLE_PRIVACY | FOR_SYSTEM)
#define FOR_PRIVACY   (1U << REG_ROLE_PRIVACY | FOR_SYSTEM)
#define FOR_BULK      (1U << REG_ROLE_BULK)
#define FOR_AGENCY    (1U << REG_ROLE_AGENCY)
#define FOR_MAKER     (1U << REG_ROLE_MAKER)
#define FOR_CUSTODIAN (1U << REG_ROLE_CUSTODIAN)
#define FOR_ENQUIRER  (1U << REG_ROLE_ENQUIRER)
#define FOR_DEVICE    (1U << REG_ROLE_DEVICE)
#define FOR_NOBODY    0U /* the registry writes it itself */

/** Numbers stand in the history: kinds are added at the end only. */
enum reg_kind { REG_CUSTODIAN, REG_MAKER, REG_MODEL, REG_DEVICE, REG_DEVICE_IDENTITY, REG_APPLICATION, REG_KIND_COUNT };
extern const struct record_set registry_set;
enum { REG_SECRET_IDENTITY }; /* of registry_set.secrets: key of hidden RegDevIDs */

/** Words of the tables, by value, NULL-terminated. */
extern const char *const reg_custodian_state_words[], *const reg_custodian_words[], *const reg_device_kind_words[],
	*const reg_root_words[], *const reg_communication_words[], *const reg_power_words[],
	*const reg_device_state_words[], *const reg_status_words[], *const reg_entry_state_words[];

enum { CUSTODIAN_PERSON, CUSTODIAN_ORGANISATION };
enum { CUSTODIAN_UNVERIFIED, CUSTODIAN_VERIFIED, CUSTODIAN_REFUSED, CUSTODIAN_SUSPENDED };
enum { ROOT_NONE, ROOT_SOFT_USIM, ROOT_USIM, ROOT_EUICC, ROOT_IUICC, ROOT_SECURE_ELEMENT, ROOT_TPM, ROOT_TEE };
/** ANNOUNCED: by an administrator, not yet seen. ACKNOWLEDGED: RegDevID given, not yet confirmed by Set. */
enum { DEVICE_ANNOUNCED, DEVICE_ACKNOWLEDGED, DEVICE_REGISTERED, DEVICE_RETIRED };
/** Trust status (6.1): written by trust/ alone. */
enum { STATUS_GREY, STATUS_WHITE, STATUS_BLACK };

/** Places of fields in their tables. */
enum { CUSTODIAN_ACCOUNT, CUSTODIAN_KIND, CUSTODIAN_NAME, CUSTODIAN_ADDRESS, CUSTODIAN_EMAIL, CUSTODIAN_PHONE, CUSTODIAN_DOCUMENT,
       CUSTODIAN_COUNTRY, CUSTODIAN_STATE, CUSTODIAN_LEVEL, CUSTODIAN_VERIFIER, CUSTODIAN_CHECKED, CUSTODIAN_IMPIS,
       CUSTODIAN_CODE_HASH, CUSTODIAN_COUNT };
enum { MAKER_NAME, MAKER_COUNTRY, MAKER_CONTACT, MAKER_POLICY_URL, MAKER_STATE, MAKER_COUNT };
enum { MODEL_MAKER, MODEL_NAME, MODEL_KIND, MODEL_COMMUNICATION, MODEL_TACS, MODEL_LATEST_FIRMWARE, MODEL_STATE, MODEL_COUNT };
enum { DEVICE_SCHEME, DEVICE_IDENTITY, DEVICE_REGDEVID, DEVICE_IMPI, DEVICE_CUSTODIAN, DEVICE_MAKE, DEVICE_MODEL, DEVICE_KIND,
       DEVICE_ROOT, DEVICE_FIRMWARE, DEVICE_SOFTWARE, DEVICE_COMMUNICATION, DEVICE_POWER, DEVICE_PROTOCOLS, DEVICE_STATE,
       DEVICE_STATUS, DEVICE_SERIAL, DEVICE_EXPIRES, DEVICE_EFFECTIVE, DEVICE_REPORTED, DEVICE_REPORT_DUE, DEVICE_OVERDUE,
       DEVICE_COMPOSITE, DEVICE_COUNT };
enum { DEVICE_IDENTITY_DEVICE, DEVICE_IDENTITY_SCHEME, DEVICE_IDENTITY_VALUE, DEVICE_IDENTITY_TYPE, DEVICE_IDENTITY_NAMES,
       DEVICE_IDENTITY_PERSONAL, DEVICE_IDENTITY_COUNT };
enum { APPLICATION_SCHEME, APPLICATION_VALUE, APPLICATION_NAME, APPLICATION_MAKER, APPLICATION_VERSION, APPLICATION_STATUS,
       APPLICATION_STATE, APPLICATION_COUNT };

#endif
