"""The peers, each in an environment of its own: installed, started, measured with the same load. An optional step (`--peers`)."""
