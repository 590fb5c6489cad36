"""`docs/socket.md` tells of every frame, field, event and close code, and of none that there is not."""

import re
from pathlib import Path

from chat import events, frames

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "socket.md").read_text(encoding="utf-8")
SENT = TEXT.partition("## What a client sends")[2].partition("##")[0]


def test_every_frame_and_every_field_is_told_of():
    rows = {}
    for line in SENT.splitlines():
        if line.startswith("| `") and not line.startswith("| `do`"):
            names, fields = line.split("|")[1:3]
            rows |= dict.fromkeys(re.findall(r"`(\w+)`", names), fields)
    assert rows.keys() == set(frames.TABLE)
    for do, fields in frames.TABLE.items():
        told = rows["send"] if rows[do].strip().startswith("as `send`") else rows[do]
        for name, field in fields.items():
            assert (f"`{name}`" if field.required else f"`{name}?`") in told, (do, name)


def test_every_event_and_every_close_code_is_told_of():
    assert all(f"`{kind}" in TEXT for kind in events.EventType)
    codes = {value for name, value in vars(events.Close).items() if name.isupper()}
    assert {int(code) for code in re.findall(r"^\| (\d{4}) \|", TEXT, re.MULTILINE)} == codes
