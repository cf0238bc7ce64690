/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/codec.h"
#include "ue/cli/ue.h"
#include "ue/client.h"
#include "ue/proxy.h"
#include "ue/ua.h"
#include "ue/ua_coap.h"
#include "ue/url.h"

struct bootstrap_args {
	const char *naf;
	uint32_t timeout;
	bool force;
};

static const struct cli_opt bootstrap_opts[] = {
	CLI_OPT_TEXT("--naf", "FQDN", struct bootstrap_args, naf, "Application the token is for"),
	CLI_OPT_NUMBER("--timeout", "S", 1, 600, struct bootstrap_args, timeout, "For the whole run; 30 otherwise"),
	CLI_OPT_FLAG("--force", struct bootstrap_args, force,
		     "Even if there is a valid token, or the BSF asked to wait"),
	CLI_OPT_END,
};

/* What get and proxy say about Ua. */
struct ua_args {
	const char *connect, *ca_file, *separator;
	bool psk, digest, tls12, tls13, need_rspauth;
	uint32_t timeout;
};

struct get_args {
	struct ua_args ua;
	const char *out, *method, *data;
	struct cli_list headers;
	uint32_t max_body, observe;
	bool include;
};

struct proxy_args {
	struct ua_args ua;
	const char *listen, *to;
	uint32_t max_connections, idle, drain;
};

#define UA_OPTS(st)                                                                                                    \
	CLI_OPT_FLAG("--psk", st, ua.psk, "PSK-TLS only"),                                                             \
		CLI_OPT_FLAG("--digest", st, ua.digest, "HTTP Digest only (https: inside certificate TLS)"),           \
		CLI_OPT_FLAG("--tls1.2", st, ua.tls12, "TLS 1.2 only"),                                                \
		CLI_OPT_FLAG("--tls1.3", st, ua.tls13, "TLS 1.3 only"),                                                \
		CLI_OPT_TEXT("--connect", "ADDR:PORT", st, ua.connect, "Connect here, whatever host the URL names"),   \
		CLI_OPT_TEXT("--ca-file", "FILE", st, ua.ca_file, "Certificates to trust for https (PEM)"),            \
		CLI_OPT_TEXT("--psk-separator", "TEXT", st, ua.separator,                                              \
			     "Between prefix and B-TID in the PSK identity; \";\" otherwise"),                         \
		CLI_OPT_FLAG("--need-rspauth", st, ua.need_rspauth,                                                    \
			     "Digest: refuse answers whose sender did not prove itself"),                              \
		CLI_OPT_NUMBER("--timeout", "S", 1, 600, st, ua.timeout, "For one exchange; 30 otherwise")

static const struct cli_opt get_opts[] = {
	UA_OPTS(struct get_args),
	CLI_OPT_TEXT("-o", "FILE", struct get_args, out, "Write the body here instead of standard output"),
	CLI_OPT_TEXT("--method", "NAME", struct get_args, method, "GET otherwise, with --data POST"),
	CLI_OPT_TEXT("--data", "TEXT", struct get_args, data, "Body to send; \"@FILE\": content of a file"),
	CLI_OPT_LIST("--header", "NAME: VALUE", struct get_args, headers,
		     "Further header; may be repeated. coaps: Content-Type, Accept, If-Match, ETag, If-None-Match become options"),
	CLI_OPT_NUMBER("--observe", "N", 1, 1000000, struct get_args, observe,
		       "coaps: the resource as it is and as it changes, N times in all; --timeout is for each"),
	CLI_OPT_NUMBER("--max-body", "KIB", 1, 1048576, struct get_args, max_body,
		       "Longer answers are refused; 16384 otherwise"),
	CLI_OPT_FLAG("--include", struct get_args, include, "Put status and headers of the answer before the body"),
	CLI_OPT_END,
};

