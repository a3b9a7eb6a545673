# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Compares what 62-bindings.sh recorded: "ok TEXT", "bad TEXT" and "say TEXT" lines, one per recorded call.
#
#	compare.py BINDING THEIRS OURS DIFFERENCES
#
# DIFFERENCES: "BINDING<TAB>LABEL<TAB>OURS<TAB>REASON", where OURS is what we say and must go on saying.
import sys

binding, theirs, ours, differences = sys.argv[1:5]


def read(path):
    result = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            label, tab, value = line.rstrip("\n").partition("\t")
            if tab:
                result[label] = value
    return result


known = {}
with open(differences, encoding="utf-8") as f:
    for line in f:
        fields = line.rstrip("\n").split("\t")
        if not line.startswith("#") and len(fields) == 4 and fields[0] == binding:
            known[fields[1]] = (fields[2], fields[3])

a, b = read(theirs), read(ours)
# What only we say was not asked of the other side, which would not survive it; what only it says is missing here.
for label in a:
    if a.get(label) == b.get(label):
        print("ok\t%s: %s" % (binding, label))
    elif label in known and known[label][0] == b.get(label):
        print("ok\t%s: %s differs: %s" % (binding, label, known[label][1]))
    else:
        print("bad\t%s: %s" % (binding, label))
        print("say\ttheirs: %s" % a.get(label))
        print("say\tours:   %s" % b.get(label))
if len(a) < 20:
    print("bad\t%s: the script says more than that" % binding)
