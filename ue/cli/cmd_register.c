/* SPDX-License-Identifier: Apache-2.0 */
/* gba-ue register, report, registration: a device at its trust registry (Y.3059 9.2-ii). */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/log.h"
#include "http/json.h"
#include "ue/cli/ue.h"
#include "ue/registration.h"
#include "ue/ua_coap.h"

#define WATCH_STEP 1 /* [s] between two looks at the file */

/* What a device says of itself. */
struct said {
	const char *kind, *root, *firmware, *software, *power;
	struct cli_list communication, protocols;
	const char *connect, *ca_file;
	uint32_t timeout;
};

struct register_args {
	struct said said;
	const char *scheme, *identity, *make, *model, *custodian, *code;
	struct cli_list identifiers;
};

struct report_args {
	struct said said;
	const char *watch;
	bool changes;
};

struct answer_args {
	struct said said;
	bool wary;
	struct cli_list enquirers;
	uint32_t every; /* [s]; 0: once */
};

#define SAID_OPTS(st)                                                                                                          \
	CLI_OPT_TEXT("--kind", "WORD", st, said.kind, "Kind of device: phone, meter, sensor, ..."),                            \
		CLI_OPT_TEXT("--root-of-trust", "WORD", st, said.root, "usim, euicc, tpm, ...; register: soft-usim otherwise"), \
		CLI_OPT_TEXT("--firmware", "TEXT", st, said.firmware, "Firmware version"),                                     \
		CLI_OPT_TEXT("--software", "TEXT", st, said.software, "Software version"),                                     \
		CLI_OPT_TEXT("--power", "WORD", st, said.power, "mains, battery, rechargeable, harvested"),                    \
		CLI_OPT_LIST("--communication", "WORD", st, said.communication, "4g, 5g, wlan, ...; may be repeated"),         \
		CLI_OPT_LIST("--protocol", "NAME", st, said.protocols, "Protocol it speaks; may be repeated"),                 \
		CLI_OPT_TEXT("--connect", "ADDR:PORT", st, said.connect, "Connect here, whatever host the URL names"),         \
		CLI_OPT_TEXT("--ca-file", "FILE", st, said.ca_file, "Certificates to trust for https (PEM)"),                  \
		CLI_OPT_NUMBER("--timeout", "S", 1, 600, st, said.timeout, "For one exchange; 30 otherwise")

static const struct cli_opt register_opts[] = {
	CLI_OPT_TEXT("--scheme", "NAME", struct register_args, scheme, "Scheme of the identity: imei, mac, eui64, uuid, ... (required)"),
	CLI_OPT_TEXT("--identity", "TEXT", struct register_args, identity, "The device's inherent identity (required)"),
	CLI_OPT_TEXT("--make", "TEXT", struct register_args, make, "Make (required)"),
	CLI_OPT_TEXT("--model", "TEXT", struct register_args, model, "Model (required)"),
	CLI_OPT_TEXT("--custodian", "ACCOUNT", struct register_args, custodian, "Owner or custodian"),
	CLI_OPT_TEXT("--custodian-code", "TEXT", struct register_args, code, "What shows that it answers for this device"),
	CLI_OPT_LIST("--identifier", "SCHEME:TEXT", struct register_args, identifiers, "Further identifier; may be repeated"),
	SAID_OPTS(struct register_args),
	CLI_OPT_END,
};

static const struct cli_opt answer_opts[] = {
	SAID_OPTS(struct answer_args),
	CLI_OPT_FLAG("--demand-proof", struct answer_args, wary, "Challenge who asks, and answer once it has signed that"),
	CLI_OPT_LIST("--enquirer", "KEY", struct answer_args, enquirers,
		     "The same, and answer only the holder of this key (64 hex digits); may be repeated"),
	CLI_OPT_NUMBER("--every", "S", 1, 86400, struct answer_args, every, "Go on until a signal: look for questions so often"),
	CLI_OPT_END,
};

static const struct cli_opt report_opts[] = {
	SAID_OPTS(struct report_args),
	CLI_OPT_FLAG("--changes-only", struct report_args, changes, "Say nothing when nothing has changed"),
	CLI_OPT_TEXT("--watch", "FILE", struct report_args, watch,
		     "Go on: report when the members in FILE (JSON) change, and as often as the registry wants"),
	CLI_OPT_END,
};

static void register_defaults(void *args)
{
	((struct register_args *)args)->said.timeout = UA_TIMEOUT_MS / 1000;
}

static void report_defaults(void *args)
{
	((struct report_args *)args)->said.timeout = UA_TIMEOUT_MS / 1000;
}

static void answer_defaults(void *args)
{
	((struct answer_args *)args)->said.timeout = UA_TIMEOUT_MS / 1000;
}

static void put_text(json_t *object, const char *name, const char *text)
{
	if (text != NULL)
		json_object_set_new(object, name, json_string(text));
}

