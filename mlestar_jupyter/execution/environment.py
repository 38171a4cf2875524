"""The environment of a candidate's kernel: no secrets, its share of threads, little noise."""

from __future__ import annotations

import re
import site
from collections.abc import Mapping
from pathlib import Path

# A name is read word by word (SSH_AUTH_SOCK, githubToken); PWD and OLDPWD are no passwords.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_HARMLESS = frozenset({"PATH", "PWD", "OLDPWD"})
_SECRET_WORDS = frozenset(
    {
        *("ASKPASS", "AUTH", "AUTHORIZATION", "BEARER", "COOKIE", "COOKIES", "CRED", "CREDENTIAL"),
        *("CREDENTIALS", "CREDS", "JWT", "KEYS", "OAUTH", "PASSPHRASE", "PASSWORDS", "PAT"),
        *("PRIVATE", "PWD", "SECRETS", "SESSION", "TOKENS", "WEBHOOK", "XAUTHORITY"),
    }
)
# Also at the end of a word, as in PGPASSWORD and OPENAIKEY.
_SECRET_ENDINGS = ("KEY", "TOKEN", "SECRET", "PASS", "PASSWORD", "PASSWD")

# JPY_SESSION_NAME leads to the user's notebook; JUPYTERHUB_* and VSCODE_* to their servers.
_FOREIGN_PREFIXES = ("JPY_", "JUPYTERHUB_", "VSCODE_")
# Code of the user's that every interactive Python runs first: a candidate must not depend on it.
# What changes all the time would have a server of warm kernels made each time.
_FOREIGN_NAMES = frozenset({"PYTHONSTARTUP", "PYTHONINSPECT", "PYTEST_CURRENT_TEST"})

_SECRET_VALUE = re.compile(
    r"""
      ://[^/\s@?\#]+@                                               # a URL with user:password@
    | (?i:pass(?:word|wd)?|pwd|secret|token|(?:api|access|account)_?key)\s*=\s*\S  # a DSN
    | -----BEGIN
    | ^(?:sk-|gh[opsur]_|github_pat_|glpat-|hf_|xox[abprs]-|AIza|AKIA|ASIA|ya29\.|eyJ)\S{12}
    """,
    re.VERBOSE,
)

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "LOKY_MAX_CPU_COUNT",  # LightGBM's scikit-learn API looks at this one alone
)


# scikit-learn sets these in any process that imports it, so in ours at some time: kernels must not
# differ, and have different servers, before and after.
_OF_SKLEARN = {"KMP_DUPLICATE_LIB_OK": "True", "KMP_INIT_AT_FORK": "FALSE"}

#: What differs between the executions of one run.
PER_EXECUTION = frozenset(
    {"IPYTHONDIR", "TMPDIR", "TEMP", "TMP", "JOBLIB_TEMP_FOLDER", "PWD", "MLESTAR_EXECUTION"}
)


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """What a candidate may know of this environment; secrets are told by name and by value."""
    return {
        name: value
        for name, value in environment.items()
        if name.upper() in _HARMLESS
        or not (_is_foreign(name) or _is_secret_name(name) or _SECRET_VALUE.search(value))
    }


# Folders of the user's in which libraries would keep caches and settings.
_PLACES = frozenset(
    {
        *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"),
        *("XDG_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"),
        *("MPLCONFIGDIR", "NUMBA_CACHE_DIR"),
    }
)


def away_from_home(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """The same, with ``home`` for a home folder; packages of the user's own are still found."""
    kept = {name: value for name, value in environment.items() if name not in _PLACES}
    return {"PYTHONUSERBASE": site.getuserbase(), **kept, "HOME": str(home)}


def kernel_environment(
    environment: Mapping[str, str], *, threads: int, work: Path, scratch: Path
) -> dict[str, str]:
    """The environment of a kernel that works in ``work`` and keeps its own files in ``scratch``."""
    temporary = str(scratch / "t")  # short: paths of unix sockets end up under it
    return {
        **_OF_SKLEARN,
        **without_secrets(environment),
        **{name: str(max(1, threads)) for name in _THREADS},
        # Idle OpenMP threads otherwise spin: two candidates on two cores become 20 times slower.
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        # Else the user's IPython profile, with its start-up files, would take part.
        "IPYTHONDIR": str(scratch / "ipython"),
        # What a killed candidate leaves in the temporary folder goes with the working folder.
        "TMPDIR": temporary,
        "TEMP": temporary,
        "TMP": temporary,
        "JOBLIB_TEMP_FOLDER": temporary,
        "TQDM_DISABLE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PWD": str(work),
    }


def _is_foreign(name: str) -> bool:
    return name.upper() in _FOREIGN_NAMES or name.upper().startswith(_FOREIGN_PREFIXES)


def _is_secret_name(name: str) -> bool:
    words = [word.upper() for word in _WORD.findall(name)]
    return any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDINGS) for word in words)
