/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* program - running the programs of a back end. They are the administrator's: they are found in his PATH
 * and see his environment, in which Ceph and LVM are configured. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "kernel/spawn.h"
#include "storage/block.h"

#define OUTPUT_MAX 65536

static _Thread_local int held = -EBADF;

int storage_hold(int fd)
{
	int before = held;

	held = fd;
	return before;
}

/* LVM complains about every descriptor that it inherits, even about the standard ones. */
static int make_environment(struct strv *env)
{
	int r = 0;

	for (char **v = environ; v && *v && r == 0; v++)
		if (!str_after(*v, "LVM_SUPPRESS_FD_WARNINGS="))
			r = strv_add(env, *v);
	return r < 0 ? r : strv_add(env, "LVM_SUPPRESS_FD_WARNINGS=1");
}

static int run(struct strv *argv, struct buf *output, int *ret_status, struct err **e)
{
	auto_strv struct strv env = { 0 };
	const char *path = getenv("PATH");
	struct spawn s = SPAWN_INIT;
	int status = 0, r;

	if (make_environment(&env) < 0)
		return err_no_memory(e);
	s.path = argv->v[0];
	s.search = path && *path ? path : NULL;
	s.argv = argv->v;
	s.envp = env.v;
	s.output = output;
	s.keep = &held;
	s.n_keep = held >= 0;
	if (!ret_status)
		return spawn_check(&s, e);
	r = spawn_run(&s, &status, e);
	if (r == 0)
		*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return r;
}

static int collect(struct strv *argv, const char *program, va_list ap)
{
	int r = strv_add(argv, program);

	for (const char *a = va_arg(ap, const char *); a && r == 0; a = va_arg(ap, const char *))
		r = strv_add(argv, a);
	return r;
}

int storage_run(struct err **e, const char *program, ...)
{
	auto_strv struct strv argv = { 0 };
	va_list ap;
	int r;

	va_start(ap, program);
	r = collect(&argv, program, ap);
	va_end(ap);
	return r < 0 ? err_no_memory(e) : run(&argv, NULL, NULL, e);
}

int storage_ask(char **ret, struct err **e, const char *program, ...)
{
	auto_buf struct buf output = BUF_INIT(OUTPUT_MAX);
	auto_strv struct strv argv = { 0 };
	auto_free char *text = NULL;
	va_list ap;
	int r;

	va_start(ap, program);
	r = collect(&argv, program, ap);
	va_end(ap);
	r = r < 0 ? err_no_memory(e) : run(&argv, &output, NULL, e);
	if (r < 0)
		return r;
	text = strdup(buf_str(&output));
	*ret = text ? strdup(str_trim(text)) : NULL;
	return *ret ? 0 : err_no_memory(e);
}

static int copy_words(struct strv *argv, const char *const *words)
{
	int r = 0;

	for (; *words && r == 0; words++)
		r = strv_add(argv, *words);
	return r;
}

int storage_run_argv(const char *const *words, struct err **e)
{
	auto_strv struct strv argv = { 0 };

	return copy_words(&argv, words) < 0 ? err_no_memory(e) : run(&argv, NULL, NULL, e);
}

int storage_run_status(int *ret_status, struct err **e, const char *const *words)
{
	auto_buf struct buf output = BUF_INIT(OUTPUT_MAX);
	auto_strv struct strv argv = { 0 };

	return copy_words(&argv, words) < 0 ? err_no_memory(e) : run(&argv, &output, ret_status, e);
}
