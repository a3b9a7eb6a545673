# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Totals the skips of TAP logs by reason. require="a b": a skip whose reason begins "needs a" fails.
BEGIN {
	n = split(require, words, " ")
	for (i = 1; i <= n; i++)
		required[words[i]] = 1
}
/^(ok|not ok|1\.\.0).*# *[Ss][Kk][Ii][Pp]/ {
	reason = $0
	sub(/^.*# *[Ss][Kk][Ii][Pp][A-Za-z]*:? */, "", reason)
	if (reason == "")
		reason = "no reason given in " FILENAME
	count[reason]++
	word = reason
	if (sub(/^needs /, "", word)) {
		sub(/[^A-Za-z0-9_].*$/, "", word)
		if (word in required)
			missing = missing sprintf("%s: skipped for want of %s\n", FILENAME, word)
	}
}
END {
	for (reason in count)
		printf "skipped %d  %s\n", count[reason], reason
	printf "%s", missing
	exit missing != ""
}
