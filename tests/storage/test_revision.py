from partreid.storage import revision


def test_a_short_revision_still_says_that_something_was_changed():
    assert revision.short("0123456789abcdef0123") == "0123456789ab"
    assert revision.short("0123456789abcdef0123-dirty") == "0123456789ab-dirty"
    assert revision.short("unknown") == "unknown"
