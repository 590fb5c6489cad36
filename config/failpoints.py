"""Places where a fault test kills the process, to prove that nothing acknowledged is lost there.

A failpoint does nothing unless the environment asks for it: `FAILPOINT=answer.claimed` kills this process with SIGKILL the first
time it gets there, `FAILPOINT=answer.claimed:3` the third time. `FAILPOINT_FILE` is a file whose content names the point instead,
so that a running process can be armed; it is removed as it strikes. `FAILPOINT_LOG` is a file that gets one line for every point
passed. `tests/faults/test_kills.py` dies once at each declared point: one that nothing reaches any more fails there.
"""

import os
import signal
from pathlib import Path

DECLARED = {
    "turn.limited": "limits are taken, nothing is written",
    "turn.inserted": "question and pending answer are durable, nothing is announced",
    "turn.announced": "the events are out and a worker is called, the acknowledgement has not left",
    "answer.received": "a worker has the call, has not claimed",
    "answer.claimed": "the lease is taken, the provider has not been called",
    "answer.first_text": "the first text has arrived, nothing is flushed",
    "answer.tools_called": "a tool was called, the model was not told what it said",
    "answer.flushed": "a first delta is out",
    "answer.checkpointed": "a partial text is durable",
    "answer.before_save": "the provider is done, the answer is not saved",
    "answer.saved": "the answer and its conversation's totals are durable, nobody was told",
    "answer.announced": "the answer is announced, its lease still stands",
    "sweep.found": "the sweeper has found an answer nobody works on, has not touched it",
    "sweep.released": "the sweeper has put an answer back, nobody was told",
    "stop.recorded": "the wish to stop is durable, nobody was told",
    "retry.recorded": "the answer is pending again, nobody was told",
    "edit.recorded": "the new strand is known, nobody was told of its question",
    "queue.recorded": "a question waits durably, no answer knows of it",
    "queue.claimed": "a question that waited is about to be asked",
    "queue.asked": "a question that waited is asked, and still among those that wait",
    "regenerate.kept": "the earlier text is kept as a version, the answer still has it",
    "regenerate.recorded": "the answer is pending again, nobody was told",
    "removal.marked": "a deleted conversation can no longer be restored, nothing of it is gone",
    "removal.files_gone": "its files are gone, its messages are there",
    "removal.messages_gone": "its messages and their revisions are gone, the rest is there",
    "removal.rest_gone": "nothing but the conversation itself is there",
    "cold.written": "the file of a conversation is written, its messages are where they were",
    "cold.gone": "its messages are in the file alone",
    "cold.back": "they are back, and the file is still there",
    "attachment.recorded": "a file is known, its bytes are not stored",
    "import.inserted": "the messages of a file are inserted, the transaction with their conversation is not committed",
    "import.recorded": "the conversation is durable, whoever imports it was not told",
    "share.recorded": "a link is durable, nobody knows it",
    "read.recorded": "the read mark is durable, nobody was told",
    "analysis.recorded": "the analysis beside an answer is durable, nobody was told",
    "memory.claimed": "it is this worker's to make notes, no model was asked",
    "memory.recorded": "the notes are durable, their conversation does not say that there are any",
    "erasing.private_gone": "of an erased person the private conversations of an organization are gone, the rest names them",
    "erasing.messages_anonymised": "what others can read of theirs names nobody, the conversations still have their owner",
    "erasing.conversations_anonymised": "only their sessions, marks and unsent files are left",
    "buffer.claimed": "an organization's entries of the metrics buffer are this worker's, nothing is read",
    "buffer.kept": "the claim says which entries it is of and what they add up to, nothing is counted",
    "buffer.members": "whom they count once in a day is kept, their sums are not",
    "buffer.folded": "a day of them is counted, they are not marked",
    "buffer.marked": "they are counted and marked, nobody was told",
    "budget.reserved": "what a call may cost is reserved in its budgets, the call is not made",
    "feedback.recorded": "the feedback is durable, not in the conversation's average, nobody was told",
}

_wanted, _, _count = os.environ.get("FAILPOINT", "").partition(":")
_left = int(_count or 1)
_file = os.environ.get("FAILPOINT_FILE", "")
_log = os.environ.get("FAILPOINT_LOG", "")

if _wanted and _wanted not in DECLARED:
    raise RuntimeError(f"FAILPOINT={_wanted} is not declared in config/failpoints.py.")


def failpoint(name: str) -> None:
    """Die here if the environment says so. Costs one comparison otherwise."""
    if not _wanted and not _file and not _log:
        return
    _pass(name)


def _pass(name: str) -> None:
    global _left
    if name not in DECLARED:
        raise RuntimeError(f"The failpoint {name} is not declared in config/failpoints.py.")
    if _log:
        with open(_log, "a", encoding="utf-8") as file:
            file.write(f"{name}\n")
    if _file and _armed() == name:
        Path(_file).unlink()  # whoever starts this process again means it to live
        os.kill(os.getpid(), signal.SIGKILL)
    if name == _wanted:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _armed() -> str:
    try:
        return Path(_file).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
