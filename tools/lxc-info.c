/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-info - facts about one container, one per line. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/path.h"
#include "common/jsonout.h"
#include "common/show.h"
#include "common/tool.h"

#define OPT_TABLE "lxc-info.opt"
#include "common/opt_table.h"

struct info {
	unsigned n_facts;	/* how many times a fact was asked for */
	bool state, pid, ips, stats, disk, raw, json;
	struct strv keys;
};

static int option(struct tool *t, int key, const char *value)
{
	struct info *i = t->data;
	bool *fact = NULL;

	switch ((enum key)key) {
	case KEY_STATE:
		fact = &i->state;
		break;
	case KEY_PID:
		fact = &i->pid;
		break;
	case KEY_IPS:
		fact = &i->ips;
		break;
	case KEY_STATS:
		fact = &i->stats;
		break;
	case KEY_DISK:
		fact = &i->disk;
		break;
	case KEY_NO_HUMANIZE:
		i->raw = true;
		return 0;
	case KEY_JSON:
		i->json = true;
		return 0;
	case KEY_CONFIG:
		return strv_add(&i->keys, value) < 0 ? tool_usage(t, "out of memory") : 0;
	case KEY_NONE:
		return 0;
	}
	*fact = true;
	i->n_facts++;
	return 0;
}

/* A lone fact of -H is shown without its label. */
static void show_fact(const struct info *i, const char *label, const char *value)
{
	if (i->raw && i->n_facts == 1)
		printf("%s\n", value);
	else
		show_line(label, value);
}

static void show_pid(const struct info *i, struct lxc_container *c)
{
	char number[16];
	pid_t pid = c->init_pid(c);

	if (pid < 0)
		return;
	(void)snprintf(number, sizeof(number), "%d", (int)pid);
	show_fact(i, "PID:", number);
}

static void show_ips(const struct info *i, struct lxc_container *c)
{
	char **ips = c->get_ips(c, NULL, NULL, 0);

	for (size_t n = 0; ips && ips[n]; n++) {
		show_fact(i, "IP:", ips[n]);
		free(ips[n]);
	}
	free(ips);
}

static void show_cpu(const struct info *i, struct lxc_container *c)
{
	uint64_t ns;

	if (!stat_cpu_ns(c, &ns))
		return;
	if (i->raw)
		show_linef("CPU use:", "%" PRIu64, ns);
	else
		show_linef("CPU use:", "%.2f seconds", (double)ns / 1e9);
}

static void show_bytes(const struct info *i, const char *label, uint64_t bytes)
{
	char text[SHOW_SIZE_MAX];

	if (i->raw)
		show_linef(label, "%" PRIu64, bytes);
	else
		show_line(label, show_size(bytes, text));
}

static void show_memory(const struct info *i, struct lxc_container *c)
{
	uint64_t bytes;

	if (stat_blkio_bytes(c, &bytes))
		show_bytes(i, "BlkIO use:", bytes);
	if (stat_memory_bytes(c, &bytes))
		show_bytes(i, "Memory use:", bytes);
	if (stat_kmem_bytes(c, &bytes))
		show_bytes(i, "KMem use:", bytes);
}

/* Only when it is asked for: a directory is counted file by file. False after a message. */
static bool show_disk(struct tool *t, const struct info *i, struct lxc_container *c)
{
	struct lxcext_usage u;

	if (lxcext_disk_usage(c, &u) < 0) {
		(void)tool_failed(t, c, "cannot tell what %s takes on the disk", t->name);
		return false;
	}
	show_bytes(i, "Disk use:", u.used);
	if (u.exclusive != UINT64_MAX)
		show_bytes(i, "Disk own:", u.exclusive);
	if (u.limit)
		show_bytes(i, "Disk limit:", u.limit);
	return true;
}

/* The host's end sees the guest's traffic from the other side: what the host received, the guest sent. */
static void show_network(const struct info *i, struct lxc_container *c)
{
	for (unsigned n = 0;; n++) {
		auto_free char *link = stat_link_name(c, n);
		uint64_t rx, tx;

		if (!link)
			return;
		show_line("Link:", link);
		if (stat_link_bytes(link, "rx_bytes", &tx) && stat_link_bytes(link, "tx_bytes", &rx)) {
			show_bytes(i, " TX bytes:", tx);
			show_bytes(i, " RX bytes:", rx);
			show_bytes(i, " Total bytes:", tx + rx);
		}
	}
}

