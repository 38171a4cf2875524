"""Tables: every format is read, and CSV rows are cut without rewriting a value."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from mlestar_jupyter.errors import TaskError
from mlestar_jupyter.tables import TextTable, fingerprint, read_table, read_text, table_suffix


def refusal(path: Path) -> str:
    """The one line that reading ``path`` is refused with."""
    with pytest.raises(TaskError) as caught:
        read_table(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


@pytest.mark.parametrize(
    "name",
    [
        "t.csv", "t.tsv", "t.parquet", "t.feather", "t.jsonl", "t.xlsx", "t.csv.gz", "t.csv.zip",
        "T.CSV.GZ",
    ],
)  # fmt: skip
def test_each_format_gives_the_same_table(tmp_path, diabetes, save, name):
    train = diabetes[0].reset_index(drop=True)
    path = tmp_path / name
    if name == "T.CSV.GZ":
        path.write_bytes(gzip.compress(train.to_csv(index=False).encode()))
    else:
        save(path, train)
    read = read_table(path)
    assert list(read.columns) == list(train.columns)
    pd.testing.assert_frame_equal(read, train, check_dtype=False, rtol=1e-9)


def test_a_zip_may_hold_the_debris_of_a_mac_but_not_two_tables(tmp_path):
    path = tmp_path / "train.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train.csv", "a,b\n1,2\n")
        archive.writestr("__MACOSX/._train.csv", b"\x00\x05")
    assert read_table(path).to_numpy().tolist() == [[1, 2]]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("second.csv", "a\n1\n")
    assert "2 tables" in refusal(path)


def test_the_suffix_of_a_table_is_seen_through_its_compression():
    assert table_suffix(Path("a.b/Train.CSV.gz")) == ".csv"
    assert table_suffix(Path("x.tar.gz")) is None
    assert table_suffix(Path("x.gz")) is None
    assert table_suffix(Path("train")) is None


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = tmp_path / "train.csv"
    path.write_bytes(b"\xef\xbb\xbfid,y\n1,2\n")
    assert list(read_table(path).columns) == ["id", "y"]
    assert read_text(path).startswith("id")


def test_json_lines_keep_text_as_text(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text('{"code": "007", "date": "2024-01-02"}\n{"code": "010", "date": "x"}\n')
    assert read_table(path)["code"].tolist() == ["007", "010"]
    assert read_table(path)["date"].tolist() == ["2024-01-02", "x"]


def test_a_kept_index_becomes_a_column(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"y": [1, 2]}, index=pd.Index([5, 6], name="key")).to_parquet(path)
    assert read_table(path)["key"].tolist() == [5, 6]


def test_names_of_columns_are_text(tmp_path):
    path = tmp_path / "t.xlsx"
    pd.DataFrame({1: [1], 2: [2]}).to_excel(path, index=False)
    assert list(read_table(path).columns) == ["1", "2"]


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "train.csv"
    path.touch()
    assert "is empty" in refusal(path)


def test_a_file_of_blank_lines_is_refused(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("\n\n")
    refusal(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "check the path" in refusal(tmp_path / "train.csv")


def test_a_file_of_another_kind_is_refused_and_told_what_is_read(tmp_path):
    path = tmp_path / "train.docx"
    path.write_text("hello")
    assert ".parquet" in refusal(path)


@pytest.mark.parametrize(
    "name", ["t.csv", "t.parquet", "t.feather", "t.xlsx", "t.csv.gz", "t.csv.zip", "t.jsonl"]
)
def test_binary_garbage_is_refused_in_one_line(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(random.Random(1).randbytes(5_000))
    refusal(path)


def test_broken_json_lines_are_refused(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n{"a": \n')
    refusal(path)


def test_a_table_that_is_not_utf8_is_refused_with_the_byte_and_the_mend(tmp_path):
    path = tmp_path / "train.csv"
    path.write_bytes("name,y\nMüller,1\n".encode("latin1"))
    message = refusal(path)
    assert "byte 8" in message
    assert "iconv" in message


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz"])
def test_two_columns_of_one_name_are_refused(tmp_path, suffix):
    path = tmp_path / f"train{suffix}"
    delimiter = "\t" if suffix == ".tsv" else ","
    content = "a,b,a\n1,2,3\n".replace(",", delimiter).encode()
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    assert "'a'" in refusal(path)


def test_a_column_that_is_rightly_called_a_dot_one_is_read(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("a,a.1\n1,2\n")
    assert list(read_table(path).columns) == ["a", "a.1"]


def test_a_fingerprint_changes_with_one_byte(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"abc")
    second.write_bytes(b"abd")
    assert fingerprint(first) != fingerprint(second)
    assert len(fingerprint(first)) == 64


# Cutting


def test_rows_are_cut_with_their_values_as_they_were_written():
    table = TextTable.parse('id,x,y\n007,1e5,"1.50"\n008,+3, 2\n009,,NA\n', ",")
    assert table.cut([2, 0], ["id", "x", "y"]) == 'id,x,y\n009,,NA\n007,1e5,"1.50"\n'
    assert table.cut([0, 1], ["y", "id"]) == 'y,id\n"1.50",007\n 2,008\n'


def test_commas_quotes_and_line_breaks_inside_quotes_belong_to_their_value():
    text = 'id,text,y\n1,"a, ""b"",\nand\n\nc",0\n2,plain,1\n'
    table = TextTable.parse(text, ",")
    assert len(table.records) == 2
    assert table.cut([0, 1], ["id", "text", "y"]) == text
    assert table.cut([0], ["text", "id"]) == 'text,id\n"a, ""b"",\nand\n\nc",1\n'


def test_quoted_names_of_columns_are_found_by_their_bare_name():
    table = TextTable.parse('"id","a ""b""",y\n1,2,3\n', ",")
    assert table.cut([0], ['a "b"', "y"]) == '"a ""b""",y\n2,3\n'


