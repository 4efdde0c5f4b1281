"""Threads that wait leave the processor to others, unless the user's environment says otherwise."""

import os

from inloop.runtime.threads import wait_idly


def test_what_the_user_says_stays(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    wait_idly()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    wait_idly()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
