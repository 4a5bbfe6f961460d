"""An error of the image service is what the client asks for: glanceclient reads pages, SDKs JSON."""

from __future__ import annotations

import re

import pytest

from tests.support import ApiCloud

HTML, JSON, TEXT = "text/html", "application/json", "text/plain"
GONE = "/image/v2/images/<b>"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", HTML),
        ("", HTML),
        ("text/html,application/xhtml+xml,*/*;q=0.8", HTML),
        ("application/json, text/html", HTML),
        ("no media type", HTML),
        ("application/json", JSON),
        ("application/json, */*;q=0.5", JSON),
        ("text/html;q=0.5, application/json", JSON),
        ("application/octet-stream", TEXT),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_the_form_of_an_error_is_negotiated(cloud: ApiCloud, accept: str, kind: str, method: str) -> None:
    path = GONE if method == "GET" else f"{GONE}/file"
    headers = {"Accept": accept, "Content-Type": "application/octet-stream"}
    answer = cloud.admin.request(method, path, headers=headers, expect=404)
    assert answer.headers["content-type"].split(";")[0] == kind
    message = "No image found with ID <b>"
    if kind == JSON:
        assert answer.json() == {"code": "404 Not Found", "title": "Not Found", "message": message}
    elif kind == TEXT:
        assert answer.text == f"404 Not Found\n\n{message}\n"
    else:
        # As glanceclient reads it: lines without their marks.
        lines = [re.sub(r"<.+?>", "", line.strip()) for line in answer.text.splitlines()]
        assert [line for line in lines if line] == [
            "404 Not Found",
            "404 Not Found",
            "No image found with ID &lt;b&gt;",
        ]


def test_other_services_answer_json_whatever_is_asked(cloud: ApiCloud) -> None:
    for path in ("/compute/v2.1/servers/x", "/identity/v3/users/x", "/network/v2.0/networks/x"):
        answer = cloud.admin.get(path, 404, headers={"Accept": "*/*"})
        assert answer.headers["content-type"] == JSON
