"""A chatbot's settings in a browser: the preview follows the form, the snippet is copied; light, dark and small, and without a script."""

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import LARGE, SMALL, looks_right
from tests.e2e.test_dashboard import shot


async def box(page) -> dict[str, float]:
    return await page.locator("[data-preview-box]").evaluate(
        "box => Object.fromEntries(['x', 'y', 'width', 'height'].map(name => [name, Math.round(Number(box.getAttribute(name)))]))"
    )


@pytest.mark.parametrize("size", [LARGE, SMALL], ids=["large", "small"])
async def test_the_preview_follows_the_form_and_fits_every_light_and_size(page, world, size):
    await page.set_viewport_size(size)
    await page.goto(world.address("settings/chatbots/new/"))
    await looks_right(page, sizes=[size])
    await page.get_by_label("Title").fill("Orders & returns <b>")
    await page.get_by_label("Words on the button").fill("Help me")
    await page.get_by_label("Colour").fill("#aa2200")
    figure = page.locator("[data-preview]")
    await expect(figure.locator("[data-preview-title]")).to_have_text("Orders & returns <b>")
    await expect(figure.locator("[data-preview-name]")).to_have_text("Help me")
    colours = await figure.locator("[data-preview-colour]").evaluate_all("parts => parts.map(part => part.getAttribute('fill'))")
    assert set(colours) == {"#aa2200"}
    await page.get_by_label("Width", exact=True).fill("50")
    await page.get_by_label("Unit of the width").select_option("%")
    assert (await box(page))["width"] == 227, "half of the drawn page"
    await page.get_by_label("Place", exact=True).select_option("embedded")
    await expect(figure.locator("[data-preview-button]")).to_have_attribute("visibility", "hidden")
    inside = await box(page)
    assert inside["x"] + inside["width"] == 460
    assert inside["y"] + inside["height"] == 340
    await shot(page, f"chatbot-new-{size['width']}")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("link", name="Orders & returns <b>").click()
    await expect(page.get_by_label("To put it on your website")).to_be_visible()
    await expect(page.locator("[data-preview-title]")).to_have_text("Orders & returns <b>")
    await looks_right(page, sizes=[size], shot="chatbot")


async def test_the_snippet_is_copied(page, world):
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto(world.address("settings/chatbots/new/"))
    await page.get_by_label("Title").fill("Shop")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("link", name="Shop").click()
    await page.get_by_role("button", name="Copy").click()
    await expect(page.locator("[data-copied]")).to_have_text("Copied.")
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == await page.get_by_label("To put it on your website").input_value()
    assert copied.startswith('<script src="http')
    assert copied.endswith('" async></script>')
