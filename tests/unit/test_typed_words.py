"""What is mistyped is named, with what is nearest to it, before anything that is missing; nothing empty is a path."""

import argparse
from collections.abc import Callable

import pytest

from image_client.cli import main as image_client
from model_repo_builder.cli import main as builder
from slo_tuner.cli import main as tuner
from tfserving_front.cli import main as front

Main = Callable[[list[str]], int]


def _refused(main: Main, words: str | list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(words.split() if isinstance(words, str) else words)
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert (ended.value.code, said.out) == (2, "")
    return line


@pytest.mark.parametrize(
    ("main", "words", "said"),
    [
        (
            tuner,
            "measure net --adress a:1",
            "slo-tuner measure: error: there is no option --adress; did you mean --address? See slo-tuner measure --h",
        ),
        (tuner, "--verson", "slo-tuner: error: there is no option --verson; did you mean --version?"),
        (tuner, "mesure net", "slo-tuner: error: there is no command mesure; allowed: serve, "),
        (tuner, "mesure net", "; did you mean measure? See slo-tuner --help"),
        (tuner, "quite-else", "locustfile; see slo-tuner --help"),
        (tuner, "", "slo-tuner: error: give a command: serve, measure, "),
        (
            tuner,
            "--quiet measure net",
            "slo-tuner: error: --quiet stands behind the command: slo-tuner COMMAND --qui",
        ),
        (
            tuner,
            "report a.json --version",
            "report: error: --version stands before the command: slo-tuner --version",
        ),
        (
            tuner,
            "report a.json b.json",
            "slo-tuner report: error: b.json is one argument too many; see ",
        ),
        (builder, "biuld plan.yaml", "; did you mean build?"),
        (builder, "config plan.yaml --only a", "model-repo-builder config: error: there is no option --only; see "),
        (builder, "build plan.yaml -j", "there is no option -j; did you mean --json?"),
        (front, "--prot 80", "tfserving-front: error: there is no option --prot; did you mean --port?"),
        (front, "localhost:8001", "tfserving-front: error: localhost:8001 is one argument too many"),
        (image_client, "--adress a:1", "image-client: error: there is no option --adress; did you mean --address?"),
    ],
)
def test_a_mistyped_word_is_named_with_the_nearest(
    main: Main, words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in _refused(main, words, capsys)


@pytest.mark.parametrize(
    ("main", "words", "field"),
    [
        (builder, ["build", "plan.yaml", "--output", ""], "--output"),
        (builder, ["build", "plan.yaml", "--output="], "--output"),
        (builder, ["build", "", "--output=models"], "an argument"),
        (builder, ["init", ""], "an argument"),
        (builder, ["show", ""], "an argument"),
        (tuner, ["measure", "", "--address=a:1"], "an argument"),
        (tuner, ["measure", "net", "--repository", ""], "--repository"),
        (tuner, ["ladder", "--repository=models", "--output", ""], "--output"),
        (tuner, ["serve", "models", "--log", ""], "--log"),
        (tuner, ["measure", "net", "--address", "--header="], "--header"),
        (tuner, [""], "an argument"),
        (front, ["--triton", ""], "--triton"),
        (image_client, ["photo.jpg", "--write-json="], "--write-json"),
    ],
)
def test_an_empty_argument_is_refused(
    main: Main, words: list[str], field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f": error: {field}: '' is not allowed; give a value; see " in _refused(main, words, capsys)


def test_what_argparse_takes_is_taken() -> None:
    from slo_tuner.commands.parser import make_parser

    given = ["measure", "net", "--address", "a:1", "--timeout-s", "-1", "--qui", "--header=A=b", "--header", "A="]
    options = make_parser().parse_args([*given, "--title", "--not an option"])
    assert (options.quiet, options.header, options.timeout_s) == (True, ["A=b", "A="], "-1")
    assert options.title == "--not an option"


def test_what_stands_behind_two_dashes_is_no_option() -> None:
    from image_client.cli import _parser

    options: argparse.Namespace = _parser().parse_args(["--", "--photo.jpg"])
    assert [str(file) for file in options.files] == ["--photo.jpg"]
