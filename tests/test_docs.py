"""Every example in the user guide shows what it prints, and every example program runs."""

from __future__ import annotations

import doctest
import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
CHAPTERS = sorted(DOCS.glob("guide/*.md"))
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


def test_sequences_share_an_encoder() -> None:
    main = runpy.run_path(str(DOCS / "examples" / "sentences_of_word_vectors.py"))["main"]
    accuracy = main()
    for encoder in ("LSTMEncoder", "ConvolutionalEncoder"):
        assert accuracy[f"{encoder} shared"] > accuracy[f"{encoder} per shop"] + 0.02
