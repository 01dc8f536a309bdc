#!/usr/bin/env python3
"""Writes domain/src/text/tables.rs: what Python 3.11 (Unicode 14.0) says about characters.

Run with Python 3.11 from the root of the repository; the output is committed, the build does not need Python.
"""
import pathlib
import sys
import unicodedata

assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
CHARACTERS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def ranges(keep):
    out = []
    for c in CHARACTERS:
        if keep(chr(c)):
            if out and out[-1][1] == c - 1:
                out[-1][1] = c
            else:
                out.append([c, c])
    return out


def table(name, document, keep):
    rows = ", ".join(f"({a:#x}, {b:#x})" for a, b in ranges(keep))
    return f"/// {document}\n#[rustfmt::skip]\npub(super) const {name}: &[(u32, u32)] = &[{wrap(rows)}];\n"


def wrap(rows):
    lines, line = [], ""
    for item in rows.split(", (") if rows else []:
        item = item if item.startswith("(") else "(" + item
        if len(line) + len(item) > 112:
            lines.append(line)
            line = ""
        line += (" " if line else "") + item + ","
    lines.append(line)
    return "\n    " + "\n    ".join(lines) + "\n"


def ignorable(c):
    return ("A" + c + "\u03a3").lower().endswith("\u03c2") and not ("1" + c + "\u03a3").lower().endswith("\u03c2")


def cased(c):
    return ("1" + c + "\u03a3").lower().endswith("\u03c2")


def lower_pairs():
    pairs = []
    for c in CHARACTERS:
        lower = chr(c).lower()
        if lower != chr(c) and len(lower) == 1:
            pairs.append((c, ord(lower)))
    # Runs (first, last, step, offset): upper and lower alternate in much of the table.
    runs = []
    for c, low in pairs:
        if runs:
            first, last, step, offset = runs[-1]
            if low - c == offset and c - last in (1, 2) and (first == last or c - last == step):
                runs[-1] = (first, c, c - last, offset)
                continue
        runs.append((c, c, 1, low - c))
    return runs


def main():
    out = [
        "//! Character tables of Python 3.11 (Unicode 14.0), written by `tables/make_text_tables.py`; do not edit.\n//!\n"
        "//! Tables of inclusive ranges, ascending. They are frozen with the rule sets that read them: a newer Unicode must never\n"
        "//! change an old score.\n\n",
        table("WHITE_SPACE", "`str.isspace`: what `split`, `strip` and the pattern `\\s` take for white space.", str.isspace), "\n",
        table("DECIMAL", "`str.isdecimal`: the pattern `\\d`.", str.isdecimal), "\n",
        table("WORD", "`str.isalnum` or the underscore: the pattern `\\w`.", lambda c: c.isalnum() or c == "_"), "\n",
        table("UPPER", "`str.isupper` of one character.", str.isupper), "\n",
        table("CASED", "Cased and not case-ignorable: decides the form of a final sigma.", cased), "\n",
        table("CASE_IGNORABLE", "Case-ignorable: looked through when a final sigma is decided.", ignorable), "\n",
    ]
    rows = ", ".join(f"({a:#x}, {b:#x}, {s}, {o})" for a, b, s, o in lower_pairs())
    out.append(
        "/// Simple lower case as runs (first, last, step, offset to the lower form).\n#[rustfmt::skip]\n"
        f"pub(super) const LOWER: &[(u32, u32, u32, i32)] = &[{wrap(rows)}];\n")
    longer = [(hex(c), [hex(ord(x)) for x in chr(c).lower()]) for c in CHARACTERS if len(chr(c).lower()) > 1]
    assert longer == [("0x130", ["0x69", "0x307"])], longer
    path = pathlib.Path(__file__).resolve().parent.parent / "src" / "text" / "tables.rs"
    path.write_text("".join(out), encoding="utf-8")
    print(path, len("".join(out)), file=sys.stderr)


main()
