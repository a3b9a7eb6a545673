/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* doctor - the checks of lxc-doctor: each looks at one thing, changes nothing, and says what it found and
 * what mends it. */
#pragma once
#include "common/tool.h"

enum finding_level {
	FINDING_OK,
	FINDING_NOTE,		/* something works less well than it could */
	FINDING_WARNING,	/* some containers, or some of what they do, will not work */
	FINDING_FAULT,		/* no container, or not this one, works */
};

struct finding {
	enum finding_level level;
	const char *id;		/* stable kebab-case name of what was looked at */
	char *text;		/* the fact */
	char *remedy;		/* a command or a clause; NULL if there is nothing to mend */
	char **fix;		/* the remedy as a command that can be run without harm; NULL */
};

struct doctor {
	struct tool *tool;
	struct finding *v;
	size_t n;
	bool failed;		/* out of memory */
};

void doctor_done(struct doctor *d);
struct finding *doctor_add(struct doctor *d, enum finding_level level, const char *id, const char *fmt, ...)
	attr_printf(4, 5);
/* Sets the remedy of a finding; f may be NULL. */
void doctor_remedy(struct finding *f, const char *fmt, ...) attr_printf(2, 3);
/* The remedy is this command, and safe. */
void doctor_fix(struct finding *f, const char *const argv[]);
const char *finding_level_name(enum finding_level level);

/* A file of the kernel with a number: false if there is none. */
bool doctor_number(const char *path, unsigned long long *ret);
/* The first line of a file: new, NULL if there is none. */
char *doctor_line(const char *path);

void doctor_check_host(struct doctor *d, const char *lxcpath);
void doctor_check_network(struct doctor *d);
/* False after a message: there is no such container. */
bool doctor_check_container(struct doctor *d, const char *lxcpath);
/* Every directory down to path can be searched by ids that are not the owner's. */
void doctor_check_path(struct doctor *d, const char *path, const char *why);
