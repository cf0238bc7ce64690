/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/usim/card_usim.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "core/log.h"
#include "core/secret.h"
#include "ue/usim/card_auth.h"
#include "ue/usim/card_files.h"
#include "ue/usim/card_pin.h"

#define PIN_DEFAULT	0x01 /* PIN1 of the first application */
#define SW_PIN_WANTED	0x6982
#define SW_PIN_WANTED_2 0x9804

struct card {
	pthread_mutex_t lock;
	struct state *state;
	struct card_wanted wanted;
	struct usim_pin pin;
	struct pcsc *pcsc; /* NULL: not connected */
	struct apdu_card io;
	struct card_apps apps;
	bool isim; /* the application in use */
	uint8_t pin_reference;
	uint16_t sw; /* of the last command that matters */
	struct why why;
	bool has_rand;
	uint8_t rand[RAND_LEN]; /* of the Ks that this object saw the card make */
};

static int card_free(struct card *card)
{
	pthread_mutex_destroy(&card->lock);
	return 0;
}

static struct bytes aid_of(const struct card *card)
{
	return card->isim ? BYTES(card->apps.isim, card->apps.isim_n) : BYTES(card->apps.usim, card->apps.usim_n);
}

static enum gba_err choose_app(struct card *card)
{
	enum card_app want = card->wanted.app;

	card->isim = want == CARD_ISIM || (want == CARD_ANY && card->apps.usim_n == 0);
	if (aid_of(card).n == 0)
		return why_fail(&card->why, GBA_E_UNSUPPORTED, "%s: the card has no %s", pcsc_name(card->pcsc),
				want == CARD_ISIM   ? "ISIM"
				: want == CARD_USIM ? "USIM"
						    : "USIM and no ISIM");
	return GBA_OK;
}

static enum gba_err open_card(struct card *card)
{
	return card->pcsc != NULL ? GBA_OK : pcsc_open(card, card->wanted.reader, &card->pcsc, &card->why);
}

/* Whatever others did to the card between our transactions, now our application is selected. */
static enum gba_err select_app(struct card *card)
{
	struct card_fcp fcp;
	enum gba_err err = GBA_OK;

	card->io = pcsc_card(card->pcsc);
	if (aid_of(card).n == 0) {
		err = card_apps(&card->io, &card->apps, &card->why);
		if (err == GBA_OK)
			err = choose_app(card);
	}
	if (err == GBA_OK)
		err = card_select_aid(&card->io, aid_of(card), &fcp, &card->why);
	if (err == GBA_OK)
		card->pin_reference = fcp.pin_reference != 0 ? fcp.pin_reference : PIN_DEFAULT;
	return err;
}

static enum gba_err show_pin(struct card *card)
{
	char iccid[2 * ICCID_LEN + 1];
	enum gba_err err = card_iccid(&card->io, iccid, &card->why);

	if (err == GBA_OK)
		err = select_app(card);
	if (err == GBA_OK)
		err = card_pin_show(&card->io, card->pin_reference, iccid, card->state, &card->pin, &card->why);
	if (err == GBA_OK)
		pcsc_forget(card->pcsc);
	return err;
}

typedef enum gba_err (*step_fn)(struct card *card, void *arg);

/* The PIN is shown when the card asks for it, and then the step is done again. */
static enum gba_err try_step(struct card *card, step_fn step, void *arg)
{
	enum gba_err err = select_app(card);

	card->sw = 0;
	if (err == GBA_OK)
		err = step(card, arg);
	if (err == GBA_OK || (card->sw != SW_PIN_WANTED && card->sw != SW_PIN_WANTED_2))
		return err;
	err = show_pin(card);
	if (err == GBA_OK)
		err = select_app(card);
	return err == GBA_OK ? step(card, arg) : err;
}

static void log_failure(const struct card *card, enum gba_err err)
{
	struct log_about about = { .iface = "local", .peer = bytes_of(card->wanted.reader), .result = err };

	log_event(LOG_L_WARNING, "ue.card", &about, "%s", card->why.text);
}

