"""What somebody sits at, as far as their browser's own words say (S0-85)."""

from dataclasses import dataclass

import ua_parser

from chat.choices import DeviceType

READ = 512  # characters; longer ones are no browser's
_TABLET_SIGNS = ("iPad", "Tablet", "Kindle", "PlayBook")
_PLATFORMS = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS"}  # by the names that they go by today


@dataclass(frozen=True, slots=True)
class Device:
    """`browser` and `platform` are empty where nothing is known."""

    type: DeviceType
    browser: str
    platform: str

    @property
    def words(self) -> str:
        """Firefox on Linux."""
        return " on ".join(filter(None, (self.browser or "A browser", self.platform)))


def preload() -> None:
    """The rules take a third of a second to be made ready: before somebody waits."""
    device_of("")


def device_of(user_agent: str) -> Device:
    user_agent = user_agent[:READ]
    found = ua_parser.parse(user_agent)
    system = found.os.family if found.os else ""
    return Device(
        type=_type(user_agent, system),
        # Phones' browsers have names of their own in the rules; the device's type says that already.
        browser=found.user_agent.family.replace("Mobile", "").strip() if found.user_agent else "",
        platform=_PLATFORMS.get(system, system),
    )


def _type(user_agent: str, system: str) -> DeviceType:
    """Android says `Mobile` on phones only; tablets of other makes say what they are."""
    if any(sign in user_agent for sign in _TABLET_SIGNS):
        return DeviceType.TABLET
    if "Mobi" in user_agent:
        return DeviceType.MOBILE
    return DeviceType.TABLET if system == "Android" else DeviceType.DESKTOP
