"""What assets are handed: the lake, as the settings say."""

from __future__ import annotations

import dagster as dg

from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.storage import Storage
from smi_pipeline.settings import settings


class LakeResource(dg.ConfigurableResource[Lake]):
    """The lake all assets read and write. Shows its folder only; where it is kept else stays in the settings."""

    path: str

    def create_resource(self, context: dg.InitResourceContext) -> Lake:
        """The lake itself; its database is opened once a process."""
        del context
        return Lake.of(self.path, Storage.of(settings()))


@dg.definitions
def resources() -> dg.Definitions:
    """The resources by the names assets ask for."""
    now = settings()
    return dg.Definitions(resources={"lake": LakeResource(path=str(now.lake.resolve()))})
