/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

static void set_gives_fact_and_number(void **state)
{
	auto_err struct err *e = NULL;

	assert_int_equal(err_set(&e, ENOENT, NULL, "cannot open %s", "/x"), -ENOENT);
	assert_string_equal(e->what, "cannot open /x");
	assert_int_equal(e->num, ENOENT);
	assert_string_equal(err_id(e), "");
	assert_err_has(e, "cannot open /x: No such file or directory");
}

static void number_zero_is_eio_and_adds_no_words(void **state)
{
	auto_err struct err *e = NULL;
	auto_free char *line = NULL;

	assert_int_equal(err_set(&e, 0, NULL, "bridge br0 is tired"), -EIO);
	line = err_line(e);
	assert_string_equal(line, "bridge br0 is tired");
	assert_int_equal(err_set(&e, -EPERM, NULL, "x"), -EPERM);
	assert_int_equal(e->num, EPERM);
}

static void what_always_helps_is_said(void **state)
{
	auto_err struct err *e = NULL;

	(void)err_set(&e, EMFILE, NULL, "cannot open %s", "/x");
	assert_err_has(e, "ulimit -n");
	/* Also where something else would be the remedy otherwise. */
	(void)err_config_unreadable(&e, EMFILE, "/x", "Too many open files");
	assert_err_has(e, "ulimit -n");
	(void)err_config_unreadable(&e, EACCES, "/x", "Permission denied");
	assert_err_has(e, "ls -l /x");
}

static void nobody_who_asks_gets_only_the_number(void **state)
{
	assert_int_equal(err_set(NULL, EPERM, NULL, "x"), -EPERM);
	assert_int_equal(err_wrap(NULL, -EPERM, "y"), -EPERM);
	assert_int_equal(err_hint(NULL, -EPERM, "z"), -EPERM);
	assert_int_equal(err_at(NULL, -EPERM, (struct origin){ "f", 1 }), -EPERM);
	assert_int_equal(err_no_memory(NULL), -ENOMEM);
	assert_null(err_line(NULL));
	assert_string_equal(err_id(NULL), "");
	err_free(NULL);
}

static void a_second_set_replaces_the_first(void **state)
{
	auto_err struct err *e = NULL;

	(void)err_set(&e, EPERM, NULL, "first");
	(void)err_wrap(&e, -EPERM, "doing first");
	(void)err_set(&e, ENOENT, NULL, "second");
	assert_null(e->cause);
	assert_string_equal(e->what, "second");
}

static void wrapping_keeps_the_root(void **state)
{
	auto_err struct err *e = NULL;
	auto_free char *line = NULL;
	int r = err_not_running(&e, "web1", NULL);

	assert_int_equal(r, -ESRCH);
	r = err_wrap(&e, r, "asking the monitor");
	r = err_wrap_at(&e, r, (struct origin){ "/c/config", 12 }, "cannot stop %s", "web1");
	assert_int_equal(r, -ESRCH);
	assert_string_equal(err_root(e)->what, "container web1 is not running");
	assert_true(err_is(e, "not-running"));
	line = err_line(e);
	assert_string_equal(line, "cannot stop web1: container web1 is not running (/c/config:12); "
				  "try: lxc-start -n web1 starts it");
}

static void wrapping_success_does_nothing(void **state)
{
	struct err *e = NULL;

	assert_int_equal(err_wrap(&e, 0, "x"), 0);
	assert_null(e);
	assert_int_equal(err_wrap(&e, -EPERM, "x"), -EPERM);
	assert_null(e);
}

static void a_place_is_set_once(void **state)
{
	auto_err struct err *e = NULL;

	(void)err_set(&e, EINVAL, NULL, "x");
	assert_int_equal(err_at(&e, -EINVAL, (struct origin){ "a", 1 }), -EINVAL);
	(void)err_at(&e, -EINVAL, (struct origin){ "b", 2 });
	assert_string_equal(e->where, "a:1");
	(void)err_at(&e, -EINVAL, (struct origin){ NULL, 0 });
	assert_string_equal(e->where, "a:1");
}

static void the_deepest_remedy_counts(void **state)
{
	auto_err struct err *e = NULL;

	(void)err_set(&e, EINVAL, NULL, "x");
	(void)err_hint(&e, -EINVAL, "deep %d", 1);
	(void)err_wrap(&e, -EINVAL, "y");
	(void)err_hint(&e, -EINVAL, "shallow");
	assert_string_equal(err_remedy(e), "deep 1");
}

static void roles_fill_gaps_only(void **state)
{
	auto_err struct err *e = NULL;

	(void)err_set(&e, EINVAL, NULL, "x");
	err_role(e, "init");
	(void)err_wrap(&e, -EINVAL, "y");
	err_role(e, "monitor");
	assert_string_equal(e->who, "monitor");
	assert_string_equal(e->cause->who, "init");
}

