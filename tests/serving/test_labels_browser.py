"""The label viewer in a real browser: at 1200 and at 400 pixels, by mouse and by keyboard."""

import re
from pathlib import Path

import numpy as np
import pytest

import labelled_project
from partreid import params
from partreid.labels import LABELS
from partreid.serving import labels_pages, labels_shelf
from partreid.serving.app import application

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=15_000)  # milliseconds: tests run beside others


@pytest.fixture(scope="module")
def base(tmp_path_factory, served):
    """The viewer's address: a project with all labels of six images, four to a page."""
    patch, root = pytest.MonkeyPatch(), tmp_path_factory.mktemp("viewer")
    patch.chdir(root)
    patch.delenv("DVC_ROOT", raising=False)
    patch.setattr(labels_pages, "PAGE", 4)
    labelled_project.project(root)
    for label in LABELS:
        labelled_project.make(label)
    yield f"{served(application([labels_pages.part(params.load())]))}labels/"
    patch.undo()


@pytest.fixture
def page(tab):
    return tab(1200, 900, reduced_motion="reduce")


def shown(page):
    """The images in the grid."""
    return [int(link.get_attribute("data-image")) for link in page.locator("#grid a").all()]


def settled(page, text):
    expect(page.locator("#count")).to_have_text(text)


def test_filters_leave_what_is_asked_for_and_stand_in_the_address(page, base):
    page.goto(base)
    settled(page, "6 images")
    assert shown(page) == [2, 1, 5, 0]  # worst score first
    expect(page.locator("h1")).to_have_text("pifpaf labels of synthetic")
    expect(page.locator("#subtitle")).to_have_text("blazepose, cached")
    pictures = page.locator("#grid img")
    assert all(text.startswith("photo ") for text in pictures.evaluate_all("all => all.map(one => one.alt)"))
    for picture in pictures.all():  # not by a predicate in the page, which the policy forbids
        expect(picture).to_have_js_property("complete", True)
    assert all(pictures.evaluate_all("all => all.map(one => one.naturalWidth)"))

    page.get_by_label("next page").click()
    expect(page.locator("#place")).to_have_text("page 2 of 2")
    assert shown(page) == [3, 4]
    page.get_by_label("split").select_option("train")
    settled(page, "3 of 6 images")
    assert shown(page) == [0, 3, 4]
    page.get_by_label("order").select_option("-score")
    page.get_by_label("person").fill("007")
    page.get_by_label("ok", exact=True).check()
    expect(page).to_have_url(re.compile(r"split=train.*person=007.*status=ok"))
    page.reload()
    settled(page, "3 of 6 images")
    expect(page.get_by_label("person")).to_have_value("007")
    expect(page.get_by_label("ok", exact=True)).to_be_checked()

    page.get_by_role("button", name="Clear").click()
    settled(page, "6 images")
    page.get_by_text("Coverage and scores").click()
    page.get_by_role("button", name="show failed of all").click()
    settled(page, "1 of 6 images")
    assert shown(page) == [2]
    page.get_by_role("button", name="score 0.9 to 1.0").click()
    settled(page, "3 of 6 images")
    page.get_by_label("person").fill("nobody")
    page.get_by_label("person").press("Enter")
    settled(page, "No image is like that; 6 images without the filters.")
    page.go_back()
    settled(page, "3 of 6 images")


def test_an_image_is_shown_with_all_its_labels(page, base):
    page.goto(base)
    page.locator('#grid a[data-image="5"]').click()
    dialog = page.get_by_role("dialog", name="Image 5")
    expect(dialog).to_be_visible()
    expect(page).to_have_url(re.compile("image=5"))
    expect(dialog.locator("section h3")).to_have_text(
        [f"{label} blazepose" for label in ("pifpaf", "heads", "schp", "poses", "partmaps")]
    )
    expect(dialog.locator("section .pictures figure")).to_have_count(12)
    expect(dialog.locator("section .state")).to_have_text(["ok"] * 5)
    expect(dialog).to_contain_text("score 0.60 · version 7, cached")
    expect(dialog.get_by_alt_text("pifpaf, parts: image 5 by blazepose")).to_be_visible()
    dialog.get_by_text("where it comes from").first.click()
    expect(dialog.locator(".facts").first).to_contain_text("data/labels/pifpaf/synthetic.npz")

    page.reload()  # the address holds the image
    expect(dialog.locator("section .pictures figure")).to_have_count(12)
    dialog.get_by_role("button", name="all images of junk").click()
    expect(dialog).to_be_hidden()
    settled(page, "1 of 6 images")
    page.get_by_text("Where these labels come from").click()
    expect(page.locator("#record .facts").first).to_contain_text("tool_parameters.sure")


