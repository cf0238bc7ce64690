/* SPDX-License-Identifier: Apache-2.0 */
/** A device's side of Register, Acknowledge, Set and Report (Y.3059 7-iv, 9.2-ii) over Ua. What the registry has given
 * is kept in the sealed file "registration-<usim>" beside the card's: durable before it is confirmed, so that a lost
 * answer, ours or theirs, is repaired by doing the same again. */
#ifndef GBA_UE_REGISTRATION_H
#define GBA_UE_REGISTRATION_H

#include <jansson.h>

#include "ue/client.h"
#include "ue/ua.h"

struct registration {
	struct state *state;
	struct client *client;
	struct ua_conf ua; /* mode UA_PSK: the registry must prove itself */
	const struct fetcher *fetcher;
	const char *other_usim; /* instead of the profile's; NULL: that one */
	struct usim_pin pin;
	char usim[USIM_NAME_MAX + 1]; /* what the file is named by: the USIM, or "card-" and the IMSI */
	char imsi[IMSI_MAX + 1]; /* of the card; "": it has none */
	bool asked; /* the last report's answer said that questions wait for us */
	bool wary;  /* who asks must prove its key before it is answered (Y.3059 9.3-iii) */
	const char *const *enquirers; /* keys, hex, that are answered; NULL: any that the registry has approved */
	size_t n_enquirers;
	json_t *kept; /* "url", "regdevid", "urn", "serial", "state", "seq", "report_every", "told", "pending", "demands"; or
			 empty */
};

/** Read what is kept for the active profile's card. kept is json_decref()ed by registration_close().
 * @retval GBA_E_NOT_FOUND  no profile or card  @retval GBA_E_CORRUPT */
enum gba_err registration_open(struct registration *r, TALLOC_CTX *mem_ctx, struct why *why);
void registration_close(struct registration *r);

/** Register and Set. @param url   where the registry's site is: "https://register.example", "coaps://register.example"
 * @param device  members of Register; the card's IMSI is added to its "identities"
 * @retval GBA_E_STATE  registered elsewhere, or as another device  @return and what the registry refused, and all of
 * ua_fetch() */
enum gba_err registration_register(struct registration *r, TALLOC_CTX *mem_ctx, const char *url, json_t *device,
				   struct why *why);
/** Report what has changed since it was last told, or, when nothing has, that we are here.
 * @param now       members as they are now; those that are not there have not changed
 * @param changes_only  say nothing when nothing has changed  @param _sent  number of reports made
 * @retval GBA_E_NOT_FOUND  not registered */
enum gba_err registration_report(struct registration *r, TALLOC_CTX *mem_ctx, json_t *now, bool changes_only,
				 unsigned int *_sent, struct why *why);
/** Answer the questions that enquirers have put to this device through the registry (Y.3059 7). A wary device challenges the
 * enquirer first, and answers at a later call, once it has seen the signature; whose is wrong is not answered.
 * @param now  members as they are now; the others as they were told last  @param _answered  how many
 * @retval GBA_E_NOT_FOUND  not registered */
enum gba_err registration_answer(struct registration *r, TALLOC_CTX *mem_ctx, json_t *now, unsigned int *_answered,
				 struct why *why);

#endif
