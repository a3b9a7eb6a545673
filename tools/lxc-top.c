/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-top - what the running containers use, on a screen that is kept up to date. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "common/jsonout.h"
#include "common/screen.h"
#include "common/usage_list.h"

#define OPT_TABLE "lxc-top.opt"
#include "common/opt_table.h"

#define DELAY_S 3
#define BATCH_DELAY_S 300
#define DELAY_MAX 86400

struct top {
	int delay, cycles;
	bool batch, json;
	struct usage_order order;
	size_t first;	/* the first row that is shown */
	struct usage_list list;
};

static int option(struct tool *t, int key, const char *value)
{
	struct top *p = t->data;

	switch ((enum key)key) {
	case KEY_DELAY:
		if (tool_number(t, "--delay (-d)", value, 1, &p->delay) < 0)
			return -1;
		return p->delay > DELAY_MAX ? tool_usage(t, "option --delay (-d): %s is more than a day", value) : 0;
	case KEY_BATCH:
		p->batch = true;
		return 0;
	case KEY_SORT:
		if (strlen(value) == 1 && usage_order_set(&p->order, *value))
			return 0;
		return tool_usage(t, "option --sort (-s): '%s' is not one of " USAGE_ORDER_KEYS, value);
	case KEY_REVERSE:
		p->order.reverse = !p->order.reverse;
		return 0;
	case KEY_JSON:
		p->json = true;
		return 0;
	case KEY_CYCLES:
		return tool_number(t, "--cycles", value, 1, &p->cycles);
	case KEY_NONE:
		break;
	}
	return 0;
}

static uint64_t wall_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t to_ticks(uint64_t ns)
{
	return ns / (1000000000U / (unsigned long)sysconf(_SC_CLK_TCK));
}

static void show_csv(const struct top *p)
{
	uint64_t now = wall_ms();

	for (size_t i = 0; i < p->list.n; i++) {
		const struct usage *u = &p->list.v[i].now;

		printf("%" PRIu64 ",%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
		       ",%" PRIu64 "\n", now, p->list.v[i].name, u->cpu_ns, to_ticks(u->cpu_system_ns),
		       to_ticks(u->cpu_user_ns), u->io_total, u->io_ops, u->memory, u->memory_swap, u->kernel_memory);
	}
}

static int show_json(struct tool *t, const struct top *p)
{
	struct jsonout o;
	struct json *j = jsonout_begin(&o, "lxc-top");

	json_u64(j, "time_ms", wall_ms());
	json_array(j, "containers");
	for (size_t i = 0; i < p->list.n; i++) {
		const struct usage_row *r = &p->list.v[i];
		const struct usage *u = &r->now;

		json_object(j, NULL);
		json_string(j, "name", r->name);
		json_u64(j, "cpu_ns", u->cpu_ns);
		json_u64(j, "cpu_user_ns", u->cpu_user_ns);
		json_u64(j, "cpu_system_ns", u->cpu_system_ns);
		json_u64(j, "cpu_permille", r->cpu_permille);
		json_u64(j, "io_read_bytes", u->io_read);
		json_u64(j, "io_write_bytes", u->io_write);
		json_u64(j, "io_operations", u->io_ops);
		json_u64(j, "memory_bytes", u->memory);
		json_u64(j, "memory_swap_bytes", u->memory_swap);
		json_u64(j, "kernel_memory_bytes", u->kernel_memory);
		json_u64(j, "pids", u->pids);
		json_u64(j, "network_rx_bytes", u->rx);
		json_u64(j, "network_tx_bytes", u->tx);
		json_object_end(j);
	}
	json_array_end(j);
	return jsonout_end(t, &o);
}

