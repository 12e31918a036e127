import pytest

from partreid.errors import UserError, choose


@pytest.mark.parametrize("name", [["bot"], {"bot": 1}, None, 7, "bott"])
def test_whatever_stands_in_the_place_of_a_name_is_one_message(name):
    with pytest.raises(UserError, match=r"unknown model .*; known: bot, pcb"):
        choose({"pcb": 1, "bot": 2}, name, "model")