static void further_faults_are_all_kept(void **state)
{
	auto_err struct err *e = NULL, *back = NULL;
	auto_free char *line = NULL;
	char frame[ERR_FRAME_MAX];

	assert_int_equal(err_more(NULL, -EINVAL, "x"), -EINVAL);
	(void)err_set(&e, EINVAL, "bad_value", "first");
	(void)err_wrap(&e, -EINVAL, "reading");
	assert_int_equal(err_more(&e, -EINVAL, "second\nline"), -EINVAL);
	assert_int_equal(err_more(&e, -EINVAL, "third"), -EINVAL);
	line = err_line(e);
	assert_string_equal(line, "reading: first; also second line; also third");
	back = err_unpack(frame, err_pack(e, frame));
	auto_free char *again = err_line(back);

	assert_string_equal(line, again);
}

static char *printed(const struct err *e, bool verbose)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	err_print(f, "lxc-start", e, verbose);
	(void)fclose(f);
	return text;
}

static void the_printed_form_has_three_lines(void **state)
{
	auto_err struct err *e = NULL;
	auto_free char *text = NULL, *more = NULL;
	int r = err_set(&e, ENODEV, "bridge_missing", "bridge %s does not exist", "lxcbr0");

	r = err_hint(&e, r, "systemctl start lxc-net");
	r = err_wrap_at(&e, r, (struct origin){ "/v/config", 12 }, "creating network devices");
	(void)err_wrap(&e, r, "cannot start web1");
	err_role(e, "monitor");
	text = printed(e, false);
	assert_string_equal(text, "lxc-start: cannot start web1: bridge lxcbr0 does not exist\n"
				  "  while creating network devices (/v/config:12)\n"
				  "  try: systemctl start lxc-net\n");
	more = printed(e, true);
	assert_non_null(strstr(more, "    [monitor] bridge lxcbr0 does not exist (bridge-missing) ENODEV\n"));
}

static void a_lone_root_prints_one_line(void **state)
{
	auto_err struct err *e = NULL;
	auto_free char *text = NULL;

	(void)err_set(&e, EACCES, NULL, "cannot open /x");
	text = printed(e, false);
	assert_string_equal(text, "lxc-start: cannot open /x: Permission denied\n");
}

static void control_characters_are_shown_not_sent(void **state)
{
	auto_err struct err *e = NULL;
	auto_free char *text = NULL, *line = NULL;

	(void)err_set(&e, 0, NULL, "a\x1b[2Jb\nc\x7f\td");
	(void)err_hint(&e, -EIO, "h\ri");
	text = printed(e, true);
	assert_non_null(strstr(text, "a\\x1b[2Jb\\x0ac\\x7f d"));
	line = err_line(e);
	assert_false(str_has_control(line, false));
}

static void deep(struct err **e)
{
	(void)err_already_running(e, "web1", NULL);
	(void)err_at(e, -EALREADY, (struct origin){ "/c/config", 3 });
	(void)err_wrap(e, -EALREADY, "one");
	(void)err_wrap_at(e, -EALREADY, (struct origin){ "/c/config", 4 }, "two");
	err_role(*e, "init");
}

static void a_chain_survives_packing(void **state)
{
	auto_err struct err *e = NULL, *back = NULL;
	char frame[ERR_FRAME_MAX];
	const struct err *a, *b;
	size_t n;

	deep(&e);
	n = err_pack(e, frame);
	assert_in_range(n, 1, ERR_FRAME_MAX);
	back = err_unpack(frame, n);
	assert_non_null(back);
	for (a = e, b = back; a && b; a = a->cause, b = b->cause) {
		assert_int_equal(a->num, b->num);
		assert_string_equal(a->id, b->id);
		assert_string_equal(a->what, b->what);
		assert_string_equal(a->where, b->where);
		assert_string_equal(a->hint, b->hint);
		assert_string_equal(a->who, b->who);
	}
	assert_true(!a && !b);
	assert_int_equal(err_pack(NULL, frame), 0);
}

static void packing_keeps_the_root_and_whole_links(void **state)
{
	auto_err struct err *e = NULL, *back = NULL;
	char frame[ERR_FRAME_MAX], text[1001];
	size_t n, links = 0;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)err_not_running(&e, "web1", NULL);
	for (int i = 0; i < 20; i++)
		(void)err_wrap(&e, -ESRCH, "%d %s", i, text);
	n = err_pack(e, frame);
	assert_in_range(n, 1, ERR_FRAME_MAX);
	back = err_unpack(frame, n);
	assert_non_null(back);
	assert_true(err_is(back, "not-running"));
	assert_string_equal(back->what, e->what);
	for (const struct err *l = back; l; l = l->cause, links++)
		assert_true(!l->cause || strlen(l->what) > 1000);
	assert_int_equal(links, 4);
}

