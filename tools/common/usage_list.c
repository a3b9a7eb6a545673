/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/usage_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "common/show.h"

#define ASK_LIMIT_S 2
#define NS_PER_S 1000000000ULL
#define CELL_MAX 64

bool usage_order_set(struct usage_order *o, char key)
{
	if (key == ' ' || !key || !strchr(USAGE_ORDER_KEYS, key))
		return false;
	o->key = key;
	return true;
}

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void row_done(struct usage_row *r)
{
	free(r->name);
	if (r->c)
		(void)lxc_container_put(r->c);
}

void usage_list_done(struct usage_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		row_done(&l->v[i]);
	free(l->v);
	*l = (struct usage_list){ 0 };
}

static struct usage_row *find(struct usage_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].name, name) == 0)
			return &l->v[i];
	return NULL;
}

/* A row for a container that is new. One that may not be asked has none. NULL: no row, -1 in *r: no memory. */
static struct usage_row *add(struct usage_list *l, const char *lxcpath, const char *name, int *r)
{
	struct usage_row *more = reallocarray(l->v, l->n + 1, sizeof(*l->v));
	struct usage_row row = { 0 };

	*r = more ? 0 : -1;
	if (!more)
		return NULL;
	l->v = more;
	row.c = lxc_container_new(name, lxcpath);
	if (!row.c)
		return NULL;
	/* One that does not answer must not keep the others waiting. */
	(void)row.c->set_timeout(row.c, ASK_LIMIT_S);
	row.name = strdup(name);
	if (!row.name || !row.c->may_control(row.c)) {
		*r = row.name ? 0 : -1;
		row_done(&row);
		return NULL;
	}
	l->v[l->n] = row;
	return &l->v[l->n++];
}

static void measure(struct usage_row *r)
{
	r->before = r->now;
	r->before_ns = r->now_ns;
	usage_read(r->c, &r->now);
	r->now_ns = monotonic_ns();
	r->seen = true;
	r->cpu_permille = 0;
	if (r->before_ns && r->now_ns > r->before_ns && r->now.cpu_ns > r->before.cpu_ns)
		r->cpu_permille = (unsigned)((double)(r->now.cpu_ns - r->before.cpu_ns) * 1000 /
					     (double)(r->now_ns - r->before_ns));
}

static void drop_unseen(struct usage_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].seen)
			l->v[n++] = l->v[i];
		else
			row_done(&l->v[i]);
	}
	l->n = n;
}

int usage_list_read(struct tool *t, const char *lxcpath, struct usage_list *l)
{
	char **names = NULL;
	int n, r = 0;

	n = access(lxcpath, F_OK) < 0 && errno == ENOENT ? 0 : list_active_containers(lxcpath, &names, NULL);
	if (n < 0)
		return tool_failed(t, NULL, "cannot list the containers in %s", lxcpath), -1;
	for (size_t i = 0; i < l->n; i++)
		l->v[i].seen = false;
	for (int i = 0; i < n; i++) {
		struct usage_row *row = r < 0 ? NULL : find(l, names[i]);

		if (!row && r == 0)
			row = add(l, lxcpath, names[i], &r);
		if (row && row->c->is_running(row->c))
			measure(row);
		free(names[i]);
	}
	free(names);
	drop_unseen(l);
	return r < 0 ? tool_usage(t, "out of memory") : 0;
}

static uint64_t traffic(const struct usage_row *r)
{
	return r->now.rx + r->now.tx;
}

static uint64_t number_for(const struct usage_row *r, char key)
{
	switch (key) {
	case 'c':
		return r->now.cpu_ns;
	case 'b':
		return r->now.io_total;
	case 'm':
		return r->now.memory;
	case 's':
		return r->now.memory_swap;
	case 'k':
		return r->now.kernel_memory;
	case 'u':
		return r->cpu_permille;
	case 'p':
		return r->now.pids;
	default:
		return traffic(r);
	}
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct usage_row *x = a, *y = b;
	const struct usage_order *o = arg;
	uint64_t vx, vy;

	if (o->key == 'n')
		return o->reverse ? strcmp(y->name, x->name) : strcmp(x->name, y->name);
	vx = number_for(x, o->key);
	vy = number_for(y, o->key);
	if (vx == vy)
		return strcmp(x->name, y->name);
	return (vx < vy) != o->reverse ? 1 : -1;
}

