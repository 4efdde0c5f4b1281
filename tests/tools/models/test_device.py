"""What can be told of accelerators without torch."""

import sys

import pytest

from inloop.tools.models import device


@pytest.mark.parametrize("name", ["nvidia0", "kfd", "dxg", "nvhost-gpu", "nvgpu"])
def test_a_device_file_tells_of_an_accelerator(tmp_path, monkeypatch, name):
    monkeypatch.setattr(device, "_DEVICES", tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_path / "null").touch()
    assert device.is_processor("auto") and device.is_processor("cpu") and not device.is_processor("cuda")
    (tmp_path / name).touch()
    assert not device.is_processor("auto") and device.is_processor("cpu")


def test_where_none_would_show_it_is_not_known(tmp_path, monkeypatch):
    monkeypatch.setattr(device, "_DEVICES", tmp_path)
    monkeypatch.setattr(sys, "platform", "win32")
    assert not device.is_processor("auto")
