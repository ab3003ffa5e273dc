"""What a client here can reach."""

from __future__ import annotations

import pytest
import requests


def test_a_client_that_is_not_pointed_at_the_sandbox_reaches_no_other_machine():
    with pytest.raises(requests.ConnectionError, match="expected the sandbox"):
        requests.get("http://192.0.2.1/v26.0/me", timeout=5)
