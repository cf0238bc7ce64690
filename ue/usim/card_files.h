/* SPDX-License-Identifier: Apache-2.0 */
/** Files of a UICC that bootstrapping reads and writes (TS 102 221 13, TS 31.102 4.2, TS 31.103 4.2). The decoders are pure
 * functions and believe nothing of the octets; the others talk to the card whose application is selected. */
#ifndef GBA_UE_CARD_FILES_H
#define GBA_UE_CARD_FILES_H

#include "core/ident.h"
#include "ue/usim/apdu.h"

#define FID_MF	  0x3f00
#define FID_DIR	  0x2f00
#define FID_ICCID 0x2fe2
/* In the USIM's folder (TS 31.102) and the ISIM's (TS 31.103) */
#define FID_IMSI       0x6f07
#define FID_AD	       0x6fad
#define FID_UST	       0x6f38
#define FID_USIM_GBABP 0x6fd6
#define FID_IMPI       0x6f02
#define FID_IST	       0x6f07
#define FID_ISIM_GBABP 0x6fd5

#define UST_GBA 68 /* TS 31.102 4.2.8 */
#define IST_GBA 2  /* TS 31.103 4.2.7 */

#define AID_MAX	  16  /* [octets] */
#define ICCID_LEN 10  /* [octets] as the file has them */
#define CARD_FILE_MAX  255 /* [octets] read of a file at most */

/** What an answer to SELECT says (TS 102 221 11.1.1.3). */
struct card_fcp {
	size_t size;	       /* [octets] of a transparent file; 0: not said */
	size_t record_len;     /* [octets] of a linear fixed one; 0: not said */
	size_t records;
	uint8_t pin_reference; /* key reference of the first PIN that is switched on; 0: none said */
};
void card_fcp_parse(struct bytes fcp, struct card_fcp *_fcp);

/** Which application a record of EF_DIR tells of. @retval GBA_E_SYNTAX  no such record */
enum gba_err card_dir_record(struct bytes record, struct bytes *_aid);
bool card_aid_is_usim(struct bytes aid);
bool card_aid_is_isim(struct bytes aid);

/** EF_IMSI: length, then BCD digits behind a nibble of parity. @param out  IMSI_MAX + 1 octets */
enum gba_err card_imsi(struct bytes file, char *out);
/** EF_AD: 2 or 3 digits of MNC; 2 when the card does not say. */
unsigned int card_mnc_digits(struct bytes ad);
/** Is a service, counted from 1, there? */
bool card_service(struct bytes table, unsigned int service);
/** EF_IMPI of the ISIM: TLV 80. @param out  IMPI_MAX + 1 octets @retval GBA_E_IMPI_SYNTAX */
enum gba_err card_impi(struct bytes file, char *out);
/** RAND in EF_GBABP: absent when there is none. */
struct bytes card_gbabp_rand(struct bytes file);
/** Content of EF_GBABP for a file of `size` octets, the rest FF: RAND, B-TID and lifetime, each behind its length. What does
 * not fit is left out, the lifetime first. @return false: not even RAND fits */
bool card_gbabp_build(const uint8_t rand[RAND_LEN], struct bytes btid, struct bytes lifetime, uint8_t *out, size_t size);

/** Applications of the card, from EF_DIR; lengths 0: not there. Without EF_DIR: by the beginning of their names. */
struct card_apps {
	uint8_t usim[AID_MAX], isim[AID_MAX];
	size_t usim_n, isim_n; /* [octets] */
};
enum gba_err card_apps(const struct apdu_card *card, struct card_apps *_apps, struct why *why);
/** EF_ICCID as hex digits, in the order they are printed on the card. @param out  2 * ICCID_LEN + 1 octets */
enum gba_err card_iccid(const struct apdu_card *card, char *out, struct why *why);

enum gba_err card_select_aid(const struct apdu_card *card, struct bytes aid, struct card_fcp *_fcp, struct why *why);
enum gba_err card_select(const struct apdu_card *card, uint16_t fid, struct card_fcp *_fcp, uint16_t *_sw, struct why *why);
/** Select and read a transparent file, CARD_FILE_MAX octets of it at most.
 * @param _sw  the last status, for whoever wants to know more than the error row */
enum gba_err card_read(const struct apdu_card *card, uint16_t fid, uint8_t *out, size_t *_n, uint16_t *_sw, struct why *why);
/** A record of the file selected. */
enum gba_err card_read_record(const struct apdu_card *card, uint8_t record, size_t length, uint8_t *out, size_t *_n,
			      struct why *why);
/** Replace the content of the transparent file selected. */
enum gba_err card_update(const struct apdu_card *card, struct bytes content, uint16_t *_sw, struct why *why);

#endif
