"""What assets are handed: the lake, as the settings say."""

from __future__ import annotations

import dagster as dg

from smi_pipeline.lake.connection import Lake
from smi_pipeline.settings import settings


class LakeResource(dg.ConfigurableResource[Lake]):
    """The lake all assets read and write. Shows paths only; credentials stay in the settings."""

    path: str
    catalog: str | None = None
    data_path: str | None = None

    def create_resource(self, context: dg.InitResourceContext) -> Lake:
        """The lake itself; its database is opened once a process."""
        del context
        return Lake.of(self.path, self.catalog, self.data_path)


@dg.definitions
def resources() -> dg.Definitions:
    """The resources by the names assets ask for."""
    now = settings()
    lake = LakeResource(path=str(now.lake.resolve()), catalog=now.catalog, data_path=now.data_path)
    return dg.Definitions(resources={"lake": lake})
