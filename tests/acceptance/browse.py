"""A person in a browser: `browse.py LINK work|look`. Runs in an environment that has Playwright.

`work` makes a notebook, runs a cell and prints its output; `look` prints the files of the home.
"""

from __future__ import annotations

import sys

from playwright.sync_api import Page, sync_playwright

PATIENCE = 90_000


def work(page: Page) -> None:
    """Make a notebook and run a cell in it."""
    page.click('.jp-LauncherCard[data-category="Notebook"]', timeout=PATIENCE)
    cell = page.locator(".jp-Notebook .jp-CodeCell .cm-content").first
    cell.click(timeout=PATIENCE)
    page.wait_for_timeout(1000)
    page.keyboard.type("print(6 * 7)")
    page.keyboard.press("Shift+Enter")
    output = page.locator(".jp-Notebook .jp-OutputArea-output pre").first
    print(output.inner_text(timeout=PATIENCE).strip())
    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)


def look(page: Page) -> None:
    """Print the names in the file browser."""
    items = page.locator(".jp-DirListing-itemText")
    items.first.wait_for(timeout=PATIENCE)
    print("\n".join(items.all_inner_texts()))


def main(link: str, what: str, browser: str) -> None:
    """Open the link as a browser of its own and do it."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_context(ignore_https_errors=True).new_page()
        page.goto(link, timeout=PATIENCE)
        page.wait_for_selector("#jp-main-dock-panel", timeout=PATIENCE)
        (work if what == "work" else look)(page)
        chromium.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
