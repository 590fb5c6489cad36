"""The platforms there are."""

from integrations.choices import PlatformName
from integrations.platforms.base import Platform
from integrations.platforms.google_ads import GoogleAds
from integrations.platforms.google_analytics import GoogleAnalytics
from integrations.platforms.meta_ads import MetaAds

PLATFORMS: dict[PlatformName, Platform] = {platform.name: platform for platform in (GoogleAnalytics(), GoogleAds(), MetaAds())}


def platform(name: str) -> Platform:
    """Raises KeyError for a platform that is not known."""
    if name not in PlatformName:
        raise KeyError(name)
    return PLATFORMS[PlatformName(name)]
