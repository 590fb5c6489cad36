"""What the dashboard's addresses say: which days, and how finely. They only parse."""

from datetime import date
from typing import Any

from django import forms

from analytics.choices import Grain
from analytics.serializers import EARLIEST, LATEST
from analytics.series import LONGEST
from analytics.windows import ONE_DAY, Window, latest

DAYS = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "12 months"}
DEFAULT = "30"
DAILY_UP_TO, WEEKLY_UP_TO = 92, 240  # days, where nothing is said of the grain


class PeriodForm(forms.Form):
    """`days` up to yesterday, or from the `first` to the `last` day, both meant."""

    days = forms.ChoiceField(choices=list(DAYS.items()), required=False)
    first = forms.DateField(required=False, label="First day", widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))
    last = forms.DateField(required=False, label="Last day", widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))
    grain = forms.ChoiceField(choices=[("", "Fitting"), *Grain.choices], required=False, label="By")

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        first, last = found.get("first"), found.get("last")
        if (first is None) != (last is None) and not self.errors:
            raise forms.ValidationError("Give both the first and the last day.")
        if first is None or last is None:
            return found
        if not EARLIEST <= first <= last < LATEST:
            raise forms.ValidationError("The period ends before it begins. Give a first day that is not after the last.")
        if (last - first).days >= LONGEST:
            raise forms.ValidationError(f"Ask for {LONGEST} days at most: two years and a month.")
        return found

    def window(self, *, today: date) -> Window:
        """The days that are meant; the default where that cannot be understood."""
        asked = self.cleaned_data if self.is_valid() else {}
        if asked.get("first"):
            return Window(asked["first"], asked["last"] + ONE_DAY)
        return latest(int(asked.get("days") or DEFAULT), before=today)

    def chosen_days(self) -> str:
        """Which of `DAYS` is meant; none where days of one's own are."""
        asked = self.cleaned_data if self.is_valid() else {}
        return "" if asked.get("first") else asked.get("days") or DEFAULT

    def chosen_grain(self, window: Window) -> Grain:
        asked = self.cleaned_data if self.is_valid() else {}
        if asked.get("grain"):
            return Grain(asked["grain"])
        return Grain.DAY if window.length <= DAILY_UP_TO else Grain.WEEK if window.length <= WEEKLY_UP_TO else Grain.MONTH
