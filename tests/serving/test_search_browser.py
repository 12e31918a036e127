"""The page to search with in a real browser: at 1200 pixels, at 400, and by keyboard alone."""

import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest

import search_server
from partreid.serving.app import application

try:
    from playwright.sync_api import expect
except ImportError:  # the fixture `chromium` says so
    expect = None
THREE = (3, 5, 8)
EVIL = '<img src=x onerror="document.title=1"><script>document.title=2</script>'


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("browsed")


@pytest.fixture(scope="module")
def address(root, served):
    """Of a server of a method with parts, which finds the persons of `several` and nobody elsewhere."""

    def find(image):
        boxes = search_server.several(root, THREE)[1] if image.shape[1] > 200 else np.zeros((0, 4))
        return boxes, np.ones(len(boxes))

    asked = search_server.asked(root, "bpbreid", find, visibility="all")
    names = [
        EVIL if place == "11_1.png" else name
        for place, name in zip(asked.gallery.places, asked.gallery.names, strict=True)
    ]
    asked = replace(asked, gallery=replace(asked.gallery, names=names))
    (root / "several.png").write_bytes(search_server.png(search_server.several(root, THREE)[0]))
    wide = np.concatenate([cv2.imread(str(root / "photos/6_0.png"))] * 2, axis=1)
    cv2.imwrite(str(root / "nobody.png"), wide[:100])
    (root / "text.png").write_text("no picture")
    return served(application([search_server.part(asked)])) + "search/"


def give(page, file):
    page.locator("#file").set_input_files(file)


def fits(page):
    """Nothing stands out to the right."""
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def names(page):
    return page.locator("#found li[data-place] .name").all_inner_texts()


