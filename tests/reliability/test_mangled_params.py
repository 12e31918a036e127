"""A hundred broken params.yaml through the check that every stage waits for: accepted, or one message."""

from collections import Counter

import numpy as np
import pytest
import yaml

from partreid import params, strict_yaml
from partreid.errors import UserError
from partreid.experiments import check
from reliability.mangling import cases, mangled, restructured, told

pytestmark = pytest.mark.slow

FULL = 100


def test_a_broken_params_yaml_is_accepted_or_one_message(project, tmp_path):
    random = np.random.default_rng(3)
    text = (project / "params.yaml").read_text(encoding="utf-8")
    file = tmp_path / "params.yaml"
    found: Counter[str] = Counter()
    wrong = []
    for number in range(cases(FULL)):
        if number % 2:
            values = restructured(yaml.load(text, strict_yaml.Loader), random)
            way, broken = "another value", yaml.safe_dump(values, allow_unicode=True).encode()
        else:
            way, broken = mangled(text.encode(), random)
        file.write_bytes(broken)
        try:
            check.names(params.load(file))
            found["accepted"] += 1
        except UserError:
            found["refused"] += 1
        except Exception as error:
            found["a traceback"] += 1
            wrong.append(f"case {number}, {way}: {told(error)}")
    print(f"\nparams.yaml: {', '.join(f'{number} {what}' for what, number in found.items())}")
    assert not wrong, "\n".join(wrong)
