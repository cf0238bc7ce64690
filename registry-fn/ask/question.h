/* SPDX-License-Identifier: Apache-2.0 */
/** One question (POST /v1/questions) between the files that answer it. */
#ifndef GBA_REGISTRY_QUESTION_H
#define GBA_REGISTRY_QUESTION_H

#include "registry-fn/ask/ask.h"

/** Texts belong to the body. */
struct question {
	struct rest_call *call;
	json_t *body;
	const char *by, *value, *make, *model; /* make, model "": any */
	const char *registry;		       /* RegID that was named; NULL: none */
	const char *after;		       /* of devices elsewhere: behind this one; "": from the first */
	time_t at;			       /* status at this time */
	bool details;
	json_t *results;
	int64_t next;	    /* after this device of ours; 0: that was all */
	const char *behind; /* behind this one; NULL: that was all. Below the call */
};

/** Who is meant. */
struct meant {
	const char *name;    /* as it was asked for */
	const char *subject; /* RegDevID; NULL: that of the device, or not known */
	int64_t device;	     /* of this registry; 0: none */
	const struct event_view *view; /* of all registries; NULL: not looked for */
};

/** Add a device to the answer. */
enum gba_err question_result(struct question *q, const struct meant *meant);
/** Is it asked by a word of a list? @param _word  its place; -1: no such word */
bool question_word(const struct question *q, int *_word);

/** Is it about devices that are registered elsewhere, too? So it is above the primary layer, or when a registry is named. */
bool question_is_wide(const struct question *q);
/** Devices by what all registrations together say. @retval GBA_E_SYNTAX  a value or RegID that is none */
enum gba_err question_by_view(struct question *q);
/** What is known of a device that is no record here, into its result. */
enum gba_err question_elsewhere(struct question *q, const struct meant *meant, json_t *result);

#endif
