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


def test_every_promise_is_held_by_tests_that_exist() -> None:
    page = (DOCS / "guide" / "promises.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!promise|---)(.*) \| (.*) \| (.*)\|$", page, re.MULTILINE)
    assert len(rows) > 15
    for promise, held_by, _ in rows:
        names = re.findall(r"`(test_\w+\.py)::(test_\w+)`", held_by)
        assert names, f"nothing holds: {promise}"
        assert re.sub(r"`[^`]*`|[, ]", "", held_by) == "", f"not only names of tests: {held_by}"
        for file, name in names:
            source = (Path(__file__).parent / file).read_text(encoding="utf-8")
            assert f"\ndef {name}(" in source, f"no {file}::{name}"


def test_the_counts_of_cases_on_the_page_of_promises() -> None:
    """At most as many as there are."""
    page = (DOCS / "guide" / "promises.md").read_text(encoding="utf-8")
    import test_bad_input as rows
    import test_bad_parameters as parameters

    tried = {
        "test_it_is_refused_and_nothing_is_lost": len(
            [*rows.FEATURES, *rows.TARGETS, *rows.IDS, *rows.WEIGHTS, *rows.FURTHER]
        ),
        "test_a_wrong_parameter_is_named": sum(
            len(cases) for table in parameters.PARAMETERS.values() for cases in table.values()
        ),
        "test_wrong_arguments_of_functions": len(parameters.FUNCTIONS),
    }
    for name, cases in tried.items():
        (claimed,) = re.findall(rf"^\|.*{name}.*\| (\d+) cases \|$", page, re.MULTILINE)
        assert int(claimed) <= cases
