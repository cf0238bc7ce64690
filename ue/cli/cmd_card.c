/* SPDX-License-Identifier: Apache-2.0 */
/* Cards in readers: what there is, and how they get their PIN. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "ue/cli/ue.h"
#include "ue/usim/card_usim.h"
#include "ue/usim/usim_open.h"

#define PIN_LINE_MAX 64

const char *cli_usim(const struct cli *cli, const char *otherwise)
{
	const char *usim = ((const struct ue_cli *)cli)->usim;

	return usim != NULL ? usim : otherwise;
}

/* One line, without what ends it. */
static enum gba_err take_pin(struct bytes line, char out[USIM_PIN_MAX + 1], const char *from, struct why *why)
{
	size_t n = 0;

	while (n < line.n && line.p[n] != '\n' && line.p[n] != '\r')
		n++;
	if (n > USIM_PIN_MAX)
		return why_fail(why, GBA_E_SYNTAX, "%s: a PIN has 4 to 8 digits", from);
	memcpy(out, line.p, n);
	out[n] = '\0';
	return GBA_OK;
}

static enum gba_err read_pin(int fd, const char *from, char out[USIM_PIN_MAX + 1], struct why *why)
{
	char line[PIN_LINE_MAX];
	enum gba_err err;
	ssize_t n;

	do
		n = read(fd, line, sizeof(line));
	while (n < 0 && errno == EINTR);
	err = n > 0 ? take_pin(BYTES(line, (size_t)n), out, from, why)
		    : why_fail(why, GBA_E_NOT_FOUND, "%s: no PIN in it", from);
	SECRET_WIPE(line);
	return err;
}

static enum gba_err pin_of_file(const char *path, char out[USIM_PIN_MAX + 1], struct why *why)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	enum gba_err err;

	if (fd < 0)
		return why_fail(why, gba_err_from_errno(errno), "%s: %s", path, strerror(errno));
	err = read_pin(fd, path, out, why);
	if (fd != STDIN_FILENO)
		close(fd);
	return err;
}

/* What asks is the terminal itself: standard input and output may be somebody else's. */
static enum gba_err pin_of_person(int tries, char out[USIM_PIN_MAX + 1], struct why *why)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios before, silent;
	enum gba_err err;

	if (fd < 0)
		return GBA_E_NOT_FOUND;
	if (tcgetattr(fd, &before) != 0) {
		close(fd);
		return GBA_E_NOT_FOUND;
	}
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(fd, TCSAFLUSH, &silent);
	if (tries >= 0)
		dprintf(fd, "PIN of the card (%d tries left): ", tries);
	else
		dprintf(fd, "PIN of the card: ");
	err = read_pin(fd, "terminal", out, why);
	dprintf(fd, "\n");
	tcsetattr(fd, TCSAFLUSH, &before);
	close(fd);
	return err;
}

/* Not left in the environment of what we start. */
static enum gba_err pin_of_environment(char *value, char out[USIM_PIN_MAX + 1], struct why *why)
{
	enum gba_err err = take_pin(bytes_of(value), out, "GBA_UE_PIN", why);

	secret_wipe(value, strlen(value));
	unsetenv("GBA_UE_PIN");
	return err;
}

/* Once a run: programs that go on for long are told only once. */
static enum gba_err get_pin(void *arg, int tries, bool *_person, char out[USIM_PIN_MAX + 1], struct why *why)
{
	char *value = getenv("GBA_UE_PIN");
	struct ue_cli *ue = arg;
	enum gba_err err;

	*_person = false;
	if (ue->pin != NULL) {
		memcpy(out, ue->pin->p, USIM_PIN_MAX + 1);
		return GBA_OK;
	}
	if (ue->pin_file != NULL) {
		err = pin_of_file(ue->pin_file, out, why);
	} else if (value != NULL) {
		err = pin_of_environment(value, out, why);
	} else {
		err = pin_of_person(tries, out, why);
		*_person = true;
	}
	if (err == GBA_OK)
		ue->pin = secret_dup(ue->cli.ctx, BYTES(out, USIM_PIN_MAX + 1));
	return err;
}

struct usim_pin cli_pin(struct cli *cli)
{
	return (struct usim_pin){ cli, get_pin };
}

static enum gba_err cmd_list(struct cli *cli, void *args)
{
	struct pcsc_reader readers[PCSC_READERS_MAX];
	enum gba_err err;
	size_t i, n;

	(void)args;
	err = pcsc_readers(readers, &n, &cli->why);
	if (err != GBA_OK)
		return err;
	cli->result = json_array();
	for (i = 0; i < n; i++)
		json_array_append_new(cli->result, json_pack("{s:s, s:b}", "reader", readers[i].name, "card", readers[i].card));
	return GBA_OK;
}

static json_t *app(bool there, int gba)
{
	static const char *const texts[] = { "yes; the card says what it can do after its PIN", "yes, without GBA",
					     "yes, with GBA" };

	return json_string(there ? texts[gba] : "no");
}

static enum gba_err cmd_show(struct cli *cli, void *args)
{
	const char *reader = cli->operand_count > 0 ? cli->operands[0] : "";
	struct card_about about;
	enum gba_err err;

	(void)args;
	err = card_about(reader, &about, &cli->why);
	if (err != GBA_OK)
		return err;
	cli_put(cli, "reader", json_string(about.reader));
	cli_put(cli, "iccid", json_string(about.iccid));
	cli_put(cli, "protocol", json_string(about.t0 ? "T=0" : "T=1"));
	cli_put(cli, "usim", app(about.usim, about.gba_usim));
	cli_put(cli, "isim", app(about.isim, about.gba_isim));
	cli_put(cli, "pin", json_string(about.pin_on ? "on" : "off"));
	if (about.pin_tries >= 0)
		cli_put(cli, "pin-tries", json_integer(about.pin_tries));
	return GBA_OK;
}

const struct cli_cmd cmd_card_commands[] = {
	{ "card list", "", 0, 0, NULL, 0, NULL, cmd_list, "List the readers (PC/SC), and which has a card" },
	{ "card show", "[READER]", 0, 1, NULL, 0, NULL, cmd_show,
	  "What the card in a reader is and can do; asks for no PIN and uses no try of it" },
	CLI_CMD_END,
};
