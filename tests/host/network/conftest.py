from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tane.agent.network.plan import NetworkSettings


@pytest.fixture
def settings(tmp_path: Path) -> NetworkSettings:
    return NetworkSettings(state_dir=tmp_path / "network", cloud_id=uuid.uuid4().hex[:6], host_link=False)