static const struct cli_opt proxy_opts[] = {
	CLI_OPT_TEXT("--listen", "ADDR:PORT", struct proxy_args, listen, "Local address (required); port 0: any"),
	CLI_OPT_TEXT("--to", "URL", struct proxy_args, to,
		     "Application (required): tls://HOST:PORT any protocol, https://HOST or http://HOST for HTTP"),
	UA_OPTS(struct proxy_args),
	CLI_OPT_NUMBER("--max-connections", "N", 1, PROXY_CONNECTIONS_MAX, struct proxy_args, max_connections,
		       "64 otherwise"),
	CLI_OPT_NUMBER("--idle", "S", 0, 86400, struct proxy_args, idle,
		       "tls: end connections silent for so long; 300 otherwise, 0: never"),
	CLI_OPT_NUMBER("--drain", "S", 0, 3600, struct proxy_args, drain,
		       "tls: time connections have left when their token is retired; 10 otherwise"),
	CLI_OPT_END,
};

static void bootstrap_defaults(void *args)
{
	((struct bootstrap_args *)args)->timeout = UB_TIMEOUT_MS / 1000;
}

static void get_defaults(void *args)
{
	struct get_args *get = args;

	get->ua.timeout = UA_TIMEOUT_MS / 1000;
	get->max_body = UA_BODY_MAX / 1024;
}

static void proxy_defaults(void *args)
{
	struct proxy_args *proxy = args;

	proxy->ua.timeout = UA_TIMEOUT_MS / 1000;
	proxy->max_connections = PROXY_CONNECTIONS_DEFAULT;
	proxy->idle = 300;
	proxy->drain = PROXY_DRAIN_DEFAULT_MS / 1000;
}

static enum gba_err open_client(struct cli *cli, uint32_t timeout, struct client **_client)
{
	struct client_conf conf = { .product = UE_PRODUCT, .timeout_ms = timeout * 1000, .usim = cli_usim(cli, NULL),
				    .pin = cli_pin(cli) };
	struct state *state;
	enum gba_err err = cli_state(cli, false, &state);

	if (err != GBA_OK)
		return err;
	*_client = client_new(cli->ctx, state, &conf);
	return *_client != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err cmd_bootstrap(struct cli *cli, void *args)
{
	const struct bootstrap_args *bootstrap = args;
	struct bytes naf = bootstrap->naf != NULL ? bytes_of(bootstrap->naf) : BYTES_NONE;
	struct client *client;
	struct client_run run;
	enum gba_err err;

	if (naf.p != NULL && !fqdn_valid(naf))
		return why_fail(&cli->why, GBA_E_SYNTAX, "--naf: not a host name");
	err = open_client(cli, bootstrap->timeout, &client);
	if (err != GBA_OK)
		return err;
	err = client_bootstrap(client, naf, NULL, bootstrap->force, &run, &cli->why);
	if (err != GBA_OK) {
		if (run.retry_after > 0)
			cli_put(cli, "retry-after", json_integer(run.retry_after));
		return err;
	}
	cli_put(cli, "profile", json_string(run.profile));
	cli_put(cli, "btid", json_string(run.btid));
	cli_put(cli, "expires", cli_time(run.expires));
	if (run.realm_profile[0] != '\0')
		cli_put(cli, "realm-profile", json_string(run.realm_profile));
	if (run.token_format[0] != '\0')
		cli_put(cli, "token-format", json_string(run.token_format));
	cli_put(cli, "fresh", json_boolean(run.fresh));
	cli_put(cli, "resyncs", json_integer(run.resyncs));
	cli_put(cli, "gba-u", json_boolean(run.in_usim));
	cli_put(cli, "tmpi", json_boolean(run.tmpi));
	return GBA_OK;
}

static enum gba_err ua_conf_of(struct cli *cli, const struct ua_args *args, struct ua_conf *_conf)
{
	struct ua_conf conf = { .product = UE_PRODUCT };

