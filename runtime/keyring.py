"""Keys in the system's keyring: the Keychain of macOS, the Credential Locker of Windows, the Secret Service or KWallet of Linux."""

from __future__ import annotations

from .errors import PrerequisiteError

__all__ = ["KEYRING", "key_in_keyring"]

KEYRING = "keyring:"
"""What the value of a key begins with that is the name of an entry."""

_SERVICE = "inloop"


def key_in_keyring(name: str) -> str:
    """The key that `keyring set inloop NAME` has kept.

    Raises:
        PrerequisiteError: the package is not installed, there is no keyring, or it has no such entry.
    """
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise PrerequisiteError(
            f"the key {KEYRING + name!r} is in the system's keyring, whose package is not installed",
            remedy="pip install 'inloop[keyring]', or give the key in INLOOP_API_KEY",
        ) from None
    try:
        key = keyring.get_password(_SERVICE, name)
    except KeyringError as error:
        raise PrerequisiteError(
            f"the system's keyring cannot be read: {error}", remedy="unlock it, or give the key in INLOOP_API_KEY"
        ) from None
    if not key:
        raise PrerequisiteError(
            f"the system's keyring has no entry {name!r} of {_SERVICE}", remedy=f"keyring set {_SERVICE} {name}"
        )
    return key
