import pytest

pytest.register_assert_rewrite("tests.faults.desk", "tests.faults.readers", "tests.faults.turning")
