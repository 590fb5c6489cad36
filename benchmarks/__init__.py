"""What `make bench` measures: how fast Parley is, beside bare consumers on the same machine in the same run (README.md)."""

import os

# This process only reads from the settings how `manage.py up` starts its programs. They themselves run with production's.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DEBUG", "true")
