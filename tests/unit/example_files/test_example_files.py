"""Examples come from each kind of file that TensorFlow's and Triton's users have; a wrong one is named in a line."""

import base64
import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_records import classify, example, predict, write

from example_files import kept
from example_files.errors import ExampleFileError
from example_files.rows import read
from example_files.tf_record import masked_crc32c, record
from example_files.wanted import Input, Wanted

TABLE = Wanted((Input("age", "int64", ()), Input("income", "float32", (2,))))
TOKENS = Wanted((Input("ids", "int32", (-1,)),))
TEXT = Wanted((Input("text", "string", (1,)),))
PIXELS = Wanted((Input("image", "uint8", (2, 2, 3)),))
ALONE = Wanted((Input("audio", "float32", (-1, 2)),), batched=False)


def lists(rows: Any) -> list[dict[str, Any]]:
    """Rows as plain lists."""
    return [{name: array.tolist() for name, array in row.items()} for row in rows]


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def lines(path: Path, *values: Any) -> Path:
    path.write_text("\n".join(json.dumps(value) for value in values) + "\n")
    return path


ROWS = [{"age": 30, "income": [1.5, 2.0]}, {"age": 41, "income": [3.0, -4.0]}]
JSON_KINDS: dict[str, tuple[Any, ...]] = {
    "an instance a line": tuple(ROWS),
    "a request a line": ({"instances": ROWS[:1]}, {"signature_name": "serving_default", "instances": ROWS[1:]}),
    "columns": ({"inputs": {"age": [30, 41], "income": [[1.5, 2.0], [3.0, -4.0]]}},),
    "perf_analyzer": ({"data": [{"age": [30], "income": [1.5, 2]}, {"age": [41], "income": [3, -4]}]},),
    "streams of perf_analyzer": (
        {"data": [[{"age": [30], "income": {"content": [1.5, 2], "shape": [2]}}], [{"age": [41], "income": [3, -4]}]]},
    ),
    "bytes of perf_analyzer": (
        {
            "data": [
                {"age": [30], "income": {"content": b64(np.float32([1.5, 2]).tobytes()), "shape": [2]}},
                {"age": b64(np.int64(41).tobytes()), "income": b64(np.float32([3, -4]).tobytes())},
            ]
        },
    ),
}


@pytest.mark.parametrize("values", JSON_KINDS.values(), ids=JSON_KINDS)
def test_json_gives_its_rows(tmp_path: Path, values: tuple[Any, ...]) -> None:
    assert lists(read(lines(tmp_path / "rows.json", *values), TABLE, 10)) == ROWS


@pytest.mark.parametrize("content", [{"instances": ROWS}, JSON_KINDS["perf_analyzer"][0]], ids=["instances", "data"])
def test_a_document_may_span_lines(tmp_path: Path, content: Any) -> None:
    (tmp_path / "request.json").write_text(json.dumps(content, indent=2))
    assert lists(read(tmp_path / "request.json", TABLE, 10)) == ROWS


def test_lines_may_be_gzip_and_of_a_sole_input(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(b"[1, 2]\n\n[3]\n[4, 5, 6]\n"))
    assert lists(read(tmp_path / "x.jsonl.gz", TOKENS, 10)) == [{"ids": [1, 2]}, {"ids": [3]}, {"ids": [4, 5, 6]}]