/* Without a screen: a block of lines per look, until killed. */
static int run_batch(struct tool *t, struct top *p, const char *lxcpath)
{
	if (!p->json)
		puts("time_ms,container,cpu_nanos,cpu_sys_userhz,cpu_user_userhz,blkio_bytes,blkio_iops,mem_used_bytes,"
		     "memsw_used_bytes,kernel_mem_used_bytes");
	for (;;) {
		if (usage_list_read(t, lxcpath, &p->list) < 0)
			return EXIT_FAILURE;
		usage_list_sort(&p->list, &p->order);
		if (!p->json)
			show_csv(p);
		if ((p->json ? show_json(t, p) : tool_flush(t)) != EXIT_SUCCESS)
			return EXIT_FAILURE;
		if (p->cycles && --p->cycles == 0)
			return EXIT_SUCCESS;
		/* Between two looks nothing can happen that is waited for. */
		(void)poll(NULL, 0, p->delay * 1000);
	}
}

static void draw(const struct top *p)
{
	struct buf b = BUF_INIT(4U << 20);
	struct winsize size;

	screen_size(&size);
	usage_list_draw(&p->list, &p->order, p->first, size.ws_row, size.ws_col, &b);
	screen_show(&b);
	buf_done(&b);
}

/* What was typed: false to leave. */
static bool typed(struct top *p, const char *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool arrow = keys[i] == '\x1b' && i + 2 < n && keys[i + 1] == '[';

		if (keys[i] == 'q')
			return false;
		if (keys[i] == 'r') {
			p->order.reverse = !p->order.reverse;
		} else if (arrow) {
			i += 2;
			if (keys[i] == 'A' && p->first > 0)
				p->first--;
			else if (keys[i] == 'B' && p->first + 1 < p->list.n)
				p->first++;
		} else if (p->order.key == keys[i]) {
			p->order.reverse = !p->order.reverse;
		} else if (usage_order_set(&p->order, keys[i])) {
			p->order.reverse = false;
		}
	}
	usage_list_sort(&p->list, &p->order);
	return true;
}

static uint64_t monotonic_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Until the next look is due: keys and changes of the size are answered at once. 1: due, 0: leave. */
static int wait_and_answer(struct top *p, struct screen *s)
{
	uint64_t due = monotonic_ms() + (uint64_t)p->delay * 1000;

	for (;;) {
		uint64_t now = monotonic_ms();
		char keys[64];
		ssize_t n = now >= due ? 0 : screen_wait(s, (int)(due - now), keys, sizeof(keys));

		if (n == 0)
			return 1;
		if (n == -EPIPE || (n > 0 && !typed(p, keys, (size_t)n)))
			return 0;
		draw(p);
	}
}

static int run_screen(struct tool *t, struct top *p, const char *lxcpath)
{
	auto_err struct err *e = NULL;
	struct screen s;
	int r;

	if (screen_begin(&s, &e) < 0) {
		(void)err_hint(&e, 0, "lxc-top --batch, which needs no terminal");
		return tool_error_chain(t, e);
	}
	do {
		r = usage_list_read(t, lxcpath, &p->list);
		if (r == 0) {
			if (p->first >= p->list.n)
				p->first = p->list.n ? p->list.n - 1 : 0;
			usage_list_sort(&p->list, &p->order);
			draw(p);
		}
	} while (r == 0 && !(p->cycles && --p->cycles == 0) && wait_and_answer(p, &s) > 0);
	screen_end(&s);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(struct tool *t, struct top *p)
{
	const char *lxcpath = tool_lxcpath(t);
	int r;

	if (!lxcpath)
		return EXIT_FAILURE;
	if (!p->delay)
		p->delay = p->batch ? BATCH_DELAY_S : DELAY_S;
	r = p->batch || p->json ? run_batch(t, p, lxcpath) : run_screen(t, p, lxcpath);
	usage_list_done(&p->list);
	return r;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-top",
		.synopsis = "[OPTION]...",
		.summary = "Shows what the running containers use.",
		.flags = TOOL_NO_NAME | TOOL_MANY_PATHS,
		.option = option);
	struct top p = { .order.key = 'n' };
	auto_tool struct tool t = { 0 };
	int r;

	if (tool_begin(&t, &def, &p, argc, argv, &r))
		r = run(&t, &p);
	return r;
}
