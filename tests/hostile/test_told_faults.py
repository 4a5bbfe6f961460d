"""What a server's fault tells its owner of the hosts: nothing that administrators named."""

from __future__ import annotations

from tests.api.compute_support import V, make_image, project
from tests.support import ApiCloud


def test_names_of_traits_are_the_administrators(cloud: ApiCloud) -> None:
    """Who guesses one is told neither that hosts have it nor that none has."""
    garden = project(cloud)
    told = []
    for trait in ("COMPUTE_NODE", "CUSTOM_SECRET"):
        image = make_image(garden.user, **{f"trait:{trait}": "forbidden" if trait == "COMPUTE_NODE" else "required"})
        server_id = garden.create(imageRef=image)
        cloud.run_jobs()
        told.append(garden.user.get(f"{V}/servers/{server_id}").json()["server"]["fault"]["message"])
        assert trait not in told[-1]
    assert told[0] == told[1] and "1 host excluded by its traits" in told[0]
