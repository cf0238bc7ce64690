/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the tables; the value stored is the index, so that words are added at the end only. */
#include "hss-stub/mapping/grant.h"
#include "hss-stub/mapping/kinds.h"

const char *const mapping_roles[] = { "admin", "asp", "subscriber", "system", NULL };
const char *const document_words[] = { "none", "passport", "national-id", "driving-licence", "residence-permit",
				       "company-registration", "other", NULL };
const char *const user_state_words[] = { "registered", "suspended", NULL };
const char *const authentication_method_words[] = { "imei-check", "aka", "certificate", "attestation", "inspection", "other",
						    NULL };
const char *const asp_state_words[] = { "requested", "active", "suspended", NULL };
const char *const token_use_words[] = { "multiple", "single", NULL };
const char *const application_state_words[] = { "active", "suspended", NULL };
const char *const attribute_words[] = { "name", "address", "level", "msisdn", "email", "device", NULL };
const char *const flag_words[] = { "cleared", "set", NULL };
const char *const delegation_state_words[] = { "active", "ended", NULL };
const char *const request_state_words[] = { "requested", "verified", "passed", "granted", "refused", NULL };
const char *const credential_words[] = { "certificate", "token", NULL };
const char *const owner_words[] = { "admin", "asp", "user", NULL };
const char *const provider_role_words[] = { "mobile-operator", "iot-service-provider", NULL };
const char *const provider_state_words[] = { "active", "suspended", NULL };
const char *const server_function_words[] = { "resource", "authentication", NULL };
const char *const started_by_words[] = { "client", "network", NULL };
const char *const event_words[] = { "request-passed", "access-granted", "access-refused", "application-registered",
				    "access-changed", "token-changed", NULL };

#define OUTBOX_NAME(id, name) name,
const char *const outbox_kind_names[] = { OUTBOX_KINDS(OUTBOX_NAME) NULL };
