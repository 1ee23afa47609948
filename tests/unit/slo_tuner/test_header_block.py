"""Header blocks: the examples of RFC 7541, and blocks that break its rules."""

import pytest

from slo_tuner.load.wire.header_block import Answer, HeaderBlockError, read_answer, request_block


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        # Appendix C.6.1: a response with Huffman coded texts, and its :status by a name of the static table.
        (
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
            Answer(http_status=302),
        ),
        ("88", Answer(http_status=200)),
        ("208e", Answer(http_status=500)),  # after a change of the table's size
        ("000b677270632d737461747573023134", Answer(grpc_status=14)),
        # A name and a value that are Huffman coded: grpc-status 0.
        ("00889acac8b21234da8f0130", Answer(grpc_status=0)),
        ("400b677270632d7374617475730134000c677270632d6d6573736167650561253231 62", Answer(0, 4, "a!b")),
    ],
)
def test_the_statuses_of_an_answer_are_found(block: str, expected: Answer) -> None:
    assert read_answer(bytes.fromhex(block)) == expected


@pytest.mark.parametrize(
    "block",
    ["be", "80", "7f20", "00", "000b6772", "0f", "00ffffffffffff", "0081ff0130", "000b677270632d7374617475730178"],
)
def test_what_breaks_the_rules_is_refused(block: str) -> None:
    with pytest.raises(HeaderBlockError):
        read_answer(bytes.fromhex(block))


def test_a_request_names_its_path_server_and_time_out() -> None:
    block = request_block("/a.B/C" + "x" * 130, "[::1]:8001", 0.25)
    assert block.startswith(b"\x83\x86\x04\x7f\x09/a.B/C")
    assert b"\x01\x0a[::1]:8001" in block and block.endswith(b"\x00\x0cgrpc-timeout\x04250m")
