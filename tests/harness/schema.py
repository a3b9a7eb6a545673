# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# schema.py SCHEMA FILE: every line of FILE is JSON that fits SCHEMA, as far as doc/json uses JSON Schema. Stricter in
# one thing: a property that the schema does not know is a fault.
import json
import sys

TYPES = {"string": str, "object": dict, "array": list, "boolean": bool, "null": type(None)}


def is_of(value, name):
    if name in ("integer", "number"):
        kinds = (int,) if name == "integer" else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def check(value, schema, where):
    for word in schema:
        if word not in ("$schema", "title", "type", "properties", "required", "items", "enum", "const", "minimum",
                        "additionalProperties"):
            raise SystemExit("the schema uses %s, which is not checked" % word)
    if "const" in schema and value != schema["const"]:
        raise SystemExit("%s is %r, not %r" % (where, value, schema["const"]))
    if "enum" in schema and value not in schema["enum"]:
        raise SystemExit("%s is %r" % (where, value))
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(is_of(value, n) for n in names):
            raise SystemExit("%s is %r, not a %s" % (where, value, names))
    if "minimum" in schema and value is not None and value < schema["minimum"]:
        raise SystemExit("%s is %r" % (where, value))
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                raise SystemExit("%s has no %s" % (where, name))
        for name, v in value.items():
            sub = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if sub is None:
                raise SystemExit("%s has %s, which the schema does not know" % (where, name))
            check(v, sub, where + "." + name)
    if isinstance(value, list) and "items" in schema:
        for i, v in enumerate(value):
            check(v, schema["items"], "%s[%d]" % (where, i))


with open(sys.argv[1]) as f:
    schema = json.load(f)
with open(sys.argv[2]) as f:
    lines = [json.loads(line) for line in f if line.strip()]
if not lines:
    raise SystemExit("there is no JSON")
for line in lines:
    check(line, schema, "it")
