"""Files as people attach them, and as nobody should."""

import io
import json
import struct
import uuid
import zipfile
import zlib
from collections.abc import Mapping

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image

from chat.documents import Attachment
from config import mongo

RELATIONS = "http://schemas.openxmlformats.org"
CONTENT_TYPES = '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'


def image(format: str = "PNG", *, size: tuple[int, int] = (60, 40), mode: str = "RGB", **options) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "red" if mode == "RGB" else None).save(out, format, **options)
    return out.getvalue()


def photo(comment: bytes = b"taken by Olive at home") -> bytes:
    """A JPEG that was held upright: 60 × 40 stored, 40 × 60 seen, with the place where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation
    exif[0x010E] = "59.9139 N 10.7522 E"
    return image("JPEG", exif=exif, comment=comment)


def archive(parts: Mapping[str, str | bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return out.getvalue()


def docx(*paragraphs: str, **more: str | bytes) -> bytes:
    texts = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    document = f'<w:document xmlns:w="{RELATIONS}/wordprocessingml/2006/main"><w:body>{texts}</w:body></w:document>'
    return archive({"[Content_Types].xml": CONTENT_TYPES, "word/document.xml": document, **more})


def xlsx(rows: list[list[str | int]]) -> bytes:
    namespace = f'xmlns="{RELATIONS}/spreadsheetml/2006/main"'
    strings = [cell for row in rows for cell in row if isinstance(cell, str)]
    shared = "".join(f"<si><t>{text}</t></si>" for text in strings)

    def spelled(cell: str | int) -> str:
        return f'<c t="s"><v>{strings.index(cell)}</v></c>' if isinstance(cell, str) else f"<c><f>1+1</f><v>{cell}</v></c>"

    sheet = "".join(f"<row>{''.join(map(spelled, row))}</row>" for row in rows)
    return archive(
        {
            "[Content_Types].xml": CONTENT_TYPES,
            "xl/workbook.xml": f"<workbook {namespace}/>",
            "xl/sharedStrings.xml": f"<sst {namespace}>{shared}</sst>",
            "xl/worksheets/sheet1.xml": f"<worksheet {namespace}><sheetData>{sheet}</sheetData></worksheet>",
        }
    )


def pptx(*slides: str) -> bytes:
    namespace = f'xmlns:a="{RELATIONS}/drawingml/2006/main"'
    parts = {f"ppt/slides/slide{n}.xml": f"<s {namespace}><a:p><a:r><a:t>{t}</a:t></a:r></a:p></s>" for n, t in enumerate(slides, 1)}
    return archive({"[Content_Types].xml": CONTENT_TYPES, "ppt/presentation.xml": "<p/>", **parts})


def pdf(*pages: str) -> bytes:
    """A PDF with a line of text on each page."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
        number = len(objects) + 1
        kids.append(f"{number} 0 R")
        font = b"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources %b >>" % (number + 1, font))
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream))
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    return out + head + table + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(out))