/* One operation on the card, alone with it. After a failure of the connection the next one begins anew. */
static enum gba_err with_card(struct card *card, step_fn step, void *arg)
{
	enum gba_err err;

	pthread_mutex_lock(&card->lock);
	card->why.text[0] = '\0';
	err = open_card(card);
	if (err == GBA_OK) {
		err = pcsc_begin(card->pcsc, &card->why);
		if (err == GBA_OK) {
			err = try_step(card, step, arg);
			pcsc_end(card->pcsc);
		}
		if (err == GBA_E_IO || err == GBA_E_UNREACHABLE) {
			TALLOC_FREE(card->pcsc);
			memset(&card->apps, 0, sizeof(card->apps)); /* it may be another card */
			card->has_rand = false;
		}
	}
	if (err != GBA_OK && err != GBA_E_AKA_SYNC)
		log_failure(card, err);
	pthread_mutex_unlock(&card->lock);
	return err;
}

static enum gba_err read_file(struct card *card, uint16_t fid, uint8_t out[CARD_FILE_MAX], struct bytes *_file)
{
	size_t n;
	enum gba_err err = card_read(&card->io, fid, out, &n, &card->sw, &card->why);

	if (err == GBA_OK)
		*_file = BYTES(out, n);
	return err;
}

/* Files that a card may leave out count as empty. */
static enum gba_err read_optional(struct card *card, uint16_t fid, uint8_t out[CARD_FILE_MAX], struct bytes *_file)
{
	enum gba_err err = read_file(card, fid, out, _file);

	if (err != GBA_E_NOT_FOUND)
		return err;
	*_file = BYTES_NONE;
	return GBA_OK;
}

/* IMSI, and the identity made of it (TS 23.003 13.3). */
static enum gba_err usim_names(struct card *card, struct usim_identity *identity)
{
	uint8_t octets[CARD_FILE_MAX];
	struct bytes file = BYTES_NONE;
	enum gba_err err;

	err = read_file(card, FID_IMSI, octets, &file);
	if (err == GBA_OK && card_imsi(file, identity->imsi) != GBA_OK)
		err = why_fail(&card->why, GBA_E_PEER, "EF_IMSI holds no IMSI: is the card personalised?");
	if (err == GBA_OK)
		err = read_optional(card, FID_AD, octets, &file);
	return err == GBA_OK ? impi_from_imsi(bytes_of(identity->imsi), card_mnc_digits(file), identity->impi) : err;
}

static enum gba_err isim_names(struct card *card, struct usim_identity *identity)
{
	uint8_t octets[CARD_FILE_MAX];
	struct bytes file = BYTES_NONE;
	enum gba_err err = read_file(card, FID_IMPI, octets, &file);

	if (err == GBA_OK && card_impi(file, identity->impi) != GBA_OK)
		err = why_fail(&card->why, GBA_E_PEER, "EF_IMPI holds no identity: is the card personalised?");
	return err;
}

static enum gba_err step_identity(struct card *card, void *arg)
{
	struct usim_identity *identity = arg;
	uint8_t octets[CARD_FILE_MAX];
	struct bytes table = BYTES_NONE;
	enum gba_err err;

	memset(identity, 0, sizeof(*identity));
	err = card->isim ? isim_names(card, identity) : usim_names(card, identity);
	if (err == GBA_OK)
		err = read_optional(card, card->isim ? FID_IST : FID_UST, octets, &table);
	identity->gba_u = !card->wanted.gba_me && card_service(table, card->isim ? IST_GBA : UST_GBA);
	return err;
}

static enum gba_err card_identity(void *arg, struct usim_identity *_identity)
{
	struct usim_identity identity;
	enum gba_err err = with_card(arg, step_identity, &identity);

	if (err == GBA_OK)
		*_identity = identity;
	return err;
}

struct authenticate {
	enum usim_context context;
	const uint8_t *rand, *autn;
	struct usim_reply *reply;
};