def test_windows_line_ends_and_trailing_blank_lines_are_no_rows():
    table = TextTable.parse("id,y\r\n1,2\r\n\r\n3,4\r\n\r\n\r\n", ",")
    assert table.records == ("1,2", "3,4")
    assert table.cut([1], ["y"]) == "y\n4\n"


def test_a_windows_line_break_inside_quotes_is_kept():
    table = TextTable.parse('id,t\r\n1,"a\r\nb"\r\n2,c\r\n', ",")
    assert table.records == ('1,"a\r\nb"', "2,c")


def test_a_last_line_without_line_break_is_a_row():
    assert TextTable.parse("id,y\n1,2\n3,4", ",").records == ("1,2", "3,4")


def test_an_inch_sign_inside_a_value_opens_no_quotes():
    table = TextTable.parse('a,b,y\n12" disc,7" disc,SECRET\nx,y" z,2\n', ",")
    assert len(table.records) == 2
    assert table.cut([0], ["a", "b"]) == 'a,b\n12" disc,7" disc\n'


def test_a_row_with_too_few_values_is_cut_as_missing():
    table = TextTable.parse("a,b,y\n1\n2,3,4\n", ",")
    cut = pd.read_csv(io.StringIO(table.cut([0, 1], ["y", "a"])))
    assert cut["a"].tolist() == [1, 2]
    assert cut["y"].isna().tolist() == [True, False]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_cut_is_what_pandas_reads(seed):
    rng = random.Random(seed)
    pieces = ["a", "7", "0", ",", '"', "\n", "\r\n", " ", "é", "1e5", "\t", "NA", ""]

    def value() -> str:
        text = "".join(rng.choice(pieces) for _ in range(rng.randint(0, 5)))
        text = text or "x"
        return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n\r\t') else text

    names = ["id", "one", "two", "y"]
    end = rng.choice(["\n", "\r\n"])
    rows = [[str(n), value(), value(), value()] for n in range(30)]
    text = "".join(",".join(row) + end for row in [names, *rows])
    table = TextTable.parse(text, ",")

    def read(content: str) -> pd.DataFrame:
        return pd.read_csv(io.StringIO(content, newline=""), dtype=str, keep_default_na=False)

    whole = read(text)
    assert len(table.records) == len(whole) == 30
    chosen = rng.sample(range(30), 10)
    columns = rng.sample(names, 3)
    cut = read(table.cut(chosen, columns))
    expected = whole.iloc[chosen][columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(cut, expected)


def test_lists_and_records_inside_of_cells_are_text(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text('{"id": 1, "tags": ["a", "b"]}\n{"id": 2, "tags": {"c": 1}}\n{"id": 3}\n')
    tags = read_table(path)["tags"]
    assert tags[:2].tolist() == ['["a", "b"]', '{"c": 1}']
    assert tags.isna().tolist() == [False, False, True]
    assert tags.nunique() == 2