	if ((args->psk && args->digest) || (args->tls12 && args->tls13))
		return why_fail(&cli->why, GBA_E_SYNTAX, "--psk and --digest, --tls1.2 and --tls1.3 exclude each other");
	conf.connect = args->connect;
	conf.ca_file = args->ca_file;
	conf.separator = args->separator;
	conf.mode = args->psk ? UA_PSK : args->digest ? UA_DIGEST : UA_AUTO;
	conf.tls = args->tls12 ? FETCH_TLS_12 : args->tls13 ? FETCH_TLS_13 : FETCH_TLS_ANY;
	conf.need_rspauth = args->need_rspauth;
	conf.timeout_ms = args->timeout * 1000;
	*_conf = conf;
	return GBA_OK;
}

/* Whole file below the context. */
static enum gba_err read_file(struct cli *cli, const char *path, struct bytes *_content)
{
	FILE *in = fopen(path, "re");
	struct stat st;
	uint8_t *p;

	if (in == NULL || fstat(fileno(in), &st) != 0 || st.st_size > UA_BODY_MAX) {
		if (in != NULL)
			fclose(in);
		return why_fail(&cli->why, GBA_E_NOT_FOUND, "%s: cannot be read, or is longer than %d octets", path,
			       UA_BODY_MAX);
	}
	p = talloc_size(cli->ctx, (size_t)st.st_size + 1);
	if (p != NULL)
		*_content = BYTES(p, fread(p, 1, (size_t)st.st_size, in));
	fclose(in);
	return p != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err request_of(struct cli *cli, const struct get_args *args, struct fetch_header *headers,
			       struct ua_request *_request)
{
	struct url url;
	enum gba_err err = url_parse(cli->ctx, cli->operands[0], url_schemes_ua, &url);
	size_t i;

	if (err != GBA_OK)
		return why_fail(&cli->why, err, "%s: not an http, https or coaps URL", cli->operands[0]);
	for (i = 0; i < args->headers.n; i++) {
		struct bytes name, value;

		if (!bytes_split(bytes_of(args->headers.v[i]), ':', &name, &value) || name.n == 0)
			return why_fail(&cli->why, GBA_E_SYNTAX, "--header: not \"Name: value\"");
		while (value.n > 0 && value.p[0] == ' ')
			value.p++, value.n--;
		headers[i].name = talloc_strndup(cli->ctx, (const char *)name.p, name.n);
		headers[i].value = talloc_strndup(cli->ctx, (const char *)value.p, value.n);
		if (headers[i].name == NULL || headers[i].value == NULL)
			return GBA_E_NOMEM;
	}
	_request->url = cli->operands[0];
	_request->headers = headers;
	_request->observe = args->observe;
	if (args->data != NULL && args->data[0] == '@')
		err = read_file(cli, args->data + 1, &_request->body);
	else if (args->data != NULL)
		_request->body = bytes_of(args->data);
	_request->method = args->method != NULL ? args->method : args->data != NULL ? "POST" : "GET";
	return err;
}

static const char *status_text(struct cli *cli, const struct fetch_answer *answer)
{
	return answer->code != NULL ? answer->code : talloc_asprintf(cli->ctx, "%u", answer->status);
}

static enum gba_err write_body(struct cli *cli, const struct get_args *args, const struct fetch_answer *answer)
{
	FILE *out = args->out != NULL ? fopen(args->out, "we") : stdout;
	bool bad;
	size_t i;

