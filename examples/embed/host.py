"""A shop in Python, whose prices are a program in Reml.

    python3 host.py libreml_embed.so prices.reml

The classes mirror reml_embed.h.
"""

import ctypes
import sys
from ctypes import CFUNCTYPE, POINTER, Structure, Union, byref, c_char_p, c_double, c_int, c_int64, c_size_t, c_void_p

UNIT, BOOL, INT, FLOAT, TEXT, BYTES, LIST = range(7)
OK, ERROR = 0, 1


class Value(Structure):
    """A value between Python and Reml, as `reml_embed_value_t`."""


class Bytes(Structure):
    _fields_ = [("data", c_char_p), ("len", c_size_t)]


class List(Structure):
    _fields_ = [("items", POINTER(Value)), ("len", c_size_t)]


class Content(Union):
    _fields_ = [("integer", c_int64), ("number", c_double), ("bytes", Bytes), ("list", List)]


Value._fields_ = [("kind", c_int), ("content", Content)]
Function = CFUNCTYPE(c_int, c_void_p, POINTER(Value), c_size_t, POINTER(Value))


def to_reml(value, out):
    """Writes a Python value to `out`, and gives what must stay alive as long as that is used."""
    if value is None:
        out.kind = UNIT
    elif isinstance(value, bool):
        out.kind, out.content.integer = BOOL, value
    elif isinstance(value, int):
        out.kind, out.content.integer = INT, value
    elif isinstance(value, float):
        out.kind, out.content.number = FLOAT, value
    elif isinstance(value, (str, bytes)):
        data = value.encode() if isinstance(value, str) else value
        out.kind = TEXT if isinstance(value, str) else BYTES
        out.content.bytes = Bytes(data, len(data))
        return data
    else:
        items = (Value * len(value))()
        kept = [to_reml(item, slot) for item, slot in zip(value, items)]
        out.kind, out.content.list = LIST, List(items, len(value))
        return items, kept
    return None


def from_reml(value):
    content = value.content
    match value.kind:
        case 0:
            return None
        case 1:
            return bool(content.integer)
        case 2:
            return content.integer
        case 3:
            return content.number
        case 4:
            return ctypes.string_at(content.bytes.data, content.bytes.len).decode()
        case 5:
            return ctypes.string_at(content.bytes.data, content.bytes.len)
        case _:
            return [from_reml(content.list.items[i]) for i in range(content.list.len)]


class Reml:
    """A context: `with Reml(library) as reml: reml.load(path); reml.call("f", 1)`."""

    def __init__(self, library):
        self.library = ctypes.CDLL(library)
        self.library.reml_last_error.restype = c_char_p
        self.context = c_void_p()
        # What the library may still look at.
        self.kept = {}
        if self.library.reml_create_context(b"0.1.0", byref(self.context)) != OK:
            raise RuntimeError(self.library.reml_last_error(None).decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.library.reml_dispose_context(self.context)

    def check(self, status):
        if status != OK:
            raise RuntimeError((self.library.reml_last_error(self.context) or b"no such context").decode())

    def load(self, path):
        self.check(self.library.reml_load_file(self.context, path.encode()))

    def call(self, name, *arguments):
        values = (Value * len(arguments))()
        kept = [to_reml(argument, value) for argument, value in zip(arguments, values)]
        result = Value()
        count = c_size_t(len(arguments))
        self.check(self.library.reml_call(self.context, name.encode(), values, count, byref(result)))
        del kept
        return from_reml(result)

    def register(self, name, function):
        def called(_, arguments, count, result):
            try:
                value, status = function(*(from_reml(arguments[i]) for i in range(count))), OK
            except Exception as error:
                value, status = str(error), ERROR
            self.kept[name, "result"] = to_reml(value, result[0])
            return status

        callback = Function(called)
        self.kept[name] = callback
        self.check(self.library.reml_register_function(self.context, name.encode(), callback, None))


ARTICLES = {"pen": 250, "notebook": 490, "lamp": 3900}


def price_of(article):
    if article not in ARTICLES:
        raise ValueError(f"the shop has no {article}")
    return ARTICLES[article]


def main():
    library, program = sys.argv[1:]
    with Reml(library) as shop:
        shop.register("price_of", price_of)
        shop.load(program)
        print("pen and lamp:", shop.call("price", ["pen", "lamp"], None))
        print("for students:", shop.call("price", ["pen", "lamp"], "STUDENT"))
        print("the dearest:", shop.call("dearest", list(ARTICLES)))
        print("of nothing:", shop.call("dearest", []))
        for articles in (["desk"], [7]):
            try:
                shop.call("price", articles, None)
            except RuntimeError as error:
                print("error:", error)
        print("orders:", shop.call("order_count"))


main()
