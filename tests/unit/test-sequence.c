/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/proc.h"
#include "kernel/socket.h"
#include "lifecycle/sequence.h"

struct run {
	char *log;		/* shared page */
	int fail_at;
	pid_t init;		/* of run_birth */
	struct sequence seq;
};

static void note(struct run *r, char c)
{
	r->log[strlen(r->log)] = c;
}

#define ROW(letter)                                                       \
	static int run_##letter(struct run *r, struct err **e)            \
	{                                                                 \
		note(r, #letter[0]);                                      \
		if (r->fail_at == #letter[0])                             \
			return err_set(e, EBUSY, "row-failed", "row %s", #letter); \
		return 0;                                                 \
	}                                                                 \
	attr_unused static void undo_##letter(struct run *r)                          \
	{                                                                 \
		note(r, (char)(#letter[0] - 32));                         \
	}

ROW(a)
ROW(b)
ROW(c)
ROW(d)

static int run_fd(struct run *r, struct err **e)
{
	note(r, 'p');
	r->seq.out.fds[r->seq.out.n++] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

static int run_take(struct run *r, struct err **e)
{
	note(r, r->seq.in.n == 1 && fcntl(r->seq.in.fds[0], F_GETFD) >= 0 ? 't' : '!');
	return 0;
}

static int run_exec(struct run *r, struct err **e)
{
	char *const argv[] = { (char *)"true", NULL };

	note(r, 'x');
	(void)execv("/bin/true", argv);
	return err_set(e, errno, NULL, "cannot execute");
}

static int run_die(struct run *r, struct err **e)
{
	_exit(3);
}

static const struct step good[] = {
	{ SIDE_MONITOR, "doing a", NULL, run_a, undo_a }, { SIDE_INIT, "doing b", NULL, run_b, NULL },
	{ SIDE_INIT, "making an fd", NULL, run_fd, NULL }, { SIDE_MONITOR, "taking it", NULL, run_take, NULL },
	{ SIDE_MONITOR, "doing c", NULL, run_c, undo_c }, { SIDE_INIT, "doing d", NULL, run_d, NULL },
	{ SIDE_INIT, "executing", NULL, run_exec, NULL },
};
static const struct step dying[] = {
	{ SIDE_MONITOR, "doing a", NULL, run_a, undo_a },
	{ SIDE_INIT, "doing the deadly thing", NULL, run_die, NULL },
	{ SIDE_INIT, "executing", NULL, run_exec, NULL },
};

/* Init is in the row before until the monitor has done its own. */
static int run_until_p(struct run *r, struct err **e)
{
	for (int i = 0; i < 5000 && !strchr(r->log, 'p'); i++)
		(void)usleep(1000);
	return run_b(r, e);
}

static int run_fd_or_fail(struct run *r, struct err **e)
{
	return r->fail_at == 'p' ? err_set(e, EBUSY, "row-failed", "row p") : run_fd(r, e);
}

static const struct step beside[] = {
	{ SIDE_MONITOR, "doing a", NULL, run_a, undo_a },
	{ SIDE_INIT, "doing b", NULL, run_until_p, NULL },
	{ SIDE_MEANWHILE, "making an fd meanwhile", NULL, run_fd_or_fail, NULL },
	{ SIDE_INIT, "taking it", NULL, run_take, NULL },
	{ SIDE_MONITOR, "doing c", NULL, run_c, undo_c },
	{ SIDE_INIT, "executing", NULL, run_exec, NULL },
};

/* What has no row of init's before it is like any other of the monitor's. */
static const struct step beside_nothing[] = {
	{ SIDE_MONITOR, "doing a", NULL, run_a, undo_a },
	{ SIDE_MEANWHILE, "making an fd meanwhile", NULL, run_fd, NULL },
	{ SIDE_INIT, "taking it", NULL, run_take, NULL },
	{ SIDE_INIT, "executing", NULL, run_exec, NULL },
};

/* The monitor speaks to one that is dead, or says that it failed. */
static const struct step beside_the_dead[] = {
	{ SIDE_MONITOR, "doing a", NULL, run_a, undo_a },
	{ SIDE_INIT, "doing the deadly thing", NULL, run_die, NULL },
	{ SIDE_MEANWHILE, "making an fd meanwhile", NULL, run_fd, NULL },
	{ SIDE_INIT, "executing", NULL, run_exec, NULL },
};

static bool never(const struct run *r)
{
	return false;
}

/* The same as good, with a row for the other side wherever nothing is to be handed over. */
static const struct step sparse[] = {
	{ SIDE_INIT, "no b", never, run_b, NULL },	    { SIDE_MONITOR, "doing a", NULL, run_a, undo_a },
	{ SIDE_INIT, "no c", never, run_c, NULL },	    { SIDE_MONITOR, "doing c", NULL, run_c, undo_c },
	{ SIDE_INIT, "doing b", NULL, run_b, NULL },	    { SIDE_MONITOR, "no d", never, run_d, undo_d },
	{ SIDE_INIT, "doing d", NULL, run_d, NULL },	    { SIDE_MONITOR, "doing c", NULL, run_c, undo_c },
	{ SIDE_INIT, "executing", NULL, run_exec, NULL },
};

static int words;	/* that the monitor has waited for */
static unsigned pause_us;	/* before it looks for each */

static int count(struct run *r, int fd, int other, unsigned limit_ms)
{
	words++;
	(void)usleep(pause_us);
	return 0;
}

/* A row of the monitor's that init is not to wait for: what it does before is seen here. */
static int run_after(struct run *r, char which, int (*then)(struct run *r, struct err **e), struct err **e)
{
	for (int i = 0; i < 5000 && !strchr(r->log, which); i++)
		(void)usleep(1000);
	return then(r, e);
}

static int run_c_after_b(struct run *r, struct err **e)
{
	return run_after(r, 'b', run_c, e);
}

static int run_take_after_d(struct run *r, struct err **e)
{
	return run_after(r, 'd', run_take, e);
}

#define BEFORE_ROWS 1	/* as fail_at: init does not get to its rows */
#define BIRTH 1	/* the row */

static int run_birth(struct run *r, struct err **e)
{
	struct err *mine = NULL;
	int pair[2];

	assert_int_equal(socket_pair(SOCK_SEQPACKET, pair, NULL), 0);
	r->init = proc_clone(0, -1, NULL, NULL);
	if (r->init != 0) {
		(void)close(pair[1]);
		r->seq.fd = pair[0];
		return 0;
	}
	(void)close(pair[0]);
	r->seq.fd = pair[1];
	if (r->fail_at == BEFORE_ROWS) {
		(void)err_set(&mine, EACCES, "not-joined", "no way in");
		seq_refuse(&r->seq, BIRTH + 1, r, mine);
	} else {
		(void)seq_run_init(&r->seq, BIRTH + 1, r, &mine);
	}
	_exit(1);
}

/* Init waits for no word at its birth, nor where it gives one. */
static const struct step unaided[] = {
	{ SIDE_MONITOR, "doing a", NULL, run_a, undo_a },
	{ SIDE_MONITOR, "giving birth", NULL, run_birth, NULL },
	{ SIDE_MONITOR, "no d", never, run_d, undo_d },
	{ SIDE_INIT, "doing b", NULL, run_b, NULL },
	{ SIDE_MEANWHILE, "doing c", NULL, run_c_after_b, NULL },
	{ SIDE_INIT, "making an fd", NULL, run_fd, NULL },
	{ SIDE_WORD, "handing it over", NULL, NULL, NULL },
	{ SIDE_INIT, "doing d", NULL, run_d, NULL },
	{ SIDE_MEANWHILE, "taking it", NULL, run_take_after_d, NULL },
	{ SIDE_INIT, "executing", NULL, run_exec, NULL },
};
static const struct step refused[] = {
	{ SIDE_MONITOR, "doing a", NULL, run_a, undo_a },
	{ SIDE_MONITOR, "giving birth", NULL, run_birth, NULL },
	{ SIDE_INIT, "doing b", NULL, run_b, NULL },
	{ SIDE_MEANWHILE, "doing c", NULL, run_c, undo_c },
	{ SIDE_INIT, "making an fd", NULL, run_fd, NULL },
	{ SIDE_WORD, "handing it over", NULL, NULL, NULL },
	{ SIDE_MEANWHILE, "taking it", NULL, run_take, NULL },
	{ SIDE_INIT, "executing", NULL, run_exec, NULL },
};

static int play_birth(const struct step *steps, size_t n, int fail_at, char *log, struct err **e)
{
	int *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), r, status;
	struct run run = { .log = (char *)(page + 1), .fail_at = fail_at };

	run.seq = (struct sequence){ .steps = steps, .n = n, .fd = -EBADF, .at = page };
	r = seq_run_monitor(&run.seq, n, &run, e);
	(void)close(run.seq.fd);
	(void)proc_wait(run.init, &status);
	(void)snprintf(log, 64, "%s", run.log);
	(void)munmap(page, 4096);
	return r;
}

static int play(const struct step *steps, size_t n, int fail_at, char *log, struct err **e)
{
	int *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), pair[2], r, status;
	struct run run = { .log = (char *)(page + 1), .fail_at = fail_at };
	pid_t pid;

	assert_int_equal(socket_pair(SOCK_SEQPACKET, pair, NULL), 0);
	run.seq = (struct sequence){ .steps = steps, .n = n, .fd = pair[0], .at = page, .wait = count };
	words = 0;
	pid = proc_clone(0, -1, NULL, NULL);
	if (pid == 0) {
		struct err *mine = NULL;

		(void)close(pair[0]);
		run.seq.fd = pair[1];
		if (fail_at == BEFORE_ROWS) {
			(void)err_set(&mine, EACCES, "not-joined", "no way in");
			seq_refuse(&run.seq, 0, &run, mine);
			_exit(1);
		}
		(void)seq_run_init(&run.seq, 0, &run, &mine);
		_exit(1);
	}
	(void)close(pair[1]);
	r = seq_run_monitor(&run.seq, n, &run, e);
	(void)close(pair[0]);
	(void)proc_wait(pid, &status);
	if (r < 0)
		seq_undo(&run.seq, &run);
	(void)snprintf(log, 64, "%s", run.log);
	(void)munmap(page, 4096);
	return r;
}

static void rows_run_in_order_on_both_sides(void **state)
{
	char log[64];

	assert_int_equal(play(good, ARRAY_SIZE(good), 0, log, NULL), 0);
	assert_string_equal(log, "abptcdx");
}

static void rows_without_need_hand_nothing_over(void **state)
{
	char log[64];

	assert_int_equal(play(sparse, ARRAY_SIZE(sparse), 0, log, NULL), 0);
	assert_string_equal(log, "acbdcx");
	/* After d; that it executes; and that it has. */
	assert_int_equal(words, 3);
}

static void failure_of_init_arrives_and_the_monitor_undoes(void **state)
{
	auto_err struct err *e = NULL;
	char log[64];

	assert_int_equal(play(good, ARRAY_SIZE(good), 'd', log, &e), -EBUSY);
	assert_string_equal(log, "abptcdCA");
	assert_err_id(e, "row-failed");
	assert_err_has(e, "doing d");
}

static void failure_of_the_monitor_undoes_its_own_row_too(void **state)
{
	auto_err struct err *e = NULL;
	char log[64];

	assert_int_equal(play(good, ARRAY_SIZE(good), 'c', log, &e), -EBUSY);
	assert_string_equal(log, "abptcCA");
	assert_err_has(e, "doing c");
}

static void what_init_refuses_for_arrives_whenever_its_turn_is(void **state)
{
	for (int i = 0; i < 50; i++) {
		auto_err struct err *e = NULL;
		char log[64];

		assert_int_equal(play(good, ARRAY_SIZE(good), BEFORE_ROWS, log, &e), -EACCES);
		assert_string_equal(log, "aA");
		assert_err_id(e, "not-joined");
	}
}

static void death_of_init_names_its_row(void **state)
{
	auto_err struct err *e = NULL;
	char log[64];

	assert_true(play(dying, ARRAY_SIZE(dying), 0, log, &e) < 0);
	assert_err_id(e, "init-died");
	assert_err_has(e, "doing the deadly thing");
	assert_string_equal(log, "aA");
}

static void the_monitor_works_meanwhile(void **state)
{
	char log[64];

	assert_int_equal(play(beside, ARRAY_SIZE(beside), 0, log, NULL), 0);
	assert_string_equal(log, "apbtcx");
	/* After t; that it executes; and that it has. */
	assert_int_equal(words, 3);
	assert_int_equal(play(beside_nothing, ARRAY_SIZE(beside_nothing), 0, log, NULL), 0);
	assert_string_equal(log, "aptx");
}

static void failure_meanwhile_is_heard_on_either_side(void **state)
{
	auto_err struct err *e = NULL, *theirs = NULL, *death = NULL;
	char log[64];

	assert_int_equal(play(beside, ARRAY_SIZE(beside), 'p', log, &e), -EBUSY);
	assert_err_has(e, "making an fd meanwhile");
	/* It has ended by then, without having read that it was its turn. */
	pause_us = 20000;
	assert_int_equal(play(beside, ARRAY_SIZE(beside), 'b', log, &theirs), -EBUSY);
	pause_us = 0;
	assert_err_id(theirs, "row-failed");
	assert_err_has(theirs, "doing b");
	assert_true(play(beside_the_dead, ARRAY_SIZE(beside_the_dead), 0, log, &death) < 0);
	assert_err_id(death, "init-died");
	assert_err_has(death, "doing the deadly thing");
}

static void init_begins_and_hands_over_without_waiting(void **state)
{
	auto_err struct err *e = NULL;
	char log[64];

	assert_int_equal(play_birth(unaided, ARRAY_SIZE(unaided), 0, log, NULL), 0);
	assert_string_equal(log, "abcpdtx");
	assert_int_equal(play_birth(unaided, ARRAY_SIZE(unaided), 'd', log, &e), -EBUSY);
	assert_err_has(e, "doing d");
}

static void what_init_refuses_for_at_birth_arrives(void **state)
{
	for (int i = 0; i < 50; i++) {
		auto_err struct err *e = NULL;
		char log[64];

		assert_int_equal(play_birth(refused, ARRAY_SIZE(refused), BEFORE_ROWS, log, &e), -EACCES);
		assert_string_equal(log, "ac");
		assert_err_id(e, "not-joined");
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(rows_run_in_order_on_both_sides),
	cmocka_unit_test(rows_without_need_hand_nothing_over),
	cmocka_unit_test(failure_of_init_arrives_and_the_monitor_undoes),
	cmocka_unit_test(failure_of_the_monitor_undoes_its_own_row_too),
	cmocka_unit_test(what_init_refuses_for_arrives_whenever_its_turn_is),
	cmocka_unit_test(death_of_init_names_its_row),
	cmocka_unit_test(the_monitor_works_meanwhile),
	cmocka_unit_test(failure_meanwhile_is_heard_on_either_side),
	cmocka_unit_test(init_begins_and_hands_over_without_waiting),
	cmocka_unit_test(what_init_refuses_for_at_birth_arrives),
};
UNIT_MAIN(tests)
