/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* nested - the containers inside running containers, for lxc-ls --nesting. Nothing of a guest is read from outside:
 * each container is entered by a process of its own, which runs this program there once more, from a file that the
 * guest cannot write to, with the rights and limits of any attached process, an empty environment, and no descriptors
 * but /dev/null and a pipe. What comes through the pipe is the guest's word: bounded in size and time, checked, and
 * stripped of what a terminal would obey. */
#pragma once
#include "common/listing.h"

/* How this program is called (argv[0]) to enter a container, and in it. */
#define NESTED_ENTER "lxc-ls-enter"
#define NESTED_ROWS "lxc-ls-rows"

struct nested {
	const char *lxcpath;
	unsigned depth;			/* how deep, 1 at least */
	const struct strv *options;	/* of the lxc-ls inside */
	const struct listing_columns *columns;
};

/* Puts behind each running container of the list those that are inside it. A container that cannot be looked into is
 * told and stays alone. 0, or -1 after a message. */
int nested_read(struct tool *t, const struct nested *how, struct listing *l);
/* The process that enters, with the arguments DEPTH LXCPATH NAME OPTIONS...: its exit status. rows: what the program
 * does when it is called NESTED_ROWS. */
int nested_enter(int argc, char **argv, int (*rows)(int argc, char **argv));
/* What that prints. */
void nested_print(const struct listing *l, const struct listing_columns *columns);

/* For the one who reads: appends the rows in text (modified) that are inside the container "parent". False if it is not
 * what nested_print writes; what was understood stays. */
bool nested_parse(char *text, const char *parent, unsigned depth, const struct listing_columns *columns,
		  struct listing *l);