static void put_list(json_t *object, const char *name, const struct cli_list *list)
{
	json_t *array;
	size_t i;

	if (list->n == 0)
		return;
	array = json_array();
	for (i = 0; i < list->n; i++)
		json_array_append_new(array, json_string(list->v[i]));
	json_object_set_new(object, name, array);
}

static void put_said(json_t *object, const struct said *said)
{
	put_text(object, "kind", said->kind);
	put_text(object, "root_of_trust", said->root);
	put_text(object, "firmware", said->firmware);
	put_text(object, "software", said->software);
	put_text(object, "power", said->power);
	put_list(object, "communication", &said->communication);
	put_list(object, "protocols", &said->protocols);
}

/* Everything a registration stands on, but for what is kept. */
static enum gba_err begin(struct cli *cli, const struct said *said, struct registration *r)
{
	struct client_conf conf = { .product = UE_PRODUCT, .usim = cli_usim(cli, NULL), .pin = cli_pin(cli) };
	struct fetcher *fetcher = talloc(cli->ctx, struct fetcher);
	enum gba_err err = cli_state(cli, false, &r->state);

	if (err == GBA_OK && said != NULL)
		err = fetcher != NULL ? ua_any_new(cli->ctx, fetcher) : GBA_E_NOMEM;
	if (err != GBA_OK)
		return err;
	if (said != NULL) {
		r->client = client_new(cli->ctx, r->state, &conf);
		if (r->client == NULL)
			return GBA_E_NOMEM;
		r->fetcher = fetcher;
		r->ua = (struct ua_conf){ .product = UE_PRODUCT, .connect = said->connect, .ca_file = said->ca_file, .mode = UA_PSK,
					  .timeout_ms = said->timeout * 1000 };
	}
	r->other_usim = conf.usim;
	r->pin = conf.pin;
	return registration_open(r, cli->ctx, &cli->why);
}

static void put_kept(struct cli *cli, const struct registration *r)
{
	static const char *const names[] = { "regdevid", "urn", "state", "url", "serial", "seq", "report_every" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (json_object_get(r->kept, names[i]) != NULL)
			cli_put(cli, names[i], json_incref(json_object_get(r->kept, names[i])));
	}
}

static enum gba_err identifiers_of(struct cli *cli, const struct cli_list *list, json_t *device)
{
	json_t *array = json_array();
	struct bytes scheme, value;
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (!bytes_split(bytes_of(list->v[i]), ':', &scheme, &value)) {
			json_decref(array);
			return why_fail(&cli->why, GBA_E_SYNTAX, "--identifier: not SCHEME:TEXT");
		}
		json_array_append_new(array, json_pack("{s:s%, s:s%}", "scheme", scheme.p, scheme.n, "value", value.p, value.n));
	}
	json_object_set_new(device, "identities", array);
	return GBA_OK;
}

static enum gba_err cmd_register(struct cli *cli, void *args)
{
	const struct register_args *a = args;
	const char *url = cli->operands[0];
	struct registration r = { NULL };
	json_t *device;
	enum gba_err err;

	if (a->scheme == NULL || a->identity == NULL || a->make == NULL || a->model == NULL)
		return why_fail(&cli->why, GBA_E_SYNTAX, "--scheme, --identity, --make and --model are needed");
	if ((strncmp(url, "https://", 8) != 0 && strncmp(url, "coaps://", 8) != 0) || url[strlen(url) - 1] == '/')
		return why_fail(&cli->why, GBA_E_SYNTAX, "%s: https://HOST or coaps://HOST is expected", url);
	err = begin(cli, &a->said, &r);
	device = err != GBA_OK ? NULL
			       : json_pack("{s:s, s:s, s:s, s:s, s:s}", "scheme", a->scheme, "identity", a->identity, "make",
					   a->make, "model", a->model, "root_of_trust", "soft-usim");
	if (device != NULL) {
		put_said(device, &a->said);
		put_text(device, "custodian", a->custodian);
		put_text(device, "custodian_code", a->code);
		err = identifiers_of(cli, &a->identifiers, device);
	}
	if (err == GBA_OK)
		err = device != NULL ? registration_register(&r, cli->ctx, url, device, &cli->why)
				     : why_fail(&cli->why, GBA_E_SYNTAX, "texts are not UTF-8");
	if (err == GBA_OK)
		put_kept(cli, &r);
	json_decref(device);
	registration_close(&r);
	return err;
}

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

/* Members as they are now, from the file. While somebody writes it, it may be half of one: then nothing has changed. */
static json_t *watched(TALLOC_CTX *ctx, const char *path)
{
	char *text = talloc_zero_size(ctx, JSON_TEXT_MAX);
	FILE *in = fopen(path, "re");
	json_t *now = NULL;

	if (in != NULL && text != NULL && json_read(BYTES(text, fread(text, 1, JSON_TEXT_MAX, in)), &now, NULL) == GBA_OK &&
	    !json_is_object(now)) {
		json_decref(now);
		now = NULL;
	}
	if (in != NULL)
		fclose(in);
	talloc_free(text);
	return now;
}