static void show_key(struct tool *t, const struct info *i, struct lxc_container *c, const char *key)
{
	int n = c->get_config_item(c, key, NULL, 0);
	auto_free char *value = n >= 0 ? malloc((size_t)n + 1) : NULL;

	if (n < 0 || !value || (n > 0 && c->get_config_item(c, key, value, n + 1) != n)) {
		if (!t->quiet)
			fprintf(stderr, "%s invalid\n", key);
		return;
	}
	value[n] = '\0';
	if (i->raw && i->keys.n == 1)
		printf("%s\n", value);
	else
		printf("%s =%s%s\n", key, n > 0 ? " " : "", value);
}

/* The value of a key, of the running container where it has another one; new, NULL if it has none. */
static char *value_of(struct lxc_container *c, const char *key, bool running)
{
	auto_free char *text = running ? c->get_running_config_item(c, key) : NULL;
	int n;

	if (text && *text)
		return take_ptr(text);
	n = c->get_config_item(c, key, NULL, 0);
	free(text);
	text = n > 0 ? malloc((size_t)n + 1) : NULL;
	return text && c->get_config_item(c, key, text, n + 1) == n ? take_ptr(text) : NULL;
}

/* One line per range of user ids: those of an id map alone, as nobody else has them. */
static void show_ids(struct lxc_container *c)
{
	auto_free char *map = value_of(c, "lxc.idmap", false);
	auto_strv struct strv lines = { 0 };

	if (!map || strv_split(&lines, map, "\n") < 0)
		return;
	for (size_t n = 0; n < lines.n; n++) {
		auto_strv struct strv words = { 0 };
		unsigned inside, outside, count;

		if (strv_split(&words, lines.v[n], " ") == 0 && words.n == 4 && STREQ(words.v[0], "u") &&
		    num_uint(words.v[1], 10, &inside) == 0 && num_uint(words.v[2], 10, &outside) == 0 &&
		    num_uint(words.v[3], 10, &count) == 0 && count)
			show_linef("IDs:", "%u-%u are %u-%u", inside, inside + count - 1, outside,
				   outside + count - 1);
	}
}

/* User-mode networking has no interface on the host whose name would tell. */
static void show_user_network(struct lxc_container *c, bool running)
{
	auto_free char *types = value_of(c, "lxc.net", false);
	auto_strv struct strv words = { 0 };

	if (!types || strv_split(&words, types, "\n") < 0)
		return;
	for (unsigned n = 0; n < words.n; n++) {
		char key[32];

		if (!STREQ(words.v[n], "user"))
			continue;
		(void)snprintf(key, sizeof(key), "lxc.net.%u.publish", n);

		auto_free char *ports = value_of(c, key, running);

		(void)snprintf(key, sizeof(key), "lxc.net.%u.link", n);

		auto_free char *program = running ? value_of(c, key, true) : NULL;

		for (char *p = ports; p && *p; p++)
			if (*p == '\n')
				*p = ' ';
		show_linef("Network:", "%s%s%s", program ? program : "user mode", ports ? ", ports " : "",
			   ports ? ports : "");
	}
}

/* Why a stopped container is not running, if its last start failed. */
static void show_last_error(struct lxc_container *c)
{
	auto_free char *text = NULL;
	int status;

	if (lxcext_last_exit(c, &status, &text) == 0 && text)
		show_line("Last error:", text);
}

static bool show(struct tool *t, struct info *i, struct lxc_container *c)
{
	bool all = i->n_facts == 0 && i->keys.n == 0, running = c->is_running(c), ok = true;

	if (all)
		show_line("Name:", t->name);
	if (all || i->state)
		show_fact(i, "State:", c->state(c));
	if (running) {
		if (all || i->pid)
			show_pid(i, c);
		if (all || i->ips)
			show_ips(i, c);
	}
	if (running && (all || i->stats)) {
		if (!stat_prefetch(c)) {
			(void)tool_failed(t, c, "cannot ask %s", t->name);
			ok = false;
		}
		show_cpu(i, c);
		show_memory(i, c);
		show_network(i, c);
		(void)stat_prefetch(NULL);
	}
	if (all) {
		show_ids(c);
		show_user_network(c, running);
	}
	if (i->disk)
		ok = show_disk(t, i, c) && ok;
	for (size_t n = 0; n < i->keys.n; n++)
		show_key(t, i, c, i->keys.v[n]);
	if (all && !running)
		show_last_error(c);
	return ok;
}

