import base64
import hashlib
from html.parser import HTMLParser

from ostinato.pages.layout import page


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link"):
            self.open.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page_is_whole_and_its_title_escaped() -> None:
    text = page("a </title><script>1</script> & b", "<p>body</p>", style="p{color:red}", script="let a = 1;")
    tags = _Tags(text)
    assert tags.open == []
    assert "<title>a &lt;/title&gt;&lt;script&gt;1&lt;/script&gt; &amp; b</title>" in text
    assert ("html", "lang", "en") in tags.attributes
    assert text.index("p{color:red}") < text.index("<p>body</p>") < text.index("<script>let a = 1;</script>")


def test_nothing_comes_from_outside() -> None:
    tags = _Tags(page("title", "", script="let a = 1;"))
    assert [value for _, name, value in tags.attributes if name in ("src", "href")] == ["data:,"]
    assert "url(" not in page("title", "")


def test_only_its_own_script_may_run() -> None:
    digest = base64.b64encode(hashlib.sha256(b"let a = 1;").digest()).decode()
    policies = [
        value for _, name, value in _Tags(page("title", "", script="let a = 1;")).attributes if name == "content"
    ]
    assert policies[0] is not None
    assert policies[0].startswith("default-src 'none'; ")
    assert policies[0].endswith(f"script-src 'sha256-{digest}'")
    assert "script-src 'none'" in page("title", "")
    assert "<script" not in page("title", "")
