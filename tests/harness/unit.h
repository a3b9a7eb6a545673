/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* unit - what unit tests need beside cmocka: TAP output with skip reasons, error chains, temporary
 * directories, and children (in namespaces) whose failures reach the test.
 *
 *	static void rejects_empty_name(void **state) { ... assert_err_id(e, "name-invalid"); }
 *	static const struct CMUnitTest tests[] = { cmocka_unit_test(rejects_empty_name) };
 *	UNIT_MAIN(tests)
 *
 * A failing assertion of cmocka jumps out of the test: never use one in a child, use CHECK there. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/err.h"

/* Runs all tests, or those whose name matches the pattern in argv[1]. */
int unit_main(int argc, char **argv, const struct CMUnitTest *tests, size_t n);
#define UNIT_MAIN(tests)                                                 \
	int main(int argc, char **argv)                                  \
	{                                                                \
		return unit_main(argc, argv, tests, ARRAY_SIZE(tests));  \
	}

/* Ends the running test as skipped. Say what is missing: "needs root", "needs userns: %s". Works
 * in a child too. */
void unit_skip(const char *fmt, ...) attr_printf(1, 2) attr_noreturn;

/* The root cause of chain e has this id (kebab-case). */
#define assert_err_id(e, id) unit_assert_err_id(e, id, __FILE__, __LINE__)
/* The one-line form of chain e contains text. */
#define assert_err_has(e, text) unit_assert_err_has(e, text, __FILE__, __LINE__)
void unit_assert_err_id(const struct err *e, const char *id, const char *file, int line);
void unit_assert_err_has(const struct err *e, const char *text, const char *file, int line);

/* In a child: ends it as failed, and the test with it, unless cond holds. */
#define CHECK(cond)                                                      \
	do {                                                             \
		if (!(cond))                                             \
			unit_child_fail(__FILE__, __LINE__, #cond);      \
	} while (0)
/* The same for an r that must be 0 or more; says errno and the chain (may be NULL). */
#define CHECK_OK(r, e) unit_child_check(__FILE__, __LINE__, #r, r, e)
void unit_child_fail(const char *file, int line, const char *what) attr_noreturn;
void unit_child_check(const char *file, int line, const char *what, long r, const struct err *e);

/* Runs fn(arg) in a child; its failed CHECK, unit_skip or death becomes the test's. */
void unit_child(void (*fn)(void *arg), void *arg);
/* The same in a new mount namespace (all private); an ordinary user gets a user namespace with
 * himself as root too. Skips where that is not allowed. flags: further CLONE_NEW*. */
void unit_child_ns(int flags, void (*fn)(void *arg), void *arg);

/* The same always in a new user namespace, as its root (only id 0 is mapped, to our own). */
void unit_child_userns(int flags, void (*fn)(void *arg), void *arg);

/* In a child: from now on this system call fails with ENOSYS, as on a kernel that lacks it. */
void unit_enosys(long number);

/* True for root with all capabilities in the initial user namespace. */
bool unit_is_root(void);
/* A new temporary directory (0755); removed with its contents by unit_tmpdir_free, which also frees. */
char *unit_tmpdir(void);
void unit_tmpdir_free(char *dir);
/* Creates DIR/NAME with this text. */
void unit_write(const char *dir, const char *name, const char *text);
