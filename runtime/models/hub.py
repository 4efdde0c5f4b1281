"""A GGUF file of the Hugging Face hub, by name; from the local hub cache where there is no network."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from ..errors import BadInput, PrerequisiteError
from ..http import open_url

__all__ = ["hub_gguf"]


def hub_gguf(spec: str) -> Path:
    """A GGUF file of the Hugging Face hub: `ORG/REPO/FILE.gguf`, or `ORG/REPO` if Q4_K_M or one file only is there.

    With the full name a file in the local hub cache is found without a network.
    Raises `PrerequisiteError` (no network, no such file) or `BadInput` (not such a name, several files to choose from).
    """
    import huggingface_hub
    from huggingface_hub import constants
    from huggingface_hub.errors import HFValidationError

    pieces = spec.split("/", 2)
    if len(pieces) < 2 or not all(pieces):
        raise BadInput(f"{spec!r} is not the name of a model; give ORG/REPO or ORG/REPO/FILE.gguf")
    repo = "/".join(pieces[:2])
    # asked first, since its library tries again for most of a minute
    offline = constants.HF_HUB_OFFLINE or not _answers(constants.ENDPOINT)
    try:
        if len(pieces) == 3:
            file = pieces[2]
        elif offline:
            raise ConnectionError(f"no answer from {constants.ENDPOINT}")
        else:
            files = [name for name in huggingface_hub.list_repo_files(repo) if name.endswith(".gguf")]
            usual = [name for name in files if "Q4_K_M" in name.upper()] if len(files) > 1 else files
            if len(usual) != 1:
                listed = ", ".join(files) or "none; it must be converted to GGUF first"
                raise BadInput(f"{spec!r}: name the file to use as {repo}/FILE.gguf; its GGUF files are: {listed}")
            file = usual[0]
        return Path(huggingface_hub.hf_hub_download(repo, file, local_files_only=offline))
    except HFValidationError as error:
        raise BadInput(f"{spec!r} is not the name of a model: {error}") from error
    except BadInput:
        raise
    except Exception as error:  # the hub's, its HTTP library's and the file system's errors have no common base
        raise PrerequisiteError(
            f"the model {spec!r} cannot be fetched from the Hugging Face hub"
            f" ({type(error).__name__}: {str(error)[:200]})",
            remedy="check the name and the network; without a network use --llm mini-writer or --llm gguf:PATH",
        ) from error


def _answers(url: str) -> bool:
    """Whether a web server answers at all, be it with an error."""
    try:
        open_url(urllib.request.Request(url, method="HEAD"), timeout=10).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
