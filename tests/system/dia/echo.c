/* SPDX-License-Identifier: Apache-2.0 */
/* A role for tests of the stack: serves Zn through lib/dia as its argument says (words separated by '+'):
 *   delay=MS   answer from another thread after so long, MAR and BIR likewise
 *   never      keep every request
 *   bare       answer by freeDiameter's own functions, the floor that lib/dia is measured against
 *   hooks      register no-op hooks, as the floor of facts has them; gba_guard does so itself
 * ME-Key-Material of its BIA is "canary" and a number that counts executions, so that a test sees each one. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dia/dia_internal.h"
#include "dia/zn.h"

static struct {
	unsigned int delay_ms;
	bool never, bare;
	_Atomic unsigned int executed;
	struct dia_service *service;
	struct disp_hdl *bare_hdl;
	struct dict_object *me_key, *expires, *created, *uss;
} echo;

static void answer(struct msg *request)
{
	struct dia_failed failed;
	struct zn_bia bia = { .gba_type = DIA_NO_ENUM };
	struct zn_bir bir;
	TALLOC_CTX *ctx = talloc_new(NULL);
	enum gba_err err;
	char key[33];

	err = dia_decode(ctx, request, zn_bir_fields, &bir, &failed);
	snprintf(key, sizeof(key), "canary-canary-canary-%011u", atomic_fetch_add(&echo.executed, 1));
	bia.me_key = BYTES(key, 32);
	bia.expires = 1924948800;
	bia.created = 1924940000;
	bia.uss = bytes_of("<ussList/>");
	dia_answer_send(&request, err, &failed, zn_bia_fields, &bia);
	talloc_free(ctx);
}

static void *later(void *arg)
{
	usleep(echo.delay_ms * 1000);
	answer(arg);
	return NULL;
}

static void on_request(struct msg *request, void *arg)
{
	pthread_t thread;

	(void)arg;
	if (echo.never)
		return;
	if (echo.delay_ms == 0) {
		answer(request);
		return;
	}
	if (pthread_create(&thread, NULL, later, request) == 0)
		pthread_detach(thread);
}

static int add(struct msg *msg, struct dict_object *model, const void *octets, size_t n)
{
	union avp_value value = { .os = { .data = (uint8_t *)(uintptr_t)octets, .len = n } };
	struct avp *avp;
	int rc;

	rc = fd_msg_avp_new(model, 0, &avp);
	if (rc == 0)
		rc = fd_msg_avp_setvalue(avp, &value);
	return rc == 0 ? fd_msg_avp_add(msg, MSG_BRW_LAST_CHILD, avp) : rc;
}

/* The least a server can do: same AVPs in the answer, nothing read. */
static int bare_answer(struct msg **msg)
{
	static const char time4[] = "\xf0\x00\x00\x01", key[] = "canary-canary-canary-00000000000";
	union avp_value value = { .u32 = 2001 };
	struct avp *result;
	int rc;

	rc = fd_msg_new_answer_from_req(fd_g_config->cnf_dict, msg, 0);
	if (rc == 0)
		rc = fd_msg_avp_new(dia_base.result_code, 0, &result);
	if (rc == 0)
		rc = fd_msg_avp_setvalue(result, &value) | fd_msg_avp_add(*msg, MSG_BRW_LAST_CHILD, result);
	if (rc == 0)
		rc = fd_msg_add_origin(*msg, 0) | add(*msg, echo.me_key, key, 32) | add(*msg, echo.expires, time4, 4) |
		     add(*msg, echo.created, time4, 4) | add(*msg, echo.uss, "<ussList/>", 10);
	return rc;
}

static void *bare_later(void *arg)
{
	struct msg *msg = arg;

	usleep(echo.delay_ms * 1000);
	if (bare_answer(&msg) == 0)
		(void)fd_msg_send(&msg, NULL, NULL);
	return NULL;
}

static int on_bare(struct msg **msg, struct avp *avp, struct session *sess, void *opaque, enum disp_action *action)
{
	pthread_t thread;

	(void)avp, (void)sess, (void)opaque;
	if (echo.delay_ms == 0) {
		*action = DISP_ACT_SEND;
		return bare_answer(msg);
	}
	if (pthread_create(&thread, NULL, bare_later, *msg) == 0)
		pthread_detach(thread);
	*msg = NULL;
	return 0;
}

static void on_nothing(enum fd_hook_type type, struct msg *msg, struct peer_hdr *peer, void *other,
		       struct fd_hook_permsgdata *data, void *regdata)
{
	(void)type, (void)msg, (void)peer, (void)other, (void)data, (void)regdata;
}

static void register_hooks(void)
{
	static struct fd_hook_hdl *hooks;

	(void)fd_hook_register(HOOK_MASK(HOOK_DATA_RECEIVED, HOOK_MESSAGE_RECEIVED, HOOK_MESSAGE_LOCAL, HOOK_MESSAGE_SENDING,
					 HOOK_MESSAGE_SENT, HOOK_MESSAGE_ROUTING_LOCAL, HOOK_MESSAGE_ROUTING_FORWARD),
			       on_nothing, NULL, NULL, &hooks);
}

static void read_words(char *conf)
{
	char *word, *save = NULL;

	for (word = strtok_r(conf, "+", &save); word != NULL; word = strtok_r(NULL, "+", &save)) {
		if (strncmp(word, "delay=", 6) == 0)
			echo.delay_ms = (unsigned int)atoi(word + 6);
		echo.never |= strcmp(word, "never") == 0;
		echo.bare |= strcmp(word, "bare") == 0;
		if (strcmp(word, "hooks") == 0)
			register_hooks();
	}
}

static int serve_bare(void)
{
	struct disp_when when = { .app = zn_bir_cmd.app_model, .command = zn_bir_cmd.model };

	echo.me_key = dia_avp_by_name("ME-Key-Material");
	echo.expires = dia_avp_by_name("Key-ExpiryTime");
	echo.created = dia_avp_by_name("BootstrapInfoCreationTime");
	echo.uss = dia_avp_by_name("GBA-UserSecSettings");
	return fd_disp_register(on_bare, DISP_HOW_CC, &when, NULL, &echo.bare_hdl);
}

static int echo_entry(char *conf)
{
	if (conf != NULL)
		read_words(conf);
	if (zn_resolve() != GBA_OK)
		return EINVAL;
	if (echo.bare)
		return serve_bare();
	return dia_serve(NULL, &zn_bir_cmd, on_request, NULL, &echo.service) == GBA_OK ? 0 : EINVAL;
}

EXTENSION_ENTRY("echo", echo_entry, "dict_gba");

void fd_ext_fini(void);
void fd_ext_fini(void)
{
	if (echo.service != NULL)
		dia_serve_stop(echo.service);
	if (echo.bare_hdl != NULL)
		(void)fd_disp_unregister(&echo.bare_hdl, NULL);
}
