/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* template - finding and running the program that fills a new root file system. */
#pragma once
#include <stdbool.h>

#include "config/conf.h"
#include "handle.h"

struct template_run {
	const char *path;	/* of the program, absolute */
	const char *dir;	/* LXCPATH/NAME */
	const char *name;
	const char *rootfs;	/* the directory to fill */
	int root_fd;		/* a detached mount that the program gets there; -1: none */
	char *const *argv;	/* the user's arguments; may be NULL */
	bool quiet;
	int keep_fd;		/* stays open in the program: it holds the creation's lock */
};

/* An absolute path, or the name of a lxc-NAME in the template directory; must be executable. New. */
int template_find(const char *t, char **ret, struct err **e);
/* No control characters. argv may be NULL. */
int template_check_args(char *const argv[], struct err **e);
/* Runs it (in the id map of conf, if there is one) and insists on exit status 0. */
int template_run(const struct template_run *t, const struct conf *conf, struct err **e);
