/* SPDX-License-Identifier: Apache-2.0 */
/** The device's tokens (Y.3056 9.3, 9.4.1): per realm the result of its last bootstrapping (B-TID, Ks), and per
 * application which token it uses. Kept in the sealed file "tokens"; a transaction is: lock, load, change, save,
 * unlock. Rules: one bootstrapping per realm, the newest; at most one active token per application; a switch of realm
 * retires the other realms' tokens; nothing is used at or after its expiry. A retired token has no key any more. */
#ifndef GBA_UE_TOKEN_H
#define GBA_UE_TOKEN_H

#include "core/ident.h"
#include "core/secret.h"
#include "crypto/gba_keys.h"
#include "ue/profiles.h"

#define TOKENS_REALMS_MAX PROFILES_MAX
#define TOKENS_APPS_MAX   1024

enum token_state { TOKEN_ACTIVE, TOKEN_RETIRED, TOKEN_STATE_COUNT };

/** What one realm knows of this device. */
struct token_realm {
	char profile[STATE_NAME_MAX + 1];
	enum token_state state;
	char btid[BTID_MAX + 1]; /* empty: only tmpi or not_before are kept */
	char impi[IMPI_MAX + 1]; /* used in the run and in every key derived from it */
	time_t created, expires;
	bool in_usim;            /* GBA_U: Ks is in the card */
	struct secret *ks;       /* GBA_KS_LEN; NULL: retired, or in the card */
	char tmpi[GBA_TMPI_MAX]; /* name for the next run; empty: use the IMPI */
	time_t not_before;       /* [s since epoch] the BSF asked not to be asked before (Retry-After) */
};

/** Which token an application's sessions use. */
struct token_app {
	char profile[STATE_NAME_MAX + 1];
	char naf[FQDN_MAX + 1]; /* lower case */
	enum token_state state;
	char btid[BTID_MAX + 1];
	time_t since, expires;
};

struct tokens {
	struct token_realm *realms;
	size_t realm_count;
	struct token_app *apps;
	size_t app_count;
};

/** Empty set when there is no file. @retval GBA_E_CORRUPT, GBA_E_NOMEM, GBA_E_IO */
enum gba_err tokens_load(TALLOC_CTX *mem_ctx, struct state *state, struct tokens **_tokens);
enum gba_err tokens_save(struct state *state, const struct tokens *tokens);
/** Lock for a transaction, bounded wait. */
enum gba_err tokens_lock(struct state *state, int *_fd);

/** File content below mem_ctx, wiped when freed. */
enum gba_err tokens_encode(TALLOC_CTX *mem_ctx, const struct tokens *tokens, struct bytes *_plain);
/** @retval GBA_E_CORRUPT, GBA_E_NOMEM; nothing written then */
enum gba_err tokens_decode(TALLOC_CTX *mem_ctx, struct bytes plain, struct tokens **_tokens);

/** Row of a realm; NULL: none. */
struct token_realm *tokens_realm(const struct tokens *tokens, const char *profile);
/** The same, made empty when there is none; NULL: no room or no memory. */
struct token_realm *tokens_realm_make(struct tokens *tokens, const char *profile);
/** A usable token of the realm: active, with B-TID, not expired; NULL: bootstrap first. */
struct token_realm *tokens_usable(const struct tokens *tokens, const char *profile, time_t now);
/** Take in a finished run: run's ks is copied. Applications that used the realm's older token are retired.
 * @retval GBA_E_NOSPACE, GBA_E_NOMEM */
enum gba_err tokens_bootstrapped(struct tokens *tokens, const struct token_realm *run);
/** The application's sessions use this realm's token from now on; whatever it used before is retired. Room is made by
 * forgetting retired rows, the oldest first. @param naf  any case @retval GBA_E_NOSPACE, GBA_E_NOMEM,
 * GBA_E_NAF_ID_SYNTAX
 * @param _changed  set when something changed, else left alone */
enum gba_err tokens_bind(struct tokens *tokens, const struct token_realm *realm, struct bytes naf, time_t now,
			 bool *_changed);
/** The application's active row under this B-TID; NULL: retired, forgotten, or never bound. */
struct token_app *tokens_app(const struct tokens *tokens, struct bytes naf, const char *btid);
/** The application has given this token up: it will not be bound to it again. @return true when something changed */
bool tokens_end(struct tokens *tokens, struct bytes naf, const char *btid);
/** Has it? */
bool tokens_ended(const struct tokens *tokens, struct bytes naf, const char *btid);
/** Retire a realm's token: key gone, applications too. */
void tokens_retire(struct tokens *tokens, const char *profile);
/** Retire those of every realm but this one (switch of realm). */
void tokens_retire_others(struct tokens *tokens, const char *profile);
/** Forget what has expired. @return true when something changed */
bool tokens_expire(struct tokens *tokens, time_t now);
/** Forget everything about a realm; NULL: about all. @return true when something changed */
bool tokens_forget(struct tokens *tokens, const char *profile);

extern const char *const token_state_names[]; /* by value */

#endif
