# SPDX-License-Identifier: LGPL-3.0-or-later
"""A strict reader of Prometheus' text format, for what promtool would say where there is none."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?\d+(?:\.\d+)?)")
UNITS = ("volts", "amperes", "celsius", "seconds", "ohms", "watts", "ratio")


class Bad(Exception):
    pass


def parse(text, any_name=False):
    """Returns {name: {labels: value}}, labels as a sorted tuple of pairs, or raises Bad.

    With any_name a gauge may end in _total, as a user's own instruction can.
    """
    if not text.endswith("\n"):
        raise Bad("the last line does not end")
    families, helps, types, closed = {}, {}, {}, set()
    current = None
    for line in text.splitlines():
        words = line.split(" ", 3)
        if line.startswith("#"):
            if len(words) < 4 or words[0] != "#" or words[1] not in ("HELP", "TYPE"):
                raise Bad(f"comment: {line!r}")
            name, store = words[2], helps if words[1] == "HELP" else types
            if not re.fullmatch(NAME, name) or name in store or name in families:
                raise Bad(f"a head twice, or behind its samples: {line!r}")
            if words[1] == "TYPE" and words[3] not in ("gauge", "counter"):
                raise Bad(f"type: {line!r}")
            if words[1] == "HELP" and not re.fullmatch(r"(?=.*\S)([^\\]|\\\\)*", words[3]):
                raise Bad(f"help: {line!r}")
            store[name] = words[3]
        else:
            found = SAMPLE.fullmatch(line)
            if not found:
                raise Bad(f"sample: {line!r}")
            name = found.group(1)
            labels = tuple(sorted(re.findall(LABEL, found.group(2) or "")))
            samples = families.setdefault(name, {})
            if name not in types or name not in helps:
                raise Bad(f"no head: {line!r}")
            if name in closed or labels in samples or len(dict(labels)) != len(labels):
                raise Bad(f"in pieces, or twice: {line!r}")
            if not any_name and (types[name] == "counter") != name.endswith("_total"):
                raise Bad(f"only counters end in _total: {line!r}")
            samples[labels] = found.group(found.lastindex)
        if current and current != name:
            closed.add(current)
        current = name
    for name in types:
        if name not in families:
            raise Bad(f"{name} has a head and no sample")
    return families