def test_everything_is_reached_by_the_keyboard(page, base):
    page.goto(base)
    settled(page, "6 images")
    focused = page.locator(":focus")
    page.locator("#grid a").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    expect(focused).to_have_attribute("data-image", "0")
    page.keyboard.press("ArrowRight")  # to the next page
    expect(focused).to_have_attribute("data-image", "3")
    expect(page.locator("#place")).to_have_text("page 2 of 2")
    page.keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("data-image", "0")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Image 0")).to_be_visible()
    page.keyboard.press("ArrowRight")  # across the page's end, too
    expect(page.get_by_role("dialog", name="Image 3")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog", name="Image 4")).to_be_visible()
    expect(page.get_by_label("next image")).to_be_enabled()
    page.keyboard.press("ArrowRight")  # the last one: it stays
    expect(page).to_have_url(re.compile("page=2.*image=4"))
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(focused).to_have_attribute("data-image", "4")
    expect(page).not_to_have_url(re.compile("image="))


def test_two_tools_are_compared(page, base):
    page.goto(f"{base}?label=schp")
    page.get_by_label("beside it").select_option("truth")
    expect(page.locator("#note")).to_contain_text("agreement: mean IoU of the image's classes; truth is the reference")
    expect(page.get_by_label("order")).to_have_value("agreement")
    expect(page.locator("#grid a").first).to_have_attribute("data-image", "3")
    expect(page.locator('#grid a[data-image="3"] .value')).to_have_text(re.compile(r"agree 0\.\d\d"))
    expect(page.locator('#grid a[data-image="0"]')).to_contain_text("A okB ok")
    page.get_by_label("found by").select_option("first")
    settled(page, "1 of 6 images")
    expect(page.locator("#grid a")).to_contain_text("A okB missing")
    page.locator("#grid a").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("section h3")).to_have_text(
        ["schp blazepose", "schp truth", *(f"{label} blazepose" for label in ("heads", "pifpaf", "poses", "partmaps"))]
    )
    expect(dialog.locator("section .state").nth(1)).to_have_text("missing")
    page.get_by_label("close").click()
    page.get_by_label("beside it").select_option("")
    settled(page, "6 images")


class Endless:
    """A comparison that is never done."""

    def __init__(self, _label, _a, _b, images, _reading):
        self.values, self.done, self.error = np.full(images, np.nan), 2, None


def test_who_types_while_tools_are_compared_is_left_alone(page, base, monkeypatch):
    monkeypatch.setattr(labels_shelf, "Comparison", Endless)
    page.goto(f"{base}?label=heads&a=truth&b=cache")
    expect(page.locator("#progress")).to_have_text("compared so far: 2")
    page.get_by_label("person").type("00")
    for _ in range(2):  # the second is asked for when the page has shown the first
        with page.expect_response(re.compile("/labels/rows")):
            pass
    expect(page.get_by_label("person")).to_have_value("00")
    page.get_by_label("person").type("7")
    page.keyboard.press("Enter")
    settled(page, "3 of 6 images")


def test_back_leads_to_what_was_chosen_before_not_through_images_that_were_closed(page, base):
    page.goto(base)
    page.get_by_label("split").select_option("train")
    settled(page, "3 of 6 images")
    for image in (0, 3):
        page.locator(f'#grid a[data-image="{image}"]').click()
        expect(page.get_by_role("dialog", name=f"Image {image}")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page).to_have_url(re.compile("split=train$"))
    page.go_back()
    settled(page, "6 images")
    page.locator("#grid a").first.click()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("page=2.*image=3"))
    page.keyboard.press("Escape")  # where it was walked to, not where it was opened
    expect(page).to_have_url(re.compile(r"/\?page=2$"))
    expect(page.locator(":focus")).to_have_attribute("data-image", "3")
    expect(page.locator("#place")).to_have_text("page 2 of 2")
    page.locator("#grid a").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.go_back()  # closes it, too
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#place")).to_have_text("page 2 of 2")


