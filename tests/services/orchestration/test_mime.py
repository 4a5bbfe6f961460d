"""Messages of several parts: what cloud-init reads is what was given, and no text takes long."""

from __future__ import annotations

import email
import time

import pytest

from tane.services.orchestration.resources import mime
from tane.web.errors import BadRequest

INNER = """Content-Type: multipart/mixed; boundary="===b=="
MIME-Version: 1.0

--===b==
Content-Type: text/x-shellscript; charset="us-ascii"
Content-Disposition: attachment; filename="one.sh"

#!/bin/sh
echo one
--===b==
Content-Type: text/cloud-config

#cloud-config
a: b
--===b==--
"""


def read(text: str) -> list[tuple[str, str | None, str]]:
    found = email.message_from_string(text)
    return [(part.get_content_type(), part.get_filename(), str(part.get_payload())) for part in found.get_payload()]  # type: ignore[union-attr,misc]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_the_parts_of_a_message_become_parts(ends: str) -> None:
    pieces = [mime.text_part("#!/bin/sh\necho first\n", "x-shellscript", "first.sh")]
    pieces += mime.parts_of(INNER.replace("\n", ends))
    assert read(mime.whole(pieces)) == [
        ("text/x-shellscript", "first.sh", "#!/bin/sh\necho first\n"),
        ("text/x-shellscript", "one.sh", "#!/bin/sh\necho one"),
        ("text/cloud-config", None, "#cloud-config\na: b"),
    ]


def test_a_text_without_parts_is_one() -> None:
    [piece] = mime.parts_of("Content-Type: text/x-shellscript\n\n#!/bin/sh\n")
    assert read(mime.whole([piece])) == [("text/x-shellscript", None, "#!/bin/sh\n")]


def test_a_message_in_a_message_stays_as_it_is() -> None:
    outer = f'Content-Type: multipart/mixed; boundary="o"\n\n--o\n{INNER}--o--\n'
    assert list(mime.parts_of(outer)) == [INNER.removesuffix("\n")]


@pytest.mark.parametrize(
    "text",
    [
        'Content-Type: multipart/mixed; boundary="' + ";" * 200_000,
        'Content-Type: multipart/mixed; boundary="' + "\n ;" * 60_000,
        'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain; a="' + ";" * 200_000,
        "X: y\n" * 50_000,
    ],
)
def test_headers_of_any_length_are_refused_at_once(text: str) -> None:
    before = time.process_time()
    with pytest.raises(BadRequest, match="at most 1024 characters"):
        list(mime.parts_of(text))
    assert time.process_time() - before < 0.2


def test_headers_in_what_is_inside_a_part_are_not_read() -> None:
    deep = 'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: multipart/mixed; boundary="c"\n\n--c\n'
    before = time.process_time()
    mime.whole(list(mime.parts_of(deep + 'Content-Type: text/plain; a="' + ";" * 200_000)))
    assert time.process_time() - before < 0.2


@pytest.mark.parametrize(
    ("subtype", "filename"),
    [("a\r\nb", ""), ("plain; a=b", ""), ("plain", "a\nX: y"), ("plain", "a" * 256), ("plain", 'a"; b="c')],
)
def test_names_of_parts_are_words_and_lines(subtype: str, filename: str) -> None:
    with pytest.raises(BadRequest, match=r"subtype has|printable"):
        mime.text_part("x", subtype, filename)


def test_a_message_has_so_many_parts_and_is_made_at_once() -> None:
    before = time.process_time()
    with pytest.raises(BadRequest, match="at most 64"):
        mime.whole(list(mime.parts_of("Content-Type: multipart/mixed; boundary=a\n\n" + "\n--a\n\nb" * 60_000)))
    hard = ["é =?" * 200 + "\n\nx", "X: a\x0bB: c\n\nbody", "Content-Type: message/delivery-status\n\nfoo: bar\n\nx"]
    mime.whole([piece for text in hard for piece in mime.parts_of(text)] * 20)
    assert time.process_time() - before < 0.2


def test_a_text_that_is_not_ascii_arrives_as_it_is() -> None:
    text = mime.whole([mime.text_part("#!/bin/sh\necho 種\n" * 50, "x-shellscript", "種.sh")])
    [part] = email.message_from_string(text).get_payload()  # type: ignore[misc]
    assert part.get_payload(decode=True).decode() == "#!/bin/sh\necho 種\n" * 50  # type: ignore[union-attr]


def test_a_script_is_no_message_however_long_and_whatever_stands_in_it() -> None:
    script = "#!/bin/sh\n" + "echo rose\n" * 500
    assert not mime.is_multipart(script)
    assert not mime.is_multipart(f"#!/bin/sh\nContent-Type: multipart/mixed; boundary=a\n{script}")
    assert mime.is_multipart("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n--a--\n")
