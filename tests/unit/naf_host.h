/* SPDX-License-Identifier: Apache-2.0 */
/** An agent with its local socket in a folder of its own, and a BSF that is a thread: for tests of libgba-naf. */
#ifndef GBA_TESTS_NAF_HOST_H
#define GBA_TESTS_NAF_HOST_H

#include <check.h>
#include <stdint.h>

#include "naf-adapter/agent/local.h"

#define HOST_REALM "bsf.one.example"
#define HOST_IMPI  "001010000000001@ims.example"
#define HOST_LIFE  600 /* [s] of the keys it gives */

/** What the BSF does with a request, by the fifth character of the B-TID. */
#define DOES_ANSWER  'A'
#define DOES_UNKNOWN 'U'
#define DOES_REFUSE  'R'
#define DOES_NOTHING 'N'
#define DOES_LATE    'L' /* after 50 ms */
#define DOES_INT     'I' /* with Ks_int_NAF */
#define DOES_SECOND  'S' /* nothing, where it is the first request of all */

struct host;
/** @param uid  who may ask for naf1.example.com and *.apps.example.com */
struct host *host_new(uid_t uid);
const char *host_socket(const struct host *host);
void host_stop(struct host *host);
void host_start(struct host *host);
void host_free(struct host *host);
/** The BSF revokes this token. @param fqdn  for this name only; NULL: for all */
void host_revoke(struct host *host, const char *btid, const char *fqdn);
/** Requests that reached the BSF. */
size_t host_asked(struct host *host);

/** "xxxxDnnn...==@HOST_REALM": a B-TID the BSF does D with. Static text, another one for each of the last 8 calls. */
const char *host_btid(char does, unsigned int n);
/** The key of the BSF for this B-TID and NAF_Id: computed from both, so that a wrong NAF_Id is a wrong key. */
void host_key(const char *btid, const char *fqdn, const uint8_t ua_id[5], int internal, uint8_t key[32]);

#endif