void usage_list_sort(struct usage_list *l, const struct usage_order *order)
{
	struct usage_order o = *order;

	if (l->n > 1)
		qsort_r(l->v, l->n, sizeof(*l->v), compare, &o);
}

/* A cell's text. */
typedef void (*cell_fn)(const struct usage_row *r, char text[CELL_MAX]);

static void seconds(uint64_t ns, char text[CELL_MAX])
{
	(void)snprintf(text, CELL_MAX, "%.2f", (double)ns / (double)NS_PER_S);
}

static void size(uint64_t bytes, char text[CELL_MAX])
{
	static const char units[] = "BKMGTP";
	double v = (double)bytes;
	size_t i = 0;

	for (; v >= 1024 && i + 2 < sizeof(units); i++)
		v /= 1024;
	(void)snprintf(text, CELL_MAX, i ? "%.1f %ciB" : "%.0f %c", v, units[i]);
}

static void cell_cpu(const struct usage_row *r, char text[CELL_MAX])
{
	seconds(r->now.cpu_ns, text);
}

static void cell_system(const struct usage_row *r, char text[CELL_MAX])
{
	seconds(r->now.cpu_system_ns, text);
}

static void cell_user(const struct usage_row *r, char text[CELL_MAX])
{
	seconds(r->now.cpu_user_ns, text);
}

static void cell_share(const struct usage_row *r, char text[CELL_MAX])
{
	(void)snprintf(text, CELL_MAX, "%u.%u%%", r->cpu_permille / 10, r->cpu_permille % 10);
}

static void cell_io(const struct usage_row *r, char text[CELL_MAX])
{
	char total[CELL_MAX], in[CELL_MAX], out[CELL_MAX];

	size(r->now.io_total, total);
	size(r->now.io_read, in);
	size(r->now.io_write, out);
	(void)snprintf(text, CELL_MAX, "%.20s(%.18s/%.18s)", total, in, out);
}

static void cell_memory(const struct usage_row *r, char text[CELL_MAX])
{
	size(r->now.memory, text);
}

static void cell_memory_swap(const struct usage_row *r, char text[CELL_MAX])
{
	size(r->now.memory_swap, text);
}

static void cell_kernel(const struct usage_row *r, char text[CELL_MAX])
{
	size(r->now.kernel_memory, text);
}

static void cell_pids(const struct usage_row *r, char text[CELL_MAX])
{
	(void)snprintf(text, CELL_MAX, "%" PRIu64, r->now.pids);
}

static void cell_network(const struct usage_row *r, char text[CELL_MAX])
{
	char rx[CELL_MAX], tx[CELL_MAX];

	size(r->now.rx, rx);
	size(r->now.tx, tx);
	(void)snprintf(text, CELL_MAX, "%.20s/%.20s", rx, tx);
}

/* Those of LXC in its order, then ours. keep: the higher, the longer a column stays on a narrow screen. */
static const struct column {
	char key;
	const char *head[2];
	unsigned width, keep;
	cell_fn cell;
} columns[] = {
	{ 'c', { "CPU", "Used" }, 12, 8, cell_cpu },
	{ 0, { "CPU", "Sys" }, 12, 3, cell_system },
	{ 0, { "CPU", "User" }, 12, 2, cell_user },
	{ 'b', { "BlkIO", "Total(Read/Write)" }, 36, 4, cell_io },
	{ 'm', { "Mem", "Used" }, 11, 9, cell_memory },
	{ 's', { "MemSw", "Used" }, 11, 1, cell_memory_swap },
	{ 'k', { "KMem", "Used" }, 11, 1, cell_kernel },
	{ 'u', { "CPU", "Now" }, 8, 10, cell_share },
	{ 'p', { "Tasks", "" }, 7, 7, cell_pids },
	{ 't', { "Network", "RX/TX" }, 24, 6, cell_network },
};
#define NAME_WIDTH 18

