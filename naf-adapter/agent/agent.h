/* SPDX-License-Identifier: Apache-2.0 */
/** The agent without sockets and without Diameter: who asks for a key gets it from the cache, from a request that is under
 * way already, or from the BSF. One thread; time is a parameter. */
#ifndef NAF_AGENT_AGENT_H
#define NAF_AGENT_AGENT_H

#include <talloc.h>

#include "naf-adapter/agent/answer.h"
#include "naf-adapter/agent/cache.h"
#include "naf-adapter/agent/conf.h"

struct agent_time {
	time_t now;  /* [s since epoch] */
	uint64_t ms; /* [ms] monotonic */
};

/** A Bootstrapping-Info-Request to be sent. Views are valid during the call. */
struct zn_ask {
	uint64_t flight; /* name of the request for agent_answer() */
	struct bytes dest_realm, dest_host; /* the second absent: left to routing */
	struct bytes btid, naf_id;
	const uint32_t *gsids;
	size_t gsid_count;
	bool gba_u_aware;
	unsigned int timeout_ms;
};
/** Towards the BSFs. send never blocks and never calls back; GBA_OK promises exactly one agent_answer() later. */
struct zn_port {
	enum gba_err (*send)(void *arg, const struct zn_ask *ask);
	void *arg;
};

struct agent;
struct agent_waiter;

/** @param conf  outlives the agent @return NULL: out of memory */
struct agent *agent_new(TALLOC_CTX *mem_ctx, const struct agent_conf *conf, struct zn_port port);

/** Its conf has changed (agent_conf_renew()). */
void agent_renewed(struct agent *agent);

/** What an application wants; views are valid during agent_ask() only. */
struct agent_ask {
	struct bytes btid;
	struct bytes fqdn; /* lower case, valid, and allowed to the asker */
	const uint8_t *ua_id;
	const uint32_t *gsids;
	size_t gsid_count; /* at most GBA_NAF_GSID_MAX */
	unsigned int flags; /* enum gba_naf_flag */
	unsigned int timeout_ms;
	struct bytes source; /* who causes it: address of the device, or the application when not known */
	time_t until; /* [s since epoch] the application takes this token no longer for this name; 0: not said */
};
/** @param record  not NULL when error is GBA_NAF_OK; valid during the call. The callback must not call the agent. */
typedef void (*agent_reply)(void *arg, enum gba_naf_error error, const struct key_record *record);

/** reply is called exactly once: before this returns (then NULL is returned), or later, unless agent_forget().  */
struct agent_waiter *agent_ask(struct agent *agent, struct agent_time t, const struct agent_ask *ask, agent_reply reply,
			       void *arg);
/** Nobody waits for the reply any more. */
void agent_forget(struct agent_waiter *waiter);
struct agent_push;
struct agent_revocation;
/** A token that came unasked for and may (push_check): kept as if it had been fetched. */
void agent_pushed(struct agent *agent, struct agent_time t, const struct agent_push *push);
/** Keys that must go (revocation_check); what is being asked for at this moment comes too late. */
void agent_revoked(struct agent *agent, struct agent_time t, const struct agent_revocation *revocation);
/** Until when applications take a token for a name: told to whoever gets its key. @return [s since epoch] 0: nothing was said */
time_t agent_limit(const struct agent *agent, struct bytes btid, struct bytes fqdn);
/** A token that an application takes no longer, each once: its keys are dropped. Those who hold some are to be told.
 * @param _fqdn  valid until the next call of an agent function */
bool agent_limit_reached(struct agent *agent, struct agent_time t, uint8_t digest[KEY_DIGEST_LEN], struct bytes *_fqdn);
/** What came of a struct zn_ask. */
void agent_answer(struct agent *agent, struct agent_time t, const struct zn_answer *answer);
/** Let those go whose time is over. */
void agent_tick(struct agent *agent, struct agent_time t);
/** [ms] until agent_tick() or agent_limit_reached() has something to do; -1: nothing waits. */
int agent_next(const struct agent *agent, struct agent_time t);

#endif
