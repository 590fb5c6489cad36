"""What an attached file really is: a program of its own, so that a hostile file takes down nothing but the look at it.

    python -I inspection.py <folder> <media type>

1. It limits its own memory, its processor time and what it may write, then reads `<folder>/file`.
2. The content must be what the media type, which its extension stands for, says. What is two things at once, or would unpack into far
   too much, is refused.
3. An image is written anew to `<folder>/clean`, pixels only, with a small WebP of it in `<folder>/thumbnail`, and a JPEG as a model is
   shown it in `<folder>/shown`. Any other file stays as it
   came, and its text is taken.
4. One JSON object on standard output: `{"width", "height", "text", "is_whole"}`, or `{"problem"}` with a sentence.

It imports nothing of ours and is started with an empty environment: there is no secret and no store that it could reach.
"""

import io
import json
import re
import resource
import sys
import time
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from defusedxml import DefusedXmlException, ElementTree
from PIL import Image, ImageOps, UnidentifiedImageError
from pypdf import PdfReader
from pypdf.errors import PyPdfError

PDF, JSON = "application/pdf", "application/json"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
POWERPOINT = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
IMAGES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}
MAIN_PARTS = {WORD: "word/document.xml", EXCEL: "xl/workbook.xml", POWERPOINT: "ppt/presentation.xml"}

MEMORY_LIMIT = 1024**3  # bytes of address space, the interpreter's included
PROCESSOR_SECONDS = 15
READING_SECONDS = 8.0  # after which the text that was taken so far has to do
WRITTEN_LIMIT = 64 * 1024**2  # bytes of a file that is written
PIXELS_LIMIT = 50_000_000
THUMBNAIL = 480  # pixels of its longer side, at most
SHOWN = 1_024  # pixels of its longer side, as a model is shown it
TEXT_LIMIT = 100_000  # characters that are kept
PAGES_LIMIT = 500
ENTRIES_LIMIT = 2_000  # files in an office file
UNPACKED_LIMIT = 100 * 1024**2  # bytes of all of them together
ENTRY_LIMIT = 50 * 1024**2  # bytes of one that is read
RATIO_LIMIT = 200  # by which an entry of more than a megabyte may grow
HEAD = 1024  # bytes in which programs look for a signature

# What browsers and servers run when they take a file for something else.
ACTIVE = re.compile(rb"<script[\s>]|<!doctype\s+html|<html[\s>]|<\?php\s", re.IGNORECASE)
PROGRAM = re.compile(r"vbaProject|activeX/|\.(exe|dll|js|vbs|bat|ps1|sh|jar|hta)$", re.IGNORECASE)
MARKUP = re.compile(r"\s*<(!doctype|\?xml|html|svg|script|iframe|body)\b", re.IGNORECASE)
SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": {"image/png"},
    b"\xff\xd8\xff": {"image/jpeg"},
    b"GIF87a": {"image/gif"},
    b"GIF89a": {"image/gif"},
    b"RIFF": {"image/webp"},
    b"%PDF-": {PDF},
    b"PK\x03\x04": set(MAIN_PARTS),
}

MISMATCH = "What is in this file is not what its name says. Save it again in the right format."
MIXED = "This file is two kinds of file at once. Save it again from a program that you trust."
DAMAGED = "This file is damaged. Save it again and try once more."
BOMB = "This file unpacks into far more than its size. Send a smaller one."
LOCKED = "This file is locked with a password. Remove the password first."
MACROS = "This file contains macros or scripts. Save it without them."


class Refused(Exception):
    """The sentence for whoever sent the file."""


def inspect(folder: Path, declared: str) -> dict[str, Any]:
    """What is there to know of `<folder>/file`. Raises `Refused`."""
    data = (folder / "file").read_bytes()
    signed = next((types for signature, types in SIGNATURES.items() if data.startswith(signature)), None)
    expected = declared in IMAGES or declared == PDF or declared in MAIN_PARTS
    if (signed is None and expected) or (signed is not None and declared not in signed):
        raise Refused(MISMATCH)
    if signed is not None:
        _refuse_mixture(data, declared)
    found: dict[str, Any] = {"width": None, "height": None, "text": "", "is_whole": True}
    if declared in IMAGES:
        found["width"], found["height"] = _image(data, declared, folder)
        return found
    if declared == PDF:
        pieces = _pdf(data)
    elif declared in MAIN_PARTS:
        pieces = _office(data, declared)
    else:
        pieces = iter([_plain(data, declared)])
    found["text"], found["is_whole"] = _kept(pieces)
    return found


