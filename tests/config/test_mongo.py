"""What is read of MongoDB's types."""

from decimal import Decimal

import pytest
from bson.decimal128 import Decimal128, create_decimal128_context
from hypothesis import given
from hypothesis import strategies as st

from config import mongo

INTO = create_decimal128_context()


@given(st.decimals(allow_nan=False).map(INTO.create_decimal))
def test_a_decimal_is_what_the_driver_makes_of_it(value):
    stored = Decimal128(value)
    assert mongo.decimal(stored).as_tuple() == stored.to_decimal().as_tuple()


@pytest.mark.parametrize(
    "text", ["0", "-0", "0E-6176", "9.999999999999999999999999999999999E+6144", "1E-6176", "0.000150", "-1.5", "Infinity"]
)
def test_the_ends_of_the_scale_are_read_as_the_driver_does(text):
    stored = Decimal128(INTO.create_decimal(Decimal(text)))
    assert mongo.decimal(stored).as_tuple() == stored.to_decimal().as_tuple()
