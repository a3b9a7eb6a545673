/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/timing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/json.h"
#include "base/num.h"

/* The chart, in pixels. */
#define ROW 18
#define LEFT 10
#define TOP 50
#define WIDTH 800
#define LABELS 380	/* room for the text behind a bar */

void timing_done(struct timing *t)
{
	free(t->v);
	*t = (struct timing){ 0 };
}

static int parse_line(char *line, struct timing_step *ret)
{
	char *rest = line, *begin = strsep(&rest, " "), *end = strsep(&rest, " "), *who = strsep(&rest, " ");

	if (!rest || num_u64(begin, 10, UINT64_MAX, &ret->begin_ns) < 0 ||
	    num_u64(end, 10, UINT64_MAX, &ret->end_ns) < 0 || ret->end_ns < ret->begin_ns)
		return -EINVAL;
	ret->who = who;
	ret->what = rest;
	return 0;
}

int timing_parse(char *text, struct timing *ret)
{
	struct timing t = { .n = 0 };
	size_t lines = 0;

	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	t.v = calloc(lines + 1, sizeof(*t.v));
	if (!t.v)
		return -ENOMEM;
	while (t.n < lines) {
		char *line = strsep(&text, "\n");

		if (parse_line(line, &t.v[t.n]) < 0) {
			timing_done(&t);
			return -EINVAL;
		}
		t.total_ns = MAX(t.total_ns, t.v[t.n].end_ns);
		t.n++;
	}
	*ret = t;
	return 0;
}

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

void timing_table(const struct timing *t, struct buf *out)
{
	buf_addf(out, "%10s %10s  %-8s %s\n", "AT ms", "TOOK ms", "PROCESS", "STEP");
	for (size_t i = 0; i < t->n; i++) {
		const struct timing_step *s = &t->v[i];

		buf_addf(out, "%10.3f %10.3f  %-8s %s\n", ms(s->begin_ns), ms(s->end_ns - s->begin_ns), s->who, s->what);
	}
	buf_addf(out, "%10.3f %10s  %-8s %s\n", ms(t->total_ns), "", "", "running");
	if (t->boot_ns)
		buf_addf(out, "%10.3f %10.3f  %-8s %s\n%10.3f %10s  %-8s %s\n", ms(t->total_ns), ms(t->boot_ns), "init",
			 "booting", ms(t->total_ns + t->boot_ns), "", "", "ready");
}

void timing_json(const struct timing *t, const char *name, struct buf *out)
{
	struct json j = JSON_INIT(out);

	json_object(&j, NULL);
	json_string(&j, "name", name);
	json_u64(&j, "total_ns", t->total_ns);
	if (t->boot_ns)
		json_u64(&j, "boot_ns", t->boot_ns);
	else
		json_null(&j, "boot_ns");
	json_array(&j, "steps");
	for (size_t i = 0; i < t->n; i++) {
		json_object(&j, NULL);
		json_string(&j, "step", t->v[i].what);
		json_string(&j, "process", t->v[i].who);
		json_u64(&j, "begin_ns", t->v[i].begin_ns);
		json_u64(&j, "end_ns", t->v[i].end_ns);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	buf_addc(out, '\n');
}

static void add_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			buf_adds(out, "&lt;");
		else if (*text == '>')
			buf_adds(out, "&gt;");
		else if (*text == '&')
			buf_adds(out, "&amp;");
		else
			buf_addc(out, *text);
	}
}

static double x_of(const struct timing *t, uint64_t ns)
{
	return LEFT + (t->total_ns ? (double)ns / (double)t->total_ns * WIDTH : 0);
}

/* A line at each 1, 2 or 5 times a power of ten ms that makes at most ten of them. */
static void add_scale(const struct timing *t, unsigned height, struct buf *out)
{
	static const unsigned factors[] = { 2, 5, 10 };
	double step = 0.1, base = 0.1;

	for (size_t i = 0; ms(t->total_ns) / step > 10; i++) {
		step = base * factors[i % 3];
		base = i % 3 == 2 ? step : base;
	}
	for (unsigned i = 0; i * step <= ms(t->total_ns); i++) {
		double x = x_of(t, (uint64_t)(i * step * 1e6));

		buf_addf(out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%u\"/>"
			      "<text x=\"%.1f\" y=\"%d\">%g ms</text>\n", x, TOP - 6, x, height, x, TOP - 10, i * step);
	}
}

void timing_svg(const struct timing *t, const char *name, struct buf *out)
{
	unsigned height = TOP + ROW * ((unsigned)t->n + (t->boot_ns ? 1 : 0)) + 10;

	buf_addf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\">\n", LEFT + WIDTH + LABELS, height);
	buf_adds(out, "<style>text{font:11px sans-serif}.grid{stroke:#ddd}.client{fill:#b8b8b8}.monitor{fill:#6f9fd8}"
		      ".init{fill:#e0a458}</style>\n<text x=\"10\" y=\"18\">start of ");
	add_escaped(out, name);
	buf_addf(out, ": %.3f ms (grey: client, blue: monitor, orange: first process)</text>\n", ms(t->total_ns));
	add_scale(t, height, out);
	for (size_t i = 0; i < t->n; i++) {
		const struct timing_step *s = &t->v[i];
		double x = x_of(t, s->begin_ns), w = MAX(x_of(t, s->end_ns) - x, 1.0);
		unsigned y = TOP + ROW * (unsigned)i;

		buf_addf(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"%d\"/><text x=\"%.1f\" y=\"%u\">",
			 s->who, x, y, w, ROW - 4, x + w + 4, y + 11);
		add_escaped(out, s->what);
		buf_addf(out, " %.3f ms</text>\n", ms(s->end_ns - s->begin_ns));
	}
	/* Hundreds of times as long as all before: on their scale nothing would be seen of them. */
	if (t->boot_ns)
		buf_addf(out, "<rect class=\"init\" x=\"%d\" y=\"%u\" width=\"%d\" height=\"%d\"/><text x=\"%d\" y=\"%u\">booting until "
			      "it is ready %.3f ms (not to scale)</text>\n", LEFT, TOP + ROW * (unsigned)t->n, WIDTH, ROW - 4,
			 LEFT + WIDTH + 4, TOP + ROW * (unsigned)t->n + 11, ms(t->boot_ns));
	buf_adds(out, "</svg>\n");
}
