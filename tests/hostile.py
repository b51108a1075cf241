"""Texts that have done harm somewhere, each of which may come from a vehicle, a server, a file or a user."""

from __future__ import annotations

HOSTILE = {
    "a folder above": "../../../../tmp/x",
    "a folder above, in a pattern": "..",
    "a folder of the root": "/etc/passwd",
    "a hidden name": ".tmp",
    "a day's folder": "date=2026-01-06",
    "a pattern of files": "*?[a-z]{x,y}**/*",
    "a parameter": "x?refresh=true&y#z%2e%2e%2f",
    "a null": "a\0b",
    "lines": "a\nb\r\nError: c\u2028d\u2029e\x85f",
    "a title of the terminal": "\x1b]0;owned\x07",
    "a cleared screen": "\x1b[2J\x1b[1;1H",
    "controls of one byte": "\x9b31m\x90q\x9c",
    "backspaces and tabs": "real\b\b\b\bfake\t\v\f",
    "turned around": "\u202egpj.exe\u2066\u200f",
    "of no width": "a\u200bb\ufeffc\u00ad",
    "quotes": "'; DROP VIEW signals; --",
    "quotes of names": '"; ATTACH \'x\' AS y; --""',
    "a brace of a template": "{{7*7}}${7*7}{0.__class__}%s%n",
    "a script": "</script><script>document.title='owned'</script>",
    "an image": '"><img src=x onerror="document.title=1">',
    "a picture from elsewhere": "![x](http://198.51.100.7/x.png)[y](javascript:alert(1))`z`",
    "a cell of a table": "a|b\n|---|\n|c|",
    "a formula": '=HYPERLINK("http://198.51.100.7","x")',
    "pictures": "👩‍👩‍👧🇩🇪é\u0301",
    "very long": "ä" * 20_000,
    "nothing": "",
    "a space": " ",
}
# What JSON can spell and UTF-8 cannot write.
SURROGATE = r"\ud800"
