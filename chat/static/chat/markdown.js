// Markdown of an answer while it is being written. Shows what `chat/markdown.py` shows, whose HTML takes its place at the end: no raw
// HTML, no images, only https and mailto links, all of it through an allow-list.

import { Marked } from "../vendor/marked/lib/marked.esm.js";
import DOMPurify from "../vendor/dompurify/dist/purify.es.mjs";

const LANGUAGE = /^[A-Za-z][A-Za-z0-9+#.-]{0,23}$/;
const HEADING_SHIFT = 2;
const DEEPEST_HEADING = 6;
const ALLOWED = {
  ALLOWED_TAGS: [
    ...["p", "br", "hr", "h3", "h4", "h5", "h6", "strong", "em", "s", "blockquote", "ul", "ol", "li"],
    ...["pre", "code", "table", "thead", "tbody", "tr", "th", "td", "a", "div", "span"],
  ],
  ALLOWED_ATTR: ["href", "target", "rel", "start", "class", "tabindex", "role", "aria-label"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https|mailto):/i,
  // Their values are no addresses, so the line above is not for them.
  ADD_URI_SAFE_ATTR: ["target", "rel", "start", "tabindex", "role", "aria-label"],
  RETURN_DOM_FRAGMENT: true,
};

const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (text) => text.replace(/[&<>"']/g, (mark) => escapes[mark]);

// Spelled out: a URL's parser would take a host with letters that are not seen or only look like others for the plain one.
const PLAIN = /^https:\/\/[a-z0-9.:-]+(?:[/?#]|$)/i;

/** The host an address leads to, or null where a message may not link there (see `host_of` in markdown.py). */
export function hostOf(address) {
  if (/[\x00-\x20\x7f\\]/.test(address)) return null;
  let url;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  if (url.protocol === "mailto:") return /^[^\s@:/?#\\%]{1,64}@[a-z0-9.-]{1,253}$/i.test(url.pathname) ? url.pathname : null;
  if (!PLAIN.test(address) || !/^[a-z0-9.-]+$/.test(url.hostname)) return null;
  return url.host;
}

export function codeBlock(text, language) {
  const name = LANGUAGE.test(language) ? language.toLowerCase() : "";
  const kind = name ? ` class="language-${escape(name)}"` : "";
  return (
    `<div class="code"><div class="code-head"><span class="code-language">${escape(name || "text")}</span>` +
    `<span class="copy-slot"></span></div><pre tabindex="0"><code${kind}>${escape(text)}</code></pre></div>`
  );
}

const marked = new Marked({
  gfm: true,
  breaks: false,
  tokenizer: {
    // Bare addresses stay text and raw HTML is text, as on the server.
    url: () => undefined,
    html: () => undefined,
    tag: () => undefined,
  },
  renderer: {
    html: ({ text }) => escape(text),
    code: ({ text, lang }) => codeBlock(`${text.replace(/\n$/, "")}\n`, (lang ?? "").trim().split(/\s+/)[0]),
    heading({ tokens, depth }) {
      const level = Math.min(depth + HEADING_SHIFT, DEEPEST_HEADING);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
    image: ({ text }) => `<span class="image-alt">[image${text ? `: ${escape(text)}` : ""}]</span>`,
    link({ href, tokens, raw }) {
      const words = this.parser.parseInline(tokens);
      const host = hostOf(href);
      if (host === null) return escape(raw);
      const shown = raw.startsWith("<") ? "" : ` <span class="link-host">${escape(host)}</span>`;
      return `<a href="${escape(href)}" target="_blank" rel="noopener noreferrer nofollow">${words}</a>${shown}`;
    },
    del({ tokens }) {
      return `<s>${this.parser.parseInline(tokens)}</s>`;
    },
    listitem(item) {
      return `<li>${this.parser.parse(item.tokens, !!item.loose)}</li>`;
    },
    table(token) {
      const cell = (tag, { tokens }, column) => {
        const align = token.align[column] ? ` class="align-${token.align[column]}"` : "";
        return `<${tag}${align}>${this.parser.parseInline(tokens)}</${tag}>`;
      };
      const head = token.header.map((one, column) => cell("th", one, column)).join("");
      const rows = token.rows.map((row) => `<tr>${row.map((one, column) => cell("td", one, column)).join("")}</tr>`);
      return (
        `<div class="table-scroll" role="region" aria-label="Table" tabindex="0"><table><thead><tr>${head}</tr></thead>` +
        `<tbody>${rows.join("")}</tbody></table></div>`
      );
    },
  },
});

/** A document fragment of a piece of markdown that is whole. */
export function render(source) {
  return DOMPurify.sanitize(marked.parse(source), ALLOWED);
}

function renderInline(source) {
  return DOMPurify.sanitize(marked.parseInline(source), ALLOWED);
}

const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;
const ITEM = /^ {0,3}(?:[-*+]|(\d{1,9})[.)])(?:\s|$)/;
const TABLE_RULE = /^ {0,3}\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const SINGLE_LINE = /^ {0,3}(?:#{1,6}(?:\s|$)|(?:[*_-] *){3,}$)/;
const INDENTED = /^(?: {2,}|\t)/;

// A paragraph, a list or a table that grows beyond this many characters is finished in parts. What cannot be (a long quotation) is
// rendered again only when it has grown by an eighth; until then new text stands plain at its end.
const LONG = 1_500;
const KEEP_OPEN = 300;
const GROWTH = 1.125;
// Lines of an open code block that are laid out together.
const LINES = 40;

/**
 * Markdown that arrives in pieces, shown in `root`. Finished blocks are rendered once and stay as they are; only the last, open one is
 * rendered again, and where that grows long its beginning is finished, too. So a piece costs the same however long the answer is.
 */
export class StreamedMarkdown {
  /** Characters rendered so far, those of an open block again and again: what a long answer costs. */
  drawn = 0;
  #root;
  #open = ""; // source of the open block, or of a fence's open line
  #scanned = 0; // up to here #open was looked through, at the start of a line
  #fence = null; // {mark, code, nodes}: an open code block
  #shown = []; // nodes of the open block
  #drawnLength = 0; // of #open, when it was last rendered
  #tail = null; // plain text that came since
  #into = null; // {kind, element, head}: where a long block's rest goes on
  #finished;

  /** `finished(elements)` is called with blocks that will not change any more. */
  constructor(root, { finished = () => {} } = {}) {
    this.#root = root;
    this.#finished = finished;
    root.replaceChildren();
  }

  append(text) {
    this.#open += text;
    const before = this.#open.length;
    while (this.#fence ? this.#goOnInFence() : this.#finishBlock());
    if (this.#fence) this.#showOpenLine();
    else if (this.#open.length === before && before > LONG && before < this.#drawnLength * GROWTH) this.#showTail(text);
    else this.#showOpen();
  }

  // Blocks ------------------------------------------------------------------------------------------------------------

  /** Finishes the open block where its end has arrived. True where there may be more to do. */
  #finishBlock() {
    if (!this.#into && this.#scanned === 0) this.#open = this.#open.replace(/^(?:[ \t]*\n)+/, "");
    let start = this.#scanned;
    for (;;) {
      const end = this.#open.indexOf("\n", start);
      if (end < 0) break;
      const line = this.#open.slice(start, end);
      const before = this.#open.slice(0, start);
      if (this.#nested(before)) {
        start = this.#scanned = end + 1;
        continue;
      }
      const fence = FENCE.exec(line);
      if (fence && !this.#inList(before)) return this.#openFence(before, fence, end + 1);
      if (!before.trim() && SINGLE_LINE.test(line)) return this.#finish(end + 1);
      if (before.trim()) {
        if (SINGLE_LINE.test(line) && !this.#inList(before) && !/^ {0,3}-+ *$/.test(line)) return this.#finish(start);
        const blankBefore = /\n[ \t]*\n$/.test(before) || /^\s*\n$/.test(before);
        if (blankBefore && line.trim() && !this.#continues(before, line)) return this.#finish(start);
        if (!line.trim() && !this.#inList(before)) return this.#finish(end + 1);
      }
      start = this.#scanned = end + 1;
    }
    return this.#open.length > LONG && this.#finishPart();
  }

  /** Whether the line goes on with the list before the blank line. */
  #continues(before, line) {
    return this.#inList(before) && (ITEM.test(line) || INDENTED.test(line));
  }

  #inList(source) {
    return this.#into?.kind === "list" || ITEM.test(source);
  }

  /** Whether a code block inside a list item is open at the end of `source`. */
  #nested(source) {
    if (!this.#inList(source)) return false;
    let mark = "";
    for (const [, found] of source.matchAll(/^ {2,}(`{3,}|~{3,})/gm)) {
      if (!mark) mark = found;
      else if (found.startsWith(mark)) mark = "";
    }
    return mark !== "";
  }

  #finish(length) {
    const source = this.#open.slice(0, length);
    this.#open = this.#open.slice(length);
    this.#scanned = 0;
    this.#show(source);
    this.#settle();
    this.#into = null;
    return true;
  }

  /** The open block is long: finishes its beginning and goes on inside the same paragraph, list or table. */
  #finishPart() {
    const kind = this.#into?.kind ?? this.#kindOf(this.#open);
    if (!kind) return false;
    const until = this.#open.length - KEEP_OPEN;
    const cut = { list: this.#cutOfList, table: this.#cutOfTable, paragraph: this.#cutOfParagraph }[kind].call(this, until);
    if (cut <= 0) return false;
    const head = kind === "table" ? (this.#into?.head ?? this.#open.split("\n", 2).join("\n")) : "";
    this.#show(this.#open.slice(0, cut));
    const selector = { list: "ul, ol", table: "tbody", paragraph: "p" }[kind];
    const element = this.#into?.element ?? this.#shown.map((node) => find(node, selector)).find(Boolean);
    if (!element) return false;
    this.#shown = [];
    this.#drawnLength = 0;
    this.#into = { kind, element, head };
    this.#open = this.#open.slice(cut);
    this.#scanned = Math.max(0, this.#scanned - cut);
    return false;
  }

  #kindOf(source) {
    if (ITEM.test(source)) return "list";
    const [first, second] = source.split("\n", 2);
    if (second !== undefined && first.includes("|") && TABLE_RULE.test(second)) return "table";
    return /^ {0,3}(>|#|    )/.test(source) ? null : "paragraph";
  }

  /** The start of the last item that begins before `until`. */
  #cutOfList(until) {
    for (let at = this.#open.lastIndexOf("\n", until); at > 0; at = this.#open.lastIndexOf("\n", at - 1)) {
      const before = this.#open.slice(0, at + 1);
      if (/^(?:[-*+]|\d{1,9}[.)])\s/.test(this.#open.slice(at + 1)) && !this.#nested(before)) return at + 1;
    }
    return 0;
  }

  #cutOfTable(until) {
    return this.#open.lastIndexOf("\n", until) + 1;
  }

  /** A space before `until` where nothing is open that would look different if it were cut there. */
  #cutOfParagraph(until) {
    const stop = Math.max(0, until - LONG);
    for (let at = until; at > stop; at -= 1) {
      if (/\s/.test(this.#open[at]) && isBalanced(this.#open.slice(0, at))) return at;
    }
    return 0;
  }

  // Code --------------------------------------------------------------------------------------------------------------

  #openFence(before, [, mark, info], length) {
    if (before.trim()) {
      this.#show(before);
      this.#settle();
    }
    this.#into = null;
    this.#open = this.#open.slice(length);
    this.#scanned = 0;
    this.#discard();
    const block = DOMPurify.sanitize(codeBlock("", info.trim().split(/\s+/)[0]), ALLOWED).firstElementChild;
    const code = block.querySelector("code");
    const line = document.createTextNode("");
    this.#root.append(block);
    this.#fence = { mark, block, code, line, part: null, lines: LINES };
    this.#addLines("");
    return true;
  }

  /** Takes the whole lines of an open code block. True where the block was closed. */
  #goOnInFence() {
    const { mark, block, code } = this.#fence;
    const closing = new RegExp(`^ {0,3}${mark[0]}{${mark.length},} *$`);
    let start = 0;
    let done = "";
    for (let end = this.#open.indexOf("\n"); end >= 0; end = this.#open.indexOf("\n", start)) {
      const text = this.#open.slice(start, end);
      start = end + 1;
      if (closing.test(text)) {
        code.replaceChildren(code.textContent.slice(0, -this.#fence.line.length || undefined) + done);
        this.#open = this.#open.slice(start);
        this.#fence = null;
        this.#finished([block]);
        return true;
      }
      done += `${text}\n`;
    }
    if (done) this.#addLines(done);
    this.#open = this.#open.slice(start);
    return false;
  }

  /** Adds whole lines before the open one, in parts that are laid out each by itself: one long text would be laid out anew each time. */
  #addLines(text) {
    const fence = this.#fence;
    fence.line.data = "";
    if (fence.lines >= LINES) {
      fence.part = document.createElement("span");
      fence.part.className = "lines";
      fence.code.append(fence.part);
      fence.lines = 0;
    }
    fence.part.append(text, fence.line);
    fence.lines += text.split("\n").length - 1;
  }

  /** The line that is being written; what may become the closing fence is held back. */
  #showOpenLine() {
    const { mark, line } = this.#fence;
    const text = this.#open;
    this.drawn += text.length;
    line.data = /^ {0,3}(`+|~+) *$/.test(text) && text.trim()[0] === mark[0] ? "" : text;
  }

  // Nodes -------------------------------------------------------------------------------------------------------------

  #showTail(text) {
    this.drawn += text.length;
    if (!this.#tail) {
      let last = this.#shown.at(-1);
      while (last.lastChild?.nodeType === Node.ELEMENT_NODE) last = last.lastChild;
      this.#tail = document.createTextNode("");
      if (last.nodeType === Node.ELEMENT_NODE) last.append(this.#tail);
      else last.after(this.#tail);
      this.#shown.push(this.#tail);
    }
    this.#tail.appendData(text);
  }

  #showOpen() {
    this.#drawnLength = this.#open.length;
    const source = tidied(this.#open);
    if (source.trim()) this.#show(source);
    else this.#discard();
  }

  #show(source) {
    this.drawn += source.length;
    this.#discard();
    const nodes = this.#into ? this.#rest(source) : [...render(source).childNodes];
    (this.#into?.element ?? this.#root).append(...nodes);
    this.#shown = nodes;
  }

  /** What goes on inside the long block that has begun. */
  #rest(source) {
    const { kind, head } = this.#into;
    if (kind === "paragraph") return [...renderInline(source).childNodes];
    const made = render(kind === "table" ? `${head}\n${source}` : source);
    const within = made.querySelector(kind === "table" ? "tbody" : "ul, ol");
    return within ? [...within.childNodes] : [...made.childNodes];
  }

  #discard() {
    this.#tail = null;
    for (const node of this.#shown) node.remove();
    this.#shown = [];
  }

  #settle() {
    this.#drawnLength = 0;
    this.#tail = null;
    const elements = this.#shown.filter((node) => node.nodeType === Node.ELEMENT_NODE);
    this.#shown = [];
    if (elements.length) this.#finished(elements);
  }
}

function find(node, selector) {
  if (node.nodeType !== Node.ELEMENT_NODE) return null;
  return node.matches(selector) ? node : node.querySelector(selector);
}

function isBalanced(text) {
  const count = (mark) => text.split(mark).length - 1;
  return (
    count("`") % 2 === 0 && count("*") % 2 === 0 && count("_") % 2 === 0 && count("~~") % 2 === 0 && count("[") === count("]")
  );
}

/** The open block's source as it may be shown: a mark that has only begun, at its very end, is held back. */
function tidied(source) {
  return source
    .replace(/(^|\n) {0,3}(?:`{1,2}|`{3,}[^\n`]*|~{1,2}|~{3,}[^\n]*|#{1,6}|[-+*]|\d{1,9}[.)]?|\||=+|-+) *$/, "$1")
    .replace(/!?\[[^\]\n]*\]\([^)\s]*$/, (link) => link.slice(link.indexOf("[") + 1, link.indexOf("]")))
    .replace(/(\*{1,3}|_{1,3}|~{1,2})$/, "");
}