static void add_ips(struct json *j, struct lxc_container *c)
{
	char **ips = c->get_ips(c, NULL, NULL, 0);

	json_array(j, "ips");
	for (size_t n = 0; ips && ips[n]; n++) {
		json_string(j, NULL, ips[n]);
		free(ips[n]);
	}
	json_array_end(j);
	free(ips);
}

static void add_number(struct json *j, const char *key, struct lxc_container *c,
		       bool (*stat)(struct lxc_container *, uint64_t *))
{
	uint64_t v;

	if (stat(c, &v))
		json_u64(j, key, v);
	else
		json_null(j, key);
}

static void add_links(struct json *j, struct lxc_container *c)
{
	json_array(j, "links");
	for (unsigned n = 0;; n++) {
		auto_free char *link = stat_link_name(c, n);
		uint64_t rx, tx;

		if (!link)
			break;
		json_object(j, NULL);
		json_string(j, "name", link);
		if (stat_link_bytes(link, "rx_bytes", &tx) && stat_link_bytes(link, "tx_bytes", &rx)) {
			json_u64(j, "tx_bytes", tx);
			json_u64(j, "rx_bytes", rx);
		}
		json_object_end(j);
	}
	json_array_end(j);
}

/* An unknown key is null. */
static void add_keys(struct json *j, const struct info *i, struct lxc_container *c)
{
	json_object(j, "config");
	for (size_t k = 0; k < i->keys.n; k++) {
		int n = c->get_config_item(c, i->keys.v[k], NULL, 0);
		auto_free char *value = n >= 0 ? calloc(1, (size_t)n + 1) : NULL;

		if (!value || (n > 0 && c->get_config_item(c, i->keys.v[k], value, n + 1) != n))
			json_null(j, i->keys.v[k]);
		else
			jsonout_lines(j, i->keys.v[k], value);
	}
	json_object_end(j);
}

static int show_json(struct tool *t, const struct info *i, struct lxc_container *c)
{
	bool running = c->is_running(c), reached = true;
	auto_free char *last = NULL;
	struct jsonout o;
	struct json *j = jsonout_begin(&o, "lxc-info");
	int status, r;

	json_string(j, "name", t->name);
	json_string(j, "lxcpath", c->get_config_path(c));
	json_string(j, "state", c->state(c));
	if (running) {
		json_i64(j, "pid", c->init_pid(c));
		add_ips(j, c);
		reached = stat_prefetch(c);
		add_number(j, "cpu_ns", c, stat_cpu_ns);
		add_number(j, "blkio_bytes", c, stat_blkio_bytes);
		add_number(j, "memory_bytes", c, stat_memory_bytes);
		add_number(j, "kernel_memory_bytes", c, stat_kmem_bytes);
		add_links(j, c);
		(void)stat_prefetch(NULL);
	} else {
		json_null(j, "pid");
	}
	if (i->keys.n)
		add_keys(j, i, c);
	json_string(j, "last_error", !running && lxcext_last_exit(c, &status, &last) == 0 ? last : NULL);
	r = jsonout_end(t, &o);
	return reached ? r : tool_failed(t, c, "cannot ask %s", t->name);
}

/* False for "INVALID STATE": the monitor did not say. */
static bool state_name_is_known(const char *state)
{
	const char *states[16];
	int n = lxc_get_wait_states(NULL);

	if (n > (int)ARRAY_SIZE(states) || !state)
		return false;
	n = lxc_get_wait_states(states);
	for (int i = 0; i < n; i++)
		if (strcmp(states[i], state) == 0)
			return true;
	return false;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-info",
		.synopsis = "[OPTION]... -n NAME",
		.summary = "Shows the state of a container, its addresses and what it uses.",
		.flags = TOOL_ONE_LOOK,
		.option = option);
	struct info i = { .raw = false };
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	if (tool_begin(&t, &def, &i, argc, argv, &r)) {
		r = EXIT_FAILURE;
		c = tool_open(&t);
		if (c && !c->is_defined(c) && !c->is_running(c)) {
			(void)tool_unknown(&t);
		} else if (c && !state_name_is_known(c->state(c))) {
			(void)tool_failed(&t, c, "cannot ask %s", t.name);
		} else if (c && i.json) {
			r = show_json(&t, &i, c);
		} else if (c) {
			bool ok = show(&t, &i, c);

			r = tool_flush(&t);
			r = ok ? r : EXIT_FAILURE;
		}
		tool_end(&t, c, r);
	}
	strv_done(&i.keys);
	return r;
}
