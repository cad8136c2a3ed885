#!/usr/bin/env python3
"""Trims a vendor's OpenAPI document to the paths that the simulator serves.

Usage: trim.py VENDOR.yaml PATH-PREFIX... > TRIMMED.yaml

Keeps each path that begins with one of the prefixes, and every component it refers to. Drops prose,
examples and `x-` extensions: what is left is what a validator reads. The comment lines at the top of
the document, which name origin and license, are kept.
"""
import sys

import yaml

DROPPED = {"summary", "description", "example", "examples", "title", "security", "tags", "links", "headers"}


def bare(value, inside_properties=False):
    """Drops prose, but never a property that happens to have such a name."""
    if isinstance(value, list):
        return [bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, item in value.items():
        prose = not inside_properties and (key in DROPPED or str(key).startswith("x-"))
        if key == "description" and "content" in value and not inside_properties:
            prose = True
        if not prose:
            names = key in ("properties", "responses", "schemas", "parameters", "mapping")
            kept[key] = bare(item, inside_properties=names and not inside_properties)
    return kept


def references(value):
    if isinstance(value, list):
        return {ref for item in value for ref in references(item)}
    if not isinstance(value, dict):
        return set()
    found = {ref for item in value.values() for ref in references(item)}
    if isinstance(value.get("$ref"), str):
        found.add(value["$ref"])
    found |= {ref for ref in value.get("mapping", {}).values() if isinstance(ref, str)}
    return found


def main(source, prefixes):
    text = open(source, encoding="utf-8").read()
    document = yaml.safe_load(text)
    paths = {path: bare(item) for path, item in document["paths"].items()
             if any(path.startswith(prefix) for prefix in prefixes)}
    wanted, components = references(paths), {}
    while wanted:
        _, _, kind, name = wanted.pop().split("/")
        if name in components.get(kind, {}):
            continue
        component = bare({kind: {name: document["components"][kind][name]}})[kind][name]
        components.setdefault(kind, {})[name] = component
        wanted |= references(component)
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        print(line)
    print("# Trimmed further by trim.py beside this file: fewer paths, no prose, no examples.")
    trimmed = {"openapi": document["openapi"], "info": bare(document["info"]) | {"title": document["info"]["title"]},
               "paths": paths, "components": components}
    yaml.safe_dump(trimmed, sys.stdout, sort_keys=False, width=120, allow_unicode=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
