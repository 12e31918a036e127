"""What may be chosen for a test, by name."""

from types import SimpleNamespace

import pytest

from partreid.errors import UserError
from partreid.methods.base import Trained


def test_an_unknown_choice_names_the_known_ones():
    def use(embeddings=(), visibility=""):
        pass

    trained = Trained(SimpleNamespace(use=use), 64, 32, {})
    assert trained.use({"visibility": "all"}) == {"visibility": "all"}
    with pytest.raises(UserError, match=r"'nope'; known: embeddings, visibility"):
        trained.use({"nope": 1})
