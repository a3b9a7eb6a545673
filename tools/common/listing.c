/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "common/show.h"

#define ASK_LIMIT_S 2
#define STUCK "STUCK"

static const char *const headers[COLUMN_MAX] = {
	[COLUMN_NAME] = "NAME",	    [COLUMN_STATE] = "STATE",
	[COLUMN_PID] = "PID",	    [COLUMN_RAM] = "RAM",
	[COLUMN_SWAP] = "SWAP",	    [COLUMN_AUTOSTART] = "AUTOSTART",
	[COLUMN_GROUPS] = "GROUPS", [COLUMN_INTERFACE] = "INTERFACE",
	[COLUMN_IPV4] = "IPV4",	    [COLUMN_IPV6] = "IPV6",
	[COLUMN_UNPRIVILEGED] = "UNPRIVILEGED",
};

const char *listing_parse_columns(const char *list, struct listing_columns *ret)
{
	ret->n = 0;
	while (*(list += strspn(list, ", "))) {
		size_t n = strcspn(list, ", ");
		int i = 0;

		while (i < COLUMN_MAX && !(strlen(headers[i]) == n && strncasecmp(headers[i], list, n) == 0))
			i++;
		if (i == COLUMN_MAX || ret->n == ARRAY_SIZE(ret->v))
			return list;
		ret->v[ret->n++] = (enum listing_column)i;
		list += n;
	}
	return NULL;
}

void listing_row_done(struct listing_row *row)
{
	free(row->shown);
	for (int k = 0; k < COLUMN_MAX; k++)
		free(row->cells[k]);
	*row = (struct listing_row){ 0 };
}

void listing_done(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		listing_row_done(&l->v[i]);
	free(l->v);
	*l = (struct listing){ 0 };
}

/* A configuration value as "one, two"; NULL when empty. */
static char *joined_item(struct lxc_container *c, const char *key)
{
	int n = c->get_config_item(c, key, NULL, 0);
	auto_free char *value = n > 0 ? calloc(1, (size_t)n + 1) : NULL;
	auto_strv struct strv words = { 0 };

	if (!value || c->get_config_item(c, key, value, n + 1) != n || strv_split(&words, value, "\n") < 0 ||
	    words.n == 0)
		return NULL;
	return strv_join(&words, ", ");
}

static char *joined_array(char **array)
{
	struct strv words = { .v = array };
	char *text;

	while (array && array[words.n])
		words.n++;
	text = words.n ? strv_join(&words, ", ") : NULL;
	strv_done(&words);
	return text;
}

/* 0.00MB where the cgroups do not tell, as LXC's. */
static char *megabytes(struct lxc_container *c, bool (*stat)(struct lxc_container *, uint64_t *))
{
	uint64_t bytes = 0;
	char *text = NULL;

	(void)stat(c, &bytes);
	return asprintf(&text, "%.2fMB", (double)bytes / (1 << 20)) < 0 ? NULL : text;
}

static char *cell_of(struct lxc_container *c, enum listing_column column, const char *name, bool running)
{
	auto_free char *item = NULL;
	char *text = NULL;

	switch (column) {
	case COLUMN_NAME:
		return strdup(name);
	case COLUMN_STATE:
		break; /* fill_cells */
	case COLUMN_PID:
		return running && asprintf(&text, "%d", (int)c->init_pid(c)) >= 0 ? text : NULL;
	case COLUMN_RAM:
		return running ? megabytes(c, stat_memory_bytes) : NULL;
	case COLUMN_SWAP:
		return running ? megabytes(c, stat_swap_bytes) : NULL;
	case COLUMN_AUTOSTART:
		item = joined_item(c, "lxc.start.auto");
		return strdup(item && STREQ(item, "1") ? "1" : "0");
	case COLUMN_GROUPS:
		return joined_item(c, "lxc.group");
	case COLUMN_INTERFACE:
		return running ? joined_array(c->get_interfaces(c)) : NULL;
	case COLUMN_IPV4:
	case COLUMN_IPV6:
		break; /* fill_addresses */
	case COLUMN_UNPRIVILEGED:
		item = joined_item(c, "lxc.idmap");
		return strdup(item ? "true" : "false");
	case COLUMN_MAX:
		break;
	}
	return NULL;
}

