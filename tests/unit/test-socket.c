/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/socket.h"

static void own_name(char name[64], const char *what)
{
	(void)snprintf(name, 64, "tiffin-test-%d-%s", getpid(), what);
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void connects_to_a_listener_and_sees_its_owner(void **state)
{
	auto_err struct err *e = NULL;
	struct ucred peer;
	char name[64];

	own_name(name, "peer");
	auto_close int listener = socket_listen_abstract(name, SOCK_STREAM, 5, &e);

	assert_true(listener >= 0);
	auto_close int client = socket_connect_abstract(name, SOCK_STREAM, 1000);

	assert_true(client >= 0);
	assert_int_equal(socket_peer(client, &peer), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
	assert_true(fcntl(client, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(listener, F_GETFD) & FD_CLOEXEC);
}

static void the_address_has_no_trailing_nul(void **state)
{
	char name[64], line[512], wanted[80];
	bool found = false;

	own_name(name, "exact");
	auto_close int listener = socket_listen_abstract(name, SOCK_STREAM, 5, NULL);
	auto_fclose FILE *f = fopen("/proc/net/unix", "re");

	assert_true(listener >= 0);
	assert_non_null(f);
	(void)snprintf(wanted, sizeof(wanted), " @%s\n", name);
	while (fgets(line, sizeof(line), f))
		found |= strstr(line, wanted) != NULL;
	assert_true(found);
}

static void a_taken_name_is_not_an_error_chain(void **state)
{
	auto_err struct err *e = NULL;
	char name[64];

	own_name(name, "taken");
	auto_close int first = socket_listen_abstract(name, SOCK_STREAM, 5, &e);

	assert_true(first >= 0);
	assert_int_equal(socket_listen_abstract(name, SOCK_STREAM, 5, &e), -EADDRINUSE);
	assert_null(e);
}

static void names_of_107_bytes_fit_and_longer_ones_do_not(void **state)
{
	auto_err struct err *e = NULL;
	char name[110];

	memset(name, 'x', sizeof(name));
	(void)snprintf(name, 30, "tiffin-test-%d", getpid());
	name[strlen(name)] = '-';
	name[107] = '\0';
	auto_close int fd = socket_listen_abstract(name, SOCK_STREAM, 5, &e);

	assert_true(fd >= 0);
	name[107] = 'x';
	name[108] = '\0';
	assert_int_equal(socket_listen_abstract(name, SOCK_STREAM, 5, &e), -ENAMETOOLONG);
	assert_non_null(e);
	assert_int_equal(socket_connect_abstract(name, SOCK_STREAM, 10), -ENAMETOOLONG);
	assert_int_equal(socket_connect_abstract("", SOCK_STREAM, 10), -EINVAL);
}

static void connecting_to_nobody_is_refused(void **state)
{
	char name[64];

	own_name(name, "nobody");
	assert_int_equal(socket_connect_abstract(name, SOCK_STREAM, 1000), -ECONNREFUSED);
}

static void connecting_to_a_full_backlog_times_out(void **state)
{
	int fds[64], n = 0, r = 0;
	char name[64];

	own_name(name, "full");
	auto_close int listener = socket_listen_abstract(name, SOCK_STREAM, 1, NULL);
	int64_t began = now_ms();

	assert_true(listener >= 0);
	for (; n < 64 && r >= 0; n++)
		r = fds[n] = socket_connect_abstract(name, SOCK_STREAM, 100);
	for (int i = 0; i < n; i++)
		fd_close(fds[i]);
	assert_int_equal(r, -ETIMEDOUT);
	assert_in_range(now_ms() - began, 90, 5000);
}

static void bytes_and_fds_arrive_and_fds_are_cloexec(void **state)
{
	int sv[2], got[4] = { -1, -1, -1, -1 }, send[2];
	struct stat a, b;
	char text[6];
	size_t n = 0;

	assert_int_equal(socket_pair(SOCK_STREAM, sv, NULL), 0);
	send[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	send[1] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_int_equal(socket_send(sv[0], "hello", 6, send, 2, true), 0);
	assert_int_equal(socket_recv(sv[1], text, 6, got, 4, &n, 1000), 0);
	assert_string_equal(text, "hello");
	assert_int_equal(n, 2);
	for (int i = 0; i < 2; i++) {
		assert_true(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
		assert_int_equal(fstat(send[i], &a) | fstat(got[i], &b), 0);
		assert_true(a.st_rdev == b.st_rdev);
		fd_close(got[i]);
		fd_close(send[i]);
	}
	fd_close(sv[0]);
	fd_close(sv[1]);
}

static int count_fds(void)
{
	auto_closedir DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	return n;
}

static void surplus_fds_are_closed(void **state)
{
	int sv[2], got[1], send[SOCKET_FDS_MAX], before;
	size_t n = 0;
	char c;

	assert_int_equal(socket_pair(SOCK_STREAM, sv, NULL), 0);
	for (int i = 0; i < SOCKET_FDS_MAX; i++)
		send[i] = sv[0];
	before = count_fds();
	assert_int_equal(socket_send(sv[0], "x", 1, send, SOCKET_FDS_MAX, false), 0);
	assert_int_equal(socket_recv(sv[1], &c, 1, got, 1, &n, 1000), 0);
	assert_int_equal(n, 1);
	assert_int_equal(count_fds(), before + 1);
	fd_close(got[0]);
	assert_int_equal(socket_send(sv[0], "x", 1, send, SOCKET_FDS_MAX, false), 0);
	assert_int_equal(socket_recv(sv[1], &c, 1, NULL, 0, NULL, 1000), 0);
	assert_int_equal(count_fds(), before);
	assert_int_equal(socket_send(sv[0], "x", 1, send, SOCKET_FDS_MAX + 1, false), -EINVAL);
	fd_close(sv[0]);
	fd_close(sv[1]);
}

static void a_short_stream_is_a_reset_and_leaves_no_fds(void **state)
{
	auto_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int sv[2], got[2], before = count_fds();
	char text[10];

	assert_int_equal(socket_pair(SOCK_STREAM, sv, NULL), 0);
	assert_int_equal(socket_send(sv[0], "abc", 3, &null, 1, false), 0);
	fd_close(sv[0]);
	assert_int_equal(socket_recv(sv[1], text, 10, got, 2, NULL, 1000), -ECONNRESET);
	fd_close(sv[1]);
	assert_int_equal(count_fds(), before);
}

static void silence_times_out_even_after_a_part(void **state)
{
	int64_t began = now_ms();
	char text[10];
	int sv[2];

	assert_int_equal(socket_pair(SOCK_STREAM, sv, NULL), 0);
	assert_int_equal(socket_send(sv[0], "abc", 3, NULL, 0, false), 0);
	assert_int_equal(socket_recv(sv[1], text, 10, NULL, 0, NULL, 100), -ETIMEDOUT);
	assert_in_range(now_ms() - began, 95, 5000);
	assert_int_equal(socket_recv(sv[1], text, 1, NULL, 0, NULL, 0), -ETIMEDOUT);
	fd_close(sv[0]);
	fd_close(sv[1]);
}

static void sending_to_a_closed_peer_is_no_signal(void **state)
{
	int sv[2];

	assert_int_equal(socket_pair(SOCK_STREAM, sv, NULL), 0);
	fd_close(sv[1]);
	assert_int_equal(socket_send(sv[0], "x", 1, NULL, 0, true), -EPIPE);
	fd_close(sv[0]);
}

static void a_full_nonblocking_socket_says_so_at_once(void **state)
{
	static const char block[65536];
	int sv[2], r = 0;

	assert_int_equal(socket_pair(SOCK_STREAM, sv, NULL), 0);
	assert_int_equal(fcntl(sv[0], F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 1000 && r == 0; i++)
		r = socket_send(sv[0], block, sizeof(block), NULL, 0, false);
	assert_int_equal(r, -EAGAIN);
	fd_close(sv[0]);
	fd_close(sv[1]);
}

static void packets_keep_their_borders(void **state)
{
	char text[10];
	int sv[2];

	assert_int_equal(socket_pair(SOCK_SEQPACKET, sv, NULL), 0);
	assert_int_equal(socket_send(sv[0], "one", 3, NULL, 0, false), 0);
	assert_int_equal(socket_send(sv[0], "four5", 5, NULL, 0, false), 0);
	assert_int_equal(socket_recv_packet(sv[1], text, sizeof(text), NULL, 0, NULL, 1000), 3);
	assert_int_equal(socket_recv_packet(sv[1], text, sizeof(text), NULL, 0, NULL, 1000), 5);
	assert_int_equal(socket_recv_packet(sv[1], text, sizeof(text), NULL, 0, NULL, 10), -ETIMEDOUT);
	fd_close(sv[0]);
	assert_int_equal(socket_recv_packet(sv[1], text, sizeof(text), NULL, 0, NULL, 1000), 0);
	fd_close(sv[1]);
}

static void a_packet_that_does_not_fit_is_refused_with_its_fds(void **state)
{
	int sv[2], got[2], before;
	char text[4];

	assert_int_equal(socket_pair(SOCK_SEQPACKET, sv, NULL), 0);
	before = count_fds();
	assert_int_equal(socket_send(sv[0], "12345", 5, sv, 2, false), 0);
	assert_int_equal(socket_recv_packet(sv[1], text, sizeof(text), got, 2, NULL, 1000), -EMSGSIZE);
	assert_int_equal(count_fds(), before);
	fd_close(sv[0]);
	fd_close(sv[1]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(connects_to_a_listener_and_sees_its_owner),
	cmocka_unit_test(the_address_has_no_trailing_nul),
	cmocka_unit_test(a_taken_name_is_not_an_error_chain),
	cmocka_unit_test(names_of_107_bytes_fit_and_longer_ones_do_not),
	cmocka_unit_test(connecting_to_nobody_is_refused),
	cmocka_unit_test(connecting_to_a_full_backlog_times_out),
	cmocka_unit_test(bytes_and_fds_arrive_and_fds_are_cloexec),
	cmocka_unit_test(surplus_fds_are_closed),
	cmocka_unit_test(a_short_stream_is_a_reset_and_leaves_no_fds),
	cmocka_unit_test(silence_times_out_even_after_a_part),
	cmocka_unit_test(sending_to_a_closed_peer_is_no_signal),
	cmocka_unit_test(a_full_nonblocking_socket_says_so_at_once),
	cmocka_unit_test(packets_keep_their_borders),
	cmocka_unit_test(a_packet_that_does_not_fit_is_refused_with_its_fds),
};
UNIT_MAIN(tests)
