/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of parties (TEC 31188 3.1, Annex II) and of certificates of products: rows of kind_tables.c. */
#include "ident/idrule.h"
#include "record/table.h"
#include "registry-fn/listing/listing.h"
#include "registry-fn/record/kinds.h"
#include "registry-fn/trust/version.h"

const char *const reg_party_words[] = { "service-provider", "application-provider", "connectivity-provider", "registrar", "certifier", "platform",
					"secure-element-provider", "data-service", "certificate-controller", "developer", "integrator",
					"retailer", "foreign-registrar", "security-agency", "researcher", "cert", NULL };
const char *const reg_party_state_words[] = { "requested", "registered", "refused", "suspended", "withdrawn", NULL };
const char *const reg_certification_scheme_words[] = { "other", "mtcte", "stqc", "gcf", "ptcrb", "common-criteria", "psa", "sesip", "globalplatform",
						       "etsi-en-303-645", "iec-62443", "eucc", "red", "fcc", NULL };
const char *const reg_certification_state_words[] = { "valid", "suspended", "revoked", "expired", NULL };
const char *const reg_certified_words[] = { "none", "good", "expired", "suspended", "revoked", NULL };

#define A   FOR_ADMIN
#define B   FOR_BULK
#define G   FOR_AGENCY
#define R   FOR_REGISTRAR
#define K   FOR_CERTIFIER
#define P   FOR_PROVIDER
#define SYS FOR_SYSTEM
#define NO  FOR_NOBODY
#define PUB (A | B | G | R | K | P | FOR_MAKER | FOR_CUSTODIAN | FOR_ENQUIRER)
#define OWN (A | B | G | R | K | P)
#define NEW (A | B | G | R | SYS)

const struct field reg_party_fields[PARTY_COUNT] = {
	[PARTY_NAME] = F_TEXT("name", KEY, 1, 128, id_text, PUB, NEW, NO, "Name"),
	[PARTY_KIND] = F_WORD("kind", REQ | FIX | FLT, reg_party_words, 0, PUB, NEW, NO, "What it is"),
	[PARTY_SECTOR] = F_TEXT("sector", FLT, 1, 64, id_token, PUB, NEW, A | G, "Sector it works in: that sector's registrar decides on it"),
	[PARTY_SECTORS] = F_LIST("sectors", 0, 1, 64, id_token, PUB, A | B | G, A | G, "Registrars: sectors they register for"),
	[PARTY_IDENTITY_SCHEME] = F_WORD("identity_scheme", 0, asp_identity_words, ASP_IDENTITY_OTHER, OWN, NEW, A | G | R, "Kind of identity"),
	[PARTY_IDENTITY] = F_TEXT("identity", 0, 1, 128, id_text, OWN, NEW, A | G | R, "Identity as a body, such as a CIN or LEI; one party's only"),
	[PARTY_COUNTRY] = F_TEXT("country", 0, 2, 3, id_token, PUB, NEW, A | G | R, "Country (ISO 3166)"),
	[PARTY_ADDRESS] = F_TEXT("address", 0, 1, 500, id_text, OWN, NEW, A | G | R | K | P, "Address of its office"),
	[PARTY_CONTACT] = F_SEAL("contact", 0, 3, 254, id_email, FOR_PRIVACY | R | K | P, NEW, FOR_PRIVACY | K | P, "Address for letters (personal)"),
	[PARTY_URL] = F_TEXT("url", 0, 9, 500, id_https_url, PUB, NEW, A | G | R | K | P, "Its practice statement or disclosure policy"),
	[PARTY_NETWORKS] = F_LIST("networks", 0, 3, 64, listing_network_check, OWN, A | B | G, A | G, "Identifiers it may list: scheme and what they begin with, such as imsi:40445, mac:001b63 or e164:*"),
	[PARTY_REGISTRAR_REF] = F_REF("registrar", FLT, REG_PARTY, OWN, NO, NO, "Who decides on it; none: administrators"),
	[PARTY_STATE] = F_WORD("state", FLT, reg_party_state_words, PARTY_REQUESTED, PUB, NO, NO, "Only a registered one may call"),
	[PARTY_DECIDED] = F_TIME("decided", 0, OWN, NO, NO, "When its state was last decided"),
	[PARTY_DECIDED_BY] = F_TEXT("decided_by", 0, 1, 128, NULL, OWN, NO, NO, "Who did"),
	[PARTY_REASON] = F_TEXT("reason", 0, 1, 500, id_text, OWN, NO, NO, "Why it was refused or suspended"),
};

