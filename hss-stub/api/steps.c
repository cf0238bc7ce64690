/* SPDX-License-Identifier: Apache-2.0 */
/* The flows of Y.3056 10.1 to 10.3 as arrows: which operation carries out which step. What is told to users and ASPs later
 * (10.2-2c, 10.3-3, 10.3-6) is drawn where it is delivered (notify.c). */
#include <stdio.h>

#include "core/trace.h"
#include "hss-stub/api/api_priv.h"

static const struct {
	const char *id, *ask, *answer;
} rows[] = {
	{ "getProfile",          "Y.3056 10.1-2",  "Y.3056 10.1-2" },
	{ "getProfilePage",      "Y.3056 10.1-3a", "Y.3056 10.1-4" },
	{ "registerAsp",         "Y.3056 10.2-1a", "Y.3056 10.2-1b" },
	{ "addAsp",              "Y.3056 10.2-1a", "Y.3056 10.2-1b" },
	{ "issueAspCredential",  "Y.3056 10.2-1c", "Y.3056 10.2-1c" },
	{ "addApplication",      "Y.3056 10.2-2a", "Y.3056 10.2-2b" },
	{ "makeBundle",          "Y.3056 10.1-3b", "Y.3056 10.1-3b" },
	{ "addRequest",          "Y.3056 10.3-1",  "Y.3056 10.3-2" },
	{ "consentRequest",      "Y.3056 10.3-2",  "Y.3056 10.3-2" },
	{ "addPermission",       "Y.3056 10.3-4",  "Y.3056 10.3-4" },
	{ "changePermission",    "Y.3056 10.3-4",  "Y.3056 10.3-4" },
	{ "grantRequest",        "Y.3056 10.3-4",  "Y.3056 10.3-5" },
};

static const char *caller_name(const struct rest_call *call)
{
	static const char *const names[] = { [ACTOR_ADMIN] = "operator", [ACTOR_ASP] = "asp", [ACTOR_SUBSCRIBER] = "user",
					     [ACTOR_SYSTEM] = "operator" };

	return call->actor != NULL ? names[call->actor->role] : "asp";
}

static void arrows(const struct rest_call *call, const char *ask, const char *answer)
{
	const char *who = caller_name(call);
	struct bytes query, method = http_req_method(call->req),
			    path = route_target_path(http_req_target(call->req), &query);
	char message[160];
	struct trace_step step = { .corr = call->corr, .from = who, .to = "hss-stub", .iface = "REST", .clause = ask,
				   .message = message, .at = call->began_at };

	snprintf(message, sizeof(message), "%.*s %.*s", BYTES_FMT(method), (int)(path.n < 120 ? path.n : 120),
		 (const char *)path.p);
	trace_step(&step);
	step = (struct trace_step){ .corr = call->corr, .from = "hss-stub", .to = who, .iface = "REST", .clause = answer,
				    .message = message };
	snprintf(message, sizeof(message), "%u", call->reply.status);
	trace_step(&step);
}

void api_trace(const struct rest_call *call)
{
	size_t i;

	for (i = 0; trace_on() && call->route.route != NULL && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].id, call->route.route->id) == 0)
			arrows(call, rows[i].ask, rows[i].answer);
	}
}
