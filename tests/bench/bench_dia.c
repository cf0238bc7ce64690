/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_dia.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static struct bench_conf conf = { .window = 64, .seconds = 5, .users = 1 };
static struct fd_hook_hdl *hook;

static const struct {
	const char *key;
	char *text;
	unsigned int *number;
} words[] = {
	{ "role", conf.role, NULL },	   { "what", conf.what, NULL },	      { "peer", conf.peer, NULL },
	{ "realm", conf.realm, NULL },	   { "out", conf.out, NULL },	      { "impi", conf.impi, NULL },
	{ "btids", conf.btids, NULL },	   { "naf", conf.naf, NULL },	      { "port", NULL, &conf.port },
	{ "window", NULL, &conf.window },  { "seconds", NULL, &conf.seconds }, { "request", NULL, &conf.request },
	{ "answer", NULL, &conf.answer },  { "users", NULL, &conf.users },
};

static int word(const char *key, const char *value)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].key, key) != 0)
			continue;
		if (words[i].number != NULL)
			*words[i].number = (unsigned int)strtoul(value, NULL, 10);
		else if (strlen(value) < (words[i].text == conf.role || words[i].text == conf.what ? 8 : BENCH_TEXT_MAX))
			strcpy(words[i].text, value);
		else
			return EINVAL;
		return 0;
	}
	return EINVAL;
}

static int parse(char *text)
{
	char *save = NULL;

	for (char *w = strtok_r(text, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		char *equals = strchr(w, '=');

		if (equals == NULL)
			return EINVAL;
		*equals = '\0';
		if (word(w, equals + 1) != 0)
			return EINVAL;
	}
	return conf.window >= 1 && conf.window <= BENCH_WINDOW_MAX && conf.users >= 1 ? 0 : EINVAL;
}

/* With a callback for each of these, the framework does not print every message to a buffer: the floor is the tuned one. */
static void nop(enum fd_hook_type type, struct msg *msg, struct peer_hdr *peer, void *other,
		struct fd_hook_permsgdata *pmd, void *arg)
{
	(void)type, (void)msg, (void)peer, (void)other, (void)pmd, (void)arg;
}

static int bench_entry(char *text)
{
	uint32_t mask = HOOK_MASK(HOOK_DATA_RECEIVED, HOOK_MESSAGE_RECEIVED, HOOK_MESSAGE_LOCAL, HOOK_MESSAGE_SENDING,
				  HOOK_MESSAGE_SENT, HOOK_MESSAGE_ROUTING_LOCAL, HOOK_MESSAGE_ROUTING_FORWARD);

	if (text == NULL || parse(text) != 0 || bench_dict_load() != 0)
		return EINVAL;
	if (fd_hook_register(mask, nop, NULL, NULL, &hook) != 0)
		return EINVAL;
	return strcmp(conf.role, "serve") == 0 ? bench_serve_start(&conf) : bench_ask_start(&conf);
}

EXTENSION_ENTRY("bench_dia", bench_entry);

void fd_ext_fini(void);
void fd_ext_fini(void)
{
	if (hook != NULL)
		fd_hook_unregister(hook);
}