static bool in_groups(struct lxc_container *c, const struct strv *groups)
{
	int n = c->get_config_item(c, "lxc.group", NULL, 0);
	auto_free char *value = calloc(1, (size_t)MAX(n, 0) + 1);
	auto_strv struct strv of = { 0 };

	if (!value || (n > 0 && c->get_config_item(c, "lxc.group", value, n + 1) != n) ||
	    strv_split(&of, value, "\n") < 0)
		return false;
	for (size_t i = 0; i < groups->n; i++)
		if (!strv_has(&of, groups->v[i]))
			return false;
	return true;
}

static bool is_wanted(struct lxc_container *c, const struct listing_filter *want)
{
	return (!want->defined || c->is_defined(c)) && (!want->groups.n || in_groups(c, &want->groups));
}

static bool wants_state(const struct listing_filter *want)
{
	return want->active || want->running || want->frozen || want->stopped;
}

static bool is_wanted_state(const char *state, const struct listing_filter *want)
{
	/* Who answers for a container that is not its monitor does not make it run. */
	if ((want->active || want->running) && (STREQ(state, "STOPPED") || STREQ(state, "INVALID STATE")))
		return false;
	if (want->frozen && !STREQ(state, "FROZEN"))
		return false;
	return !want->stopped || STREQ(state, "STOPPED");
}

static bool needs_handle(const struct listing_filter *want, const struct listing_columns *columns)
{
	return columns || want->enter || want->defined || want->groups.n || wants_state(want);
}

/* Creations that go on, or were cut off, are named, so that they can be cleaned up. Of one that has a
 * configuration already, its handle tells (handles: one will be made for each). */
