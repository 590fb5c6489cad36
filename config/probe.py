"""`python -m config.probe URL`: exit code 0 if the address answers 200. For health checks in containers without curl.

Asks under a host name that Django answers to, and as the proxy would, so that nothing is redirected.
"""

import os
import sys
import urllib.error
import urllib.request

PATIENCE = 4.0  # seconds


def probe(url: str, *, host: str) -> str:
    """What is wrong, empty if nothing is."""
    request = urllib.request.Request(url, headers={"Host": host, "X-Forwarded-Proto": "https", "Accept": "text/plain"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE) as response:
            return "" if response.status == 200 else f"{url} answered {response.status}."
    except urllib.error.HTTPError as error:
        return f"{url} answered {error.code}: {error.read(500).decode(errors='replace').strip()}"
    except OSError as error:
        return f"{url} cannot be reached: {error}."


if __name__ == "__main__":
    allowed = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".")
    if problem := probe(sys.argv[1], host="localhost" if allowed in {"", "*"} else allowed):
        sys.exit(problem)
