"""A pickle read as data: a machine for pickle's instructions that cannot reach any Python object.

Python's own unpickler looks names up in modules and calls what it finds; a file can have it run anything. Here a name
is the pair of its words. A call of one of MAKERS, which make containers, numbers and records of tensors, is done by our
own functions; a call of anything else makes a Foreign, which remembers what it was and was given, and does nothing.
Instructions that torch.save never writes are refused.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from partreid.errors import UserError, reason

MOST = 5_000_000  # instructions in one pickle; a ResNet-50 with its optimiser takes some 40,000


@dataclass(frozen=True)
class Name:
    """A global name that a pickle mentions."""

    module: str
    name: str


@dataclass(eq=False)  # by identity, so that one that contains itself can be a key
class Foreign:
    """What stands in the place of an object of an unknown class.

    args: what its class was called with. state: what it was given afterwards. items: what was put into it as into a
    dictionary; values: as into a list.
    """

    of: str
    args: tuple[Any, ...] = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)
    values: list[Any] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<{self.of}>"


Makers = Mapping[Name, Callable[..., Any]]
Persistent = Callable[[Any], Any]

CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
LITERALS = frozenset(
    (
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "UNICODE", "BINUNICODE",
        "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    )
)  # fmt: skip
OLD_STRINGS = frozenset(("STRING", "BINSTRING", "SHORT_BINSTRING"))  # of Python 2: bytes or text, nobody knows
SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read(file: BinaryIO, makers: Makers, persistent: Persistent) -> Any:
    """What the pickle at the file's place holds; the file then stands behind it.

    makers: what may be made, and by which function of ours. persistent: what stands for a persistent id.
    UserError when the bytes are no pickle, are cut short, or want what torch.save never writes.
    """
    machine = _Machine(makers, persistent)
    try:
        for count, (code, argument, _) in enumerate(pickletools.genops(file)):
            if count > MOST:
                raise UserError(f"the pickle has more than {MOST:,} instructions; no checkpoint of weights has")
            if code.name == "STOP":
                break
            machine.step(code.name, argument)
        (value,) = machine.stack
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        raise UserError(f"it holds no pickle that can be read as data ({reason(error)})") from error
    return value


def key(value: Any) -> Any:
    """The value, if it may be a key. A tuple nested very deeply would overflow the interpreter's own stack."""
    plain = (str, bytes, int, float, Name, Foreign, type(None))
    if isinstance(value, plain) or (isinstance(value, tuple) and all(isinstance(each, plain) for each in value)):
        return value
    raise TypeError("a key that is neither text nor number")


def _items(values: list[Any]) -> dict[Any, Any]:
    """Keys and values in turn, as a dictionary."""
    return dict(zip(map(key, values[::2]), values[1::2], strict=True))