#undef NEW
#define NEW (A | B | G | K)
#define SET (A | G | K)
const struct field reg_certification_fields[CERTIFICATION_COUNT] = {
	[CERTIFICATION_SCHEME] = F_WORD("scheme", KEY, reg_certification_scheme_words, 0, PUB, NEW, NO, "Scheme of certification"),
	[CERTIFICATION_NUMBER] = F_TEXT("number", KEY, 1, 64, id_text, PUB, NEW, NO, "Number of the certificate"),
	[CERTIFICATION_CERTIFIER] = F_REF("certifier", FIX | FLT, REG_PARTY, OWN, A | B | G, NO, "Party that certified; a certifier's own are its own"),
	[CERTIFICATION_AUTHORITY] = F_TEXT("authority", 0, 1, 200, id_text, PUB, NEW, SET, "Body that issued it, when it is no party here"),
	[CERTIFICATION_MAKER] = F_REF("maker", REQ | FIX | FLT, REG_MAKER, PUB, NEW, NO, "Maker of the product"),
	[CERTIFICATION_IMPORTER] = F_TEXT("importer", 0, 1, 200, id_text, PUB, NEW, SET, "Who imports it"),
	[CERTIFICATION_MODEL] = F_TEXT("model", REQ | FIX | FLT, 1, 128, id_text, PUB, NEW, NO, "Model; *: all of the maker's"),
	[CERTIFICATION_HARDWARE] = F_TEXT("hardware", 0, 1, 128, id_text, PUB, NEW, SET, "Hardware version"),
	[CERTIFICATION_FIRMWARE] = F_LIST("firmware", 0, 1, VERSION_RANGE_MAX, version_range_check, PUB, NEW, SET, "Firmware certified: any of these ranges; none: all"),
	[CERTIFICATION_SOFTWARE] = F_LIST("software", 0, 1, VERSION_RANGE_MAX, version_range_check, PUB, NEW, SET, "Software certified: any of these ranges; none: all"),
	[CERTIFICATION_SYSTEM] = F_TEXT("operating_system", 0, 1, 128, id_text, PUB, NEW, SET, "Operating system and its version"),
	[CERTIFICATION_SECURITY] = F_TEXT("security", 0, 1, 500, id_text, PUB, NEW, SET, "Security requirements it was tested against, and the level met"),
	[CERTIFICATION_SBOM] = F_TEXT("sbom", 0, 64, 64, id_hash, PUB, NEW, SET, "SHA-256 of its software bill of materials"),
	[CERTIFICATION_REPORT] = F_TEXT("report", 0, 64, 64, id_hash, PUB, NEW, SET, "SHA-256 of the test report"),
	[CERTIFICATION_PRODUCED_FROM] = F_TIME("produced_from", 0, PUB, NEW, SET, "Life cycle: first produced"),
	[CERTIFICATION_SUPPORT_UNTIL] = F_TIME("support_until", 0, PUB, NEW, SET, "Life cycle: last day of security updates"),
	[CERTIFICATION_END_OF_LIFE] = F_TIME("end_of_life", 0, PUB, NEW, SET, "Life cycle: last day of use"),
	[CERTIFICATION_ORIGIN] = F_TEXT("origin", 0, 2, 3, id_token, PUB, NEW, SET, "Supply chain: country it is made in (ISO 3166)"),
	[CERTIFICATION_SUPPLIERS] = F_LIST("suppliers", 0, 1, 128, id_text, OWN | FOR_MAKER, NEW, SET, "Supply chain: components and who supplies them, up to the customer"),
	[CERTIFICATION_VALID_FROM] = F_TIME("valid_from", 0, PUB, NEW, SET, "First moment it counts; none: when it was entered"),
	[CERTIFICATION_VALID_UNTIL] = F_TIME("valid_until", 0, PUB, NEW, SET, "Last moment; none: without end"),
	[CERTIFICATION_STATE] = F_WORD("state", FLT, reg_certification_state_words, CERTIFICATION_VALID, PUB, NO, NO, "Does it count?"),
	[CERTIFICATION_REASON] = F_TEXT("reason", 0, 1, 500, id_text, PUB, NO, NO, "Why it was suspended or revoked"),
};
