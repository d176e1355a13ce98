"""Reading a page as a browser would: elements, attributes, the text of an element by its id."""

from __future__ import annotations

from html.parser import HTMLParser

CELLS = {"td", "th", "dt", "dd", "div"}
VOID = {"meta", "link", "br", "img", "input", "hr", "wbr"}


class Page(HTMLParser):
    """A parsed page.

    Attributes:
        elements: Every start tag with its attributes.
        text: All text outside of style elements.
        by_id: Text inside each element that has an id.
    """

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.by_id: dict[str, str] = {}
        self._open: list[tuple[str, str | None]] = []
        self.feed(source)
        self.close()
        assert not self._open, f"elements that are never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.elements.append((tag, values))
        if tag not in VOID:
            self._open.append((tag, values.get("id")))
        if "id" in values:
            assert values["id"] not in self.by_id, f"id {values['id']} is there twice"
            self.by_id[values["id"]] = ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            opened, _ = self._open.pop()
            assert opened == tag, f"<{opened}> is closed by </{tag}>"
            if tag in CELLS:
                self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        if any(tag == "style" for tag, _ in self._open):
            return
        self.text += data
        for _, name in self._open:
            if name is not None:
                self.by_id[name] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]
