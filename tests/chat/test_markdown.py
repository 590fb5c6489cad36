"""Markdown of a message to HTML. What is hostile is tested together with the page's own renderer, in tests/e2e."""

import time

import pytest

from chat import markdown


def test_a_message_with_everything_in_it():
    text = "# Head\n\nA **b** `c` [d](https://e.example/?f=1&g=2).\n\n- h\n\n```py x\n1 < 2\n```\n\n|i|\n|-:|\n|1|\n"
    assert markdown.render(text) == (
        "<h3>Head</h3>\n"
        "<p>A <strong>b</strong> <code>c</code> "
        '<a href="https://e.example/?f=1&amp;g=2" target="_blank" rel="noopener noreferrer nofollow">d</a> '
        '<span class="link-host">e.example</span>.</p>\n'
        "<ul>\n<li>h</li>\n</ul>\n"
        '<div class="code"><div class="code-head"><span class="code-language">py</span><span class="copy-slot"></span></div>'
        '<pre tabindex="0"><code class="language-py">1 &lt; 2\n</code></pre></div>\n'
        '<div class="table-scroll" role="region" aria-label="Table" tabindex="0"><table>\n'
        '<thead>\n<tr>\n<th class="align-right">i</th>\n</tr>\n</thead>\n'
        '<tbody>\n<tr>\n<td class="align-right">1</td>\n</tr>\n</tbody>\n</table></div>'
    )


@pytest.mark.parametrize(
    "text",
    [
        "[" * 20_000,
        "[a](b" * 4_000,
        "![" * 10_000,
        "_a" * 10_000,
        "**a*" * 5_000,
        "> " * 10_000,
        "\n".join(" " * i + "- a" for i in range(200)),
    ],
    ids=["brackets", "links", "images", "underscores", "stars", "quotes", "nesting"],
)
def test_text_made_to_be_slow_is_not(text):
    began = time.process_time()
    markdown.render(text)
    assert time.process_time() - began < 3


def test_a_text_that_is_far_too_long_is_shown_as_it_is():
    assert markdown.render("<" * 200_001).count("&lt;") == 200_001


def test_unclosed_code_is_code():
    assert '<code class="language-sql">select' in markdown.render("```sql\nselect")


def test_raw_html_is_text():
    assert markdown.render("<b>x</b>") == "<p>&lt;b&gt;x&lt;/b&gt;</p>"


def test_pictures_are_named_and_not_fetched():
    assert markdown.render("![A *cat*](https://e.example/cat.png)") == '<p><span class="image-alt">[image: A cat]</span></p>'


def test_words_are_what_is_read_without_the_form():
    text = "## Erik *Ek*\n\n- **Strong:** listening\n- [a link](https://example.com)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
    text += "```python\nx = 1\n```\nThe\nend <b>&"
    assert markdown.words(text) == "Erik Ek Strong: listening a link a b 1 2 x = 1 The end <b>&"
    assert markdown.words(" \n") == ""
