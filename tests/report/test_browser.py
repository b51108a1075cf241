"""The page in a browser: drawn without an error and without the network, chosen from, and readable by night."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.report.conftest import HOSTILE


def is_drawn(driver):
    return driver.execute_script("return document.documentElement.dataset.drawn")


@pytest.fixture
def opened(browser, page):
    browser.get_log("browser")
    browser.get(page.as_uri())
    WebDriverWait(browser, 30).until(is_drawn)
    return browser


def texts(driver, selector):
    return [element.text for element in driver.find_elements(By.CSS_SELECTOR, selector)]


def test_every_chart_is_drawn_without_an_error_a_warning_or_a_request(opened):
    # Odometers of two vehicles, trips of one, and one chart each of distance, coverage and errors.
    assert is_drawn(opened) == "6"
    assert len(opened.find_elements(By.CSS_SELECTOR, "[data-figure] svg")) == 6
    assert opened.get_log("browser") == []
    assert opened.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_the_marks_are_those_of_the_data(opened):
    def marks(figure, role):
        return opened.find_elements(By.CSS_SELECTOR, f"#{figure} svg g.{role} > path")

    assert len(marks("coverage", "mark-rect")) == 2 + 2 + 1  # days next to each other in one state are one
    assert len(marks("distance", "mark-rect")) == 2 * 3  # observed and bridged, of three days
    assert len(marks("errors", "mark-rect")) == 1
    assert texts(opened, "#odometer .legend span") == ["not a number (1)", "sentinel (1)"]
    ways = ["10,000.0 → 10,070.0 km", "no valid reading", "500.0 → 520.0 km"]
    assert texts(opened, "#odometer .cell p") == ways
    assert texts(opened, "#trips .cell p") == ["1 trips since 2026-01-06"]


def test_a_hostile_text_is_shown_and_does_nothing(opened):
    assert opened.title == "Vehicles, 2026-01-05 to 2026-01-07"
    assert opened.find_elements(By.TAG_NAME, "img") == []
    shown = HOSTILE.replace("\u2028", " ")
    assert any(shown in text.replace("\u2028", " ") for text in texts(opened, "#odometer h3"))


def test_choosing_a_vehicle_shows_it_alone(opened):
    Select(opened.find_element(By.ID, "vehicle")).select_by_value("1")
    WebDriverWait(opened, 30).until(lambda driver: is_drawn(driver) == "5")
    assert texts(opened, "#odometer h3") == ["1"]
    assert texts(opened, "[data-sum=driven_km]") == ["70"]
    shown = [row for row in opened.find_elements(By.CSS_SELECTOR, "#fleet tbody tr") if row.is_displayed()]
    assert len(shown) == 1
    assert opened.get_log("browser") == []


def test_the_sql_is_one_click_away(opened):
    code = opened.find_element(By.CSS_SELECTOR, "#distance details code")
    assert not code.is_displayed()
    opened.find_element(By.CSS_SELECTOR, "#distance summary").click()
    assert code.is_displayed()
    assert "FROM distance_daily" in code.text


@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 24, 30)")])
def test_the_page_is_light_or_dark_as_its_reader_wants(opened, scheme, paper):
    def colour(selector, kind):
        element = opened.find_element(By.CSS_SELECTOR, selector)
        return opened.execute_script("return getComputedStyle(arguments[0])[arguments[1]]", element, kind)

    wanted = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
    assert colour("body", "backgroundColor") == paper
    assert colour("#odometer svg text", "fill") == colour(".note", "color")  # charts follow the page
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", **wanted})
    assert colour("body", "backgroundColor") == "rgb(255, 255, 255)"
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
