"""SIMD in compiled code: vectors of four float64 that one instruction adds, loads or stores.

Inputs and outputs: `Four`, a type of compiled code, and arrays float64[n].
Invariant: each lane has the bits that a single number would have; where a processor has shorter vectors, the
compiler uses two of them.
Plain version: NumPy on arrays of four; `tests/features/engine/test_simd.py` compares them.
Read on only to change the speed. The compiler does not vectorise by itself where a row has seven windows of
each metric: its own vector loops begin at sixteen. numba's cache does not look at this file for changes, so
its digest is written into the file that it looks at (`kernel.LANES_DIGEST`).
"""

from __future__ import annotations

import math
import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

_NUMBERS = ir.VectorType(ir.DoubleType(), 4)
_PLACES = ir.VectorType(ir.IntType(32), 4)


class Four(types.Type):  # type: ignore[misc]
    """The type of four float64 in compiled code."""

    def __init__(self) -> None:
        super().__init__(name="Four")


FOUR = Four()


@register_model(Four)
class _FourModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Four) -> None:
        super().__init__(manager, kind, _NUMBERS)


def _shuffled(builder: Any, one: Any, other: Any, lanes: tuple[int, int, int, int]) -> Any:
    """Four lanes out of eight: those of `one` are 0 to 3."""
    return builder.shuffle_vector(one, other, ir.Constant(_PLACES, lanes))


def _address(context: Any, builder: Any, array_type: Any, array: Any, place: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place]), _NUMBERS.as_pointer())


@intrinsic
def four(_, number):  # type: ignore[no-untyped-def]
    """One number in all four lanes."""

    def generate(_, builder, __, arguments):  # type: ignore[no-untyped-def]
        alone = builder.insert_element(ir.Constant(_NUMBERS, ir.Undefined), arguments[0], ir.IntType(32)(0))
        return _shuffled(builder, alone, alone, (0, 0, 0, 0))

    return FOUR(number), generate


@intrinsic
def four_at(_, array, place):  # type: ignore[no-untyped-def]
    """Four numbers of an array float64[n], from `place` on."""

    def generate(context, builder, sig, arguments):  # type: ignore[no-untyped-def]
        return builder.load(_address(context, builder, sig.args[0], *arguments), align=8)

    return FOUR(array, place), generate


@intrinsic
def store4(_, array, place, numbers):  # type: ignore[no-untyped-def]
    """Writes four numbers into an array float64[n], from `place` on."""

    def generate(context, builder, sig, arguments):  # type: ignore[no-untyped-def]
        array, place, numbers = arguments
        builder.store(numbers, _address(context, builder, sig.args[0], array, place), align=8)
        return context.get_dummy_value()

    return types.void(array, place, numbers), generate


@intrinsic
def scatter4(_, array, begin, columns, place, numbers):  # type: ignore[no-untyped-def]
    """Writes four numbers into an array float64[n], each into its column from `begin` on.

    `columns`, int64[m], has at `place` the column of the first where the others follow it, else a number
    below 0; then the column of each, where it has one.
    """

    def generate(context, builder, sig, arguments):  # type: ignore[no-untyped-def]
        array, begin, columns, place, numbers = arguments
        table = context.make_array(sig.args[2])(context, builder, columns).data

        def column(n: int) -> Any:
            return builder.load(builder.gep(table, [builder.add(place, place.type(n))]))

        first, none = column(0), place.type(0)
        with builder.if_else(builder.icmp_signed(">=", first, none)) as (together, apart):
            with together:
                where = _address(context, builder, sig.args[0], array, builder.add(begin, first))
                builder.store(numbers, where, align=8)
            with apart:
                data = context.make_array(sig.args[0])(context, builder, array).data
                for lane in range(4):
                    own = column(lane + 1)
                    with builder.if_then(builder.icmp_signed(">=", own, none)):
                        number = builder.extract_element(numbers, ir.IntType(32)(lane))
                        builder.store(number, builder.gep(data, [builder.add(begin, own)]))
        return context.get_dummy_value()

    return types.void(array, begin, columns, place, numbers), generate