/* Until a signal comes. What cannot be told now is tried again at the next look. */
static enum gba_err watch(struct cli *cli, struct registration *r, const char *path)
{
	time_t due = 0;

	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	while (!ended) {
		TALLOC_CTX *ctx = talloc_new(cli->ctx);
		json_t *now = watched(ctx, path);
		struct why why = { 0 };
		unsigned int sent = 0, answered = 0;
		enum gba_err err = GBA_OK;

		if (now != NULL)
			err = registration_report(r, ctx, now, clock_now() < due, &sent, &why);
		if (now != NULL && err == GBA_OK && r->asked)
			err = registration_answer(r, ctx, now, &answered, &why);
		if (err != GBA_OK)
			log_event(LOG_L_WARNING, "ue.report", NULL, "%s", why.text);
		if (sent > 0) {
			due = clock_now() + (time_t)json_integer_value(json_object_get(r->kept, "report_every")) / 2;
			printf("reported %lld\n", (long long)json_integer_value(json_object_get(r->kept, "seq")));
			fflush(stdout);
		}
		json_decref(now);
		talloc_free(ctx);
		nanosleep(&(struct timespec){ WATCH_STEP, 0 }, NULL);
	}
	cli->quiet = true;
	return GBA_OK;
}

static enum gba_err cmd_report(struct cli *cli, void *args)
{
	const struct report_args *a = args;
	struct registration r = { NULL };
	json_t *now = json_object();
	unsigned int sent = 0;
	enum gba_err err = begin(cli, &a->said, &r);

	if (err == GBA_OK && a->watch != NULL) {
		err = watch(cli, &r, a->watch);
	} else if (err == GBA_OK) {
		put_said(now, &a->said);
		err = registration_report(&r, cli->ctx, now, a->changes, &sent, &cli->why);
		if (err == GBA_OK) {
			cli_put(cli, "sent", json_integer(sent));
			put_kept(cli, &r);
		}
	}
	json_decref(now);
	registration_close(&r);
	return err;
}

/* The next look, or a signal: it ends the sleep. */
static void sleep_for(uint32_t seconds)
{
	for (; seconds > 0 && !ended; seconds--)
		nanosleep(&(struct timespec){ 1, 0 }, NULL);
}

/* Until a signal comes. What cannot be answered now is tried again at the next look. */
static void answer_on(struct cli *cli, struct registration *r, json_t *now, uint32_t every)
{
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	while (!ended) {
		TALLOC_CTX *ctx = talloc_new(cli->ctx);
		struct why why = { 0 };
		unsigned int answered = 0;
		enum gba_err err = registration_answer(r, ctx, now, &answered, &why);

		if (err != GBA_OK)
			log_event(LOG_L_WARNING, "ue.answer", NULL, "%s", why.text);
		if (answered > 0) {
			printf("answered %u\n", answered);
			fflush(stdout);
		}
		talloc_free(ctx);
		sleep_for(every);
	}
	cli->quiet = true;
}

static enum gba_err cmd_answer(struct cli *cli, void *args)
{
	const struct answer_args *a = args;
	struct registration r = { NULL };
	json_t *now = json_object();
	unsigned int answered = 0;
	enum gba_err err = begin(cli, &a->said, &r);

	put_said(now, &a->said);
	r.enquirers = a->enquirers.v;
	r.n_enquirers = a->enquirers.n;
	r.wary = a->wary || a->enquirers.n > 0;
	if (err == GBA_OK && a->every == 0)
		err = registration_answer(&r, cli->ctx, now, &answered, &cli->why);
	else if (err == GBA_OK)
		answer_on(cli, &r, now, a->every);
	if (err == GBA_OK && a->every == 0)
		cli_put(cli, "answered", json_integer(answered));
	json_decref(now);
	registration_close(&r);
	return err;
}

static enum gba_err cmd_registration(struct cli *cli, void *args)
{
	struct registration r = { NULL };
	enum gba_err err = begin(cli, NULL, &r);

	(void)args;
	if (err == GBA_OK && json_object_get(r.kept, "regdevid") == NULL)
		err = why_fail(&cli->why, GBA_E_NOT_FOUND, "not registered: see register");
	if (err == GBA_OK)
		put_kept(cli, &r);
	registration_close(&r);
	return err;
}

const struct cli_cmd cmd_register_commands[] = {
	{ "register", "URL", 1, 1, register_opts, sizeof(struct register_args), register_defaults, cmd_register,
	  "Register with a trust registry and keep the RegDevID it gives" },
	{ "report", "", 0, 0, report_opts, sizeof(struct report_args), report_defaults, cmd_report,
	  "Report security parameters to it: changes, or that we are here" },
	{ "answer", "", 0, 0, answer_opts, sizeof(struct answer_args), answer_defaults, cmd_answer,
	  "Answer the questions that wait for this device at its registry" },
	{ "registration", "", 0, 0, NULL, 0, NULL, cmd_registration, "The RegDevID of the active profile's card" },
	CLI_CMD_END,
};
