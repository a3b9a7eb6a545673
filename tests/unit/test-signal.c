/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "kernel/signal.h"

static void names_and_numbers_are_understood(void **state)
{
	const struct {
		const char *text;
		int number;
	} cases[] = {
		{ "SIGTERM", SIGTERM },	      { "sigterm", SIGTERM },	    { "SigKill", SIGKILL }, { "9", 9 },
		{ "0", 0 },		      { "SIGRTMIN+0", SIGRTMIN },   { "SIGRTMIN+3", SIGRTMIN + 3 },
		{ "sigrtmax-2", SIGRTMAX - 2 }, { "SIGRTMAX-0", SIGRTMAX }, { "SIGPWR", SIGPWR }, { "64", 64 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int sig = -1;

		assert_int_equal(signal_parse(cases[i].text, &sig), 0);
		assert_int_equal(sig, cases[i].number);
	}
}

static void other_texts_are_refused(void **state)
{
	static const struct {
		const char *text;
		int result;
	} cases[] = {
		{ "", -EINVAL },	  { "TERM", -EINVAL },	  { "SIG", -EINVAL },	      { "SIGFOO", -EINVAL },
		{ "-9", -EINVAL },	  { "9x", -EINVAL },	  { " 9", -EINVAL },	      { "SIGTERM ", -EINVAL },
		{ "SIGRTMIN+", -EINVAL }, { "SIGRTMIN+x", -EINVAL }, { "SIGRTMIN+-1", -EINVAL }, { "SIGRTMIN+31", -ERANGE },
		{ "SIGRTMAX-31", -ERANGE }, { "65", -ERANGE },	  { "4294967305", -ERANGE },  { "99999999999999999999", -ERANGE },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int sig = 4711;

		assert_int_equal(signal_parse(cases[i].text, &sig), cases[i].result);
		assert_int_equal(sig, 4711);
	}
}

static void names_parse_back(void **state)
{
	for (int i = 1; i < 32; i++) {
		int sig = 0;

		assert_non_null(signal_name(i));
		assert_int_equal(signal_parse(signal_name(i), &sig), 0);
		assert_int_equal(sig, i);
	}
	assert_null(signal_name(SIGRTMIN));
	assert_null(signal_name(0));
	assert_null(signal_name(-1));
}

static void reset(void *arg)
{
	struct sigaction now;
	sigset_t all, mask;

	CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR && signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	(void)sigfillset(&all);
	CHECK(sigprocmask(SIG_BLOCK, &all, NULL) == 0);
	signal_reset_all();
	CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0);
	for (int i = 1; i <= SIGRTMAX; i++) {
		CHECK(sigismember(&mask, i) <= 0);
		if (sigaction(i, NULL, &now) == 0)
			CHECK(now.sa_handler == SIG_DFL);
	}
}

static void a_child_starts_with_default_signals(void **state)
{
	unit_child(reset, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(names_and_numbers_are_understood),
	cmocka_unit_test(other_texts_are_refused),
	cmocka_unit_test(names_parse_back),
	cmocka_unit_test(a_child_starts_with_default_signals),
};
UNIT_MAIN(tests)
