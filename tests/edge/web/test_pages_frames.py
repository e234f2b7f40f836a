"""Gallery and comparison in a real Chromium: what is drawn and said is what the API gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from page_parts import (
    ENTER,
    TOKEN,
    Page,
    colors_of,
    from_data_url,
    json_of,
    log_in,
    percent,
    write_picture,
)
from web_parts import decoded, server, town_picture

from roadmask.imaging.reading import read_image
from roadmask.town.town import Town

DOWN, END, RIGHT, HOME = "\ue015", "\ue010", "\ue014", "\ue011"


def test_a_page_asks_for_the_token_and_comes_back(chromium: Any, served: str) -> None:
    page = Page(chromium, served).open("/static/login.css")
    chromium.delete_all_cookies()  # those of the page that is open
    page.open("/ui/gallery?id=C_0000")
    assert page.js("location.pathname") == "/login"
    page.element("#token").send_keys("not-the-token-of-this-server", ENTER)
    page.until("document.querySelector('#notice')?.textContent.includes('not the token')")
    log_in(page, TOKEN, "/ui/gallery?id=C_0000")
    page.until("document.querySelector('.bar form')", "a way out")
    page.element(".bar form button").click()
    page.until("location.pathname == '/login' && document.readyState == 'complete'")
    chromium.get_log("browser")


def shown(page: Page, name: str, place: str = "#views") -> None:
    page.until(f"document.querySelector('{place}').dataset.shown == '{name}'", f"{name} is shown")


def assert_scores(page: Page, predictions: list[dict[str, Any]]) -> None:
    """The table says what the API says."""
    table = page.table("#scores")
    scores = [prediction["scores"] for prediction in predictions]
    assert table["Mean IoU"] == [percent(score["miou"]) for score in scores]
    assert table["Dice"] == [percent(score["dice"]) for score in scores]
    assert table["Pixel accuracy"] == [percent(score["pixel_accuracy"]) for score in scores]
    for name in scores[0]["iou"]:
        assert table[name] == [percent(score["iou"][name]) for score in scores]


def test_a_click_shows_three_pictures_and_the_numbers(
    page: Page, api: httpx.Client, camvid_folder: Path
) -> None:
    page.open("/ui/gallery").until("document.querySelectorAll('#ids li').length == 3")
    page.element("#ids li:nth-child(2)").click()
    shown(page, "C_0001")
    expected = json_of(api, "/gallery/C_0001")
    assert_scores(page, [expected])
    image = read_image(camvid_folder / "val/C_0001.png")
    truth = decoded(api.get("/gallery/C_0001/truth").content)
    predicted = decoded(from_data_url(expected["mask"]))
    assert np.array_equal(page.canvas("#view-image"), image[..., ::-1])
    assert np.array_equal(page.canvas("#view-truth"), colors_of(truth))
    assert np.array_equal(page.canvas("#view-prediction"), colors_of(predicted))
    wrong = decoded(from_data_url(expected["scores"]["difference"])) == 255
    drawn = page.canvas("#view-difference").astype(int)
    red = (drawn[..., 0] - drawn[..., 1:].max(axis=-1)) > 60
    scored = truth > 0
    assert wrong.any() and np.array_equal(red[scored], wrong[scored]), "red where it is wrong"
    assert page.js("location.search").startswith("?id=C_0001")


def test_the_gallery_by_keyboard(page: Page) -> None:
    page.open("/ui/gallery").until("document.querySelectorAll('#ids li').length == 3")
    page.js("document.querySelector('#search').focus()")
    page.keys(DOWN)
    page.keys(DOWN, DOWN, ENTER)
    shown(page, "C_0002")
    page.keys(HOME, ENTER)
    shown(page, "C_0000")
    assert page.text("#ids [aria-selected=true]") == "C_0000"
    page.js("document.querySelector('#search').focus()")
    page.keys("0001")
    page.until("document.querySelectorAll('#ids li').length == 1")
    assert page.text("#count") == "1 of 3 frames match"
    page.keys(ENTER)
    shown(page, "C_0001")
    page.element("#next").click()
    shown(page, "C_0002")
    page.js("document.querySelector('#model').focus()")
    page.keys(END)  # the other network
    page.until("document.querySelector('#what').textContent.endsWith('another')")


def test_an_upload_with_its_truth_is_scored_as_by_the_api(
    page: Page, api: httpx.Client, tmp_path: Path
) -> None:
    frame = Town(3, 200, 120).frame(5)
    image = write_picture(tmp_path / "frame.png", frame.image)
    truth = write_picture(tmp_path / "truth.png", frame.category_mask)
    page.open("/ui/gallery").until("document.querySelector('#truth-labels').options.length > 1")
    page.element("#own-image-file").send_keys(str(image))
    page.element("#own-truth-file").send_keys(str(truth))
    page.element("#predict").click()
    shown(page, "frame.png")
    files = {"image": image.read_bytes(), "truth": truth.read_bytes()}
    expected = api.post("/predict/", params={"format": "json"}, files=files).json()
    assert_scores(page, [expected])
    assert np.array_equal(page.canvas("#view-truth"), colors_of(frame.category_mask))
    predicted = decoded(from_data_url(expected["mask"]))
    assert np.array_equal(page.canvas("#view-prediction"), colors_of(predicted))


def test_a_photograph_is_dropped_and_lies_as_its_mask(page: Page) -> None:
    page.open("/ui/gallery").until("document.querySelector('#truth-labels').options.length > 1")
    done, data = cv2.imencode(".jpg", town_picture(120, 80))
    assert done
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = data.tobytes()[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    turned += data.tobytes()[2:]  # an orientation of 6: to be turned by a quarter
    page.js(
        "(bytes => { const files = new DataTransfer();"
        " files.items.add(new File([new Uint8Array(bytes)], 'photo.jpg', {type: 'image/jpeg'}));"
        " document.querySelector('#own-image .drop').dispatchEvent("
        "new DragEvent('drop', {dataTransfer: files, bubbles: true, cancelable: true})) })"
        "(arguments[0])",
        list(turned),
    )
    page.element("#predict").click()
    shown(page, "photo.jpg")
    assert page.canvas("#view-image").shape == page.canvas("#view-prediction").shape == (120, 80, 3)
    assert page.js("document.querySelector('#view-truth').closest('figure').hidden")
    assert page.table("#scores")["flat"][0].endswith("%")


def test_what_is_no_image_is_said_in_the_servers_words(
    page: Page, api: httpx.Client, tmp_path: Path
) -> None:
    page.open("/ui/gallery").until("document.querySelector('#truth-labels').options.length > 1")
    junk = tmp_path / "junk.png"
    junk.write_bytes(b"<img src=x onerror=alert(1)>" * 9)
    whole = write_picture(tmp_path / "whole.png", town_picture(120, 80))
    page.element("#own-image-file").send_keys(str(whole))
    page.element("#predict").click()
    shown(page, "whole.png")
    page.element("#own-image-file").send_keys(str(junk))
    page.element("#predict").click()
    page.until("!document.querySelector('#notice').hidden")
    answer = api.post("/predict/", files={"image": junk.read_bytes()})
    assert page.text("#notice") == answer.json()["detail"]
    # Nothing of the picture before stays under the new name.
    assert page.js("['views', 'numbers'].every(id => document.getElementById(id).hidden)")
    # Chromium itself notes every 4xx.
    assert all(str(answer.status_code) in complaint for complaint in page.complaints())


def test_compare_moves_its_slider_by_keyboard_and_pointer(page: Page, api: httpx.Client) -> None:
    page.open("/ui/compare")
    shown(page, "C_0000", "#stage")
    models = [page.js(f"document.querySelector('#{side}').value") for side in "ab"]
    expected = json_of(api, "/gallery/C_0000/compare", a=models[0], b=models[1])
    assert_scores(page, [expected["a"], expected["b"]])
    assert percent(expected["agreement"]) in page.text("#agreement")
    page.slide("#opacity", 100)
    for canvas, side in (("#left", "a"), ("#right", "b")):
        ids = decoded(from_data_url(expected[side]["mask"]))
        assert np.array_equal(page.canvas(canvas), colors_of(ids))
    clip = "getComputedStyle(document.querySelector('#right')).clipPath"
    assert "50%" in page.js(clip)
    page.js("document.querySelector('#divider').focus()")
    page.keys(RIGHT, RIGHT)
    assert "52%" in page.js(clip)
    drag(page, "#stage", 0.25)
    assert page.js("document.querySelector('#divider').value") == "25"
    assert "25%" in page.js(clip)
    page.element("#next").click()
    shown(page, "C_0001", "#stage")
    page.element("#swap").click()
    page.until(f"document.querySelector('#tag-a').textContent == '{models[1]}'")


def drag(page: Page, css: str, to: float) -> None:
    """The pointer pressed in the middle, and moved to that part of the width."""
    from selenium.webdriver import ActionChains

    element = page.element(css)
    actions = ActionChains(page.driver, duration=10).move_to_element(element).click_and_hold()
    away = round((to - 0.5) * element.size["width"])
    actions.move_by_offset(away, 0).release().perform()


@pytest.mark.slow
def test_a_long_list_is_loaded_as_it_is_read(
    chromium: Any, camvid_folder: Path, tmp_path: Path
) -> None:
    for folder in ("val", "valannot"):
        (tmp_path / folder).mkdir()
        for number in range(450):
            copy = tmp_path / folder / f"L_{number:04d}.png"
            copy.hardlink_to(camvid_folder / folder / "C_0000.png")
    with server("--dataset", "camvid", "--root", tmp_path) as (base, _):
        page = Page(chromium, base).open("/ui/gallery?id=L_0449")
        shown(page, "L_0449")
        rows = "document.querySelectorAll('#ids li').length"
        assert page.js(rows) == 200
        page.js("document.querySelector('#ids').focus()")
        page.keys(END)
        page.until(f"{rows} == 400")
        page.keys(END)
        page.until(f"{rows} == 450")
        page.keys(END, ENTER)
        page.until("document.querySelector('#ids [aria-selected=true]')?.textContent == 'L_0449'")
        page.element("#previous").click()
        shown(page, "L_0448")
        # The comparison offers what matches, wherever it lies, and goes on from there.
        page.open("/ui/compare?id=L_0449")
        shown(page, "L_0449", "#stage")
        assert page.js(
            "[document.querySelector('#next').disabled, "
            "document.querySelector('#previous').dataset.id]"
        ) == [True, "L_0448"]
        page.js("document.querySelector('#frame').select()")
        page.keys("0431")
        page.until(
            "[...document.querySelector('#frame-ids').options].map(o => o.value) == 'L_0431'"
        )
        # The word that there is one network only outlives the frame that is shown.
        assert page.element("#alone").is_displayed()
        chromium.get("about:blank")


@pytest.mark.slow
def test_compare_with_a_network_of_another_server(
    chromium: Any, camvid_folder: Path, shipped_model: Path
) -> None:
    dataset = ("--dataset", "camvid", "--root", camvid_folder)
    name = shipped_model.stem
    with server() as (desk, process), server("--peer", f"desk={desk}", *dataset) as (base, _):
        page = Page(chromium, base).open("/ui/compare")
        shown(page, "C_0000", "#stage")
        assert (page.text("#tag-a"), page.text("#tag-b")) == (name, f"{name}@desk")
        table = page.table("#scores")
        assert table["Mean IoU"][0] == table["Mean IoU"][1] != "–"
        assert page.text("#agreement") == "They agree on 100.0 % of the pixels."
        process.terminate()
        process.wait()
        page.element("#next").click()
        page.until("document.querySelector('#notice').textContent.includes('desk')")
        gone = "document.querySelector('#b option:disabled')?.textContent.startsWith('@desk')"

        def said() -> bool:
            page.open("/ui/compare").until("document.querySelector('#b').options.length > 1")
            return bool(page.js(gone))

        page.wait(said, "the list of networks says that the server is gone")
        page.until("!document.querySelector('#alone').hidden")
        page.open("about:blank").complaints()


def test_a_frame_that_no_network_takes_is_one_line(chromium: Any, tmp_path: Path) -> None:
    for folder in ("val", "valannot"):
        (tmp_path / folder).mkdir()
    write_picture(tmp_path / "val/T_1.png", np.zeros((70_000, 16, 3), np.uint8))
    write_picture(tmp_path / "valannot/T_1.png", np.full((70_000, 16), 3, np.uint8))
    with server("--dataset", "camvid", "--root", tmp_path, "--split", "val") as (base, _):
        page = Page(chromium, base).size(1280, 720).open("/ui/gallery?id=T_1")
        page.until("document.querySelector('#notice')?.textContent.includes('16384 a side')")
        assert page.text("#what") == "T_1: no result."
        page.open("about:blank")
        said = page.complaints()
        assert len(said) == 1 and "422" in said[0]
