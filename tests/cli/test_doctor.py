"""`dimo-etl doctor` as a program: words and not colour alone, exit 1 on red, and no secret."""

from __future__ import annotations

CANARY = "c0ffee" * 10 + "beef"


def test_every_line_begins_with_a_word_and_red_ends_with_1_without_a_secret(user):
    told = user.run("doctor", DIMO_API_KEY=f"0x{CANARY}")
    assert (told.returncode, told.stderr) == (1, "")
    words = [line.split()[0] for line in told.stdout.splitlines()]
    assert set(words) == {"ok", "fail", "skipped"}
    assert "\x1b" not in told.stdout
    assert CANARY not in told.stdout
    assert not user.warehouse.exists()