/* Columns of which nothing is known are not shown, as LXC does it. */
static bool is_empty(const struct usage_list *l, const struct column *c)
{
	if (c->key != 's' && c->key != 'k')
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (number_for(&l->v[i], c->key) > 0)
			return false;
	return true;
}

/* A mask of the columns that fit. */
static unsigned choose(const struct usage_list *l, unsigned width)
{
	unsigned mask = 0, used = NAME_WIDTH;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (!is_empty(l, &columns[i])) {
			mask |= 1U << i;
			used += columns[i].width;
		}
	while (mask && used > width) {
		size_t least = 0;

		for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
			if (mask & 1U << i && (!(mask & 1U << least) || columns[i].keep < columns[least].keep))
				least = i;
		mask &= ~(1U << least);
		used -= columns[least].width;
	}
	return mask;
}

/* At most n columns of text, padded: characters, not bytes; control characters are shown as '?'. */
static void add_name(struct buf *out, const char *text, unsigned n)
{
	while (*text && n > 0) {
		size_t len = 1;

		while (((unsigned char)text[len] & 0xc0) == 0x80)
			len++;
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			buf_addc(out, '?');
		else
			buf_add(out, text, len);
		text += len;
		n--;
	}
	buf_addf(out, "%*s", (int)n, "");
}

static void add_heading(const struct usage_order *order, unsigned mask, unsigned line, unsigned width, struct buf *out)
{
	static const char *const names[] = { "Container", "Name" };

	buf_adds(out, "\033[7m\033[1m");
	add_name(out, names[line], MIN(NAME_WIDTH, width));
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		bool sorted = columns[i].key && columns[i].key == order->key;

		if (!(mask & 1U << i))
			continue;
		if (sorted)
			buf_adds(out, "\033[4m");
		buf_addf(out, "%*s", (int)columns[i].width, columns[i].head[line]);
		if (sorted)
			buf_adds(out, "\033[24m");
	}
	buf_adds(out, "\033[0m\n");
}

static void add_row(const struct usage_row *r, unsigned mask, unsigned width, struct buf *out)
{
	char text[CELL_MAX];

	add_name(out, r->name, MIN(NAME_WIDTH, width));
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (!(mask & 1U << i))
			continue;
		columns[i].cell(r, text);
		buf_addf(out, "%*.*s", (int)columns[i].width, (int)columns[i].width, text);
	}
}

static void sum(struct usage *to, const struct usage *u)
{
	to->cpu_ns += u->cpu_ns;
	to->cpu_user_ns += u->cpu_user_ns;
	to->cpu_system_ns += u->cpu_system_ns;
	to->io_read += u->io_read;
	to->io_write += u->io_write;
	to->io_total += u->io_total;
	to->memory += u->memory;
	to->memory_swap += u->memory_swap;
	to->kernel_memory += u->kernel_memory;
	to->pids += u->pids;
	to->rx += u->rx;
	to->tx += u->tx;
}

void usage_list_draw(const struct usage_list *l, const struct usage_order *order, size_t first, unsigned rows,
		     unsigned columns_there, struct buf *out)
{
	size_t room = rows > 3 ? rows - 3 : 0, shown = first < l->n ? MIN(l->n - first, room) : 0;
	unsigned mask = choose(l, columns_there);
	struct usage_row total = { 0 };
	char name[64];

	for (unsigned line = 0; line < 2 && line + 1 < rows; line++)
		add_heading(order, mask, line, columns_there, out);
	for (size_t i = 0; i < l->n; i++) {
		sum(&total.now, &l->v[i].now);
		total.cpu_permille += l->v[i].cpu_permille;
	}
	for (size_t i = 0; i < shown; i++) {
		add_row(&l->v[first + i], mask, columns_there, out);
		buf_addc(out, '\n');
	}
	(void)snprintf(name, sizeof(name), "TOTAL %zu of %zu", shown, l->n);
	total.name = name;
	add_row(&total, mask, columns_there, out);
}
