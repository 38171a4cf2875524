"""Where keys come from, and that they go nowhere else."""

from __future__ import annotations

import os
import re
from typing import Literal

from mlestar_jupyter.errors import SettingsError

Provider = Literal["gemini", "openai"]

#: Under this name keys lie in the user's keyring.
SERVICE = "mlestar-jupyter"
#: Names in the environment, the first goes before.
VARIABLES: dict[Provider, tuple[str, ...]] = {
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "openai": ("OPENAI_API_KEY",),
}
#: Forms by which a key is known even if it is not ours: of Google, of OpenAI and its likes, tokens.
_FORMS = re.compile(
    r"AIza[0-9A-Za-z_\-]{30,}|AQ\.[0-9A-Za-z_\-]{30,}|\bsk-[0-9A-Za-z_\-]{16,}"
    r"|ya29\.[0-9A-Za-z_\-.]{20,}"
)
#: What was used as a key in this process, so that it can be taken out of any text.
_used: set[str] = set()
HIDDEN = "(key)"


def key_for(provider: Provider) -> str | None:
    """The key from the environment, else from the keyring; None when there is none."""
    found = find_key(provider)
    return None if found is None else found[0]


def find_key(provider: Provider) -> tuple[str, str] | None:
    """The key, and where it was found: the name of a variable, or ``keyring``."""
    for name in VARIABLES[provider]:
        key = os.environ.get(name, "").strip()
        if key:
            remember(key)
            return key, name
    kept = _from_keyring(provider)
    if kept:
        remember(kept)
        return kept, "keyring"
    return None


def remember(key: str) -> None:
    """Take this key out of every text that is scrubbed from now on."""
    if len(key) >= 6:  # what is shorter is no secret, and would hit common words
        _used.add(key)


def scrub(text: str) -> str:
    """The text without any key: those in use, and what looks like one."""
    known = {os.environ.get(name, "").strip() for names in VARIABLES.values() for name in names}
    for key in sorted(_used | {k for k in known if len(k) >= 6}, key=len, reverse=True):
        text = text.replace(key, HIDDEN)
    return _FORMS.sub(HIDDEN, text)


def keep_key(provider: Provider, key: str) -> None:
    """Put a key into the user's keyring; SettingsError when there is none to put it into."""
    key = key.strip()
    if not key:
        raise SettingsError("the key is empty; nothing was kept")
    remember(key)
    try:
        import keyring

        keyring.set_password(SERVICE, provider, key)
    except ImportError:
        raise SettingsError(
            f"no keyring here; pip install keyring, or set {VARIABLES[provider][0]}"
        ) from None
    except Exception as error:  # each backend has errors of its own
        raise SettingsError(
            f"the keyring refused ({type(error).__name__}); set {VARIABLES[provider][0]} instead"
        ) from None


def forget_key(provider: Provider) -> bool:
    """Take the key out of the keyring; whether there was one."""
    if _from_keyring(provider) is None:
        return False
    import keyring

    keyring.delete_password(SERVICE, provider)
    return True


def _from_keyring(provider: Provider) -> str | None:
    try:
        import keyring

        key = keyring.get_password(SERVICE, provider)
    except Exception:  # no package, no backend, or one that is locked: there is no key for us
        return None
    return key.strip() if key else None
