# SPDX-License-Identifier: GPL-2.0-only
"""A page of HTML as a browser sees it: its elements, with their attributes and their text."""

from __future__ import annotations

import dataclasses
import html.parser
from collections.abc import Iterator

VOID = {"br", "img", "input", "link", "meta", "wbr"}


@dataclasses.dataclass
class Element:
    """An element as a browser sees it."""

    tag: str
    attributes: dict[str, str | None]
    children: list[Element | str]

    def walk(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def all(self, tag: str, **attributes: str) -> list[Element]:
        wanted = {name.removesuffix("_"): value for name, value in attributes.items()}
        return [each for each in self.walk() if each.tag == tag and wanted.items() <= each.attributes.items()]

    def one(self, tag: str, **attributes: str) -> Element:
        (found,) = self.all(tag, **attributes)
        return found

    @property
    def raw(self) -> str:
        return "".join(child if isinstance(child, str) else child.raw for child in self.children)

    @property
    def text(self) -> str:
        return " ".join(self.raw.split())


class Parser(html.parser.HTMLParser):
    """Makes elements of a page; what is not closed in order is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.path = [Element("", {}, [])]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs), [])
        assert len(element.attributes) == len(attrs)
        self.path[-1].children.append(element)
        if tag not in VOID:
            self.path.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.path[-1].children.append(Element(tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        assert self.path.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.path[-1].children.append(data)