def test_a_cleared_person_is_no_filter(page, base):
    page.goto(base)
    page.get_by_label("person").fill("7")
    page.keyboard.press("Enter")
    settled(page, "3 of 6 images")
    page.keyboard.press("Escape")  # as the cross in the field does, which makes no change event
    settled(page, "6 images")
    page.go_back()
    settled(page, "3 of 6 images")
    page.go_back()  # Enter was one step, though it is a change and a search
    settled(page, "6 images")


def test_what_is_done_while_the_server_is_slow_is_kept(page, base, slow):
    page.goto(base)
    settled(page, "6 images")
    with slow(page, "/labels/rows"):
        page.get_by_label("split").select_option("train")
        page.get_by_label("person").type("00")
    settled(page, "3 of 6 images")
    expect(page.get_by_label("person")).to_have_value("00")
    with slow(page, "/labels/rows"):
        page.get_by_label("person").type("7")
        page.keyboard.press("Enter")
        page.get_by_label("score at least").focus()
        page.go_back()
    settled(page, "3 of 6 images")
    expect(page.get_by_label("person")).to_have_value("")
    page.get_by_role("button", name="Clear").click()
    settled(page, "6 images")
    expect(page.get_by_label("person")).to_have_value("")

    with slow(page, "/labels/rows"):
        page.get_by_label("split").select_option("train")
        page.locator('#grid a[data-image="0"]').click()  # in the grid of before
    settled(page, "3 of 6 images")
    expect(page.get_by_role("dialog", name="Image 0")).to_be_visible()
    with page.expect_response(re.compile("/labels/rows")), slow(page, "/labels/rows"):
        page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")  # asks for all anew
        page.keyboard.press("Escape")
    page.evaluate("new Promise(requestAnimationFrame)")  # what the answer does is done
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page).to_have_url(re.compile("split=train$"))


def test_a_server_that_is_gone_is_said(page, base):
    page.goto(f"{base}?image=0")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.route(re.compile("/labels/rows"), lambda route: route.abort())
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog")).to_be_hidden()  # the words would stand behind it
    expect(page.get_by_role("alert")).to_have_text("The server does not answer; is it still running?")
    page.keyboard.press("ArrowRight")
    page.unroute(re.compile("/labels/rows"))
    page.get_by_label("split").select_option("train")
    settled(page, "3 of 6 images")


@pytest.mark.parametrize("label", ["", "&label=pifpaf"])
def test_what_is_not_there_is_said(page, base, label):
    page.goto(f"{base}?dataset=market1501{label}")
    expect(page.get_by_role("alert")).to_contain_text("`dvc repro data/dvc.yaml:index@market1501` makes it")
    expect(page.locator("#listing")).to_be_hidden()
    page.get_by_label("data set").select_option("synthetic")
    settled(page, "6 images")


def test_a_folder_without_labels_says_how_to_make_some(page, base):
    aside = Path("data").rename("aside")
    try:
        page.goto(base)
        expect(page.get_by_role("alert")).to_contain_text("`dvc repro data/dvc.yaml:pifpaf@synthetic` makes them")
        expect(page.locator("#filters")).to_be_hidden()
    finally:
        aside.rename("data")


def test_it_fits_400_pixels(tab, base):
    page = tab(400, 800, reduced_motion="reduce")
    wide = "document.documentElement.scrollWidth"
    page.goto(f"{base}?b=truth")
    settled(page, "6 images")
    assert page.evaluate(wide) <= 400
    expect(page.get_by_label("split")).to_be_hidden()  # folded away
    page.get_by_text("Filters").click()
    page.get_by_text("Coverage and scores").click()
    page.get_by_label("found by").select_option("both")
    settled(page, "3 of 6 images")
    assert page.evaluate(wide) <= 400
    page.locator("#grid a").first.click()
    expect(page.get_by_role("dialog").locator("section .state")).to_have_count(6)
    assert page.evaluate("document.querySelector('dialog').scrollWidth <= document.querySelector('dialog').clientWidth")
    for button in page.locator("dialog .bar button").all():
        assert button.bounding_box()["height"] >= 24