static enum gba_err step_authenticate(struct card *card, void *arg)
{
	struct authenticate *auth = arg;
	enum gba_err err = card_authenticate(&card->io, auth->context, auth->rand, auth->autn, auth->reply, &card->sw, &card->why);

	if (err == GBA_OK && auth->context == USIM_GBA) {
		memcpy(card->rand, auth->rand, RAND_LEN);
		card->has_rand = true;
	}
	return err;
}

static enum gba_err card_op_authenticate(void *arg, enum usim_context context, const uint8_t rand[AKA_RAND_LEN],
					 const uint8_t autn[AKA_AUTN_LEN], struct usim_reply *_reply)
{
	struct authenticate auth = { context, rand, autn, _reply };
	enum gba_err err;

	memset(_reply, 0, sizeof(*_reply));
	err = with_card(arg, step_authenticate, &auth);
	usim_trace(context, rand, err);
	if (err != GBA_OK && err != GBA_E_AKA_SYNC)
		SECRET_WIPE(*_reply);
	return err;
}

static uint16_t gbabp_of(const struct card *card)
{
	return card->isim ? FID_ISIM_GBABP : FID_USIM_GBABP;
}

/* Is Ks inside the one of this RAND? EF_GBABP says it: another phone may have bootstrapped with this card since. A card that
 * does not have the file, or nothing in it, is known by what it was seen to do. */
static enum gba_err holds(struct card *card, const uint8_t rand[RAND_LEN])
{
	uint8_t octets[CARD_FILE_MAX];
	struct bytes file = BYTES_NONE, inside;
	enum gba_err err = read_optional(card, gbabp_of(card), octets, &file);

	if (err != GBA_OK)
		return err;
	inside = card_gbabp_rand(file);
	if (inside.p == NULL && card->has_rand)
		inside = BYTES(card->rand, RAND_LEN);
	if (inside.p == NULL || memcmp(inside.p, rand, RAND_LEN) != 0)
		return why_fail(&card->why, GBA_E_BTID_UNKNOWN, "the card's Ks is of another bootstrapping");
	return GBA_OK;
}

struct bind {
	struct bytes btid;
	time_t expires;
	const uint8_t *rand;
};

/* TS 31.102 4.2.79 and the ME's part in it: RAND, B-TID, lifetime. The card may have written RAND itself. */
static enum gba_err step_bind(struct card *card, void *arg)
{
	const struct bind *bind = arg;
	uint8_t content[CARD_FILE_MAX];
	struct card_fcp fcp;
	char lifetime[24];
	struct tm tm;
	enum gba_err err;

	if (!card->has_rand || memcmp(card->rand, bind->rand, RAND_LEN) != 0) {
		err = holds(card, bind->rand);
		if (err != GBA_OK)
			return err;
	}
	err = card_select(&card->io, gbabp_of(card), &fcp, &card->sw, &card->why);
	if (err == GBA_E_NOT_FOUND)
		return GBA_OK; /* nobody else can learn the B-TID; we have it */
	if (err != GBA_OK)
		return err;
	gmtime_r(&bind->expires, &tm);
	strftime(lifetime, sizeof(lifetime), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (fcp.size > sizeof(content))
		fcp.size = sizeof(content);
	if (!card_gbabp_build(bind->rand, bind->btid, bytes_of(lifetime), content, fcp.size))
		return GBA_OK;
	return card_update(&card->io, BYTES(content, fcp.size), &card->sw, &card->why);
}

static enum gba_err card_gba_bind(void *arg, struct bytes btid, time_t expires)
{
	uint8_t rand[RAND_LEN];
	struct bind bind = { btid, expires, rand };
	enum gba_err err = btid_parse(btid, rand, NULL);

	if (err == GBA_OK)
		err = with_card(arg, step_bind, &bind);
	return err == GBA_E_DENIED ? GBA_OK : err; /* a card that lets nobody write there writes RAND itself */
}

struct derive {
	const uint8_t *rand;
	struct bytes impi, naf_id;
	uint8_t *key;
};

static enum gba_err step_derive(struct card *card, void *arg)
{
	struct derive *derive = arg;
	enum gba_err err = holds(card, derive->rand);

