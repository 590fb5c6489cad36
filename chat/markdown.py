"""Markdown of a message to HTML that is safe to show.

What a model writes is hostile input. Two walls: the renderer knows no raw HTML, no images and only https and mailto links, and what
it made passes an allow-list. The page's script (`chat/static/chat/markdown.js`) shows the same while an answer is being written;
what this module makes then takes its place.
"""

import re
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

_LANGUAGE = re.compile(r"[A-Za-z][A-Za-z0-9+#.-]{0,23}")
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*\Z")
_ADDRESS = re.compile(r"[^\s@:/?#\\%]{1,64}@[a-z0-9.-]{1,253}\Z", re.IGNORECASE)
_DANGEROUS = re.compile(r"[\x00-\x20\x7f\\]")
_ALIGNMENT = {"text-align:left": "align-left", "text-align:center": "align-center", "text-align:right": "align-right"}
# A page has one h1, its title, and the thread's messages are below an h2: an answer's own headings begin at h3.
_HEADING_SHIFT = 2
_DEEPEST_HEADING = 6
_NESTING = 20
_KEPT_LENGTH = 16_000  # characters; longer texts are rare and would crowd the others out of memory
_LONGEST = 200_000  # characters; beyond, a text is shown as it is, since the worst ones take a second for each 32,000

_CLASSES = {
    "div": {"code", "code-head", "table-scroll"},
    "span": {"code-language", "copy-slot", "link-host", "image-alt"},
    "th": set(_ALIGNMENT.values()),
    "td": set(_ALIGNMENT.values()),
}
_TAGS = {
    *("p", "br", "hr", "h3", "h4", "h5", "h6", "strong", "em", "s", "blockquote", "ul", "ol", "li"),
    *("pre", "code", "table", "thead", "tbody", "tr", "th", "td", "a", "div", "span"),
}
_ATTRIBUTES = {
    "a": {"href", "target"},
    "ol": {"start"},
    "code": {"class"},
    "pre": {"tabindex"},
    "div": {"class", "tabindex", "role", "aria-label"},
    "span": {"class"},
    "th": {"class"},
    "td": {"class"},
}


def host_of(address: str) -> str | None:
    """The host a link leads to, as the browser will read it; None for an address that no message may link to.

    Refused besides other schemes: user names before the host and backslashes, which show one host and lead to another, and hosts
    outside ASCII, which can look like another one (their punycode form is accepted and shown as such).
    """
    if _DANGEROUS.search(address):
        return None
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme == "mailto":
        return parts.path if _ADDRESS.match(parts.path) else None
    host = (parts.hostname or "").lower()
    if parts.scheme != "https" or "@" in parts.netloc or not _HOST.match(host):
        return None
    return host if port in (None, 443) else f"{host}:{port}"


def _is_allowed(address: str) -> bool:
    return host_of(address) is not None


class _Renderer(RendererHTML):
    """Tokens to HTML, with what the product adds: hosts behind links, heads on code, scrolling tables."""

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        address = str(tokens[idx].attrs.get("href", ""))
        return f'<a href="{escape(address)}" target="_blank">'

    def link_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        opening = _opening_of(tokens, idx)
        host = host_of(str(opening.attrs.get("href", ""))) or ""
        # A bare address already shows where it leads.
        shown = "" if opening.markup == "autolink" else f' <span class="link-host">{escape(host)}</span>'
        return f"</a>{shown}"

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        words = self.renderInlineAsText(tokens[idx].children or [], options, env).strip()
        return f'<span class="image-alt">[image: {escape(words)}]</span>' if words else '<span class="image-alt">[image]</span>'

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        words = tokens[idx].info.split()
        language = words[0] if words and _LANGUAGE.fullmatch(words[0]) else ""
        return _code(tokens[idx].content, language)

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        return _code(tokens[idx].content, "")

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        return f"<{_heading(tokens[idx])}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        return f"</{_heading(tokens[idx])}>\n"

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        return '<div class="table-scroll" role="region" aria-label="Table" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        return _cell(tokens[idx])

    td_open = th_open


def _opening_of(tokens: Sequence[Token], closing: int) -> Token:
    depth = 0
    for index in range(closing - 1, -1, -1):
        if tokens[index].type == "link_close":
            depth += 1
        elif tokens[index].type == "link_open":
            if depth == 0:
                return tokens[index]
            depth -= 1
    raise ValueError("A link that closes was never opened.")


def _heading(token: Token) -> str:
    return f"h{min(int(token.tag[1]) + _HEADING_SHIFT, _DEEPEST_HEADING)}"


def _cell(token: Token) -> str:
    alignment = _ALIGNMENT.get(str(token.attrs.get("style", "")))
    return f'<{token.tag} class="{alignment}">' if alignment else f"<{token.tag}>"


def _code(text: str, language: str) -> str:
    kind = f' class="language-{escape(language.lower())}"' if language else ""
    return (
        f'<div class="code"><div class="code-head"><span class="code-language">{escape(language.lower() or "text")}</span>'
        f'<span class="copy-slot"></span></div><pre tabindex="0"><code{kind}>{escape(text)}</code></pre></div>\n'
    )


def _allowed_attribute(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "class":
        if tag == "code":
            kind = value.removeprefix("language-")
            return value if kind != value and _LANGUAGE.fullmatch(kind) else None
        return value if value in _CLASSES.get(tag, ()) else None
    if attribute == "href":
        return value if _is_allowed(value) else None
    fixed = {"target": "_blank", "tabindex": "0", "role": "region", "aria-label": "Table"}
    if attribute in fixed:
        return value if value == fixed[attribute] else None
    return value


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _NESTING, "linkify": False}, renderer_cls=_Renderer).enable(
        ["table", "strikethrough"]
    )
    parser.validateLink = _is_allowed  # type: ignore[method-assign, assignment]
    return parser


_PARSER = _parser()
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    attribute_filter=_allowed_attribute,
    url_schemes={"https", "mailto"},
    link_rel="noopener noreferrer nofollow",
    strip_comments=True,
)


def render(text: str) -> str:
    """The message's HTML. Pure; kept for the ordinary texts asked for last, since history is shown more often than it changes."""
    if len(text) <= _KEPT_LENGTH:
        return _kept(text)
    if len(text) > _LONGEST:
        return _CLEANER.clean(_code(text, "")).strip()
    return _CLEANER.clean(_PARSER.render(text)).strip()


def render_code(text: str, language: str) -> str:
    """Code as `render` shows a fence of it."""
    return _CLEANER.clean(_code(text, language)).strip()


@lru_cache(maxsize=2_048)
def _kept(text: str) -> str:
    return _CLEANER.clean(_PARSER.render(text)).strip()


def words(text: str) -> str:
    """What is read where there is no room for its form: the words of each block one after another. Pure."""
    inline = (token for token in _PARSER.parse(text) if token.children is not None or token.type in ("fence", "code_block"))
    return " ".join(" ".join(_spoken(token) for token in inline).split())


def _spoken(token: Token) -> str:
    if token.children is None:
        return token.content
    return "".join(" " if each.type in ("softbreak", "hardbreak") else each.content for each in token.children)
