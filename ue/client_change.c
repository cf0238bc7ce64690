/* SPDX-License-Identifier: Apache-2.0 */
/* Change of operator, the device's side (Y.3056 10.6.1-4). While it is under way the USIM can answer both operators:
 *   the old realm is active    the new one is tried first; its first token makes it the active one
 *   the new realm is active    should it refuse us (it has given the change up), the old one is tried
 *   the USIM has one slot      with the first token there the change is final: the old profile goes
 * Every step is a file replaced whole, so that a crash leaves a device that works with one of the two. */
#include <stdio.h>

#include "core/log.h"
#include "ue/client_priv.h"
#include "ue/usim/soft_usim.h"

struct change {
	const struct profile *newer, *older; /* NULL: no change under way */
	bool final;			     /* the USIM knows the new operator only */
	struct usim usim;
	bool asymmetric; /* by signed update and certificate: the card is told when it is final (10.6.2) */
};

static bool knows_impi(struct change *change, const char *impi)
{
	const struct usim *usim = &change->usim;
	struct usim_identity identity;
	struct usim_pending pending;

	if (usim->ops->pending != NULL && usim->ops->pending(usim->card, &pending) == GBA_OK) {
		change->asymmetric = pending.asymmetric;
		return strcmp(pending.impi, impi) == 0;
	}
	change->final = usim->ops->identity(usim->card, &identity) == GBA_OK && strcmp(identity.impi, impi) == 0;
	return change->final;
}

static struct change find_change(struct view *view)
{
	const struct profiles *profiles = view->profiles;
	struct change change = { .newer = NULL };
	size_t i;

	for (i = 0; i < profiles->count && change.newer == NULL; i++) {
		const struct profile *row = &profiles->rows[i];

		if (row->replaces[0] != '\0' &&
		    (row == view->profile || strcmp(row->replaces, view->profile->name) == 0))
			change.newer = row;
	}
	if (change.newer == NULL)
		return change;
	change.older = profiles_find(profiles, change.newer->replaces);
	if (client_usim(view, change.newer, &change.usim) != GBA_OK ||
	    !knows_impi(&change, change.newer->impi))
		return (struct change){ .newer = NULL };
	return change;
}

static enum gba_err run_in(struct view *view, const struct profile *profile, struct wanted *wanted, struct why *why)
{
	enum gba_err err;

	view->profile = profile;
	err = client_with_tokens(view, client_find_token, wanted, why); /* TMPI of that realm */
	return err == GBA_OK || err == GBA_E_NOT_FOUND ? client_run_ub(view, wanted, why) : err;
}

static void log_change(const struct profile *profile, const char *text)
{
	struct log_about about = { .iface = "Ub", .peer = bytes_of(profile->bsf), .clause = "Y.3056 10.6.1-4" };

	log_event(LOG_L_INFO, "ue.change", &about, "realm %s %s", profile->name, text);
}

/* With the token lock: what follows the first token of a realm. */
static enum gba_err settle(struct view *view, const struct profile *now_active, struct why *why)
{
	enum gba_err err;
	int lock;

	err = tokens_lock(view->client->state, &lock);
	if (err != GBA_OK)
		return why_fail(why, err, "token store: %s", gba_strerror(err));
	err = client_switch_locked(view->client->state, now_active->name, why);
	state_unlock(lock);
	return err;
}

/* The old profile and its tokens go; the new one replaces nobody any more. */
static enum gba_err forget_old(struct view *view, const char *newer, const char *older)
{
	struct profiles *profiles;
	struct tokens *tokens;
	enum gba_err err;
	size_t i;

	err = profiles_load(view, view->client->state, &profiles, NULL);
	if (err == GBA_OK)
		err = tokens_load(view, view->client->state, &tokens);
	if (err != GBA_OK)
		return err;
	for (i = 0; i < profiles->count; i++) {
		if (strcmp(profiles->rows[i].name, newer) == 0)
			profiles->rows[i].replaces[0] = '\0';
	}
	err = profiles_remove(profiles, older);
	if (err == GBA_OK && tokens_forget(tokens, older))
		err = tokens_save(view->client->state, tokens);
	if (err == GBA_OK || err == GBA_E_NOT_FOUND)
		err = profiles_save(view->client->state, profiles);
	return err;
}

