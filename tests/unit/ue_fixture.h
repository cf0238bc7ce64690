/* SPDX-License-Identifier: Apache-2.0 */
/** What the tests of ue share: a state folder that goes away, and the USIM of the worked example (TS 35.208 set 1). */
#ifndef GBA_TESTS_UE_FIXTURE_H
#define GBA_TESTS_UE_FIXTURE_H

#include "common/fixture.h"
#include "ue/usim/soft_usim.h"

#define EX_IMSI "001010000000001"
#define EX_IMPI "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
#define EX_BSF  "bsf.mnc001.mcc001.pub.3gppnetwork.org"
#define EX_RAND "23553cbe9637a89d218ae64dae47bf35"
#define EX_AUTN "aa689c64835100009f897ef2e7a4c5f8"
#define EX_BTID "I1U8vpY3qJ0hiuZNrke/NQ==@" EX_BSF
#define EX_KS   "b40ba9a3c58b2a05bbf0d987b21bf8cbf769bcd751044604127672711c6d3441"

/** A folder below the temporary one, removed with what is in it when test_ctx is freed. */
const char *ue_fixture_dir(void);
/** The same, opened. */
struct state *ue_fixture_state(void);
/** Make USIM "default" with K and OPc of the worked example, all SEQ zero, and open it. */
struct usim ue_fixture_usim(struct state *state, bool gba_u);

#endif
