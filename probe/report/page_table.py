"""Rows in, a table in a box of its own out: it scrolls where it is wider than the page, which never does."""

from collections.abc import Iterable, Sequence

from probe.report.page_element import Child, Html, element


def table(anchor: str, caption: Child, headings: Sequence[str], rows: Iterable[Sequence[Child]]) -> Html:
    """Write a table whose rows are named by their first cells."""
    heads = (element("th", heading, scope="col") for heading in headings)
    drawn = element(
        "table",
        captioned(caption, f"{anchor}-caption"),
        element("thead", element("tr", heads)),
        element("tbody", map(_row, rows)),
    )
    return box(drawn, labelled_by=f"{anchor}-caption")


def captioned(words: Child, anchor: str) -> Html:
    """Write a table's caption; it stays in sight while its table scrolls below it."""
    return element("caption", element("span", words), id=anchor)


def box(content: Html, *, labelled_by: str, class_: str = "box") -> Html:
    """Put wide content into a box that scrolls, by keyboard, too."""
    return element("div", content, class_=class_, tabindex=0, role="region", aria_labelledby=labelled_by)


def _row(cells: Sequence[Child]) -> Html:
    first, *others = cells
    return element("tr", element("th", first, scope="row"), (element("td", cell) for cell in others))