class _Machine:
    def __init__(self, makers: Makers, persistent: Persistent):
        self.makers, self.persistent = makers, persistent
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each open mark
        self.memo: dict[int, Any] = {}

    def step(self, code: str, argument: Any) -> None:
        """One instruction."""
        if code in CONSTANTS:
            self.stack.append(CONSTANTS[code]())
        elif code in LITERALS:
            self.stack.append(argument)
        elif code in OLD_STRINGS:
            self.stack.append(argument.decode("latin-1") if isinstance(argument, bytes) else argument)
        elif code in SHORT_TUPLES:
            self.stack[-SHORT_TUPLES[code] :] = [tuple(self._last(SHORT_TUPLES[code]))]
        elif code not in ("PROTO", "FRAME"):
            getattr(self, f"do_{code.lower()}", self._refused(code))(argument)

    def _refused(self, code: str) -> Callable[[Any], None]:
        def refuse(_: Any) -> None:
            raise UserError(f"its pickle has the instruction {code}, which torch.save never writes")

        return refuse

    def _last(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError("stack underflow")
        return self.stack[len(self.stack) - count :]

    def _marked(self) -> list[Any]:
        above, self.stack = self.stack, self.below.pop()
        return above

    def made(self, what: Any, args: Any) -> Any:
        """What a call would have made."""
        if not isinstance(args, tuple):
            raise TypeError("arguments are no tuple")
        if isinstance(what, Name) and what in self.makers:
            return self.makers[what](*args)
        of = f"{what.module}.{what.name}" if isinstance(what, Name) else "a call of a value"
        return Foreign(of, args)

    # marks and the stack

    def do_mark(self, _: Any) -> None:
        self.below.append(self.stack)
        self.stack = []

    def do_pop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._marked()

    def do_pop_mark(self, _: Any) -> None:
        self._marked()

    def do_dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    # the memo

    def do_memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def do_put(self, place: Any) -> None:
        self.memo[place] = self.stack[-1]

    do_binput = do_long_binput = do_put

    def do_get(self, place: Any) -> None:
        self.stack.append(self.memo[place])

    do_binget = do_long_binget = do_get

    # containers

    def do_tuple(self, _: Any) -> None:
        values = self._marked()
        self.stack.append(tuple(values))

    def do_list(self, _: Any) -> None:
        values = self._marked()
        self.stack.append(values)

    def do_dict(self, _: Any) -> None:
        values = self._marked()
        self.stack.append(_items(values))

    def do_frozenset(self, _: Any) -> None:
        values = self._marked()
        self.stack.append(frozenset(map(key, values)))

    def do_append(self, _: Any) -> None:
        value = self.stack.pop()
        self._extend([value])

    def do_appends(self, _: Any) -> None:
        self._extend(self._marked())

    def _extend(self, values: list[Any]) -> None:
        into = self.stack[-1]
        if isinstance(into, Foreign):
            into = into.values
        if not isinstance(into, list):
            raise TypeError("append to what is no list")
        into.extend(values)

    def do_additems(self, _: Any) -> None:
        values = self._marked()
        into = self.stack[-1]
        if isinstance(into, Foreign):
            into.values.extend(values)
        elif isinstance(into, set):
            into.update(map(key, values))
        else:
            raise TypeError("addition to what is no set")

    def do_setitem(self, _: Any) -> None:
        pair = self._last(2)
        del self.stack[-2:]
        self._set(pair)

    def do_setitems(self, _: Any) -> None:
        self._set(self._marked())

    def _set(self, values: list[Any]) -> None:
        into = self.stack[-1]
        if isinstance(into, Foreign):
            into = into.items
        if not isinstance(into, dict):
            raise TypeError("items for what is no dictionary")
        into.update(_items(values))

    # names, and calls that are not made

    def do_global(self, words: Any) -> None:
        module, _, name = words.partition(" ")
        self.stack.append(Name(module, name))

    def do_stack_global(self, _: Any) -> None:
        module, name = self._last(2)
        del self.stack[-2:]
        if not (isinstance(module, str) and isinstance(name, str)):
            raise TypeError("a name that is no text")
        self.stack.append(Name(module, name))

    def do_reduce(self, _: Any) -> None:
        what, args = self._last(2)
        self.stack[-2:] = [self.made(what, args)]

    do_newobj = do_reduce

    def do_newobj_ex(self, _: Any) -> None:
        what, args, named = self._last(3)
        self.stack[-3:] = [Foreign(repr(what), (args, named))]

    def do_obj(self, _: Any) -> None:
        what, *args = self._marked()
        self.stack.append(self.made(what, tuple(args)))

    def do_inst(self, words: Any) -> None:
        module, _, name = words.partition(" ")
        args = tuple(self._marked())
        self.stack.append(self.made(Name(module, name), args))

    def do_build(self, _: Any) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Foreign):  # on others it has no effect: an ordered dictionary's attributes
            self.stack[-1].state = state

    def do_binpersid(self, _: Any) -> None:
        self.stack[-1] = self.persistent(self.stack[-1])