def _refuse_mixture(data: bytes, declared: str) -> None:
    """A file that another program would take for something else."""
    if declared != PDF and b"%PDF-" in data[:HEAD]:
        raise Refused(MIXED)
    if declared not in MAIN_PARTS and zipfile.is_zipfile(io.BytesIO(data)):
        raise Refused(MIXED)
    if ACTIVE.search(data):
        raise Refused(MIXED)


# Images ----------------------------------------------------------------------------------------------------------------


def _image(data: bytes, declared: str, folder: Path) -> tuple[int, int]:
    """Writes the image anew and its thumbnail; its size. Of an animation the first picture is kept."""
    Image.MAX_IMAGE_PIXELS = None  # ours is lower, and asked before a pixel is read
    format = IMAGES[declared]
    try:
        with Image.open(io.BytesIO(data), formats=[format]) as opened:
            if opened.width * opened.height > PIXELS_LIMIT:
                raise Refused(f"This image has more than {PIXELS_LIMIT // 1_000_000} million pixels. Send a smaller one.")
            opened.load()
            image = ImageOps.exif_transpose(opened)
    except UnidentifiedImageError:
        raise Refused(DAMAGED) from None
    if image.mode not in ("1", "L", "P", "RGB", "RGBA", "LA"):
        image = image.convert("RGB")
    image.info = {name: value for name, value in image.info.items() if name == "transparency"}
    image.save(folder / "clean", format=format, **({"quality": 90} if format in ("JPEG", "WEBP") else {}))
    small = image.convert("RGBA" if "A" in image.mode or "transparency" in image.info else "RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    small.save(folder / "thumbnail", format="WEBP", quality=80)
    _on_white(image).save(folder / "shown", format="JPEG", quality=80)
    return image.width, image.height


def _on_white(image: Image.Image) -> Image.Image:
    """As a model is shown it: no larger than it looks at, and white where nothing is."""
    shown = image.convert("RGBA" if "A" in image.mode or "transparency" in image.info else "RGB")
    shown.thumbnail((SHOWN, SHOWN))
    if shown.mode == "RGB":
        return shown
    ground = Image.new("RGB", shown.size, "white")
    ground.paste(shown, mask=shown.getchannel("A"))
    return ground


# Text ------------------------------------------------------------------------------------------------------------------


def _kept(pieces: Iterable[str]) -> tuple[str, bool]:
    """As much of the text as is kept, and whether that is all of it."""
    until = time.monotonic() + READING_SECONDS
    kept: list[str] = []
    length = 0
    for piece in pieces:
        piece = _clean(piece)
        kept.append(piece[: TEXT_LIMIT - length])
        length += len(piece)
        if length > TEXT_LIMIT or time.monotonic() > until:
            return "".join(kept).strip(), False
    return "".join(kept).strip(), True


def _clean(text: str) -> str:
    """Without what cannot be stored or would not be seen: control characters, halves of characters."""
    return "".join(letter for letter in text if letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cs"))


def _pdf(data: bytes) -> Iterator[str]:
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted:
        raise Refused(LOCKED)
    for number, page in enumerate(reader.pages):
        if number == PAGES_LIMIT:
            yield " " * (TEXT_LIMIT + 1)  # there is more
            return
        yield page.extract_text() + "\n\n"


def _office(data: bytes, declared: str) -> Iterator[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        _refuse_bomb(archive)
        names = archive.namelist()
        if MAIN_PARTS[declared] not in names or "[Content_Types].xml" not in names:
            raise Refused(MISMATCH)
        if any(PROGRAM.search(name) for name in names):
            raise Refused(MACROS)
        if declared == WORD:
            yield from _paragraphs(archive, "word/document.xml")
        elif declared == POWERPOINT:
            for number, name in enumerate(_numbered(names, "ppt/slides/slide"), start=1):
                yield f"Slide {number}\n"
                yield from _paragraphs(archive, name)
                yield "\n"
        else:
            yield from _cells(archive, names)


def _refuse_bomb(archive: zipfile.ZipFile) -> None:
    """Judged by the archive's own list before anything is unpacked; then it is held to what it says."""
    entries = archive.infolist()
    if len(entries) > ENTRIES_LIMIT or sum(entry.file_size for entry in entries) > UNPACKED_LIMIT:
        raise Refused(BOMB)
    for entry in entries:
        if entry.file_size > max(1024**2, entry.compress_size * RATIO_LIMIT):
            raise Refused(BOMB)
        if entry.flag_bits & 1:
            raise Refused(LOCKED)
        name = entry.orig_filename
        if name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/"):
            raise Refused(DAMAGED)
    if archive.testzip() is not None:
        raise Refused(DAMAGED)


def _part(archive: zipfile.ZipFile, name: str) -> io.BytesIO:
    with archive.open(name) as opened:
        data = opened.read(ENTRY_LIMIT + 1)
    if len(data) > ENTRY_LIMIT:
        raise Refused(BOMB)
    return io.BytesIO(data)


def _elements(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[str, Any]]:
    """Each element of a part when it ends, by its local name. It is emptied once it was looked at, unless it is inside a text."""
    for _, element in ElementTree.iterparse(_part(archive, name), forbid_dtd=True):
        local = element.tag.rpartition("}")[2]
        yield local, element
        if local in ("p", "si", "c", "row"):
            element.clear()


def _paragraphs(archive: zipfile.ZipFile, name: str) -> Iterator[str]:
    """Word's and PowerPoint's: texts `t` and tabs in paragraphs `p`."""
    for local, element in _elements(archive, name):
        if local == "p":
            yield "".join(_of_run(inner) for inner in element.iter()) + "\n"


def _of_run(element: Any) -> str:
    local = element.tag.rpartition("}")[2]
    if local == "t":
        return element.text or ""
    return {"tab": "\t", "br": "\n"}.get(local, "")


def _cells(archive: zipfile.ZipFile, names: list[str]) -> Iterator[str]:
    """Each sheet's rows, cells between tabs, as Excel showed them last: values, not formulas."""
    shared = []
    if "xl/sharedStrings.xml" in names:
        for local, element in _elements(archive, "xl/sharedStrings.xml"):
            if local == "si":
                shared.append("".join(inner.text or "" for inner in element.iter() if inner.tag.endswith("}t")))
    for number, name in enumerate(_numbered(names, "xl/worksheets/sheet"), start=1):
        yield f"Sheet {number}\n"
        row: list[str] = []
        for local, element in _elements(archive, name):
            if local == "c":
                row.append(_cell(element, shared))
            elif local == "row":
                yield "\t".join(row).rstrip("\t") + "\n"
                row = []
        yield "\n"


def _cell(element: Any, shared: list[str]) -> str:
    value = "".join(inner.text or "" for inner in element.iter() if inner.tag.rpartition("}")[2] in ("v", "t"))
    if element.get("t") == "s":
        return shared[int(value)] if value.isdecimal() and int(value) < len(shared) else ""
    return value


def _numbered(names: list[str], before: str) -> list[str]:
    """`…1.xml`, `…2.xml` and so on, in this order."""
    found = {int(match[1]): name for name in names if (match := re.fullmatch(re.escape(before) + r"([0-9]{1,6})\.xml", name))}
    return [found[number] for number in sorted(found)]


def _plain(data: bytes, declared: str) -> str:
    try:
        text = data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("This is no text in UTF-8. Save it with this encoding and try again.") from None
    if any(unicodedata.category(letter) == "Cc" and letter not in "\n\r\t\f" for letter in text):
        raise Refused(MISMATCH)
    if MARKUP.match(text):
        raise Refused("This is a web page or a drawing, not a plain text. Send a PDF or an image of it.")
    if declared == JSON:
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            raise Refused("This is not JSON. Correct it, or send it as a text file.") from None
    return text.replace("\r\n", "\n")


# The program -----------------------------------------------------------------------------------------------------------


def main() -> None:
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_LIMIT),
        (resource.RLIMIT_CPU, PROCESSOR_SECONDS),
        (resource.RLIMIT_FSIZE, WRITTEN_LIMIT),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    try:
        found = inspect(Path(sys.argv[1]), sys.argv[2])
    except Refused as error:
        found = {"problem": str(error)}
    except MemoryError:
        found = {"problem": BOMB}
    except DefusedXmlException:
        found = {"problem": MIXED}
    except (OSError, ValueError, SyntaxError, LookupError, RecursionError, EOFError, NotImplementedError, zipfile.BadZipFile, PyPdfError):
        found = {"problem": DAMAGED}  # what the readers of the formats raise at files that break their rules
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