static enum gba_err finish(struct view *view, const struct change *change, struct why *why)
{
	enum gba_err err;
	int lock;

	err = tokens_lock(view->client->state, &lock);
	if (err == GBA_OK) {
		err = forget_old(view, change->newer->name, change->newer->replaces);
		state_unlock(lock);
	}
	if (err != GBA_OK)
		return why_fail(why, err, "old profile not removed: %s", gba_strerror(err));
	log_change(change->newer, "is the only one: the change is final");
	return GBA_OK;
}

/* GBA_OK: the run in the new realm is good, and it is the active one. */
static enum gba_err run_newer(struct view *view, struct wanted *wanted, struct why *why)
{
	struct change change = find_change(view);
	enum gba_err err = run_in(view, change.newer, wanted, why);
	bool was_active = view->profile == profiles_active(view->profiles);

	if (err != GBA_OK)
		return err;
	if (!was_active) {
		err = settle(view, change.newer, why);
		if (err != GBA_OK)
			return err;
		log_change(change.newer, "has given a token: it is the active one");
	}
	if (change.asymmetric && !wanted->change_awaited) {
		err = change.usim.ops->change_end(change.usim.card, true);
		if (err != GBA_OK)
			return why_fail(why, err, "USIM %s: %s", change.newer->usim, gba_strerror(err));
	}
	change = find_change(view);
	return change.final ? finish(view, &change, why) : GBA_OK;
}

/* The new operator does not want us (any more), the old one does: the card is its card again. */
static enum gba_err stay(struct view *view, const struct change *change, struct why *why)
{
	enum gba_err err = GBA_OK;

	if (change->asymmetric)
		err = change->usim.ops->change_end(change->usim.card, false);
	if (err != GBA_OK)
		return why_fail(why, err, "USIM %s: %s", change->older->usim, gba_strerror(err));
	return view->profile != profiles_active(view->profiles) ? settle(view, change->older, why) : GBA_OK;
}

enum gba_err client_bootstrap_changing(struct view *view, struct wanted *wanted, struct why *why)
{
	const struct profile *active = view->profile;
	struct change change = find_change(view);
	enum gba_err err;
	bool refused;

	if (change.newer == NULL)
		return client_run_ub(view, wanted, why);
	err = run_newer(view, wanted, why);
	refused = err == GBA_E_NOT_AUTHORIZED;
	if (err == GBA_OK || change.older == NULL || (active == change.newer && !refused))
		return err;
	log_change(change.newer, active == change.newer ? "refuses us: back to the old one" : "gives no token: the old one serves");
	err = run_in(view, change.older, wanted, why);
	return err == GBA_OK && refused ? stay(view, &change, why) : err;
}

/* The card may give its identity of the new realm from now on; the old realm knows it by this one. */
static void name_old(struct profiles *profiles, const char *impi)
{
	struct profile *old = &profiles->rows[profiles->active];

	if (old->impi[0] == '\0')
		snprintf(old->impi, sizeof(old->impi), "%s", impi);
}

/* The row the update needs: made, or the one of that name that fits. */
static enum gba_err add_profile(struct view *view, const struct client_update *ask, const struct usim_pending *pending,
				struct why *why)
{
	const struct profile *found = profiles_find(view->profiles, ask->profile);
	struct profile profile = { .announce = view->profile->announce };
	enum gba_err err;

