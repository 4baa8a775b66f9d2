"""What comes late: words, answers and events that arrive a moment after the reader's hand."""

import pytest
from playwright.sync_api import expect

from tests.api_server import new_key, say
from tests.browser.conftest import Console, arrive, held, release
from tests.browser.history import NOW

pytestmark = pytest.mark.browser


def test_the_page_says_when_it_answers_and_not_before(console: Console) -> None:
    page = console.page
    words = held(page, "**/assets/words/en.js")
    page.goto(console.api.url)
    expect(page.locator("#queue-title")).to_be_attached()  # loaded, as browsers see it
    assert page.inner_text("body").split() == ["Citygauge"], "no word of another language flashes"
    page.keyboard.press("?")
    expect(page.locator("#pages a")).to_have_count(0)
    expect(page.locator("html[data-ready]")).to_have_count(0)
    release(page, words)
    arrive(page, "#/")
    expect(page.get_by_role("dialog")).to_have_count(0)  # an old key is not pressed later
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_form_that_is_filled_outlasts_the_answer_to_an_earlier_click(console: Console) -> None:
    alert = say(console.api.database_url)
    page = console.open(f"/#/alert/{alert.id}")
    view = page.locator("#view")
    asked = held(page, "**/acknowledge")
    view.get_by_role("button", name="Acknowledge").click()
    view.get_by_role("button", name="Comment").click()
    typed = view.get_by_label("Your comment")
    typed.fill("The valve is stiff")
    release(page, asked)
    expect(view.locator(".facts")).to_contain_text("Ana Torres")
    expect(page.locator(".card")).to_contain_text("With Ana Torres")
    expect(typed).to_have_value("The valve is stiff")
    view.locator("form").get_by_role("button", name="Comment").click()
    expect(view.locator("ol.log")).to_contain_text("The valve is stiff")
    expect(view.get_by_role("button", name="Acknowledge")).to_have_count(0)


def test_buttons_stay_when_the_rest_of_the_alert_comes(console: Console) -> None:
    alert = say(console.api.database_url)
    page = console.open()
    view = page.locator("#view")
    rest = held(page, f"**/v1/alerts/{alert.id}")
    page.locator(".card").get_by_role("link").click()
    view.get_by_role("button", name="Comment").click()
    typed = view.get_by_label("Your comment")
    typed.fill("The valve")
    typed.evaluate("(box) => { box.dataset.mine = 'yes'; }")
    release(page, rest)
    arrive(page, f"#/alert/{alert.id}")
    expect(view.locator("ol.log li")).to_have_count(1)
    expect(typed).to_have_attribute("data-mine", "yes")
    expect(typed).to_be_focused()


def test_a_card_that_changes_under_the_finger_does_not_lose_the_click(console: Console) -> None:
    api = console.api
    alert = say(api.database_url)
    page = console.open()
    page.get_by_role("button", name="Acknowledge").hover()
    page.mouse.down()
    with api.client(new_key(api.database_url, "operate", name="Colleague")) as client:
        assert client.post(f"/v1/alerts/{alert.id}/comment", json={"comment": "mine"}).is_success
    say(api.database_url, subject="M-18", onset=NOW)
    expect(page).to_have_title("(2) Citygauge")  # so the comment has come, too
    with page.expect_response("**/acknowledge") as answered:
        page.mouse.up()
    assert answered.value.ok
    expect(page.locator(f'.card[data-id="{alert.id}"]')).to_contain_text("With Ana Torres")
