/* SPDX-License-Identifier: Apache-2.0 */
/** The mapping function's test bed: a database with two subscribers, one user, his device, an ASP and its application. */
#ifndef GBA_TESTS_CHECK_MAPPING_H
#define GBA_TESTS_CHECK_MAPPING_H

#include "common/fixture.h"
#include "hss-stub/mapping/grant.h"

#define IMPI_A "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
#define IMPI_B "001010000000002@ims.mnc001.mcc001.3gppnetwork.org"
#define IMPI_C "001010000000003@ims.mnc001.mcc001.3gppnetwork.org"
#define NOW    1700000000

extern struct records *map;
extern struct record_call call;
extern const struct actor admin, asp_one, asp_two, user_one, user_two, node;
extern char mapping_db[400];
extern bool mapping_on_server; /* PostgreSQL, not a file */

/** Fresh folder, database, key; subscribers A, B, C. */
void bed_open(void);
void bed_close(void);
/** User 1 with device 1 (IMPI_A), user 2 with device 2 (IMPI_B), ASP 1 and 2, application 1 of ASP 1 (app.example.com),
 * application 2 of ASP 2 (app.example.org). */
void bed_populate(void);

/** As an actor; JSON with ' for ". The record's id, or the error. */
int64_t add_as(const struct actor *actor, enum record_kind_id kind, const char *json, enum gba_err want);
void set_as(const struct actor *actor, enum record_kind_id kind, int64_t id, const char *json, enum gba_err want);
void remove_as(const struct actor *actor, enum record_kind_id kind, int64_t id, enum gba_err want);
void do_as(const struct actor *actor, enum record_kind_id kind, int64_t id, const char *verb, const char *json, enum gba_err want);
struct record *get_as(const struct actor *actor, enum record_kind_id kind, int64_t id);
/** How many the actor sees. */
size_t count_as(const struct actor *actor, enum record_kind_id kind);
/** What the network is told about IMPI and FQDN at call.now. */
enum gba_err asked(const char *impi, const char *fqdn, struct grant **_grant);
/** The subscriber's GUSS as it stands. */
struct bytes guss_of(const char *impi);

TCase *mapping_rules_tcase(void);
TCase *mapping_flow_tcase(void);
TCase *mapping_parties_tcase(void);
TCase *mapping_file_tcase(void); /* what only a file shows */

#endif