	if (found != NULL && found == view->profile && strcmp(found->impi, pending->impi) == 0)
		return GBA_OK; /* it is the active one already */
	if (found != NULL && (strcmp(found->bsf, pending->bsf) != 0 || found == view->profile))
		return why_fail(why, GBA_E_EXISTS, "profile %s is of another realm", ask->profile);
	if (found != NULL)
		profile = *found;
	if (snprintf(profile.name, sizeof(profile.name), "%s", ask->profile) >= (int)sizeof(profile.name) ||
	    snprintf(profile.url, sizeof(profile.url), "%s", ask->url) >= (int)sizeof(profile.url) ||
	    snprintf(profile.connect, sizeof(profile.connect), "%s", ask->connect) >= (int)sizeof(profile.connect) ||
	    snprintf(profile.ca_file, sizeof(profile.ca_file), "%s", ask->ca_file) >= (int)sizeof(profile.ca_file))
		return why_fail(why, GBA_E_SYNTAX, "a value is too long");
	memcpy(profile.bsf, pending->bsf, sizeof(profile.bsf));
	memcpy(profile.impi, pending->impi, sizeof(profile.impi));
	memcpy(profile.usim, view->profile->usim, sizeof(profile.usim));
	profile.certificate = pending->asymmetric;
	memcpy(profile.replaces, view->profile->name, sizeof(profile.replaces));
	if (found != NULL)
		profiles_remove(view->profiles, ask->profile);
	name_old(view->profiles, pending->old_impi);
	err = profiles_add(view->profiles, &profile, why);
	return err == GBA_OK ? profiles_save(view->client->state, view->profiles) : err;
}

static enum gba_err update_locked(struct view *view, const struct client_update *ask, struct why *why)
{
	struct key_update update;
	struct usim_pending pending;
	bool replayed;
	struct usim usim;
	enum gba_err err;

	err = client_usim(view, view->profile, &usim);
	if (err != GBA_OK)
		return why_fail(why, err, "USIM %s: %s", view->profile->usim, gba_strerror(err));
	if (usim.ops->pending == NULL)
		return why_fail(why, GBA_E_UNSUPPORTED, "%s: the operator changes a card's keys itself", view->profile->usim);
	err = soft_usim_update(view->client->state, view->profile->usim, ask->message, &update);
	replayed = err == GBA_E_REPLAY && ask->again;
	if (err != GBA_OK && !replayed) /* replayed: the card has it; what comes after it may be missing */
		return why_fail(why, err, "USIM %s does not take the update: %s", view->profile->usim, gba_strerror(err));
	err = usim.ops->pending(usim.card, &pending);
	if (err == GBA_OK)
		return add_profile(view, ask, &pending, why);
	if (replayed)
		err = GBA_E_REPLAY;
	return why_fail(why, err, "no change of operator is under way: %s", gba_strerror(err));
}

enum gba_err client_update(struct client *client, const struct client_update *ask, struct why *why)
{
	struct view *view = talloc_zero(NULL, struct view);
	enum gba_err err;
	int turn, lock;

	if (view == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	view->client = client;
	err = state_lock(client->state, "bootstrap", CLIENT_LOCK_WAIT_MS, &turn);
	if (err != GBA_OK) {
		talloc_free(view);
		return why_fail(why, err, "a bootstrapping does not end");
	}
	err = tokens_lock(client->state, &lock);
	if (err == GBA_OK)
		err = profiles_load(view, client->state, &view->profiles, why);
	if (err == GBA_OK) {
		view->profile = profiles_active(view->profiles);
		err = view->profile != NULL ? update_locked(view, ask, why)
					    : why_fail(why, GBA_E_NOT_FOUND, "no profile: nothing to leave");
		state_unlock(lock);
	}
	state_unlock(turn);
	talloc_free(view);
	return err;
}

bool client_changing(struct client *client)
{
	struct view *view = talloc_zero(NULL, struct view);
	struct usim_pending pending;
	bool changing = false;
	struct usim usim;

	if (view == NULL)
		return false;
	view->client = client;
	if (profiles_load(view, client->state, &view->profiles, NULL) == GBA_OK) {
		view->profile = profiles_active(view->profiles);
		changing = view->profile != NULL &&
			   client_usim(view, view->profile, &usim) == GBA_OK && usim.ops->pending != NULL &&
			   usim.ops->pending(usim.card, &pending) == GBA_OK;
	}
	talloc_free(view);
	return changing;
}
