/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/usim/pcsc.h"

#include <stdio.h>
#include <winscard.h>

struct pcsc {
	SCARDCONTEXT context;
	SCARDHANDLE card;
	DWORD protocol;
	bool forget; /* reset the card in the end */
	char reader[PCSC_READER_MAX + 1];
};

/* What went wrong between us and the card. */
static const struct rc_row {
	LONG rc;
	enum gba_err err;
	const char *text;
} rc_rows[] = {
	{ SCARD_E_NO_SERVICE, GBA_E_UNREACHABLE, "the PC/SC service (pcscd) does not run" },
	{ SCARD_E_SERVICE_STOPPED, GBA_E_UNREACHABLE, "the PC/SC service (pcscd) has ended" },
	{ SCARD_F_COMM_ERROR, GBA_E_UNREACHABLE, "the PC/SC service (pcscd) has ended" },
	{ SCARD_E_INVALID_HANDLE, GBA_E_UNREACHABLE, "the PC/SC service (pcscd) has ended" },
	{ SCARD_E_NO_READERS_AVAILABLE, GBA_E_NOT_FOUND, "no reader is connected" },
	{ SCARD_E_UNKNOWN_READER, GBA_E_NOT_FOUND, "the reader is gone" },
	{ SCARD_E_READER_UNAVAILABLE, GBA_E_NOT_FOUND, "the reader is gone" },
	{ SCARD_E_NO_SMARTCARD, GBA_E_NOT_FOUND, "no card in the reader" },
	{ SCARD_W_REMOVED_CARD, GBA_E_IO, "the card was removed" },
	{ SCARD_W_UNPOWERED_CARD, GBA_E_IO, "the card has no power" },
	{ SCARD_W_UNRESPONSIVE_CARD, GBA_E_IO, "the card does not answer: is it the right way round?" },
	{ SCARD_E_NOT_TRANSACTED, GBA_E_IO, "the card has stopped answering: was it removed?" },
	{ SCARD_E_PROTO_MISMATCH, GBA_E_UNSUPPORTED, "the card speaks neither T=0 nor T=1" },
	{ SCARD_E_SHARING_VIOLATION, GBA_E_BUSY, "another program has the card for itself" },
	{ SCARD_E_NO_ACCESS, GBA_E_DENIED, "the PC/SC service does not let us: see its policy" },
	{ SCARD_W_SECURITY_VIOLATION, GBA_E_DENIED, "the PC/SC service does not let us: see its policy" },
	{ SCARD_E_NO_MEMORY, GBA_E_NOMEM, "out of memory" },
};

static enum gba_err failed(LONG rc, const char *reader, struct why *why)
{
	size_t i;

	for (i = 0; i < sizeof(rc_rows) / sizeof(rc_rows[0]); i++) {
		if (rc_rows[i].rc == rc)
			return why_fail(why, rc_rows[i].err, "%s%s%s", reader, reader[0] != '\0' ? ": " : "", rc_rows[i].text);
	}
	return why_fail(why, GBA_E_IO, "%s%s%s", reader, reader[0] != '\0' ? ": " : "", pcsc_stringify_error(rc));
}

static int pcsc_free(struct pcsc *pcsc)
{
	if (pcsc->card != 0)
		SCardDisconnect(pcsc->card, pcsc->forget ? SCARD_RESET_CARD : SCARD_LEAVE_CARD);
	SCardReleaseContext(pcsc->context);
	return 0;
}

/* Names one after the other, each with its NUL, one more at the end. */
static size_t split(const char *names, DWORD n, struct pcsc_reader *readers)
{
	size_t count = 0;
	DWORD at = 0;

	while (at < n && names[at] != '\0' && count < PCSC_READERS_MAX) {
		snprintf(readers[count++].name, sizeof(readers[0].name), "%.*s", (int)sizeof(readers[0].name) - 1, names + at);
		at += (DWORD)strlen(names + at) + 1;
	}
	return count;
}

static LONG list(SCARDCONTEXT context, struct pcsc_reader *readers, size_t *_n)
{
	char names[PCSC_READERS_MAX * (PCSC_READER_MAX + 1) + 1] = "";
	SCARD_READERSTATE states[PCSC_READERS_MAX];
	DWORD size = sizeof(names);
	LONG rc = SCardListReaders(context, NULL, names, &size);
	size_t i;

	*_n = 0;
	if (rc != SCARD_S_SUCCESS)
		return rc == SCARD_E_NO_READERS_AVAILABLE ? SCARD_S_SUCCESS : rc;
	*_n = split(names, size, readers);
	memset(states, 0, sizeof(states));
	for (i = 0; i < *_n; i++)
		states[i].szReader = readers[i].name;
	rc = *_n > 0 ? SCardGetStatusChange(context, 0, states, (DWORD)*_n) : SCARD_S_SUCCESS;
	for (i = 0; i < *_n; i++)
		readers[i].card = rc == SCARD_S_SUCCESS && (states[i].dwEventState & SCARD_STATE_PRESENT) != 0;
	return rc == SCARD_E_TIMEOUT ? SCARD_S_SUCCESS : rc;
}

