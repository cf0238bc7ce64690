/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of parties (TEC 31188 3.1, Annex II), of certificates of products, and of the lists of providers and makers: rows of kind_tables.c. */
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
const char *const reg_endpoint_state_words[] = { "active", "suspended", "withdrawn", "lost", NULL };
const char *const reg_unit_state_words[] = { "active", "withdrawn", NULL };
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

#define SEE (A | B | G | P)
const struct field reg_endpoint_fields[ENDPOINT_COUNT] = {
	[ENDPOINT_PROVIDER] = F_REF("provider", KEY, REG_PARTY, SEE, SEE, NO, "Connectivity provider that lists it"),
	[ENDPOINT_SCHEME] = F_WORD("scheme", KEY, scheme_words, 0, SEE, SEE, NO, "Scheme, such as imsi, iccid, e164, eid or mac"),
	[ENDPOINT_VALUE] = F_TEXT("value", KEY, 1, IDENTIFIER_MAX, id_text, SEE, SEE, NO, "Identifier, in its canonical form"),
	[ENDPOINT_KEPT_IN] = F_WORD("kept_in", 0, reg_root_words, ROOT_USIM, SEE, SEE, SEE & ~B, "What keeps it from being changed"),
	[ENDPOINT_DEVICE_SCHEME] = F_WORD("device_scheme", 0, scheme_words, 0, SEE, SEE, SEE & ~B, "Scheme of device"),
	[ENDPOINT_DEVICE] = F_TEXT("device", 0, 1, INHERENT_MAX, id_text, SEE, SEE, SEE & ~B, "Inherent identity of the one device it is kept to"),
	[ENDPOINT_SUBSCRIBER] = F_SEAL("subscriber", 0, 1, 128, id_text, FOR_PRIVACY | P, SEE, FOR_PRIVACY | P, "Whose it is, as the provider says (personal)"),
	[ENDPOINT_STATE] = F_WORD("state", FLT, reg_endpoint_state_words, ENDPOINT_ACTIVE, SEE, SEE, SEE & ~B, "Is it in use?"),
	[ENDPOINT_TYPE] = F_WORD("type", 0, scheme_class_words, 0, SEE, NO, NO, "Type of identifier (TEC 31188 Annex I)"),
	[ENDPOINT_NAMES] = F_WORD("names", 0, scheme_names_words, 0, SEE, NO, NO, "What it names"),
	[ENDPOINT_PERSONAL] = F_BOOL("personal", 0, 0, SEE, NO, NO, "Personal data: for the privacy role and its provider"),
};

#define M    FOR_MAKER
#define MADE (A | B | G | M)
const struct field reg_unit_fields[UNIT_COUNT] = {
	[UNIT_MAKER] = F_REF("maker", KEY, REG_MAKER, MADE, MADE, NO, "Who made it"),
	[UNIT_SERIAL] = F_TEXT("serial", KEY, 1, 64, id_serial, MADE, MADE, NO, "Its serial number"),
	[UNIT_MODEL] = F_TEXT("model", REQ | FIX | FLT, 1, 128, id_text, MADE, MADE, NO, "Its model"),
	[UNIT_IDENTITIES] = F_LIST("identities", REQ, 5, 96, listing_unit_check, MADE, MADE, A | G | M, "What it sends with: scheme and identity, such as imei:490154203237518"),
	[UNIT_PRODUCED] = F_TIME("produced", 0, MADE, MADE, A | G | M, "When it was made"),
	[UNIT_STATE] = F_WORD("state", FLT, reg_unit_state_words, UNIT_ACTIVE, MADE, MADE, A | G | M, "Withdrawn: stolen, scrapped or never sold"),
};