def pixel_bomb(side: int = 60_000) -> bytes:
    """A PNG of a few kilobytes that says it has billions of pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")


def lying_archive() -> bytes:
    """A docx whose list says that its document has ten bytes; unpacked it has fifty megabytes."""
    made = docx(**{"word/big.xml": b"0" * 50_000_000})
    name = b"word/big.xml"
    central = made.rindex(name) - 46
    return made[: central + 24] + struct.pack("<I", 10) + made[central + 28 :]


def keep_file(organization_id: str, conversation: str, *, user_id: str) -> str:
    """An image that this person uploaded and did not send yet, without the look at it; its id."""
    raw = {"organizationId": organization_id, "conversationId": conversation, "userId": user_id, "attachmentId": str(uuid.uuid4())}
    stored_as = f"attachments/{raw['attachmentId']}"
    facts = {"fileName": "red.png", "fileType": "image/png", "fileSize": 3, "width": 1, "height": 1, "isSent": False}
    names = {"storedAs": stored_as, "thumbnailAs": f"{stored_as}-thumbnail", "createdAt": timezone.now()}
    mongo.collection(Attachment).insert_one({**raw, **facts, **names})
    for name in (stored_as, f"{stored_as}-thumbnail"):
        default_storage.save(name, ContentFile(b"red"))
    return raw["attachmentId"]


# name → content: what a person may attach.
GOOD = {
    "red.png": image(),
    "clear.png": image(mode="RGBA"),
    "photo.JPG": photo(),
    "scan.jpeg": image("JPEG", mode="L"),
    "print.jpg": image("JPEG", mode="CMYK"),
    "dots.gif": image("GIF", mode="P"),
    "new.webp": image("WEBP"),
    "report.pdf": pdf("Sales rose by 12 percent"),
    "letter.docx": docx("Dear Erik,", "thank you."),
    "table.xlsx": xlsx([["Name", "Goals"], ["Erik", 92]]),
    "talk.pptx": pptx("The plan", "The end"),
    "note.txt": "Grüße 👋".encode(),
    "from windows.txt": "Grüße".encode("utf-16"),
    "read me.md": b"# Title\n\n<b>bold</b>",
    "people.csv": b"name,goals\r\nErik,92",
    "data.json": json.dumps({"goals": [92]}).encode(),
}

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
PAGE = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
ENTITIES = b'<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><d>&b;</d>'

# what is wrong with it → (name, content): what nobody may attach.
HOSTILE = {
    "an svg with script": ("drawing.svg", SVG),
    "an svg called png": ("drawing.png", SVG),
    "an svg called text": ("drawing.txt", SVG),
    "a page": ("page.html", PAGE),
    "a page called text": ("page.txt", b"\n " + PAGE),
    "a page called pdf": ("page.pdf", PAGE),
    "a page behind a picture": ("picture.gif", image("GIF", mode="P") + PAGE),
    "a script in a picture": ("picture.jpg", image("JPEG", comment=b"<?php system($_GET[0]) ?>")),
    "a picture and an archive": ("picture.png", image() + archive({"evil.class": b"\xca\xfe\xba\xbe"})),
    "a pdf and an archive": ("both.pdf", pdf("Hello") + archive({"evil.class": b"\xca\xfe\xba\xbe"})),
    "a picture and a pdf": ("both.gif", image("GIF", mode="P", comment=pdf("Hello")[:200])),
    "a pdf behind something else": ("late.pdf", b"\n\n" + pdf("Hello")),
    "a png called jpg": ("red.jpg", image()),
    "a docx called xlsx": ("letter.xlsx", docx("Hello")),
    "an archive called docx": ("letter.docx", archive({"a.txt": "a"})),
    "a program called text": ("program.txt", b"\x7fELF\x02\x01\x01" + bytes(100)),
    "a program": ("program.exe", b"MZ" + bytes(100)),
    "a picture called text": ("red.txt", image()),
    "text in an old encoding": ("note.txt", "Grüße".encode("latin-1")),
    "json that is none": ("data.json", b"{nope"),
    "json without an end": ("data.json", b"[" * 100_000),
    "half a picture": ("red.png", image(size=(400, 400))[:200]),
    "half a pdf": ("half.pdf", b"%PDF-1.4\n1 0 obj\n"),
    "half a docx": ("half.docx", docx("Hello")[:-30]),
    "a pixel bomb": ("bomb.png", pixel_bomb()),
    "a zip bomb": ("bomb.docx", docx(**{"word/big.xml": b"0" * 60_000_000})),
    "a zip bomb that lies": ("bomb.docx", lying_archive()),
    "too many parts": ("parts.docx", docx(**{f"word/{n}.xml": "" for n in range(2_100)})),
    "a way out of a folder": ("out.docx", docx(**{"../../etc/passwd": "root"})),
    "macros": ("macros.docx", docx(**{"word/vbaProject.bin": b"\xd0\xcf"})),
    "entities": ("entities.docx", archive({"[Content_Types].xml": CONTENT_TYPES, "word/document.xml": ENTITIES})),
    "nothing": ("empty.txt", b""),
    "a path": ("../../etc/passwd.txt", b"Hello"),
    "a path of windows": ("..\\..\\boot.txt", b"Hello"),
    "a zero": ("note.txt\0.png", b"Hello"),
    "a header": ("note\r\nSet-Cookie: a=b.txt", b"Hello"),
    "a name that is turned around": ("\u202etxt.exe.txt", b"Hello"),
    "no name": (".", b"Hello"),
    "no extension": ("note", b"Hello"),
    "two extensions": ("note.txt.exe", b"Hello"),
    "a name without an end": ("a" * 200 + ".txt", b"Hello"),
}
