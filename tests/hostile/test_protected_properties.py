"""Properties of images that a site protects are protected whichever service one asks."""

from __future__ import annotations

import pytest

from tests.api.compute_support import Project, V, at, make_image, project
from tests.support import ApiCloud

RULES = """
[^x_secret.*]
create = admin
read = admin
update = admin
delete = admin
[.*]
create = @
read = @
update = @
delete = @
"""


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    (cloud.core.config.state_dir / "protections.conf").write_text(RULES)
    cloud.core.config.image.property_protection_file = "protections.conf"
    return project(cloud)


def test_compute_and_block_storage_show_none_that_the_image_service_hides(cloud: ApiCloud, garden: Project) -> None:
    mia, old = garden.user, at("2.1")
    image = make_image(cloud.admin, "golden", visibility="public", x_secret_key="hunter2", plain="yes")
    volumes = f"/volume/v3/{mia.project_id}/volumes"
    volume = mia.post(volumes, {"volume": {"size": 1, "imageRef": image}}, 202).json()["volume"]["id"]
    cloud.run_jobs()
    told = [
        mia.get(f"{V}/images/{image}", headers=old),
        mia.get(f"{V}/images/detail", headers=old),
        mia.get(f"{V}/images/{image}/metadata", headers=old),
        mia.get(f"{volumes}/{volume}"),
        mia.get(f"{volumes}/detail"),
        mia.post(f"{volumes}/{volume}/action", {"os-show_image_metadata": {}}),
    ]
    for answer in told:
        assert answer.status_code == 200 and "plain" in answer.text and "hunter2" not in answer.text
    mia.get(f"{V}/images/{image}/metadata/x_secret_key", 404, headers=old)
    for value in ("hunter2", "other"):
        assert mia.get(f"/image/v2/images?x_secret_key={value}").json()["images"] == []
        assert mia.get(f"{V}/images?property-x_secret_key={value}", headers=old).json()["images"] == []
    assert len(cloud.admin.get("/image/v2/images?x_secret_key=hunter2").json()["images"]) == 1


def test_nobody_makes_by_a_snapshot_or_a_volume_what_he_may_not_make(cloud: ApiCloud, garden: Project) -> None:
    mia = garden.user
    server_id = garden.server("web")
    forged = {"createImage": {"name": "snap", "metadata": {"x_secret_key": "forged"}}}
    mia.post(f"{V}/servers/{server_id}/action", forged, 403)
    volumes = f"/volume/v3/{mia.project_id}/volumes"
    volume = mia.post(volumes, {"volume": {"size": 1}}, 202).json()["volume"]["id"]
    cloud.run_jobs()
    for name, status in (("x_secret_key", 403), ("plain", 200)):
        given = {"os-set_image_metadata": {"metadata": {name: "forged"}}}
        mia.post(f"{volumes}/{volume}/action", given, status)
