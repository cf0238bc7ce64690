/* SPDX-License-Identifier: Apache-2.0 */
/** Ub, the device's side (TS 24.109 clause 4, RFC 3310, RFC 4169): bootstrap with a BSF by HTTP Digest AKA.
 * One run asks at most twice; what cannot be proved to come from the configured BSF and the home network is refused. */
#ifndef GBA_UE_UB_H
#define GBA_UE_UB_H

#include <time.h>

#include "core/secret.h"
#include "ue/fetch.h"
#include "ue/usim/usim.h"
#include "xml/bsinfo.h"

#define UB_TIMEOUT_MS      30000           /* for a whole run: what handsets use */
#define UB_TRIES           2               /* answers with a RES, or runs begun */
#define UB_RETRY_AFTER_MAX 10              /* [s] waited out within a run; a longer Retry-After ends it */
#define UB_TMPI_TOKEN      "3gpp-gba-tmpi" /* product token: TMPI is understood, TS 24.109 */
#define UB_APP_HEADER      "Y3056-Application"

/** All texts are views that outlive the call. */
struct ub_conf {
	struct bytes bsf;              /* name: realm of its challenges, domain of its B-TIDs, no case */
	const char *url;               /* where it serves Ub */
	const char *connect, *ca_file; /* as in struct fetch_ask */
	struct bytes impi;             /* used in key derivation */
	struct bytes tmpi;             /* Digest username instead of the IMPI; absent: none agreed */
	struct bytes application;      /* host name of the NAF the token is for: told to the BSF; absent: not told */
	const char *product;           /* User-Agent, to which UB_TMPI_TOKEN is added */
	const char *cnonce;            /* tests only; NULL: random */
	unsigned int timeout_ms;       /* 0: UB_TIMEOUT_MS */
	time_t now;                    /* a lifetime not after it is refused */
};

struct ub_result {
	char btid[BTID_MAX + 1];
	time_t expires;
	bool by_tls;              /* by certificate: Ks is of the TLS connection */
	bool in_usim;             /* GBA_U: Ks stayed in the card */
	struct secret *ks;        /* GBA_KS_LEN, below the caller's context; NULL when in_usim */
	char tmpi[GBA_TMPI_MAX];  /* for the next run; empty: the BSF does not speak it */
	unsigned int retry_after; /* [s] written on GBA_E_BUSY */
	unsigned int resyncs;     /* AUTS sent */
	char realm_profile[BSINFO_TEXT_MAX + 1], token_format[BSINFO_TEXT_MAX + 1]; /* the BSF's own words; empty: none */
	bool tmpi_refused;        /* the run fell back from TMPI to IMPI */
	bool change_awaited;      /* by certificate: the change of operator is not final before another token */
	struct bytes certificate; /* by certificate: DER to be shown from now on, below the caller's context; absent: none */
	char corr[CORR_LEN + 1];  /* empty before the first challenge */
};

/** Run the procedure; blocks up to timeout_ms.
 * @retval GBA_E_REALM            challenge or B-TID of another node than the configured BSF
 * @retval GBA_E_AKA_MAC          AUTN is not from the home network
 * @retval GBA_E_AKA_SYNC         still out of step after one resynchronisation
 * @retval GBA_E_AUTH_SCHEME      no challenge we accept (AKAv1-MD5 or AKAv2-MD5 with auth-int)
 * @retval GBA_E_DIGEST_MISMATCH  rspauth missing or wrong: the network did not prove itself, Ks is not used; or our RES
 * was refused twice
 * @retval GBA_E_NOT_AUTHORIZED   403, final
 * @retval GBA_E_BUSY             503; retry_after tells when to come back
 * @retval GBA_E_PEER, GBA_E_XML, GBA_E_TOO_LONG, GBA_E_UNREACHABLE, GBA_E_TIMEOUT, or an error of the USIM */
enum gba_err ub_run(TALLOC_CTX *mem_ctx, const struct ub_conf *conf, const struct usim *usim,
		    const struct fetcher *fetcher, struct ub_result *_result, struct why *why);

#endif