	if (err == GBA_OK)
		err = card_derive(&card->io, derive->naf_id, derive->impi, derive->key, &card->sw, &card->why);
	return err;
}

static enum gba_err card_gba_naf(void *arg, struct bytes btid, struct bytes impi, struct bytes naf_id,
				 uint8_t ks_ext_naf[GBA_KS_NAF_LEN])
{
	uint8_t rand[RAND_LEN];
	struct derive derive = { rand, impi, naf_id, ks_ext_naf };
	enum gba_err err = btid_parse(btid, rand, NULL);

	return err == GBA_OK ? with_card(arg, step_derive, &derive) : GBA_E_BTID_UNKNOWN;
}

static const char *card_explain(void *arg)
{
	return ((const struct card *)arg)->why.text;
}

static const struct usim_ops card_ops = {
	.identity = card_identity,
	.authenticate = card_op_authenticate,
	.gba_bind = card_gba_bind,
	.gba_naf = card_gba_naf,
	.explain = card_explain,
};

enum gba_err card_usim_open(TALLOC_CTX *mem_ctx, struct state *state, const struct card_wanted *wanted, const struct usim_pin *pin,
			    struct usim *_usim)
{
	struct card *card = talloc_zero(mem_ctx, struct card);

	if (card == NULL)
		return GBA_E_NOMEM;
	pthread_mutex_init(&card->lock, NULL);
	talloc_set_destructor(card, card_free);
	card->state = state;
	card->wanted = *wanted;
	if (pin != NULL)
		card->pin = *pin;
	_usim->ops = &card_ops;
	_usim->card = card;
	return GBA_OK;
}

static int gba_of(const struct apdu_card *io, uint16_t fid, unsigned int service)
{
	uint8_t file[CARD_FILE_MAX];
	uint16_t sw;
	size_t n;

	if (card_read(io, fid, file, &n, &sw, NULL) != GBA_OK)
		return CARD_GBA_UNKNOWN;
	return card_service(BYTES(file, n), service) ? CARD_GBA_YES : CARD_GBA_NO;
}

static enum gba_err about(struct pcsc *pcsc, struct card_about *_about, struct why *why)
{
	struct apdu_card io = pcsc_card(pcsc);
	struct card_fcp fcp = { .pin_reference = 0 };
	struct card_apps apps;
	enum gba_err err = card_iccid(&io, _about->iccid, why);

	if (err == GBA_OK)
		err = card_apps(&io, &apps, why);
	if (err != GBA_OK)
		return err;
	_about->t0 = io.t0;
	_about->usim = apps.usim_n > 0;
	_about->isim = apps.isim_n > 0;
	if (_about->isim && card_select_aid(&io, BYTES(apps.isim, apps.isim_n), &fcp, NULL) == GBA_OK)
		_about->gba_isim = gba_of(&io, FID_IST, IST_GBA);
	if (_about->usim && card_select_aid(&io, BYTES(apps.usim, apps.usim_n), &fcp, NULL) == GBA_OK)
		_about->gba_usim = gba_of(&io, FID_UST, UST_GBA);
	_about->pin_on = fcp.pin_reference != 0;
	return card_pin_tries(&io, _about->pin_on ? fcp.pin_reference : PIN_DEFAULT, &_about->pin_tries, why);
}

enum gba_err card_about(const char *reader, struct card_about *_about, struct why *why)
{
	struct pcsc *pcsc;
	enum gba_err err = pcsc_open(NULL, reader, &pcsc, why);

	if (err != GBA_OK)
		return err;
	memset(_about, 0, sizeof(*_about));
	snprintf(_about->reader, sizeof(_about->reader), "%s", pcsc_name(pcsc));
	err = pcsc_begin(pcsc, why);
	if (err == GBA_OK) {
		err = about(pcsc, _about, why);
		pcsc_end(pcsc);
	}
	talloc_free(pcsc);
	return err;
}
