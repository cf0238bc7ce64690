/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed datagrams over UDP: messages of the device to an application, and the application's commands to it. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/codec.h"
#include "core/log.h"
#include "ue/cli/ue.h"
#include "ue/client.h"
#include "ue/datagram.h"
#include "ue/url.h"

struct datagram_args {
	const char *connect;
	uint32_t index, wait, every, count;
};

#define COMMON_OPTS \
	CLI_OPT_NUMBER("--index", "N", 0, USIM_KEY_INDEX_MAX, struct datagram_args, index, \
		       "Use this key inside the USIM (GBA_U); 0, otherwise: one outside it"), \
		CLI_OPT_TEXT("--connect", "ADDR:PORT", struct datagram_args, connect, "Send there, whatever host the URL names"), \
		CLI_OPT_NUMBER("--count", "N", 1, 1000000, struct datagram_args, count, "End after so many commands")

static const struct cli_opt send_opts[] = {
	COMMON_OPTS,
	CLI_OPT_NUMBER("--wait", "S", 0, 86400, struct datagram_args, wait, "Print commands that come within this time of the last message"),
	CLI_OPT_END,
};

static const struct cli_opt receive_opts[] = {
	COMMON_OPTS,
	CLI_OPT_NUMBER("--every", "S", 1, 86400, struct datagram_args, every,
		       "Say that we are here: the application answers to where that came from; 30 otherwise"),
	CLI_OPT_END,
};

static void receive_defaults(void *args)
{
	((struct datagram_args *)args)->every = 30;
}

/* One run of either command. */
struct session {
	struct cli *cli;
	const struct datagram_args *args;
	struct datagram *datagram;
	int fd;
	uint32_t sent, received, dropped;
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

/* Without SA_RESTART: poll() returns. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static enum gba_err resolve(struct session *s, const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *list, *at;

	if (getaddrinfo(host, port, &hints, &list) != 0)
		return why_fail(&s->cli->why, GBA_E_UNREACHABLE, "%s: no address", host);
	s->fd = -1;
	for (at = list; at != NULL && s->fd < 0; at = at->ai_next) {
		s->fd = socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (s->fd >= 0 && connect(s->fd, at->ai_addr, at->ai_addrlen) != 0) {
			close(s->fd);
			s->fd = -1;
		}
	}
	freeaddrinfo(list);
	return s->fd >= 0 ? GBA_OK : why_fail(&s->cli->why, GBA_E_UNREACHABLE, "%s: %s", host, strerror(errno));
}

static enum gba_err open_socket(struct session *s, const struct url *url)
{
	const char *colon = s->args->connect != NULL ? strrchr(s->args->connect, ':') : NULL;
	char host[FQDN_MAX + 1], port[8];

	if (s->args->connect != NULL &&
	    (colon == NULL || (size_t)(colon - s->args->connect) >= sizeof(host) || strlen(colon + 1) > 5))
		return why_fail(&s->cli->why, GBA_E_SYNTAX, "--connect: not ADDR:PORT");
	snprintf(host, sizeof(host), "%.*s", colon != NULL ? (int)(colon - s->args->connect) : FQDN_MAX,
		 colon != NULL ? s->args->connect : url->host);
	if (colon != NULL)
		snprintf(port, sizeof(port), "%s", colon + 1);
	else
		snprintf(port, sizeof(port), "%u", url->port);
	return resolve(s, host, port);
}

static enum gba_err begin(struct session *s, const char *text)
{
	static const char *const schemes[] = { "udp", NULL };
	struct client_conf conf = { .product = UE_PRODUCT, .usim = cli_usim(s->cli, NULL), .pin = cli_pin(s->cli) };
	struct client *client;
	struct state *state;
	struct url url;
	enum gba_err err;

	if (url_parse(s->cli->ctx, text, schemes, &url) != GBA_OK || url.port == 0 || !fqdn_valid(bytes_of(url.host)))
		return why_fail(&s->cli->why, GBA_E_SYNTAX, "%s: udp://HOST:PORT is expected", text);
	err = cli_state(s->cli, false, &state);
	if (err != GBA_OK)
		return err;
	client = client_new(s->cli->ctx, state, &conf);
	if (client == NULL)
		return GBA_E_NOMEM;
	err = datagram_open(s->cli->ctx, client, bytes_of(url.host), (uint8_t)s->args->index, &s->datagram, &s->cli->why);
	return err == GBA_OK ? open_socket(s, &url) : err;
}

/* What is lost on the way is lost; only what cannot leave is a failure. An application that does not listen yet is none. */
static enum gba_err put(struct session *s, struct bytes octets)
{
	if (send(s->fd, octets.p, octets.n, 0) >= 0 || errno == ECONNREFUSED)
		return GBA_OK;
	return why_fail(&s->cli->why, gba_err_from_errno(errno), "cannot send: %s", strerror(errno));
}

static enum gba_err send_message(struct session *s, struct bytes plain)
{
	uint8_t intro[SEALED_INTRO_MAX], frame[SEALED_FRAME_MAX];
	size_t n = datagram_introduction(s->datagram, intro);
	enum gba_err err = n > 0 ? put(s, BYTES(intro, n)) : GBA_OK;

