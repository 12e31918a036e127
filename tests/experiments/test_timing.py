import time

from partreid.experiments.timing import best


def test_alternatives_take_turns_and_the_fastest_round_counts():
    order = []

    def slow_at_first():
        order.append("a")
        time.sleep(0.2 if len(order) == 1 else 0.02)

    seconds = best(2, {"a": slow_at_first, "b": lambda: order.append("b")})
    assert order == ["a", "b", "a", "b"]
    assert 0.02 <= seconds["a"] < 0.2
    assert seconds["b"] < 0.02
