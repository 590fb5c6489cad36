#!/usr/bin/env python
"""Parley's command line: `python manage.py help`."""

import os
import sys

from django.core.management import execute_from_command_line

from config import development

if __name__ == "__main__":
    development.adopt(sys.argv, environment=os.environ)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    execute_from_command_line(sys.argv)
