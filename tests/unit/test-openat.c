/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/openat.h"

/* TOP/root is the root that is not to be left, TOP/outside what must not be reached. */
struct place {
	char *top;
	int top_fd, root;
};

static void mkdirs(int fd, const char *const names[])
{
	for (; *names; names++)
		assert_int_equal(mkdirat(fd, *names, 0755), 0);
}

static int setup(void **state)
{
	static const char *const dirs[] = { "root", "outside", "root/a", "root/a/b", "root/proc", "root/etc", NULL };
	struct place *p = calloc(1, sizeof(*p));
	auto_free char *outside = NULL;

	assert_non_null(p);
	p->top = unit_tmpdir();
	p->top_fd = open(p->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirs(p->top_fd, dirs);
	unit_write(p->top, "outside/secret", "secret\n");
	unit_write(p->top, "root/a/file", "inside\n");
	unit_write(p->top, "root/etc/passwd", "root\n");
	p->root = openat(p->top_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->root >= 0);
	assert_true(asprintf(&outside, "%s/outside", p->top) > 0);
	const struct {
		const char *target, *name;
	} links[] = {
		{ "/a", "abs" },	   { "a/b", "rel" },	    { "../../../outside", "up" },
		{ outside, "out" },	   { "file", "a/self" },    { "/abs/file", "chain" },
		{ "loop", "loop" },	   { "/nothing/at/all", "dangling" }, { "..", "a/b/dotdot" },
		{ "/proc/self/root", "magic" }, { "abs/b/../file", "mixed" }, { "/", "slash" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		assert_int_equal(symlinkat(links[i].target, p->root, links[i].name), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	fd_close(p->top_fd);
	fd_close(p->root);
	unit_tmpdir_free(p->top);
	free(p);
	return 0;
}

static void assert_same(const struct place *p, int fd, const char *name)
{
	struct stat a, b;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstatat(p->top_fd, name, &b, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(a.st_dev == b.st_dev && a.st_ino == b.st_ino);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	fd_close(fd);
}

static void links_resolve_inside(void **state)
{
	static const char *const cases[][2] = {
		{ "a/file", "root/a/file" },	   { "/a/file", "root/a/file" },   { "abs/file", "root/a/file" },
		{ "rel/../file", "root/a/file" },  { "a/self", "root/a/file" },	   { "chain", "root/a/file" },
		{ "mixed", "root/a/file" },	   { "../../a/file", "root/a/file" }, { "/", "root" },
		{ ".", "root" },		   { "..", "root" },		   { "slash/slash/a", "root/a" },
		{ "a/b/dotdot/file", "root/a/file" }, { "//a//b/", "root/a/b" },   { "rel/", "root/a/b" },
		{ "a/b/../../../..", "root" },
	};
	const struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_same(p, open_in_root(p->root, cases[i][0], O_PATH, 0), cases[i][1]);
		assert_same(p, open_by_walk(p->root, cases[i][0], O_PATH, 0, false), cases[i][1]);
		assert_same(p, open_in_root(p->root, cases[i][0], O_RDONLY, 0), cases[i][1]);
		assert_same(p, open_by_walk(p->root, cases[i][0], O_RDONLY, 0, false), cases[i][1]);
	}
}

/* Whatever the kernel answers to a path, the walk answers too. */
static void the_walk_agrees_with_the_kernel(void **state)
{
	static const char *const paths[] = {
		"",	   "a",	      "a/",	 "a/file",   "a/file/",	 "a/file/x", "nothing",	  "nothing/x", "up",
		"up/secret", "out",   "out/secret", "loop",  "loop/x",	 "dangling", "dangling/x", "a/b/dotdot", "chain/",
		"chain/x", "abs",     "abs/",	 "a/self",   "a/self/",	 "rel/.",    "a/../../..", "a/file/..",	 "slash",
		"././a/./b/.", "a/nothing/../file",
	};
	static const int flags[] = { O_PATH, O_RDONLY, O_PATH | O_NOFOLLOW, O_RDONLY | O_NOFOLLOW, O_PATH | O_DIRECTORY,
				     O_RDONLY | O_DIRECTORY, O_WRONLY, O_PATH | O_DIRECTORY | O_NOFOLLOW,
				     O_RDONLY | O_DIRECTORY | O_NOFOLLOW };
	const struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		for (size_t j = 0; j < ARRAY_SIZE(flags); j++)
			for (int strict = 0; strict < 2; strict++) {
				auto_close int kernel = strict ? open_no_symlinks(p->root, paths[i], flags[j], 0) :
								 open_in_root(p->root, paths[i], flags[j], 0);
				auto_close int walk = open_by_walk(p->root, paths[i],
								   strict ? flags[j] & ~O_NOFOLLOW : flags[j], 0, strict);
				struct stat a = { 0 }, b = { 0 };

				if (kernel >= 0)
					assert_int_equal(fstat(kernel, &a), 0);
				if (walk >= 0)
					assert_int_equal(fstat(walk, &b), 0);
				if (MIN(kernel, 0) != MIN(walk, 0) || a.st_ino != b.st_ino)
					print_error("# '%s' flags %#x%s: kernel %d, walk %d\n", paths[i], (unsigned)flags[j],
						    strict ? " strict" : "", kernel, walk);
				assert_int_equal(MIN(kernel, 0), MIN(walk, 0));
				assert_true(a.st_ino == b.st_ino);
			}
}

static void nothing_outside_is_reached(void **state)
{
	static const char *const paths[] = { "up", "up/secret", "out", "out/secret", "../outside/secret", "magic",
					     "/../outside", "a/../../outside" };
	const struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		assert_int_equal(open_in_root(p->root, paths[i], O_PATH, 0), -ENOENT);
		assert_int_equal(open_by_walk(p->root, paths[i], O_PATH, 0, false), -ENOENT);
	}
}

static void magic_links_do_not_lead_out(void **state)
{
	auto_close int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(open_in_root(proc, "root", O_PATH, 0), -ELOOP);
	assert_int_equal(open_in_root(proc, "cwd/..", O_PATH, 0), -ELOOP);
	/* The walk reads the text, "/", and that is the root it was given. */
	auto_close int walked = open_by_walk(proc, "root", O_PATH, 0, false);
	struct stat a, b;

	assert_true(walked >= 0);
	assert_int_equal(fstat(walked, &a) | fstat(proc, &b), 0);
	assert_true(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
}

static void no_symlinks_means_none(void **state)
{
	static const char *const refused[] = { "abs", "abs/file", "rel", "a/self", "loop", "up", "..", "a/../..", "/.." };
	const struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		assert_int_equal(open_no_symlinks(p->root, refused[i], O_PATH, 0), -ELOOP);
		assert_int_equal(open_by_walk(p->root, refused[i], O_PATH, 0, true), -ELOOP);
	}
	assert_same(p, open_no_symlinks(p->root, "/a/b/../file", O_RDONLY, 0), "root/a/file");
	assert_same(p, open_no_symlinks(p->root, "/", O_PATH, 0), "root");
	assert_int_equal(open_no_symlinks(p->root, "", O_PATH, 0), -ENOENT);
}

static void creating_follows_links_inside_only(void **state)
{
	const struct place *p = *state;

	for (int walk = 0; walk < 2; walk++) {
		const char *name = walk ? "abs/made-by-walk" : "abs/made";
		int fd = walk ? open_by_walk(p->root, name, O_WRONLY | O_CREAT | O_EXCL, 0600, false) :
				open_in_root(p->root, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

		assert_same(p, fd, walk ? "root/a/made-by-walk" : "root/a/made");
	}
	assert_int_equal(open_by_walk(p->root, "abs/made", O_WRONLY | O_CREAT | O_EXCL, 0600, false), -EEXIST);
	assert_int_equal(open_by_walk(p->root, "dangling", O_WRONLY | O_CREAT | O_EXCL, 0600, false), -EEXIST);
	assert_same(p, open_by_walk(p->root, "up", O_WRONLY | O_CREAT, 0600, false), "root/outside");
	assert_int_equal(faccessat(p->top_fd, "outside/made", F_OK, 0), -1);
}

static void directories_are_made_with_their_exact_mode(void **state)
{
	const struct place *p = *state;
	mode_t old = umask(0077);
	struct stat st;

	assert_same(p, mkdir_in_root(p->root, "new/deep//dir/", 0751), "root/new/deep/dir");
	(void)umask(old);
	assert_int_equal(fstatat(p->root, "new/deep", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
	assert_int_equal(fstatat(p->root, "new/deep/dir", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
}

static void existing_directories_keep_their_mode(void **state)
{
	const struct place *p = *state;
	struct stat st;

	assert_int_equal(fchmodat(p->root, "a", 0711, 0), 0);
	assert_same(p, mkdir_in_root(p->root, "a/b", 0700), "root/a/b");
	assert_int_equal(fstatat(p->root, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_same(p, mkdir_in_root(p->root, "/", 0700), "root");
}

static void making_directories_follows_links_inside(void **state)
{
	const struct place *p = *state;

	assert_same(p, mkdir_in_root(p->root, "abs/x/y", 0755), "root/a/x/y");
	assert_same(p, mkdir_in_root(p->root, "dangling/z", 0755), "root/nothing/at/all/z");
	/* What points outside is made inside, as if root were /. */
	assert_same(p, mkdir_in_root(p->root, "up/evil", 0755), "root/outside/evil");
	assert_int_equal(faccessat(p->top_fd, "outside/evil", F_OK, 0), -1);
	assert_int_equal(mkdir_in_root(p->root, "a/file/x", 0755), -ENOTDIR);
	assert_int_equal(mkdir_in_root(p->root, "a/file", 0755), -ENOTDIR);
	assert_int_equal(mkdir_in_root(p->root, "loop/x", 0755), -ELOOP);
	assert_int_equal(mkdir_in_root(p->root, "", 0755), -ENOENT);
}

static void files_are_made_once_with_their_parents(void **state)
{
	const struct place *p = *state;
	mode_t old = umask(0077);
	struct stat st;

	assert_same(p, mkfile_in_root(p->root, "dev/net/tun", 0644), "root/dev/net/tun");
	assert_same(p, mkfile_in_root(p->root, "zero", 0), "root/zero");
	(void)umask(old);
	assert_int_equal(fstatat(p->root, "dev/net/tun", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(fstatat(p->root, "zero", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG);
	assert_same(p, mkfile_in_root(p->root, "a/file", 0600), "root/a/file");
	assert_int_equal(fstatat(p->root, "a/file", &st, 0), 0);
	assert_int_equal(st.st_size, 7);
	assert_same(p, mkfile_in_root(p->root, "a/b", 0600), "root/a/b");
	assert_same(p, mkfile_in_root(p->root, "a/self", 0600), "root/a/file");
	assert_same(p, mkfile_in_root(p->root, "dangling", 0600), "root/nothing/at/all");
}

static void files_never_appear_outside(void **state)
{
	const struct place *p = *state;
	auto_close int fd = mkfile_in_root(p->root, "out/evil", 0600);

	assert_true(fd >= 0);
	assert_int_equal(faccessat(p->top_fd, "outside/evil", F_OK, 0), -1);
	assert_int_equal(mkfile_in_root(p->root, "a/", 0600), -EISDIR);
	assert_int_equal(mkfile_in_root(p->root, "newdir/..", 0600), -EISDIR);
	assert_int_equal(faccessat(p->root, "newdir", F_OK, 0), -1);
	assert_int_equal(mkfile_in_root(p->root, "loop", 0600), -ELOOP);
}

static void parents_are_opened_and_names_split(void **state)
{
	const struct place *p = *state;
	const char *name = NULL;

	assert_same(p, open_parent_in_root(p->root, "/abs/new", &name), "root/a");
	assert_string_equal(name, "new");
	assert_same(p, open_parent_in_root(p->root, "x", &name), "root");
	assert_string_equal(name, "x");
	assert_same(p, open_parent_in_root(p->root, "/x", &name), "root");
	static const char *const bad[] = { "", "/", ".", "..", "a/", "a/..", "a/." };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(open_parent_in_root(p->root, bad[i], &name), -EINVAL);
	assert_int_equal(open_parent_in_root(p->root, "nothing/x", &name), -ENOENT);
}

/* Swaps a directory of the root with links to the outside for as long as it lives. */
static pid_t swapper(const struct place *p)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (;;) {
			(void)syscall(SYS_renameat2, p->root, "swap", p->root, "evil-abs", 2);
			(void)syscall(SYS_renameat2, p->root, "swap", p->root, "evil-rel", 2);
		}
	}
	assert_true(pid > 0);
	return pid;
}

static bool outside_is_untouched(const struct place *p)
{
	auto_closedir DIR *d = fdopendir(openat(p->top_fd, "outside", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int n = 0;

	while (d && readdir(d))
		n++;
	return n == 3;
}

static void race(const struct place *p, int rounds)
{
	pid_t rival;

	assert_int_equal(mkdirat(p->root, "swap", 0755), 0);
	auto_free char *outside = NULL;

	assert_true(asprintf(&outside, "%s/outside", p->top) > 0);
	assert_int_equal(symlinkat(outside, p->root, "evil-abs"), 0);
	assert_int_equal(symlinkat("../outside", p->root, "evil-rel"), 0);
	rival = swapper(p);
	for (int i = 0; i < rounds; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "swap/d%d/e", i);
		fd_close(mkdir_in_root(p->root, path, 0755));
		(void)snprintf(path, sizeof(path), "swap/f%d", i);
		fd_close(mkfile_in_root(p->root, path, 0644));
		fd_close(open_in_root(p->root, path, O_WRONLY | O_CREAT, 0644));
		(void)snprintf(path, sizeof(path), "swap/secret");
		auto_close int fd = open_by_walk(p->root, path, O_RDONLY, 0, false);
		char text[7] = "";

		if (fd >= 0 && read(fd, text, 6) == 6)
			assert_string_not_equal(text, "secret");
	}
	(void)kill(rival, SIGKILL);
	assert_int_equal(waitpid(rival, NULL, 0), rival);
	assert_true(outside_is_untouched(p));
}

static void swapping_a_component_leads_nowhere(void **state)
{
	race(*state, 2000);
}

static void without_openat2(void *arg)
{
	const struct place *p = arg;
	struct stat a, b;
	int fd;

	unit_enosys(SYS_openat2);
	fd = open_in_root(p->root, "chain", O_RDONLY, 0);
	CHECK_OK(fd, NULL);
	CHECK(fstat(fd, &a) == 0 && fstatat(p->top_fd, "root/a/file", &b, 0) == 0 && a.st_ino == b.st_ino);
	CHECK(open_in_root(p->root, "up/secret", O_RDONLY, 0) == -ENOENT);
	CHECK(open_no_symlinks(p->root, "chain", O_RDONLY, 0) == -ELOOP);
	CHECK_OK(open_no_symlinks(p->root, "a/file", O_RDONLY, 0), NULL);
	CHECK_OK(mkdir_in_root(p->root, "abs/q/r", 0755), NULL);
}

static void old_kernels_are_walked(void **state)
{
	unit_child(without_openat2, *state);
}

/* Forty links in a row are followed, forty-one are not, as by the kernel. */
static void chains_of_links_are_bounded(void **state)
{
	const struct place *p = *state;
	char name[16], target[16];

	assert_int_equal(mkdirat(p->root, "l0", 0755), 0);
	for (int i = 1; i <= 41; i++) {
		(void)snprintf(name, sizeof(name), "l%d", i);
		(void)snprintf(target, sizeof(target), "l%d", i - 1);
		assert_int_equal(symlinkat(target, p->root, name), 0);
	}
	assert_same(p, open_in_root(p->root, "l40", O_PATH, 0), "root/l0");
	assert_same(p, open_by_walk(p->root, "l40", O_PATH, 0, false), "root/l0");
	assert_int_equal(open_in_root(p->root, "l41", O_PATH, 0), -ELOOP);
	assert_int_equal(open_by_walk(p->root, "l41", O_PATH, 0, false), -ELOOP);
}

static void descriptors_reopen_and_have_paths(void **state)
{
	const struct place *p = *state;
	auto_close int fd = open_in_root(p->root, "abs/file", O_PATH, 0);
	auto_close int again = open_again(fd, O_RDONLY);
	auto_free char *path = fd_path(fd), *socket = NULL;
	char text[8] = "";
	int pipes[2];

	assert_true(again >= 0);
	assert_int_equal(read(again, text, 7), 7);
	assert_string_equal(text, "inside\n");
	assert_non_null(path);
	assert_non_null(strstr(path, "/root/a/file"));
	assert_int_equal(pipe(pipes), 0);
	socket = fd_path(pipes[0]);
	assert_null(socket);
	fd_close(pipes[0]);
	fd_close(pipes[1]);
	assert_null(fd_path(-1));
	assert_int_equal(open_again(-1, O_RDONLY), -ENOENT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	CASE(links_resolve_inside),
	CASE(the_walk_agrees_with_the_kernel),
	CASE(nothing_outside_is_reached),
	CASE(magic_links_do_not_lead_out),
	CASE(no_symlinks_means_none),
	CASE(creating_follows_links_inside_only),
	CASE(directories_are_made_with_their_exact_mode),
	CASE(existing_directories_keep_their_mode),
	CASE(making_directories_follows_links_inside),
	CASE(files_are_made_once_with_their_parents),
	CASE(files_never_appear_outside),
	CASE(parents_are_opened_and_names_split),
	CASE(swapping_a_component_leads_nowhere),
	CASE(old_kernels_are_walked),
	CASE(chains_of_links_are_bounded),
	CASE(descriptors_reopen_and_have_paths),
};
UNIT_MAIN(tests)