@intrinsic
def transpose4(_, array, places, place):  # type: ignore[no-untyped-def]
    """Four records of four numbers each, rows for columns: the first of each, the second of each, and so on.

    `array` is float64[4 n]; which records stands in `places`, uint32[m], from `place` on.
    """

    def generate(context, builder, sig, arguments):  # type: ignore[no-untyped-def]
        array, places, place = arguments
        table = context.make_array(sig.args[1])(context, builder, places).data

        def record(n: int) -> Any:
            number = builder.load(builder.gep(table, [builder.add(place, place.type(n))]))
            at = builder.mul(builder.zext(number, place.type), place.type(4))
            return builder.load(_address(context, builder, sig.args[0], array, at), align=8)

        a, b, c, d = (record(n) for n in range(4))
        halves = [
            (_shuffled(builder, a, b, lanes), _shuffled(builder, c, d, lanes))
            for lanes in ((0, 4, 2, 6), (1, 5, 3, 7))
        ]
        lanes = [
            _shuffled(builder, first, last, lanes)
            for lanes in ((0, 1, 4, 5), (2, 3, 6, 7))
            for first, last in halves
        ]
        return context.make_tuple(builder, sig.return_type, lanes)

    return types.UniTuple(FOUR, 4)(array, places, place), generate


@intrinsic
def blend(_, one, other):  # type: ignore[no-untyped-def]
    """The outer lanes of `one` and the two in the middle of `other`."""

    def generate(_, builder, __, arguments):  # type: ignore[no-untyped-def]
        one, other = arguments
        return _shuffled(builder, one, other, (0, 5, 6, 3))

    return FOUR(one, other), generate


@intrinsic
def both_ways(_, number):  # type: ignore[no-untyped-def]
    """A number and the same with its sign turned in the two lanes in the middle, between infinities."""

    def generate(_, builder, __, arguments):  # type: ignore[no-untyped-def]
        ends = ir.Constant(_NUMBERS, [math.inf] * 4)
        one = builder.insert_element(ends, arguments[0], ir.IntType(32)(1))
        return builder.insert_element(one, builder.fneg(arguments[0]), ir.IntType(32)(2))

    return FOUR(number), generate


@intrinsic
def minimum4(_, one, other):  # type: ignore[no-untyped-def]
    """In each lane `one` where it is less, else `other`; `other` too where either is NaN."""

    def generate(_, builder, __, arguments):  # type: ignore[no-untyped-def]
        return builder.select(builder.fcmp_ordered("<", *arguments), *arguments)

    return FOUR(one, other), generate


@intrinsic
def select_positive4(_, tested, then, otherwise):  # type: ignore[no-untyped-def]
    """In each lane `then` where `tested` is above 0, else `otherwise`."""

    def generate(_, builder, __, arguments):  # type: ignore[no-untyped-def]
        tested, then, otherwise = arguments
        nothing = ir.Constant(_NUMBERS, [0.0] * 4)
        return builder.select(builder.fcmp_ordered(">", tested, nothing), then, otherwise)

    return FOUR(tested, then, otherwise), generate


def _operator(function: Any, instruction: str) -> None:
    """Defines a Python operator for `Four`."""
    operands = 1 if function is operator.neg else 2

    @infer_global(function)
    class _Fours(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            wanted = (FOUR,) * operands
            return signature(FOUR, *wanted) if args == wanted and not kws else None

    @lower_builtin(function, *(FOUR,) * operands)  # type: ignore[untyped-decorator]
    def _generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return getattr(builder, instruction)(*arguments)


for _function, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.truediv, "fdiv"),
    (operator.neg, "fneg"),
):
    _operator(_function, _instruction)
