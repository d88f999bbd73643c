"""A collection of flags in MongoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from rampgate.actuators.frame import ActuatorError, ActuatorSettings, filled
from rampgate.io.stores import StoreError

if TYPE_CHECKING:
    from rampgate.actuators.frame import Change, Tools


class MongodbActuator(ActuatorSettings):
    """A document a flag, in a collection of the server of [mongodb]; only the keys of ``values`` change."""

    kind: Literal["mongodb"]
    database: str = Field(min_length=1)
    collection: str = Field(min_length=1)
    document: dict[str, Any] = Field(default={"_id": "{flag}"}, min_length=1, description="which one it is")
    values: dict[str, Any] = Field(default={"percentage": "{percentage}", "enabled": "{on}"}, min_length=1)

    def apply(self, change: Change, tools: Tools) -> str:
        """Change them, on disk; see ``ActuatorSettings.apply``."""
        from pymongo import WriteConcern

        try:
            with tools.mongodb(self.timeout) as client:
                durable = WriteConcern(w="majority", j=True)
                flags = client[self.database].get_collection(self.collection, write_concern=durable)
                for flag in change.features:
                    tools.check()
                    places = change.values(flag)
                    found = flags.update_one(
                        filled(self.document, places), {"$set": filled(self.values, places)}
                    )
                    if found.matched_count != 1:
                        raise ActuatorError(f"{self.database}.{self.collection}: has no document of {flag}")
        except StoreError as error:
            raise ActuatorError(str(error)) from None
        return f"{len(change.features)} documents of {self.database}.{self.collection}"
