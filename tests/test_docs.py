"""Every example in the user guide shows what it prints, and every example program runs."""

from __future__ import annotations

import doctest
import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
CHAPTERS = [*sorted(DOCS.glob("guide/*.md")), DOCS / "contributing.md"]
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_examples_of_the_guide(chapter: Path) -> None:
    text = chapter.read_text(encoding="utf-8")
    blocks = re.findall(r"^```pycon\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert blocks, "a chapter without an example"
    examples = doctest.DocTestParser().get_doctest(
        "\n".join(blocks), {}, chapter.stem, str(chapter), 0
    )
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(examples, out=report.append)
    assert not runner.failures, "".join(report)


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(f"docs/guide/{p.name}" for p in CHAPTERS[:-1])]
)
def test_links_between_files_lead_somewhere(page: str) -> None:
    path = DOCS.parent / page
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    broken = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert not broken


def test_every_example_has_its_place_in_the_gallery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS / "extensions")
    from gallery_order import ORDER

    assert sorted(ORDER) == sorted(path.stem for path in DOCS.glob("examples/*.py"))


def test_sequences_share_an_encoder() -> None:
    main = runpy.run_path(str(DOCS / "examples" / "sentences_of_word_vectors.py"))["main"]
    accuracy = main()
    for encoder in ("LSTMEncoder", "ConvolutionalEncoder"):
        assert accuracy[f"{encoder} shared"] > accuracy[f"{encoder} per shop"] + 0.02
