"""The clinic's instruments show what they say, on the lesson's own patients."""

from __future__ import annotations

import numpy as np
import pytest

from labsupport import clinic
from labsupport.authoring.edits import edited
from labsupport.figures import clinic as figures


def patient(number):
    return edited("11_clinic", f"program_{number}")


def moves(values, first, last):
    return np.abs(np.diff(values[first:last])).max() > 1e-6


def kept(number):
    return clinic.moving_statistics(patient(number), steps=12, questions=6)


@pytest.mark.parametrize("number", [2, 5, 7])
def test_no_statistics_without_batch_norm(number):
    assert kept(number) == {}


def test_statistics_that_stand_still():
    found = kept(1)
    assert len(found) == 2
    assert not any(moves(v, 0, 19) for v in found.values())


def test_statistics_of_arrays_that_two_functions_share():
    found = kept(3)
    assert list(found) == ["moving_mean", "moving_var"]
    assert all(moves(v, 0, 13) and not moves(v, 13, 19) for v in found.values())


def test_statistics_where_the_program_predicts():
    found = kept(6)
    there = {name: v for name, v in found.items() if "where it predicts" in name}
    assert len(there) == 2 and len(found) == 4
    assert not any(moves(v, 0, 19) for v in there.values())
    assert all(moves(v, 0, 13) for name, v in found.items() if name not in there)


def test_statistics_that_move_in_prediction():
    assert all(moves(v, 13, 19) for v in kept(8).values())


def test_what_runs_an_assignment():
    found = {
        name.partition(" → ")[2]: (step, asked)
        for name, step, asked in clinic.assignments(patient(8))
    }
    assert found["Variable"] == found["Variable_1"] == (True, True)
    assert found["dense/kernel"] == (True, False)
    assert clinic.assignments(patient(3)) == []


def test_the_questions_wear_out_patient_8():
    found = clinic.accuracy_by_batch(patient(8))
    assert list(found) == [50, 10, 1]
    assert found[50] > found[10] > found[1] and found[50] - found[1] > 0.3


def test_numbers_in_words():
    assert [figures._rounded(n) for n in (0.068, 0.94, 4.4, 21.0)] == ["0.07", "0.9", "4", "20"]


@pytest.mark.parametrize("instrument", figures.INSTRUMENTS)
def test_every_button_gives_a_picture_with_words(instrument):
    assert len(figures.examine(patient(3), instrument).alt) > 40
