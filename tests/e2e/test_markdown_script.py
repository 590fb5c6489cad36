"""`chat/static/chat/markdown.js`: an answer looks sane at every moment, safe whatever it says, and costs the same per piece."""

import html
import re

import pytest

from chat import markdown

ANSWER = """# What I see

Erik **is ready**, with *one* reservation; see `goals` and [the guide](https://example.com/guide?a=1&b=2).

- delivers on time
- mentors others
  - and likes it

  also in writing
- asks early

1. first
2. second

> A quote
> over two lines

| Trait | Score |
|:------|------:|
| calm  |    92 |
| curious | 88 |

```python
def ready(person):
    # a blank line follows

    return person.score > 90 and "<b>" not in person.name
```

1. With code inside:

   ```sh
   echo "hi"

   echo "there"
   ```

2. and on

~~No~~ yes ![a picture](https://example.com/x.png).

---

Last words. 🙂 שלום
"""

HOSTILE = [
    '<script>alert(1)</script><img src=x onerror="alert(1)">',
    "<iframe src='https://example.com'></iframe><style>body{display:none}</style>",
    "[x](javascript:alert(1)) [y](data:text/html,<script>alert(1)</script>) [z](vbscript:x)",
    "[u](https://good.example@evil.example/) [v](http://plain.example/) [w](//evil.example/)",
    "![x](https://evil.example/pixel.png)",
    "<form action='https://evil.example'><input name=password></form>",
    '[a](https://e.example/"onmouseover="alert(1)) <https://e.example/\'onclick=alert(1)>',
    "```html\n<script>alert(1)</script>\n```",
    '```"><img src=x onerror=alert(1)>\ncode\n```',
    "<svg onload=alert(1)><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "[a]: javascript:alert(1)\n\n[a]",
    "<a href='https://ok.example' style='position:fixed' onclick='x()'>a</a>",
]

STREAM = """async ({text, size, every}) => {
  const {StreamedMarkdown} = await import("/static/chat/markdown.js");
  const root = document.createElement("div");
  document.body.append(root);
  const stream = new StreamedMarkdown(root);
  const seen = [];
  for (let start = 0; start < text.length; start += size) {
    stream.append(text.slice(start, start + size));
    if (every) seen.push(root.innerHTML);
  }
  const result = {html: root.innerHTML, text: root.textContent, seen};
  root.remove();
  return result;
}"""


async def stream(page, text, *, size=1, every=False):
    return await page.evaluate(STREAM, {"text": text, "size": size, "every": every})


SHAPE = """(source) => {
  const root = document.createElement("div");
  root.innerHTML = source;
  // Whether a list is loose shows only at its end: paragraphs within items count for nothing.
  for (const p of root.querySelectorAll("li > p")) p.replaceWith(...p.childNodes);
  const say = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    const names = [...node.attributes].map(({name, value}) => `${name}=${value}`).sort().join(" ");
    const inside = [...node.childNodes].map(say).join("");
    const flat = /^(PRE|CODE)$/.test(node.tagName) ? inside : inside.replace(/\\s+/g, " ").trim();
    const inline = /^(A|STRONG|EM|S|CODE|SPAN)$/.test(node.tagName);
    return inline ? `<${node.localName} ${names}>${inside}</>` : `\\n<${node.localName} ${names}>${flat}`;
  };
  return [...root.childNodes].map(say).join("").trim();
}"""


async def shape(page, source):
    """The HTML as blocks with their attributes and text, one a line; white space that nobody sees is left out."""
    lines = re.sub(r"[ \t]+", " ", await page.evaluate(SHAPE, source)).split("\n")
    return [line.strip() for line in lines if line.strip()]


@pytest.mark.parametrize("size", [1, 3, 17, 10_000])
async def test_what_was_streamed_looks_like_what_the_server_renders(scripts, size):
    streamed = await stream(scripts, ANSWER, size=size)
    assert await shape(scripts, streamed["html"]) == await shape(scripts, markdown.render(ANSWER))


