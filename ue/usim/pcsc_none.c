/* SPDX-License-Identifier: Apache-2.0 */
/* Built without PC/SC. */
#include "ue/usim/pcsc.h"

static enum gba_err none(struct why *why)
{
	return why_fail(why, GBA_E_UNSUPPORTED, "this gba-ue was built without PC/SC");
}

enum gba_err pcsc_readers(struct pcsc_reader *_readers, size_t *_n, struct why *why)
{
	(void)_readers, (void)_n;
	return none(why);
}

enum gba_err pcsc_open(TALLOC_CTX *mem_ctx, const char *reader, struct pcsc **_pcsc, struct why *why)
{
	(void)mem_ctx, (void)reader, (void)_pcsc;
	return none(why);
}

enum gba_err pcsc_begin(struct pcsc *pcsc, struct why *why)
{
	(void)pcsc;
	return none(why);
}

void pcsc_end(struct pcsc *pcsc)
{
	(void)pcsc;
}

void pcsc_forget(struct pcsc *pcsc)
{
	(void)pcsc;
}

struct apdu_card pcsc_card(struct pcsc *pcsc)
{
	return (struct apdu_card){ .arg = pcsc };
}

const char *pcsc_name(const struct pcsc *pcsc)
{
	(void)pcsc;
	return "";
}
