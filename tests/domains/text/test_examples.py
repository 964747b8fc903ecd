"""Examples of text from files: classes, labels, pairs; what is wrong is said with its line."""

import pytest

from seqforge.domains.text.examples import text_examples
from seqforge.errors import InputError


def written(folder, **files):
    paths = []
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        paths.append(path)
    return paths


def pairs(task, paths):
    return [(one.source, one.target) for one in text_examples(task, paths)]


def test_a_file_is_a_class_and_a_line_an_example(tmp_path):
    paths = written(tmp_path, Czech_txt="Abl\n\nAdsit\r\n", Dutch_txt="Aalst\n")
    assert pairs("classify", paths) == [
        ("Abl", ("Czech",)), ("Adsit", ("Czech",)), ("Aalst", ("Dutch",)),
    ]  # fmt: skip


def test_a_folder_is_a_class_and_a_file_an_example(tmp_path):
    paths = written(tmp_path, good__1_txt="fine\nday\n", bad__1_txt="rain\n", bad__2_txt="hail\n")
    assert pairs("classify", paths) == [
        ("fine\nday", ("good",)), ("rain", ("bad",)), ("hail", ("bad",)),
    ]  # fmt: skip


def test_tables_hold_every_kind_of_example(tmp_path):
    (table,) = written(tmp_path, some_tsv="ab\tAB\ncd\tC D\n")
    assert pairs("classify", [table])[1] == ("cd", ("C D",))
    assert pairs("label", [table]) == [("ab", ("A", "B")), ("cd", ("C", "D"))]
    assert pairs("translate", [table])[1] == ("cd", ("C", " ", "D"))


def test_two_files_are_parallel(tmp_path):
    paths = written(tmp_path, one_txt="ab\ncde\n", two_txt="xy\nxyz\n")
    assert pairs("label", paths) == [("ab", ("x", "y")), ("cde", ("x", "y", "z"))]


@pytest.mark.parametrize(
    ("task", "files", "said"),
    [
        ("label", {"a_tsv": "ab\tx y\nabc\tx y\n"}, r"a\.tsv: line 2: 3 symbols and 2 labels"),
        ("label", {"a_txt": "ab\nabc\n", "b_txt": "xy\nx\n"}, r"b\.txt: line 2: 3 symbols and 1"),
        ("classify", {"a_tsv": "ab x\n"}, r"a\.tsv: line 1: .* a TAB and its class"),
        ("translate", {"a_txt": "a\nb\n", "b_txt": "x\n"}, r"has 2 lines and .* 1; .* line 2"),
        ("translate", {"a_txt": "a\n"}, r"a\.txt: 1 files without tables; give a table"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, task, files, said):
    with pytest.raises(InputError, match=said):
        pairs(task, written(tmp_path, **files))