async def test_marks_that_have_only_begun_are_not_shown(scripts):
    """At no moment does a reader see the fence's back-ticks, a heading's hash or half a link."""
    seen = (await stream(scripts, ANSWER, every=True))["seen"]
    texts = [html.unescape(re.sub(r"<[^>]+>", "", moment)) for moment in seen]
    assert not [text for text in texts if "```" in text or "](" in text or re.search(r"(^|\n)#", text)]


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_does_nothing_at_any_moment(scripts, text):
    dialogs, requests = [], []
    scripts.on("dialog", lambda dialog: dialogs.append(dialog.message))
    scripts.on("request", lambda request: requests.append(request.url))
    seen = (await stream(scripts, text, every=True))["seen"]
    await scripts.wait_for_timeout(20)
    assert dialogs == []
    assert [url for url in requests if "/static/" not in url] == []
    for moment in seen:
        tags = set(re.findall(r"<([a-z0-9]+)", moment))
        assert tags <= markdown._TAGS, moment
        assert not re.search(r"<[^>]*\s(on\w+|style|src|srcdoc|action)=", moment), moment
        for address in re.findall(r'href="([^"]*)"', moment):
            assert markdown.host_of(html.unescape(address)) is not None, moment


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_does_nothing_when_rendered_by_the_server(text):
    rendered = markdown.render(text)
    assert set(re.findall(r"<([a-z0-9]+)", rendered)) <= markdown._TAGS
    assert not re.search(r"<[^>]*\s(on\w+|style|src|srcdoc|action)=", rendered)
    for address in re.findall(r'href="([^"]*)"', rendered):
        assert markdown.host_of(html.unescape(address)) is not None


HOSTS = [
    ("https://example.com/a", "example.com"),
    ("https://example.com:8443/", "example.com:8443"),
    ("https://EXAMPLE.com", "example.com"),
    ("mailto:ada@example.com", "ada@example.com"),
    ("https://xn--e1afmkfd.xn--p1ai/", "xn--e1afmkfd.xn--p1ai"),
    ("http://example.com/", None),
    ("javascript:alert(1)", None),
    ("https://good.example@evil.example/", None),
    ("https://evil.example\\@good.example/", None),
    ("https://", None),
    ("//example.com", None),
    ("/relative", None),
    ("https://exa mple.com", None),
    ("https://\ufeffexample.com/", None),
    ("https://ｅxample.com/", None),
    ("https:example.com", None),
    ("https:///example.com", None),
]


@pytest.mark.parametrize(("address", "host"), HOSTS)
async def test_server_and_browser_agree_where_a_link_leads(scripts, address, host):
    assert markdown.host_of(address) == host
    assert await scripts.evaluate("async (a) => (await import('/static/chat/markdown.js')).hostOf(a)", address) == host


COST = """async ({first, unit, pieces}) => {
  const {StreamedMarkdown} = await import("/static/chat/markdown.js");
  const root = document.createElement("div");
  const stream = new StreamedMarkdown(root);
  stream.append(first);
  const costs = [];
  for (let thousand = 0; thousand < 10; thousand += 1) {
    const before = stream.drawn;
    for (let piece = 0; piece < pieces; piece += 1) stream.append(unit.replace("$", thousand * pieces + piece));
    costs.push(stream.drawn - before);
  }
  return {costs, text: root.textContent.length};
}"""


@pytest.mark.parametrize(
    ("first", "unit"),
    [
        ("", "word$ and more. "),
        ("", "word$\n"),
        ("", "word$ and\n\n"),
        ("", "- item $ of a list\n"),
        ("| head | head |\n|---|---|\n", "| a$ | b |\n"),
        ("", "1. item $\n\n   more\n"),
        ("```python\n", "x = $  # code\n"),
        ("> ", "quoted $ words "),
        ("- ", "one item with $ words "),
        ("", "**bold $** and `code` and "),
    ],
    ids=["paragraph", "lines", "paragraphs", "list", "table", "loose list", "code", "quote", "item", "marks"],
)
async def test_the_last_thousand_pieces_cost_what_the_first_did(scripts, first, unit):
    """Measured in characters rendered, which no other load on the machine changes."""
    pieces = 80
    result = await scripts.evaluate(COST, {"first": first, "unit": unit, "pieces": pieces})
    assert result["text"] > 10 * pieces
    # Compared with the third fifth: before, a block is not yet long.
    assert sum(result["costs"][8:]) <= 1.25 * sum(result["costs"][4:6]), result["costs"]