static void warn_partial(struct tool *t, const char *lxcpath, const struct listing_filter *want, bool handles)
{
	auto_closedir DIR *dir = opendir(lxcpath);
	struct dirent *d;
	char path[NAME_MAX + 16];

	while (dir && (d = readdir(dir))) {
		if (*d->d_name == '.' || (want->name && regexec(want->name, d->d_name, 0, NULL, 0) != 0))
			continue;
		(void)snprintf(path, sizeof(path), "%s/partial", d->d_name);
		if (faccessat(dirfd(dir), path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/config", d->d_name);
		if (handles && faccessat(dirfd(dir), path, F_OK, 0) == 0)
			continue;
		tool_warn(t, "%s is not complete: it is being created, or its creation was cut off (lxc-destroy -n %s "
			     "removes it)", d->d_name, d->d_name);
	}
}

/* What the configuration does not tell, a stranger may not ask: it shows as dashes. */
static bool is_private(enum listing_column column)
{
	return column != COLUMN_NAME && column != COLUMN_AUTOSTART && column != COLUMN_GROUPS &&
	       column != COLUMN_UNPRIVILEGED;
}

/* Both families are asked for at once. */
static void fill_addresses(struct lxc_container *c, const struct listing_columns *columns, struct listing_row *row)
{
	auto_strv struct strv v4 = { 0 }, v6 = { 0 };
	char **ips = NULL;
	bool wanted = false;
	int r = 0;

	for (size_t i = 0; i < columns->n; i++)
		wanted |= columns->v[i] == COLUMN_IPV4 || columns->v[i] == COLUMN_IPV6;
	if (wanted)
		ips = c->get_ips(c, NULL, NULL, 0);
	for (size_t i = 0; ips && ips[i]; i++) {
		r = r < 0 ? r : strv_add(strchr(ips[i], ':') ? &v6 : &v4, ips[i]);
		free(ips[i]);
	}
	free(ips);
	row->cells[COLUMN_IPV4] = v4.n ? strv_join(&v4, ", ") : NULL;
	row->cells[COLUMN_IPV6] = v6.n ? strv_join(&v6, ", ") : NULL;
}

/* Of one that is stuck there is only what is told without its monitor. */
static bool is_told(struct lxc_container *c, const char *state)
{
	return !STREQ(state, STUCK) || c->init_pid(c) > 0;
}

static void fill_cells(struct tool *t, struct lxc_container *c, const char *name, const char *state,
		       const struct listing_columns *columns, struct listing_row *row)
{
	/* Why it cannot be asked is another question. */
	bool stuck = state && STREQ(state, STUCK);
	bool mine = state && (!STREQ(state, "INVALID STATE") || c->may_control(c));
	bool running = mine && !STREQ(state, "STOPPED") && is_told(c, state);

	/* A stranger or silence at the socket is told. */
	if (state && (stuck || !mine) && strcmp(lxcext_error_id(c), "monitor-refused") != 0)
		(void)tool_failed(t, c, "cannot control %s", name);
	if (mine)
		row->cells[COLUMN_STATE] = strdup(state);
	if (running)
		fill_addresses(c, columns, row);
	for (size_t i = 0; i < columns->n; i++) {
		enum listing_column column = columns->v[i];

		if (stuck && (column == COLUMN_RAM || column == COLUMN_SWAP))
			continue;
		if (!row->cells[column] && (mine || !is_private(column)))
			row->cells[column] = cell_of(c, column, name, running);
	}
}

/* What is known of a container before the states are. */
struct candidate {
	char *name;			/* borrowed */
	struct lxc_container *c;	/* NULL: it could not be opened, or nobody wants to know more than the name */
	const char *state;		/* NULL: nobody wants to know */
};

/* True: it stays in the list. */
static bool open_candidate(struct tool *t, const char *lxcpath, const struct listing_filter *want,
			   const struct listing_columns *columns, struct candidate *x)
{
	if (want->name && regexec(want->name, x->name, 0, NULL, 0) != 0)
		return false;
	if (!needs_handle(want, columns))
		return true;
	x->c = lxc_container_new(x->name, lxcpath);
	if (!x->c) {
		/* It is there, and cannot be asked: a row of dashes, unless something was to be known of it. */
		(void)tool_failed(t, NULL, "cannot open container %s in %s", x->name, lxcpath);
		return columns && !want->defined && !want->groups.n && !wants_state(want);
	}
	tool_show_warnings(t, x->c);
	/* One that does not answer must not keep the others waiting. */
	(void)x->c->set_timeout(x->c, ASK_LIMIT_S);
	if (is_wanted(x->c, want))
		return true;
	(void)lxc_container_put(x->c);
	return false;
}

static bool needs_states(const struct listing_filter *want, const struct listing_columns *columns)
{
	for (size_t i = 0; columns && i < columns->n; i++)
		if (is_private(columns->v[i]))
			return true;
	return want->enter || wants_state(want);
}

/* All monitors are asked at once. Where more is to be shown one look at each container serves for all of it. */
static int ask_states(struct candidate *v, size_t n, bool shows_more)
{
	auto_free struct lxc_container **c = calloc(n + 1, sizeof(*c));
	auto_free const char **states = calloc(n + 1, sizeof(*states));
	size_t n_asked = 0;
	int r;

	if (!c || !states)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (v[i].c)
			c[n_asked++] = v[i].c;
	/* Without memory each is looked at again. */
	if (shows_more)
		(void)lxcext_keep_states(c, n_asked);
	r = lxcext_states(c, n_asked, ASK_LIMIT_S * 1000, states);
	n_asked = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		if (v[i].c)
			v[i].state = states[n_asked++];
	return r;
}

static int fill_row(struct tool *t, const struct candidate *x, const struct listing_filter *want,
		    const struct listing_columns *columns, struct listing_row *row)
{
	row->shown = strdup(x->name);
	row->is_running = x->state && STREQ(x->state, "RUNNING");
	if (columns && x->c)
		fill_cells(t, x->c, x->name, x->state, columns, row);
	else if (columns)
		row->cells[COLUMN_NAME] = strdup(x->name);
	return row->shown ? 0 : -ENOMEM;
}

static int fill_rows(struct tool *t, struct candidate *v, size_t n, const struct listing_filter *want,
		     const struct listing_columns *columns, struct listing *ret)
{
	int r = needs_states(want, columns) ? ask_states(v, n, columns) : 0;

	ret->v = calloc(n + 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++)
		if (!wants_state(want) || is_wanted_state(v[i].state, want))
			r = fill_row(t, &v[i], want, columns, &ret->v[ret->n++]);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int listing_read(struct tool *t, const char *lxcpath, const struct listing_filter *want,
		 const struct listing_columns *columns, struct listing *ret)
{
	bool active_only = want->active || want->running || want->frozen;
	auto_free struct candidate *v = NULL;
	char **names = NULL;
	size_t n = 0;
	int all, r = -ENOMEM;

	if (access(lxcpath, F_OK) < 0 && errno == ENOENT)
		return 0;
	warn_partial(t, lxcpath, want, needs_handle(want, columns));
	all = active_only ? list_active_containers(lxcpath, &names, NULL) :
	      want->defined ? list_defined_containers(lxcpath, &names, NULL) :
			      list_all_containers(lxcpath, &names, NULL);
	if (all < 0)
		return tool_failed(t, NULL, "cannot list the containers in %s", lxcpath), -1;
	tool_show_warnings(t, NULL);
	v = calloc((size_t)all + 1, sizeof(*v));
	if (all > 0)
		qsort(names, (size_t)all, sizeof(*names), by_name);
	for (int i = 0; i < all && v; i++) {
		v[n] = (struct candidate){ .name = names[i] };
		n += open_candidate(t, lxcpath, want, columns, &v[n]);
	}
	if (v)
		r = fill_rows(t, v, n, want, columns, ret);
	for (size_t i = 0; i < n; i++)
		if (v[i].c)
			(void)lxc_container_put(v[i].c);
	for (int i = 0; i < all; i++)
		free(names[i]);
	free(names);
	return r < 0 ? tool_usage(t, "out of memory") : 0;
}

/* How many columns a text takes: characters, not bytes. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static bool is_number(enum listing_column column)
{
	return column == COLUMN_RAM || column == COLUMN_SWAP;
}

static void show_cell(const char *text, size_t width, bool right)
{
	int pad = (int)(width - width_of(text));

	if (right)
		printf("%*s%s ", pad, "", text);
	else
		printf("%s%*s ", text, pad, "");
}

void listing_show_table(const struct listing *l, const struct listing_columns *columns)
{
	size_t width[COLUMN_MAX];

	if (l->n == 0)
		return;
	for (int k = 0; k < COLUMN_MAX; k++) {
		width[k] = is_number((enum listing_column)k) ? strlen("0.00MB") : strlen(headers[k]);
		for (size_t i = 0; i < l->n; i++)
			width[k] = MAX(width[k], width_of(l->v[i].cells[k] ? l->v[i].cells[k] : "-"));
	}
	for (size_t k = 0; k < columns->n; k++)
		show_cell(headers[columns->v[k]], width[columns->v[k]], false);
	putchar('\n');
	for (size_t i = 0; i < l->n; i++) {
		for (size_t k = 0; k < columns->n; k++) {
			enum listing_column column = columns->v[k];
			const char *text = l->v[i].cells[column];

			show_cell(text ? text : "-", width[column], text && is_number(column));
		}
		putchar('\n');
	}
}
