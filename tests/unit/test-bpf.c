/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/bpf.h"

/* "r0 = value; exit" */
static void answer(struct bpf_prog *p, int value)
{
	bpf_emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value);
	bpf_emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int load(struct bpf_prog *p, struct err **e)
{
	int fd = bpf_load(p, BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, "tiffin_test", e);

	if (fd == -EPERM)
		unit_skip("needs root: BPF is not allowed");
	return fd;
}

static void instructions_are_kept_in_order(void **state)
{
	struct bpf_prog p = { 0 };

	answer(&p, 7);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.v[0].imm, 7);
	assert_int_equal(p.v[0].dst_reg, BPF_REG_0);
	assert_int_equal(p.v[1].code, BPF_JMP | BPF_EXIT);
	assert_false(p.failed);
	bpf_prog_done(&p);
}

static void a_good_program_loads(void **state)
{
	auto_err struct err *e = NULL;
	struct bpf_prog p = { 0 };

	answer(&p, 1);
	auto_close int fd = load(&p, &e);

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	bpf_prog_done(&p);
}

static void the_verifier_is_quoted(void **state)
{
	auto_err struct err *e = NULL;
	struct bpf_prog p = { 0 };

	/* Ends without a value in r0. */
	bpf_emit(&p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	assert_true(load(&p, &e) < 0);
	assert_err_has(e, "the kernel refuses a BPF program (");
	assert_err_has(e, "R0");
	bpf_prog_done(&p);
}

static void a_failed_append_is_told(void **state)
{
	auto_err struct err *e = NULL;
	struct bpf_prog p = { .failed = true };

	assert_int_equal(bpf_load(&p, BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, "x", &e), -ENOMEM);
	assert_err_id(e, "no-memory");
}

static void what_is_no_cgroup_takes_no_program(void **state)
{
	auto_close int dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_err struct err *e = NULL;
	struct bpf_prog p = { 0 };

	answer(&p, 1);
	auto_close int fd = load(&p, &e);

	assert_true(bpf_cgroup_attach(dir, BPF_CGROUP_DEVICE, fd, -1, &e) < 0);
	assert_err_has(e, "cannot attach a BPF program to the cgroup");
	assert_true(bpf_cgroup_find(dir, BPF_CGROUP_DEVICE, "tiffin_test", &e) < 0);
	bpf_prog_done(&p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(instructions_are_kept_in_order),
	cmocka_unit_test(a_good_program_loads),
	cmocka_unit_test(the_verifier_is_quoted),
	cmocka_unit_test(a_failed_append_is_told),
	cmocka_unit_test(what_is_no_cgroup_takes_no_program),
};
UNIT_MAIN(tests)