	if (out == NULL)
		return why_fail(&cli->why, gba_err_from_errno(errno), "%s: %s", args->out, strerror(errno));
	if (args->include) {
		fprintf(out, answer->code != NULL ? "CoAP %s\r\n" : "HTTP/1.1 %s\r\n", status_text(cli, answer));
		for (i = 0; i < answer->header_count; i++)
			fprintf(out, "%s: %s\r\n", answer->headers[i].name, answer->headers[i].value);
		fprintf(out, "\r\n");
	}
	fwrite(answer->body.p, 1, answer->body.n, out);
	if (args->observe > 0 && (answer->body.n == 0 || answer->body.p[answer->body.n - 1] != '\n'))
		putc('\n', out); /* the next one begins a line */
	bad = ferror(out) != 0;
	if (args->out != NULL)
		bad = fclose(out) != 0 || bad;
	return bad ? why_fail(&cli->why, GBA_E_IO, "%s: cannot be written", args->out != NULL ? args->out : "output")
		   : GBA_OK;
}

static json_t *text_of(const char *text)
{
	json_t *value = json_string(text);

	return value != NULL ? value : json_string("?");
}

static void put_body(struct cli *cli, json_t *object, const struct fetch_answer *answer)
{
	json_t *text = json_stringn((const char *)answer->body.p, answer->body.n);
	char *base64;

	if (text != NULL) {
		json_object_set_new(object, "body", text);
		return;
	}
	base64 = talloc_size(cli->ctx, BASE64_LEN(answer->body.n) + 1);
	if (base64 == NULL)
		return;
	base64_encode(answer->body, base64);
	json_object_set_new(object, "body-base64", json_string(base64));
}

static void put_status(json_t *object, const struct fetch_answer *answer)
{
	json_object_set_new(object, "status", json_integer(answer->status));
	if (answer->code != NULL)
		json_object_set_new(object, "code", json_string(answer->code));
}

static void put_content(struct cli *cli, json_t *object, const struct get_args *args, const struct fetch_answer *answer)
{
	json_t *headers = json_object();
	size_t i;

	for (i = 0; i < answer->header_count; i++)
		json_object_set_new(headers, answer->headers[i].name, text_of(answer->headers[i].value));
	json_object_set_new(object, "headers", headers);
	if (args->out == NULL)
		put_body(cli, object, answer);
}

static const char *tls_text(unsigned int version)
{
	return version == DTLS1_2_VERSION ? "dtls1.2" : version == TLS1_3_VERSION ? "1.3" : "1.2";
}

static void put_reply(struct cli *cli, const struct get_args *args, const struct ua_reply *reply)
{
	const struct fetch_answer *answer = &reply->answer;
	char suite[8];

	cli->result = json_object();
	put_status(cli->result, answer);
	cli_put(cli, "mode", json_string(ua_mode_names[reply->mode]));
	cli_put(cli, "authenticated", json_boolean(reply->authenticated));
	cli_put(cli, "server-proved", json_boolean(reply->server_proved));
	cli_put(cli, "rebootstrapped", json_boolean(reply->rebootstrapped));
	if (reply->signal != NULL)
		cli_put(cli, "token-signal", json_string(reply->signal));
	if (reply->token.btid[0] != '\0')
		cli_put(cli, "btid", json_string(reply->token.btid));
	if (answer->tls_suite != 0) {
		snprintf(suite, sizeof(suite), "%04x", answer->tls_suite);
		cli_put(cli, "tls", json_string(tls_text(answer->tls_version)));
		cli_put(cli, "suite", json_string(suite));
	}
	put_content(cli, cli->result, args, answer);
}

struct watching {
	struct cli *cli;
	const struct get_args *args;
};

/* What a resource was before it changed again. */
static void on_told(void *arg, const struct fetch_answer *answer)
{
	const struct watching *watching = arg;
	json_t *line;

	if (!watching->cli->json || watching->args->out != NULL)
		write_body(watching->cli, watching->args, answer);
	if (watching->cli->json) {
		line = json_object();
		put_status(line, answer);
		put_content(watching->cli, line, watching->args, answer);
		json_dumpf(line, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
		json_decref(line);
	}
	fflush(stdout);
}

/* The application's answer as exit status. */
static int exit_of_status(unsigned int status)
{
	if (status < 400)
		return CLI_DONE;
	if (status == 401 || status == 403)
		return CLI_REFUSED;
	if (status == 404 || status == 410)
		return CLI_NOT_FOUND;
	return status == 429 || status == 503 ? CLI_LATER : CLI_NEGATIVE;
}

static enum gba_err ask_application(struct cli *cli, const struct get_args *get, struct ua_request *request,
				    struct ua_reply *_reply)
{
	struct watching watching = { cli, get };
	struct token_source source;
	struct fetcher fetcher;
	struct client *client;
	struct ua_conf conf;
	enum gba_err err;

	err = ua_conf_of(cli, &get->ua, &conf);
	if (err == GBA_OK)
		err = open_client(cli, 0, &client);
	if (err == GBA_OK)
		err = ua_any_new(cli->ctx, &fetcher);
	if (err != GBA_OK)
		return err;
	conf.max_body = (size_t)get->max_body * 1024;
	request->told = on_told;
	request->told_arg = &watching;
	source = client_source(client);
	return ua_fetch(cli->ctx, &conf, &source, &fetcher, request, _reply, &cli->why);
}

static enum gba_err cmd_get(struct cli *cli, void *args)
{
	struct fetch_header headers[CLI_LIST_MAX + 1] = { { NULL, NULL } };
	struct ua_request request = { .headers = headers };
	const struct get_args *get = args;
	struct ua_reply reply;
	enum gba_err err;

	err = request_of(cli, get, headers, &request);
	if (err == GBA_OK)
		err = ask_application(cli, get, &request, &reply);
	if (err != GBA_OK)
		return err;
	cli->exit = exit_of_status(reply.answer.status);
	if (reply.answer.status >= 400)
		fprintf(stderr, "gba-ue: %s answers %s\n", request.url, status_text(cli, &reply.answer));
	if (cli->json)
		put_reply(cli, get, &reply);
	cli->quiet = !cli->json;
	return cli->json && get->out == NULL ? GBA_OK : write_body(cli, get, &reply.answer);
}

/* SIGINT and SIGTERM wait for sigwait() in every thread made after this. */
static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void announce(struct cli *cli, const struct proxy_args *args, const struct proxy *proxy)
{
	cli_put(cli, "port", json_integer(proxy_port(proxy)));
	cli_put(cli, "to", json_string(args->to));
	if (cli->json) {
		json_dumpf(cli->result, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else {
		printf("listening on port %u for %s\n", proxy_port(proxy), args->to);
	}
	fflush(stdout);
	cli->quiet = true;
}

static enum gba_err cmd_proxy(struct cli *cli, void *args)
{
	const struct proxy_args *proxy_args = args;
	struct proxy_conf conf = { .listen = proxy_args->listen, .to = proxy_args->to };
	struct client *client;
	struct proxy *proxy;
	enum gba_err err;
	sigset_t signals;
	int signal_got;

	if (conf.listen == NULL || conf.to == NULL)
		return why_fail(&cli->why, GBA_E_SYNTAX, "--listen and --to are needed");
	conf.max_connections = proxy_args->max_connections;
	conf.idle_ms = proxy_args->idle * 1000;
	conf.drain_ms = proxy_args->drain * 1000;
	err = ua_conf_of(cli, &proxy_args->ua, &conf.ua);
	if (err == GBA_OK)
		err = open_client(cli, 0, &client);
	if (err != GBA_OK)
		return err;
	block_signals(&signals);
	err = proxy_start(cli->ctx, &conf, client, &proxy, &cli->why);
	if (err != GBA_OK)
		return err;
	announce(cli, proxy_args, proxy);
	sigwait(&signals, &signal_got);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL); /* a second one ends us at once */
	proxy_stop(proxy);
	return GBA_OK;
}

const struct cli_cmd cmd_session_commands[] = {
	{ "bootstrap", "", 0, 0, bootstrap_opts, sizeof(struct bootstrap_args), bootstrap_defaults, cmd_bootstrap,
	  "Have a valid token of the active realm (Ub)" },
	{ "get", "URL", 1, 1, get_opts, sizeof(struct get_args), get_defaults, cmd_get, "Ask an application over Ua" },
	{ "proxy", "", 0, 0, proxy_opts, sizeof(struct proxy_args), proxy_defaults, cmd_proxy,
	  "Local port for programs that know nothing of GBA" },
	CLI_CMD_END,
};
