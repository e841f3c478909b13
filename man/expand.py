#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fills the tables of a manual page from what is true: the option tables of the backends, the documented interface, the errors.

A template has lines of these forms, each replaced by reStructuredText:
    @POOL-OPTIONS TYPE@    @VOLUME-OPTIONS TYPE@    @INTERFACE NAME@    @ERRORS@    @MESSAGES@    @RULE@    @VERSION@
"""
import argparse
import json
import re
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as xml

WIDTH = 110


def escape(text):
    """No character of the text is markup."""
    return re.sub(r"([\\*`|_])", r"\\\1", text)


def wrap(text, indent):
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False,
                         break_on_hyphens=False)


def option_entry(option):
    notes = [word for word in ("required", "secret", "admin", "fixed") if option.get(word)]
    head = f"**{escape(option['name'])}** ({', '.join([option['type']] + notes)})"
    text = escape(option["help"])
    if option.get("choices"):
        text += " One of " + ", ".join(f"*{escape(c)}*" for c in option["choices"]) + "."
    if option.get("default"):
        text += f" Default: *{escape(option['default'])}*."
    return f"{head}\n{wrap(text, '    ')}\n"


def expand_options(backends, which, name):
    for backend in backends:
        if backend["name"] == name:
            return "\n".join(option_entry(o) for o in backend[which])
    sys.exit(f"no backend {name}")


def parse_comment(text):
    """Name, {argument: text}, description of a comment of the interface files."""
    lines = [line.strip() for line in textwrap.dedent(text).strip("\n").splitlines()]
    name = lines[0].rstrip(":")
    arguments, description, current = {}, [], None
    for line in lines[1:]:
        found = re.match(r"@(\w+): (.*)", line)
        if found:
            current = found.group(1)
            arguments[current] = found.group(2)
        elif not line:
            current = None
            description.append("")
        elif current:
            arguments[current] += " " + line
        else:
            description.append(line)
    paragraphs = [" ".join(p.split()) for p in "\n".join(description).split("\n\n")]
    return name, arguments, [p for p in paragraphs if p]


def signature(element):
    def side(direction):
        return ", ".join(f"{a.get('type')} {a.get('name')}" for a in element.findall("arg")
                         if a.get("direction", "out") == direction)

    name = element.get("name")
    if element.tag == "property":
        return f"{name} ({element.get('type')})"
    if element.tag == "signal":
        return f"{name}({side('out')})"
    return f"{name}({side('in')})" + (f" -> {side('out')}" if side("out") else "")


def member_entry(element, comment):
    name, arguments, paragraphs = parse_comment(comment)
    if name != element.get("name"):
        sys.exit(f"the comment of {element.get('name')} is about {name}")
    out = [f"**{escape(signature(element))}**"]
    out += [wrap(escape(p), "    ") + "\n" for p in paragraphs]
    out += [wrap(f"*{escape(a)}*: {escape(text)}", "    ") + "\n" for a, text in arguments.items()]
    return "\n".join(out)


def expand_interface(directory, name):
    parser = xml.XMLParser(target=xml.TreeBuilder(insert_comments=True))
    root = xml.parse(f"{directory}/org.example.Storage.{name}.xml", parser).getroot()
    kinds, comment, out = {"method": [], "signal": [], "property": []}, None, []
    for node in root:
        if node.tag is xml.Comment:
            comment = node.text
    interface = root.find("interface")
    out += [wrap(escape(p), "") + "\n" for p in parse_comment(comment)[2]]
    comment = None
    for node in interface:
        if node.tag is xml.Comment:
            comment = node.text
        elif node.tag in kinds:
            if not comment:
                sys.exit(f"{name}.{node.get('name')} has no comment")
            kinds[node.tag].append(member_entry(node, comment))
            comment = None
    for kind, title in (("method", "Methods"), ("signal", "Signals"), ("property", "Properties (read-only)")):
        if kinds[kind]:
            out += [title, "~" * len(title), "", *kinds[kind]]
    return "\n".join(out)


def expand_errors(header):
    with open(header, encoding="utf-8") as f:
        names = re.findall(r'X\(\w+, "([\w.]+)", (\w+)\)', f.read())
    return "\n".join(f"| {name} ({number})" for name, number in names) + "\n"


def expand_messages(header):
    with open(header, encoding="utf-8") as f:
        ids = re.findall(r'#define MESSAGE_(\w+) "(\w+)"', f.read())
    return "\n".join(f"| {number} {name.lower().replace('_', ' ')}" for name, number in ids) + "\n"


def expand_text(path):
    """A literal block, without the licence line."""
    with open(path, encoding="utf-8") as f:
        return "".join(f"    {line}" for line in f if "SPDX" not in line).rstrip()


def main():
    parser = argparse.ArgumentParser()
    for word in ("template", "output"):
        parser.add_argument(word)
    for word in ("--worker", "--backends", "--dbus", "--errors", "--messages", "--rule", "--version"):
        parser.add_argument(word, required=True)
    args = parser.parse_args()
    described = subprocess.run([args.worker, f"--backend-dir={args.backends}", "--describe"], check=True, capture_output=True)
    backends = json.loads(described.stdout)["backends"]
    actions = {
        "POOL-OPTIONS": lambda name: expand_options(backends, "pool-options", name),
        "VOLUME-OPTIONS": lambda name: expand_options(backends, "volume-options", name),
        "INTERFACE": lambda name: expand_interface(args.dbus, name),
        "ERRORS": lambda _: expand_errors(args.errors),
        "MESSAGES": lambda _: expand_messages(args.messages),
        "RULE": lambda _: expand_text(args.rule),
        "VERSION": lambda _: f":Version: {args.version}",
    }
    with open(args.template, encoding="utf-8") as f, open(args.output, "w", encoding="utf-8") as out:
        for line in f:
            found = re.fullmatch(r"@([A-Z-]+)(?: (\w+))?@\n", line)
            out.write(actions[found.group(1)](found.group(2)) + "\n" if found else line)


if __name__ == "__main__":
    main()
