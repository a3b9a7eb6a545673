# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Prints C files as FILE:LINE:CODE with the contents of comments and literals left out. A comment to
# the end of the line is kept as its two slashes, so that it can be complained of.
FNR == 1 { in_comment = 0 }
{
	out = ""
	n = length($0)
	for (i = 1; i <= n; i++) {
		c = substr($0, i, 1)
		two = substr($0, i, 2)
		if (in_comment) {
			if (two == "*/") {
				in_comment = 0
				i++
			}
		} else if (two == "/*") {
			in_comment = 1
			i++
		} else if (two == "//") {
			out = out "//"
			break
		} else if (c == "\"" || c == "'") {
			out = out c c
			for (i++; i <= n && substr($0, i, 1) != c; i++)
				if (substr($0, i, 1) == "\\")
					i++
		} else {
			out = out c
		}
	}
	if (out ~ /[^ \t]/)
		print FILENAME ":" FNR ":" out
}
