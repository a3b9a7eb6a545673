/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* vec - typed growing arrays: struct { T *v; size_t n; }. */
#pragma once
#include <stdlib.h>
#include <string.h>

#define VEC(T)            \
	struct {          \
		T *v;     \
		size_t n; \
	}

/* Appends item (by value). 0 or -ENOMEM. Growth is by one and amortised by realloc; vectors here are short. */
#define VEC_PUSH(vec, item)                                                           \
	__extension__({                                                               \
		__typeof__((vec)->v) nv_ = reallocarray((vec)->v, (vec)->n + 1, sizeof(*(vec)->v)); \
		if (nv_) {                                                            \
			(vec)->v = nv_;                                               \
			(vec)->v[(vec)->n++] = (item);                                \
		}                                                                     \
		nv_ ? 0 : -ENOMEM;                                                    \
	})

/* Removes element i, keeping the order. Its contents are the caller's to release first. */
#define VEC_REMOVE(vec, i)                                                                     \
	do {                                                                                   \
		memmove((vec)->v + (i), (vec)->v + (i) + 1, ((vec)->n - (i) - 1) * sizeof(*(vec)->v)); \
		(vec)->n--;                                                                    \
	} while (0)

#define VEC_DONE(vec)            \
	do {                     \
		free((vec)->v);  \
		(vec)->v = NULL; \
		(vec)->n = 0;    \
	} while (0)