def test_from_a_photo_of_several_to_the_marks(root, address, tab):
    page = tab()
    page.goto(address)
    expect(page.locator("h1")).to_have_text("Who is this?")
    expect(page.locator("#work")).to_be_hidden()
    give(page, root / "several.png")
    expect(page.locator(".box")).to_have_count(3)
    expect(page.locator("#hint")).to_have_text("3 people found. Who is meant?")
    expect(page.locator("#answer")).to_be_hidden()
    person, photo = page.locator(".box").nth(1).bounding_box(), page.locator("#photo").bounding_box()
    assert (person["x"] - photo["x"]) / photo["width"] == pytest.approx(110 / 290, abs=0.01)  # where the person is
    assert person["height"] / photo["height"] == pytest.approx(128 / 180, abs=0.01)

    page.locator(".box").nth(1).click()
    expect(page.locator("#found li[data-place]")).to_have_count(20)
    assert names(page)[0] == "5 · cam 0"
    expect(page.locator(".box").nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#count")).to_contain_text("28 images searched in")
    first = page.locator("#found li[data-place='0']")
    expect(first.locator(".same")).to_have_text("same")
    expect(page.locator("#found .same")).to_have_count(2)
    expect(page.locator("#found .beyond")).to_have_count(1)
    expect(first.locator(".part")).to_have_count(2)
    expect(first.locator(".part").first).to_contain_text("best")
    expect(first.locator("img")).to_have_js_property("complete", True)
    assert first.locator("img").evaluate("image => image.naturalWidth") == 64
    page.locator("#more").click()
    expect(page.locator("#found li[data-place]")).to_have_count(28)
    expect(page.locator("#more")).to_be_hidden()

    page.locator("#camera").select_option("cam 1")
    expect(page.locator("#found li[data-place]")).to_have_count(14)
    assert names(page)[0] == "5 · cam 1"
    page.locator("#words").fill("11_")
    expect(page.locator("#found li[data-place]")).to_have_count(1)
    assert names(page) == [EVIL]  # a text, whatever it says
    assert page.title() == "Search · partreid"
    page.locator("#words").fill("nowhere")
    expect(page.locator("#none")).to_have_text("No image of the gallery is left by this filter.")
    page.locator("#words").fill("")
    page.locator("#camera").select_option("")
    expect(page.locator("#found li[data-place]")).to_have_count(20)

    first.locator(".right").click()
    page.locator("#found li[data-place='2'] .wrong").click()
    expect(first).to_have_attribute("data-mark", "right")
    page.locator(".box").nth(0).click()  # another person of the photo, whose images are not marked
    expect(page.locator("#found li[data-mark='right']")).to_have_count(0)
    page.locator("#found li[data-place='1'] .right").click()
    page.locator("#found li[data-place='0'] .right").click()
    page.locator("#found li[data-place='0'] .right").click()  # taken back
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download 3 marks").click()
    lines = list(csv.DictReader(waiting.value.path().read_text("utf-8-sig").splitlines()))
    assert [(line["photo"], line["left"], line["rank"], line["mark"]) for line in lines] == [
        ("several.png", "110", "1", "right"),
        ("several.png", "110", "3", "wrong"),
        ("several.png", "20", "2", "right"),
    ]
    assert lines[0]["name"] == "5 · cam 0"
    assert lines[0]["called_same"] == "yes"


def test_an_image_beside_the_person_asked_about(root, address, tab):
    page = tab()
    page.goto(address)
    give(page, root / "photos/6_0.png")  # a cut-out: it is plain who is meant
    expect(page.locator("#whole")).to_have_attribute("aria-pressed", "true")
    page.locator("#found .open").nth(1).click()
    expect(page.locator("#look-name")).to_have_text(names(page)[1])
    expect(page.locator("#look-told")).to_contain_text("rank 2 · distance 0.")
    distances = [float(each) for each in page.locator("#look-parts li span").all_inner_texts()]
    assert len(distances) > 2
    assert distances == sorted(distances)
    widths = page.locator("#look-parts li i").evaluate_all(
        "bars => bars.map((bar) => bar.getBoundingClientRect().width)"
    )
    np.testing.assert_allclose(np.array(widths) / widths[-1], np.array(distances) / distances[-1], atol=0.02)
    asked = page.locator("#look-asked")
    assert asked.evaluate("canvas => [canvas.width, canvas.height]") == [64, 128]
    there = cv2.imread(str(root / "photos/6_0.png"))[48, 32, ::-1].astype(int)
    seen = asked.evaluate("canvas => Array.from(canvas.getContext('2d').getImageData(32, 48, 1, 1).data)")
    assert np.abs(np.array(seen[:3]) - there).max() < 25  # it went through JPEG
    page.locator("#look .wrong").click()
    page.locator("#look-close").click()
    expect(page.locator("#found li[data-place='1']")).to_have_attribute("data-mark", "wrong")


def test_a_ranking_is_only_of_the_person_that_is_chosen(root, address, tab, slow):
    page = tab()
    page.goto(address)
    give(page, root / "several.png")
    cards = page.locator("#found li[data-place]")
    page.locator(".box").nth(1).click()
    expect(cards).to_have_count(20)
    with slow(page, "/search/rankings"):
        page.locator(".box").nth(0).click()
        expect(cards).to_have_count(0)  # else a mark on one would be of the person who is chosen now
        expect(page.locator("#count")).to_have_text("")
    expect(cards).to_have_count(20)
    assert names(page)[0] == "3 · cam 0"
    page.route("**/search/rankings", lambda route: route.abort())
    page.locator(".box").nth(2).click()
    expect(page.get_by_role("alert")).to_have_text("The server does not answer. Is it still running?")
    expect(cards).to_have_count(0)
    page.unroute("**/search/rankings")
    page.locator(".box").nth(2).click()
    expect(cards).to_have_count(20)


def test_an_image_that_is_looked_at_is_the_one_that_is_marked(root, address, tab, slow):
    page = tab()
    page.goto(address)
    give(page, root / "photos/6_0.png")
    cards, dialog = page.locator("#found li[data-place]"), page.locator("#look")
    expect(cards).to_have_count(20)
    name = names(page)[4]
    with slow(page, "/search/rankings"):
        with page.expect_request("**/search/rankings"):
            page.locator("#words").fill(f"{name.split(' ')[0]}_")  # this person's two images alone are left
        page.locator("#found .open").nth(4).click()
    expect(cards).to_have_count(2)
    expect(page.locator("#look-name")).to_have_text(name)
    place = names(page).index(name)
    expect(page.locator("#look-told")).to_contain_text(f"rank {place + 1} ")
    page.keyboard.press("w")
    page.keyboard.press("Escape")
    expect(page.locator(f"#found li[data-place='{place}']")).to_have_attribute("data-mark", "wrong")
    expect(page.locator("#found .open").nth(place)).to_be_focused()
    with slow(page, "/search/rankings"):
        with page.expect_request("**/search/rankings"):
            page.locator("#words").fill("6_")
        page.locator("#found .open").first.click()
    expect(dialog).to_be_hidden()  # its image is not among them
    assert names(page)[0] == "6 · cam 0"
    expect(page.locator("#more")).to_be_hidden()


def test_no_more_is_offered_than_there_is(root, address, tab):
    page = tab()
    page.goto(address)
    give(page, root / "photos/6_0.png")
    expect(page.locator("#more")).to_be_visible()

    def among(route):  # as a filter would that leaves as many as are shown
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"among": 20})

    page.route("**/search/rankings", among)
    page.locator("#words").fill("_")
    expect(page.locator("#count")).to_contain_text("20 images")
    expect(page.locator("#more")).to_be_hidden()


def test_a_photo_is_dropped_or_pasted(root, address, tab):
    page = tab()
    page.goto(address)
    data = list((root / "photos/6_0.png").read_bytes())
    for kind, place in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        page.evaluate(
            """([kind, place, data]) => {
                const files = new DataTransfer();
                files.items.add(new File([new Uint8Array(data)], "x.png", { type: "image/png" }));
                const made = kind === "drop" ? DragEvent : ClipboardEvent;
                document.body.dispatchEvent(new made(kind, { [place]: files, bubbles: true, cancelable: true }));
            }""",
            [kind, place, data],
        )
        expect(page.locator("#found li[data-place]")).to_have_count(20)
        assert names(page)[0] == "6 · cam 0"
        page.reload()
        expect(page.locator("#give")).to_be_visible()


