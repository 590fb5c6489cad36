from django.apps import AppConfig

from config import mongo


class ConfigConfig(AppConfig):
    """Commands of the process as a whole (`up`, `mongo_migrate`, …) and the connection to MongoDB."""

    name = "config"
    verbose_name = "Parley"

    def ready(self) -> None:
        mongo.connect()