enum gba_err pcsc_readers(struct pcsc_reader *_readers, size_t *_n, struct why *why)
{
	SCARDCONTEXT context;
	LONG rc = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context);

	if (rc != SCARD_S_SUCCESS)
		return failed(rc, "", why);
	rc = list(context, _readers, _n);
	SCardReleaseContext(context);
	return rc == SCARD_S_SUCCESS ? GBA_OK : failed(rc, "", why);
}

/* "A, B and C", as far as there is room. */
static const char *names_of(const struct pcsc_reader *readers, size_t n, char *out, size_t cap)
{
	size_t i, at = 0;

	out[0] = '\0';
	for (i = 0; i < n && at < cap; i++)
		at += (size_t)snprintf(out + at, cap - at, "%s\"%s\"", i > 0 ? ", " : "", readers[i].name);
	return out;
}

static enum gba_err choose(const struct pcsc_reader *readers, size_t n, const char *wanted, const struct pcsc_reader **_reader,
			    struct why *why)
{
	size_t i, like = 0;
	char names[200];

	if (n == 0)
		return failed(SCARD_E_NO_READERS_AVAILABLE, "", why);
	for (i = 0; i < n; i++) {
		if (strcmp(readers[i].name, wanted) == 0 || (wanted[0] == '\0' && i == 0)) {
			*_reader = &readers[i];
			return GBA_OK;
		}
		if (strncmp(readers[i].name, wanted, strlen(wanted)) == 0) {
			*_reader = &readers[i];
			like++;
		}
	}
	if (like == 1)
		return GBA_OK;
	return why_fail(why, GBA_E_NOT_FOUND, "%s reader \"%.60s\"; there %s %s", like > 1 ? "more than one" : "no", wanted,
			n > 1 ? "are" : "is", names_of(readers, n, names, sizeof(names)));
}

static LONG connect_card(struct pcsc *pcsc)
{
	return SCardConnect(pcsc->context, pcsc->reader, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &pcsc->card,
			    &pcsc->protocol);
}

enum gba_err pcsc_open(TALLOC_CTX *mem_ctx, const char *reader, struct pcsc **_pcsc, struct why *why)
{
	struct pcsc *pcsc = talloc_zero(mem_ctx, struct pcsc);
	struct pcsc_reader readers[PCSC_READERS_MAX];
	const struct pcsc_reader *found = NULL;
	enum gba_err err;
	size_t n = 0;
	LONG rc;

	if (pcsc == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	rc = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &pcsc->context);
	if (rc != SCARD_S_SUCCESS) {
		talloc_free(pcsc);
		return failed(rc, "", why);
	}
	talloc_set_destructor(pcsc, pcsc_free);
	rc = list(pcsc->context, readers, &n);
	err = rc == SCARD_S_SUCCESS ? choose(readers, n, reader, &found, why) : failed(rc, "", why);
	if (err == GBA_OK) {
		memcpy(pcsc->reader, found->name, sizeof(pcsc->reader));
		rc = connect_card(pcsc);
		if (rc != SCARD_S_SUCCESS) {
			pcsc->card = 0;
			err = failed(rc, pcsc->reader, why);
		}
	}
	if (err != GBA_OK) {
		talloc_free(pcsc);
		return err;
	}
	*_pcsc = pcsc;
	return GBA_OK;
}

enum gba_err pcsc_begin(struct pcsc *pcsc, struct why *why)
{
	LONG rc = SCardBeginTransaction(pcsc->card);

	if (rc == SCARD_W_RESET_CARD) {
		rc = SCardReconnect(pcsc->card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, SCARD_LEAVE_CARD,
				    &pcsc->protocol);
		if (rc == SCARD_S_SUCCESS)
			rc = SCardBeginTransaction(pcsc->card);
	}
	return rc == SCARD_S_SUCCESS ? GBA_OK : failed(rc, pcsc->reader, why);
}

void pcsc_end(struct pcsc *pcsc)
{
	SCardEndTransaction(pcsc->card, SCARD_LEAVE_CARD);
}

void pcsc_forget(struct pcsc *pcsc)
{
	pcsc->forget = true;
}

static enum gba_err transmit(void *arg, struct bytes command, uint8_t *answer, size_t *_n, struct why *why)
{
	struct pcsc *pcsc = arg;
	DWORD n = APDU_REPLY_MAX;
	LONG rc = SCardTransmit(pcsc->card, pcsc->protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1, command.p,
				(DWORD)command.n, NULL, answer, &n);

	if (rc == SCARD_S_SUCCESS && n == 0) /* some drivers say it in this way */
		rc = SCARD_E_NOT_TRANSACTED;
	*_n = n;
	return rc == SCARD_S_SUCCESS ? GBA_OK : failed(rc, pcsc->reader, why);
}

struct apdu_card pcsc_card(struct pcsc *pcsc)
{
	return (struct apdu_card){ .arg = pcsc, .t0 = pcsc->protocol == SCARD_PROTOCOL_T0, .transmit = transmit };
}

const char *pcsc_name(const struct pcsc *pcsc)
{
	return pcsc->reader;
}
