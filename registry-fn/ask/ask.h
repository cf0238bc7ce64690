/* SPDX-License-Identifier: Apache-2.0 */
/** Interrogation (Y.3059 9.3) and the API of the registry: enquirers prove who they are, ask by what they have the
 * right for, and get answers that are signed and stand in the log, so that a third party can check them later.
 * doc/registry.md. */
#ifndef GBA_REGISTRY_ASK_H
#define GBA_REGISTRY_ASK_H

#include "registry-fn/api/api.h"
#include "registry-fn/trust/trust.h"
#include "rest/call.h"

#define ASK_ANSWER_TYP	  "registry-answer+jws"
#define ASK_PAGE_MAX	  100  /* devices of one answer */
#define ASK_BULK_MAX	  1000 /* subjects of one bulk question */
#define ASK_CHALLENGE_LEN 32   /* [octets] */
#define ASK_CHALLENGE_SAID "gba-registry-challenge " /* what is signed: this, the RegID, a blank, the challenge */

/** Operations of the room, for api.c. */
extern const struct api_rows ask_api_rows;
/** Whose session a bearer token is: sets call->actor. @retval GBA_E_NOT_AUTHORIZED */
enum gba_err ask_by_session(struct rest_call *call);

/* Between the files of this room. */

/** The node. */
static inline const struct registry *ask_registry(const struct rest_call *call)
{
	return &registry_handle_of(call->r)->registry;
}

/** End the transaction: commit when err is GBA_OK. @return err, or why it did not happen */
enum gba_err ask_finish(struct rest_call *call, enum gba_err err);
/** An answer: signed, its entry in the log, and the proof of that, as one transaction; then the reply.
 * In the transaction of the question, which it ends. @param act  for the log @param err  of the question: anything but
 * GBA_OK rolls back and is told @param payload  is stolen; NULL: memory */
void ask_answer(struct rest_call *call, const char *act, enum gba_err err, json_t *payload);

/** May the caller ask by this? */
bool ask_has_right(struct rest_call *call, enum reg_right right);

/** A time asked for. Nobody is told of one that has not come: what is signed would speak of it. A clock a little ahead of ours is
 * taken for now. */
bool ask_time(const struct rest_call *call, const char *text, time_t *_at);

/** Handlers. */
void ask_enquirer_registration(struct route_call *route);
void ask_challenge(struct route_call *route);
void ask_session(struct route_call *route);
void ask_one(struct route_call *route);
void ask_bulk(struct route_call *route);
void ask_device(struct route_call *route);
void ask_device_answer(struct route_call *route);
void ask_device_proof(struct route_call *route);
void ask_status(struct route_call *route);
void ask_statuses(struct route_call *route);
void ask_fact(struct route_call *route);
void ask_application_status(struct route_call *route);
void ask_judging(struct route_call *route);
void ask_list(struct route_call *route);
void ask_trqp_authorization(struct route_call *route);
void ask_trqp_recognition(struct route_call *route);
void ask_list_publish(struct route_call *route);
void ask_list_approve(struct route_call *route);
void ask_statements(struct route_call *route);
void ask_log_head(struct route_call *route);
void ask_log_proof(struct route_call *route);
void ask_log_consistency(struct route_call *route);
void ask_log_entries(struct route_call *route);
void ask_well_known(struct route_call *route);
void ask_jwks(struct route_call *route);
void ask_practice(struct route_call *route);

extern const struct rest_schema ask_schema_registration, ask_schema_challenge, ask_schema_session, ask_schema_question,
	ask_schema_interrogation, ask_schema_device_proof, ask_schema_fact, ask_schema_first, ask_schema_application_status;

#endif
