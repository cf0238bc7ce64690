/* SPDX-License-Identifier: Apache-2.0 */
/** Items of registry.conf about neighbours and the core network. */
#ifndef GBA_REGISTRY_PEER_CONF_H
#define GBA_REGISTRY_PEER_CONF_H

#include "conf/conf.h"

/** What a neighbour is to us (Y.3059 3.2). */
enum bond { BOND_PARENT, BOND_CHILD, BOND_PEER };

struct neighbour_conf {
	const char *reg_id, *host, *key; /* RegID, Diameter identity, Ed25519 public key in hex */
	uint32_t type, bond;		 /* enum registry_type, enum bond */
	struct conf_strlist send, accept; /* words of classes of events */
};

struct peering_conf {
	struct conf_groups neighbours; /* struct neighbour_conf */
	bool tls;
	struct conf_strlist s13_peers;
	uint32_t s13_white, s13_grey, s13_black, s13_unknown;
};

/** What ME-Identity-Check says of an equipment (TS 29.272 7.3.51), or that it is unknown: index of the words. */
enum equipment { EQUIPMENT_WHITE, EQUIPMENT_BLACK, EQUIPMENT_GREY, EQUIPMENT_UNKNOWN };

#define PEERING_CONF_ITEMS(st, m)                                                                                       \
	CONF_GROUPS("neighbours", "", 0, 1000, neighbour_conf_items, struct neighbour_conf, st, m.neighbours,          \
		    "Registries this one exchanges events with: parent, children, bilateral peers"),                   \
	CONF_BOOL("peering-tls", true, st, m.tls,                                                                       \
		  "Peer only over TLS with certificates of both sides, and only when freeDiameter's TLS_Prio leaves"   \
		  " out everything before TLS 1.2; false: laboratories"),                                              \
	CONF_STRLIST("s13-peers", "", 1, 255, NULL, st, m.s13_peers,                                                    \
		     "Origin-Hosts that may ask for equipment by S13; empty: S13 is not served"),                      \
	CONF_ENUM("s13-white", "whitelisted", equipment_names, st, m.s13_white, "What S13 says of a White device"),    \
	CONF_ENUM("s13-grey", "greylisted", equipment_names, st, m.s13_grey, "What S13 says of a Grey device"),        \
	CONF_ENUM("s13-black", "blacklisted", equipment_names, st, m.s13_black, "What S13 says of a Black device"),    \
	CONF_ENUM("s13-unknown", "unknown", equipment_names, st, m.s13_unknown,                                         \
		  "What S13 says of a device nobody has registered: unknown is the error 5422")

extern const struct conf_item neighbour_conf_items[];
extern const char *const equipment_names[];

/** @retval GBA_E_CONF  see _error */
enum gba_err peering_conf_check(const struct peering_conf *conf, const char *reg_id, uint32_t reg_type, const char *parent,
				struct conf_error *_error);
/** Bits 1 << enum event_class. False: an unknown word. */
bool peering_classes(const struct conf_strlist *words, unsigned int *_classes);

#endif