	if (err != GBA_OK)
		return err;
	err = datagram_seal(s->datagram, plain, frame, &n);
	if (err == GBA_E_TOO_LONG)
		return why_fail(&s->cli->why, err, "a message has at most %d octets", SEALED_PLAIN_MAX);
	if (err != GBA_OK)
		return why_fail(&s->cli->why, err, "message: %s", gba_strerror(err));
	s->sent++;
	return put(s, BYTES(frame, n));
}

/* As it is when it is a line of text, else in hex digits. */
static void print_command(const struct session *s, struct bytes plain)
{
	char hex[HEX_LEN(SEALED_PLAIN_MAX) + 1];
	json_t *text = json_stringn((const char *)plain.p, plain.n);
	bool line = text != NULL;
	size_t i;

	for (i = 0; i < plain.n; i++)
		line = line && plain.p[i] >= 0x20 && plain.p[i] != 0x7f;
	hex_encode(plain, hex);
	if (s->cli->json) {
		json_t *row = json_pack("{s:s}", "hex", hex);

		if (line)
			json_object_set(row, "command", text);
		json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(row);
	} else if (line) {
		printf("%.*s\n", BYTES_FMT(plain));
	} else {
		printf("hex:%s\n", hex);
	}
	json_decref(text);
	fflush(stdout);
}

static void take_frame(struct session *s)
{
	struct log_about about = { .iface = "Ua", .clause = "Y.OBF I.2.2.1" };
	uint8_t frame[SEALED_FRAME_MAX + 1], plain[SEALED_PLAIN_MAX];
	ssize_t got = recv(s->fd, frame, sizeof(frame), MSG_DONTWAIT);
	size_t n = 0;

	if (got < 0)
		return;
	about.result = datagram_unseal(s->datagram, BYTES(frame, (size_t)got), plain, &n);
	if (about.result == GBA_OK && n > 0) {
		s->received++;
		print_command(s, BYTES(plain, n));
	} else if (about.result != GBA_OK) {
		s->dropped++;
		log_event(LOG_L_WARNING, "ue.datagram", &about, "a datagram of %zd octets is not taken: %s", got,
			  gba_strerror(about.result));
	}
	SECRET_WIPE(plain);
}

/* Take what comes until then, or until there is a line to read. @param input  a descriptor to look at as well; -1: none */
static bool listen_until(struct session *s, uint64_t deadline, int input)
{
	while (!ended && (s->args->count == 0 || s->received < s->args->count)) {
		struct pollfd fds[] = { { .fd = s->fd, .events = POLLIN }, { .fd = input, .events = POLLIN } };
		uint64_t now = clock_mono_ms();

		if (now >= deadline)
			return true;
		if (poll(fds, 2, deadline - now < 60000 ? (int)(deadline - now) : 60000) < 0)
			continue;
		if (fds[0].revents != 0)
			take_frame(s);
		if (fds[1].revents != 0)
			return true;
	}
	return false;
}

static enum gba_err finish(struct session *s, enum gba_err err)
{
	struct cli *cli = s->cli;

	close(s->fd);
	cli_put(cli, "sent", json_integer(s->sent));
	cli_put(cli, "received", json_integer(s->received));
	cli_put(cli, "dropped", json_integer(s->dropped));
	cli->quiet = !cli->json;
	return err;
}

/* Each line is a message; what comes meanwhile is printed. */
static enum gba_err send_lines(struct session *s)
{
	char line[SEALED_PLAIN_MAX + 2];
	enum gba_err err = GBA_OK;

	setvbuf(stdin, NULL, _IONBF, 0); /* poll() sees what there is to read */
	while (err == GBA_OK && listen_until(s, UINT64_MAX, STDIN_FILENO)) {
		if (fgets(line, sizeof(line), stdin) == NULL)
			return GBA_OK;
		err = send_message(s, BYTES(line, strcspn(line, "\n")));
	}
	return err;
}

static enum gba_err cmd_send(struct cli *cli, void *args)
{
	struct session s = { .cli = cli, .args = args, .fd = -1 };
	enum gba_err err = begin(&s, cli->operands[0]);

	if (err != GBA_OK)
		return err;
	catch_signals();
	err = cli->operand_count > 1 ? send_message(&s, bytes_of(cli->operands[1])) : send_lines(&s);
	if (err == GBA_OK && s.args->wait > 0)
		listen_until(&s, clock_mono_ms() + s.args->wait * UINT64_C(1000), -1);
	return finish(&s, err);
}

/* An empty message says where we are. */
static enum gba_err cmd_receive(struct cli *cli, void *args)
{
	struct session s = { .cli = cli, .args = args, .fd = -1 };
	enum gba_err err = begin(&s, cli->operands[0]);

	if (err != GBA_OK)
		return err;
	catch_signals();
	do
		err = send_message(&s, BYTES("", 0));
	while (err == GBA_OK && listen_until(&s, clock_mono_ms() + s.args->every * UINT64_C(1000), -1));
	return finish(&s, err);
}

const struct cli_cmd cmd_datagram_commands[] = {
	{ "send", "URL [TEXT]", 1, 2, send_opts, sizeof(struct datagram_args), NULL, cmd_send,
	  "Send a message to udp://HOST:PORT as a sealed datagram; without TEXT each line of standard input" },
	{ "receive", "URL", 1, 1, receive_opts, sizeof(struct datagram_args), receive_defaults, cmd_receive,
	  "Print commands of udp://HOST:PORT that are authentic and new, until a signal" },
	CLI_CMD_END,
};