static void a_root_beyond_a_frame_is_cut_in_its_text(void **state)
{
	auto_err struct err *e = NULL, *back = NULL;
	auto_free char *text = malloc(10001);
	char frame[ERR_FRAME_MAX];
	size_t n;

	assert_non_null(text);
	memset(text, 'y', 10000);
	text[10000] = '\0';
	(void)err_set(&e, EINVAL, "name_invalid", "%s", text);
	(void)err_wrap(&e, -EINVAL, "context");
	n = err_pack(e, frame);
	assert_in_range(n, 4000, ERR_FRAME_MAX);
	back = err_unpack(frame, n);
	assert_non_null(back);
	assert_true(err_is(back, "name-invalid"));
	assert_in_range(strlen(back->what), 4000, ERR_FRAME_MAX);
	assert_int_equal(back->num, EINVAL);
}

/* Every truncation of a frame is refused, but those at the end of a link, which are shorter chains. */
static void truncated_frames_are_refused(void **state)
{
	auto_err struct err *e = NULL;
	char frame[ERR_FRAME_MAX];
	size_t n, accepted = 0;

	deep(&e);
	n = err_pack(e, frame);
	for (size_t i = 0; i < n; i++) {
		/* A copy of the exact size, so that a checker sees any byte read beyond. */
		auto_free char *copy = malloc(i ? i : 1);
		struct err *back;

		assert_non_null(copy);
		memcpy(copy, frame, i);
		back = err_unpack(copy, i);
		accepted += back != NULL;
		err_free(back);
	}
	assert_int_equal(accepted, 2);
}

static void garbage_frames_are_refused(void **state)
{
	static const char zeros[64];
	char frame[ERR_FRAME_MAX + 1];

	assert_null(err_unpack(zeros, 0));
	assert_null(err_unpack(zeros, 3));
	assert_null(err_unpack(zeros, 4));
	assert_null(err_unpack(zeros, 9));
	/* errno 0 and six empty strings are a link, if a dull one. */
	struct err *dull = err_unpack(zeros, 10);

	assert_non_null(dull);
	err_free(dull);
	memset(frame, 0, sizeof(frame));
	assert_null(err_unpack(frame, sizeof(frame)));
	memset(frame, 0xff, sizeof(frame));
	assert_null(err_unpack(frame, ERR_FRAME_MAX));
	memset(frame, 'a', sizeof(frame));
	assert_null(err_unpack(frame, ERR_FRAME_MAX));
	/* An errno that none is. */
	const int32_t bad[] = { -1, 4096, INT32_MIN, INT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(frame, 0, 10);
		memcpy(frame, &bad[i], sizeof(bad[i]));
		assert_null(err_unpack(frame, 10));
	}
}

/* Flips every byte in turn: whatever comes out must be a chain that prints. */
static void damaged_frames_do_no_harm(void **state)
{
	auto_err struct err *e = NULL;
	char frame[ERR_FRAME_MAX];
	size_t n;

	deep(&e);
	n = err_pack(e, frame);
	for (size_t i = 0; i < n; i++)
		for (int bit = 0; bit < 8; bit++) {
			auto_err struct err *back = NULL;
			auto_free char *line = NULL;

			frame[i] ^= (char)(1 << bit);
			back = err_unpack(frame, n);
			frame[i] ^= (char)(1 << bit);
			if (!back)
				continue;
			line = err_line(back);
			assert_non_null(line);
			assert_false(str_has_control(line, false));
		}
}

static void every_documented_error_is_whole(void **state)
{
	size_t n = 0;
	const struct err_doc *docs = err_docs(&n);

	assert_true(n > 5);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(docs[i].id, docs[j].id);
		if (!*docs[i].what || !*docs[i].doc || docs[i].what[strlen(docs[i].what) - 1] == '.' ||
		    strstr(docs[i].what, "Failed") || docs[i].doc[strlen(docs[i].doc) - 1] != '.')
			fail_msg("%s: '%s' / '%s'", docs[i].id, docs[i].what, docs[i].doc);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(set_gives_fact_and_number),
	cmocka_unit_test(number_zero_is_eio_and_adds_no_words),
	cmocka_unit_test(nobody_who_asks_gets_only_the_number),
	cmocka_unit_test(what_always_helps_is_said),
	cmocka_unit_test(a_second_set_replaces_the_first),
	cmocka_unit_test(wrapping_keeps_the_root),
	cmocka_unit_test(wrapping_success_does_nothing),
	cmocka_unit_test(a_place_is_set_once),
	cmocka_unit_test(the_deepest_remedy_counts),
	cmocka_unit_test(roles_fill_gaps_only),
	cmocka_unit_test(further_faults_are_all_kept),
	cmocka_unit_test(the_printed_form_has_three_lines),
	cmocka_unit_test(a_lone_root_prints_one_line),
	cmocka_unit_test(control_characters_are_shown_not_sent),
	cmocka_unit_test(a_chain_survives_packing),
	cmocka_unit_test(packing_keeps_the_root_and_whole_links),
	cmocka_unit_test(a_root_beyond_a_frame_is_cut_in_its_text),
	cmocka_unit_test(truncated_frames_are_refused),
	cmocka_unit_test(garbage_frames_are_refused),
	cmocka_unit_test(damaged_frames_do_no_harm),
	cmocka_unit_test(every_documented_error_is_whole),
};
UNIT_MAIN(tests)