def test_texts_are_bytes_whether_written_as_text_or_as_b64(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", "grün", b64(b"\xff\xd8\0"), {"text": ["a"]}, {"text": b64(b"b")})
    assert lists(read(path, TEXT, 10)) == [{"text": [t]} for t in ("grün".encode(), b"\xff\xd8\0", b"a", b"b")]


def test_an_archive_gives_rows_and_texts(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", age=np.array([30, 41]), income=np.array([[1.5, 2], [3, -4]]))
    assert lists(read(tmp_path / "x.npz", TABLE, 10)) == ROWS
    np.savez(tmp_path / "t.npz", text=np.array(["one", "two"]))
    assert lists(read(tmp_path / "t.npz", TEXT, 10)) == [{"text": [b"one"]}, {"text": [b"two"]}]


def test_features_of_examples_are_the_inputs_that_have_their_names(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.tfrecord",
        example(age=[30], income=[1.5, 2.0], label=[b"no input"]),
        example(age=[41], income=[3.0, -4.0]),
    )
    assert lists(read(path, TABLE, 10)) == ROWS
    (tmp_path / "zipped").write_bytes(gzip.compress(path.read_bytes()))
    assert lists(read(tmp_path / "zipped", TABLE, 10)) == ROWS


def test_an_example_is_the_text_of_a_model_that_parses_it(tmp_path: Path) -> None:
    """A signature with one string input and no feature of its name gets the record; with such a feature, that."""
    whole, named = example(age=[30]), example(text=[b"hello"])
    path = write(tmp_path / "x.tfrecord", whole, named)
    assert lists(read(path, TEXT, 10)) == [{"text": [whole]}, {"text": [b"hello"]}]


def test_warm_up_requests_give_every_row_of_their_batches(tmp_path: Path) -> None:
    one = predict(text=np.array([[b"a"], [b"b"]], object))
    path = write(tmp_path / "tf_serving_warmup_requests", one, predict("other", x=np.float32([1])), classify(b"\n\0"))
    with pytest.raises(ExampleFileError, match=r"record 3, example 1: no tf\.Example with features"):
        read(path, TEXT, 10)
    assert lists(read(path, TEXT, 2)) == [{"text": [b"a"]}, {"text": [b"b"]}]
    whole = example(age=[1])
    assert lists(read(write(path, classify(whole)), TEXT, 1)) == [{"text": [whole]}]


def test_a_model_without_a_batch_takes_what_is_there_as_one_example(tmp_path: Path) -> None:
    sound = np.float32([[1, 2], [3, 4], [5, 6]])
    np.savez(tmp_path / "x.npz", audio=sound)
    write(tmp_path / "x.tfrecord", predict(audio=sound))
    lines(tmp_path / "x.jsonl", {"inputs": {"audio": sound.tolist()}}, sound.tolist())
    for name, count in (("x.npz", 1), ("x.tfrecord", 1), ("x.jsonl", 2)):
        assert lists(read(tmp_path / name, ALONE, 10)) == count * [{"audio": sound.tolist()}]


def test_only_as_much_is_read_as_was_asked_for(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", *([n] for n in range(5)), "no row")
    assert lists(read(path, TOKENS, 2, skip=3)) == [{"ids": [3]}, {"ids": [4]}]
    with pytest.raises(ExampleFileError, match="line 6"):
        read(path, TOKENS, 4, skip=3)


def test_a_file_that_ends_before_gives_its_last_rows(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", *([n] for n in range(5)))
    assert lists(read(path, TOKENS, 3, skip=4)) == [{"ids": [4]}]
    assert lists(read(path, TOKENS, 2, skip=8)) == [{"ids": [3]}, {"ids": [4]}]


def text_of(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(content) and None


def packed(name: str, content: bytes) -> Callable[[Path], None]:
    """A zip archive with one member."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, content)

    return write


def saved(array: Any) -> Callable[[Path], None]:
    """What np.save writes."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, array)

    return write


def npz_of(**arrays: Any) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, **arrays)

    return save


def records_of(*records: bytes) -> Callable[[Path], None]:
    return lambda path: write(path, *records) and None


def bytes_of(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


WRONG: list[tuple[str, Wanted, Callable[[Path], None], str]] = [
    ("nothing", TABLE, bytes_of(b""), "FILE: an empty file; allowed: .npz, JSONL of"),
    ("unknown", TABLE, bytes_of(b"\x7fELF\0\1\2"), "FILE: no known kind of file; allowed: .npz"),
    ("cut gzip", TABLE, bytes_of(gzip.compress(b"[1]" * 9)[:-5]), "FILE: a broken gzip file; allowed: "),
    ("cut json", TABLE, text_of('{"age": 3'), "FILE: no JSON (Expecting ',' delimiter: line 1 column 10 (char 9))"),
    ("second line", TOKENS, text_of("[1]\n[2"), "FILE, line 2: no JSON (Expecting ',' delimiter: line 1 column 3"),
    ("no utf-8", TOKENS, bytes_of(b'["\xff"]'), "FILE: no text in UTF-8; allowed: a JSON value a line"),
    (
        "missing input",
        TABLE,
        text_of('{"age": 3}'),
        "FILE, line 1: an instance with age; allowed: the inputs age, income",
    ),
    ("no object", TABLE, text_of("[3, 4]"), "FILE, line 1: [3, 4]; allowed: an object with the inputs age, income"),
    ("instances", TABLE, text_of('{"instances": 3}'), "FILE, line 1: instances 3; allowed: a list of instances"),
    (
        "instance 2",
        TOKENS,
        text_of('{"instances": [[1], ["a"]]}'),
        "FILE, line 1, instance 2: ids holds 'a'; allowed: num",
    ),
    (
        "text",
        TOKENS,
        text_of('["a", 1]'),
        "FILE, line 1: ids holds 'a'; allowed: numbers, as the model takes int32 [-1]",
    ),
    ("null", TOKENS, text_of("[1, null]"), "FILE, line 1: ids holds None; allowed: numbers"),
    (
        "ragged",
        PIXELS,
        text_of("[[1, 2], [3]]"),
        "FILE, line 1: image holds lists of different lengths; allowed: uint8",
    ),
    ("shape", PIXELS, text_of("[[1, 2]]"), "FILE, line 1: image is [1, 2]; allowed: [2, 2, 3], -1 being any"),
    (
        "fraction",
        TOKENS,
        text_of("[1, 2.5]"),
        "FILE, line 1: ids holds 2.5; allowed: whole numbers, as the model takes",
    ),
    (
        "too large",
        TOKENS,
        text_of("[1, 3000000000]"),
        "FILE, line 1: ids holds 3e+09; allowed: -2147483648 to 2147483647",
    ),
    ("bool", TOKENS, text_of("[true]"), "FILE, line 1: ids holds true and false; allowed: numbers, as the model"),
    ("number", TEXT, text_of("3"), 'FILE, line 1: text holds 3; allowed: texts, or {"b64": BASE64} for bytes'),
    ("base64", TEXT, text_of('{"b64": "a"}'), "FILE, line 1: text holds 'a' as b64; allowed: base64 with its padding"),
    (
        "columns",
        TABLE,
        text_of('{"inputs": {"age": [1], "income": []}}'),
        "FILE, line 1: rows of the inputs: {'age': 1, 'inc",
    ),
    (
        "step",
        TABLE,
        text_of('{"data": [{"age": [1]}]}'),
        "FILE, step 1: a step with age; allowed: the inputs age, income",
    ),
    (
        "values",
        PIXELS,
        text_of('{"data": [{"image": [1, 2]}]}'),
        "FILE, step 1: image has 2 values; allowed: those of [2, 2",
    ),
    (
        "bytes",
        TOKENS,
        text_of('{"data": [{"ids": {"b64": "AAA="}}]}'),
        "FILE, step 1: ids has 2 bytes; allowed: a multiple of 4",
    ),
    ("no array", TABLE, npz_of(age=np.zeros(2)), "FILE: arrays age; allowed: one for the input income"),
    (
        "counts",
        TABLE,
        npz_of(age=[1], income=np.ones((2, 2))),
        "FILE: examples of each input: {'age': 1, 'income': 2}; all",
    ),
    ("no example", TABLE, npz_of(age=[], income=np.ones((0, 2))), "FILE: age is [0]; allowed: [examples, ]"),
    (
        "objects",
        TEXT,
        npz_of(text=np.array([b"a", 3], object)),
        "FILE: Object arrays cannot be loaded when allow_pickle",
    ),
    ("numbers", TEXT, npz_of(text=np.ones((1, 1))), "FILE: text is float64; allowed: texts (NumPy's S or U)"),
    ("beyond", TABLE, npz_of(age=[1], income=[[1e300, 1]]), "FILE: income holds 1e+300; allowed: -3.40282e+38 to"),
    ("beside", TABLE, packed("age.npy", b"no array"), "FILE: arrays none; allowed: one for the input age"),
    ("one array", TABLE, saved(np.ones((2, 2))), "FILE: one array without a name, as np.save writes it; allowed"),
    ("no npz", TABLE, bytes_of(b"PK\x03\x04 a zip"), "FILE: File is not a zip file; allowed: an .npz file"),
    ("features", TABLE, records_of(example(age=[1])), "FILE, record 1: features age; allowed: the inputs age, income"),
    ("no message", TABLE, records_of(b"\xff\xff"), "FILE, record 1: no tf.Example with features; allowed: tf.Example"),
    (
        "list of bytes",
        TOKENS,
        records_of(example(ids=[b"1"])),
        "FILE, record 1: ids is a list of bytes; allowed: numbers",
    ),
    (
        "cut",
        TABLE,
        bytes_of(record(b"abcdefgh")[:-6]),
        "FILE, record 1: it ends after 6 of 12 bytes; allowed: a TFRecord",
    ),
    (
        "second",
        TEXT,
        bytes_of(record(example(text=[b"a"])) + b"rubbish here"),
        "FILE, record 2: its length and the checksum",
    ),
    (
        "other inputs",
        TABLE,
        records_of(predict(x=np.float32([1]))),
        "FILE: no example; allowed: at least one with the inputs",
    ),
    (
        "half",
        TABLE,
        records_of(predict(age=np.float32([1]))),
        "FILE, record 1: a request with age; allowed: the inputs age",
    ),
]


@pytest.mark.parametrize(("wanted", "make", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_file_is_named_in_one_line(
    tmp_path: Path, wanted: Wanted, make: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "rows"
    make(path)
    with pytest.raises(ExampleFileError) as refused:
        read(path, wanted, 10)
    said = str(refused.value)
    assert said.replace(str(path), "FILE").startswith(message) and "\n" not in said and "; allowed: " in said


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExampleFileError, match=r"none: No such file or directory; allowed: \.npz, JSONL"):
        read(tmp_path / "none", TABLE, 1)


def test_the_checksum_is_that_of_the_published_test_vectors() -> None:
    """RFC 3720, appendix B.4: 32 bytes of zeros, and 32 from 0 to 31; masked as TFRecord does."""

    def mask(crc: int) -> int:
        return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF

    assert masked_crc32c(bytes(32)) == mask(0x8A9136AA)
    assert masked_crc32c(bytes(range(32))) == mask(0x46DD794E)


def test_a_kept_sample_gives_the_same_rows_back(tmp_path: Path) -> None:
    wanted = Wanted(
        (
            Input("text", "string", (-1,)),
            Input("x", "float32", (-1,)),
            Input("half", "float16", ()),
            Input("big", "int64", (1,)),
            Input("ok", "bool", (2,)),
            Input("double", "float64", (1,)),
        )
    )
    random = np.random.default_rng(0)
    rows = [
        {
            "text": np.array([b"\0\xff"] * length, object),
            "x": random.standard_normal(length).astype(np.float32),
            "half": np.float16(random.standard_normal()),
            "big": np.array([2**62 + length]),
            "ok": np.array([True, False]),
            "double": random.standard_normal(1),
        }
        for length in (1, 3, 2)
    ]
    assert kept.write(tmp_path / kept.FILE, rows) == 3
    found = read(tmp_path / kept.FILE, wanted, 10)
    for before, after in zip(rows, found, strict=True):
        assert all(np.array_equal(before[name], after[name]) for name in before)
        assert all(before[name].dtype == after[name].dtype for name in before)


def test_a_kept_sample_stays_within_its_bounds(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 400, 400, 3), np.uint8)
    count = kept.write(tmp_path / kept.FILE, ({"image": one} for one in noise))
    assert 1 < count < 40 and (tmp_path / kept.FILE).stat().st_size <= kept.MOST_BYTES
    assert kept.write(tmp_path / "small", ({"n": np.int64(1)} for _ in range(99))) == kept.MOST_ROWS
    assert (tmp_path / "small").stat().st_size < 1000


def test_a_compressed_archive_that_is_damaged_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, ids=np.random.default_rng(0).integers(0, 9, (500, 4)))
    content = bytearray(path.read_bytes())
    content[300:320] = b"\xff" * 20
    path.write_bytes(content)
    with pytest.raises(ExampleFileError, match=r"x\.npz: a damaged archive; allowed: an \.npz file"):
        read(path, TOKENS, 10)


def test_half_of_a_pair_of_surrogates_is_the_same_text_in_every_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", text=np.array(["\ud800"]))
    assert lists(read(tmp_path / "x.npz", TEXT, 1)) == lists(read(lines(tmp_path / "x.jsonl", "\ud800"), TEXT, 1))


@pytest.mark.parametrize(
    ("dtype", "numbers", "message"),
    [
        ("int64", [2**70, 1], f"x holds {2**70}; allowed: whole numbers of 64 bits, as the model takes int64 [2]"),
        ("float32", [1e300, 1], "x holds 1e+300; allowed: -3.40282e+38 to 3.40282e+38, as the model takes float32 [2]"),
        ("float16", [1, 70000], "x holds 70000; allowed: -65504 to 65504, as the model takes float16 [2]"),
        ("int64", [2**63 - 1, -1.0], "x holds 9.22337e+18; allowed: -9223372036854775808 to 9223372036854775807"),
    ],
)
def test_a_number_that_the_type_can_not_hold_is_named(
    dtype: str, numbers: list[float], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ExampleFileError) as caught:
        read(lines(tmp_path / "x.jsonl", numbers), Wanted((Input("x", dtype, (2,)),)), 1)
    assert f"line 1: {message}" in str(caught.value)


def test_pixels_are_never_made_numbers_of_int8(tmp_path: Path) -> None:
    with pytest.raises(ExampleFileError, match=r"a file of examples, as the model takes image int8 \[2, 2, 3\]"):
        read(tmp_path, Wanted((Input("image", "int8", (2, 2, 3)),)), 1)