def test_a_box_is_drawn(root, address, tab):
    page = tab()
    page.goto(address)
    give(page, root / "nobody.png")
    expect(page.locator("#hint")).to_contain_text("Nobody was found by itself")
    photo = page.locator("#photo").bounding_box()
    page.mouse.move(photo["x"] + 0.5 * photo["width"], photo["y"] + 2)
    page.mouse.down()
    page.mouse.move(photo["x"] + 0.8 * photo["width"], photo["y"] + 0.5 * photo["height"])
    page.mouse.move(photo["x"] + photo["width"] + 40, photo["y"] + photo["height"] + 40)  # beyond the photo
    page.mouse.up()
    expect(page.locator("#found li[data-place]")).to_have_count(20)
    drawn = page.locator(".box[aria-pressed='true']")
    expect(drawn).to_have_attribute("aria-label", "the box drawn")
    found, photo = drawn.bounding_box(), page.locator("#photo").bounding_box()
    assert found["x"] - photo["x"] == pytest.approx(photo["width"] / 2, abs=3)
    assert found["x"] + found["width"] == pytest.approx(photo["x"] + photo["width"], abs=3)


def test_what_is_no_photo_is_said_and_loses_nothing(root, address, tab):
    page = tab()
    page.goto(address)
    give(page, root / "text.png")
    expect(page.get_by_role("alert")).to_contain_text("This is no JPEG, PNG, WebP or BMP picture")
    give(page, root / "photos/6_0.png")
    expect(page.locator("#found li[data-place]")).to_have_count(20)
    expect(page.locator("#error")).to_be_hidden()
    give(page, root / "text.png")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#status")).to_have_text("")
    assert len(names(page)) == 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_out_at_400_pixels(root, address, tab, scheme):
    page = tab(400, 800, color_scheme=scheme, has_touch=True)
    page.goto(address)
    assert fits(page)
    give(page, root / "several.png")
    expect(page.locator(".box")).to_have_count(3)
    assert fits(page)
    page.locator(".box").nth(2).tap()
    expect(page.locator("#found li[data-place]")).to_have_count(20)
    assert names(page)[0] == "8 · cam 0"
    assert fits(page)
    page.locator("#found .right").first.tap()
    page.locator("#found .open").first.tap()
    expect(page.locator("#look")).to_be_visible()
    assert fits(page)
    dialog = page.locator("#look").bounding_box()
    assert dialog["x"] >= 0
    assert dialog["x"] + dialog["width"] <= 400
    page.locator("#look-close").tap()
    page.locator("summary").tap()
    assert fits(page)
    sizes = page.locator("button:visible").evaluate_all("all => all.map((each) => each.getBoundingClientRect().height)")
    assert min(sizes) >= 24  # to be hit by a finger: WCAG 2.2, 2.5.8


def test_by_keyboard_alone(root, address, tab):
    page = tab()
    page.on("filechooser", lambda _: None)  # has Chromium tell of one, from before it can be asked for
    page.goto(address)
    page.keyboard.press("Tab")
    expect(page.locator("#choose")).to_be_focused()
    with page.expect_file_chooser() as waiting:
        page.keyboard.press("Enter")
    waiting.value.set_files(root / "several.png")
    expect(page.locator(".box")).to_have_count(3)

    def tab_to(locator, most=12):
        for _ in range(most):
            if locator.evaluate("element => element === document.activeElement"):
                return
            page.keyboard.press("Tab")
        pytest.fail(f"Tab does not lead to {locator}")

    tab_to(page.locator(".box").nth(2))
    page.keyboard.press("Enter")
    expect(page.locator("#found li[data-place]")).to_have_count(20)
    expect(page.locator(".box").nth(2)).to_be_focused()
    expect(page.locator("#status")).to_have_text("20 images, 2 called the same person")
    opens = page.locator("#found .open")
    tab_to(opens.first)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(opens.nth(2)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("r")
    expect(page.locator("#found li[data-place='1']")).to_have_attribute("data-mark", "right")
    page.keyboard.press("Enter")
    expect(page.locator("#look")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#look-told")).to_contain_text("rank 3")
    page.keyboard.press("w")
    page.keyboard.press("Escape")
    expect(page.locator("#look")).to_be_hidden()
    expect(opens.nth(2)).to_be_focused()
    expect(page.locator("#found li[data-place='2']")).to_have_attribute("data-mark", "wrong")

    page.locator("#draw").focus()
    page.keyboard.press("Enter")
    drawn = page.get_by_label("the box drawn")
    expect(drawn).to_be_focused()
    before = drawn.bounding_box()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    moved = drawn.bounding_box()
    assert moved["x"] < before["x"]
    assert moved["width"] == pytest.approx(before["width"], abs=1)
    assert moved["height"] > before["height"]
    page.keyboard.press("Enter")
    expect(drawn).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#found li[data-mark='right']")).to_have_count(0)
