"""Karlin-Altschul statistics against what BLAST+ 2.12.0 prints (-outfmt 15)."""

from __future__ import annotations

import math

import pytest

from seqforge.domains.genome.similarity.evalues import (
    SCORE_PAIRS,
    effective_search_space,
    karlin_altschul,
    length_adjustment,
)
from seqforge.errors import ConfigError

# reward, penalty -> lambda, K, H where gaps are so dear (40/40) that blastn counts without them
UNGAPPED = {
    (1, -4): (1.383325268739, 0.738150059575173, 1.36281962280298),
    (2, -7): (0.690146313712853, 0.547902305000632, 1.34312560281876),
    (1, -3): (1.37406312246009, 0.710602795216363, 1.30724660390929),
    (2, -5): (0.680505305275153, 0.515163162123632, 1.2420803627365),
    (1, -2): (1.33270576282382, 0.620991117264207, 1.12409184650114),
    (2, -3): (0.633731443099174, 0.408145662544724, 0.91243839227971),
    (1, -1): (1.09861228866811, 0.333333333333333, 0.549306144334055),
    (5, -4): (0.191529283391525, 0.175787942140614, 0.356723851063552),
    (4, -5): (0.301052385563351, 0.306264061813595, 0.753165556068631),
}

# Scores and gap costs, lambda, K, H, and the effective search space of queries of 20, 100, 201 and
# 1,000 bases against 20 sequences of 50,000.
GOLDEN = """
1,-4,5,2    1.38332526874  0.738150059575 1.3628196228  8998020   86977380  187951120 985723920
1,-3,5,2    1.37406312246  0.710602795216 1.30724660391 8998020   86977380  186947640 984704500
1,-2,5,2    1.33270576282  0.620991117264 1.1240918465  6998180   84974500  184940800 982665780
1,-1,5,2    1.09861228867  0.333333333333 0.549306144334 3998720   71959680  170897400 966361780
1,-4,0,2    1.26           0.43           0.9           4998500   81970480  181930840 978588820
1,-4,1,1    1.22           0.35           0.72          3998720   79968000  178921240 975531520
1,-4,1,2    1.36           0.67           1.2           7998080   85975920  185944200 983685120
1,-4,2,1    1.35           0.61           1.1           7998080   85975920  185944200 983685120
1,-4,2,2    1.38332526874  0.738150059575 1.3628196228  8998020   86977380  187951120 985723920
2,-7,0,4    0.63           0.43           0.9           4998500   81970480  181930840 978588820
2,-7,2,2    0.61           0.35           0.72          2998980   56950980  154857400 948032020
2,-7,2,4    0.68           0.67           1.2           7998080   85975920  185944200 983685120
2,-7,4,2    0.675          0.62           1.1           7998080   85975920  185944200 983685120
2,-7,4,4    0.690146313713 0.547902305001 1.34312560282 8998020   86977380  187951120 985723920
1,-3,0,2    1.25           0.42           0.83          4998500   81970480  181930840 978588820
1,-3,1,1    1.21           0.34           0.71          2998980   77965680  177918120 974512500
1,-3,1,2    1.35           0.64           1.1           7998080   85975920  185944200 982665780
1,-3,2,1    1.34           0.6            1.1           7998080   85975920  185944200 982665780
1,-3,2,2    1.37           0.7            1.2           7998080   85975920  185944200 983685120
2,-5,0,4    0.62           0.39           0.78          3998720   79968000  179924400 976550580
2,-5,2,2    0.56           0.32           0.59          3998720   75963520  174909000 970436820
2,-5,2,4    0.67           0.59           1.1           7998080   85975920  185944200 982665780
2,-5,4,2    0.67           0.61           1             7998080   84974500  185944200 982665780
2,-5,4,4    0.680505305275 0.515163162124 1.24208036274 7998080   85975920  186947640 983685120
1,-2,0,2    1.19           0.34           0.66          2998980   77965680  176915040 973493520
1,-2,1,1    1.14           0.26           0.52          3998720   72960580  172903120 967380480
1,-2,1,2    1.3            0.52           0.93          5998320   83973120  183937440 980627220
1,-2,2,1    1.29           0.49           0.92          5998320   81970480  182934120 979608000
1,-2,2,2    1.33           0.62           1.1           6998180   83973120  184940800 981646480
1,-2,3,1    1.32           0.57           1             6998180   83973120  183937440 981646480
2,-3,0,4    0.55           0.21           0.46          4998500   69958000  168891840 963305920
2,-3,2,2    0.515          0.14           0.33          7998080   60952420  159868800 952104180
2,-3,2,4    0.615          0.37           0.72          3998720   79968000  179924400 975531520
2,-3,3,3    0.615          0.37           0.68          2998980   77965680  177918120 974512500
2,-3,4,2    0.61           0.35           0.68          2998980   77965680  177918120 974512500
2,-3,4,4    0.63           0.42           0.84          4998500   81970480  181930840 978588820
2,-3,5,2    0.625          0.41           0.78          3998720   79968000  179924400 976550580
2,-3,6,2    0.63           0.42           0.84          4998500   81970480  181930840 978588820
2,-3,6,4    0.633731443099 0.408145662545 0.91243839228 5998320   82971780  183937440 980627220
1,-1,0,2    0.8            0.064          0.17          15998720  29958000  121807240 907345620
1,-1,1,2    1.02           0.21           0.36          4998500   61952880  159868800 953122320
1,-1,2,1    0.99           0.17           0.3           5998320   56950980  154857400 947014080
1,-1,2,2    1.07           0.27           0.49          3998720   68957220  167889120 963305920
1,-1,3,1    1.06           0.25           0.46          4998500   67956480  166886440 962287380
1,-1,3,2    1.09           0.31           0.55          3998720   70958820  170897400 966361780
1,-1,4,1    1.08           0.28           0.54          3998720   70958820  170897400 966361780
1,-1,4,2    1.09861228867  0.333333333333 0.549306144334 3998720   71959680  170897400 966361780
5,-4,8,6    0.146          0.039          0.11          20000000  25961520  95798400  872812500
5,-4,10,6   0.163          0.068          0.16          14998500  29958000  122808120 907345620
5,-4,25,10  0.191529283392 0.175787942141 0.356723851064 5998320   54950500  153855240 945996180
4,-5,3,5    0.23           0.065          0.25          15998720  52950180  149847000 939889620
4,-5,4,5    0.25           0.1            0.31          10998020  60952420  157864120 951086080
4,-5,5,5    0.27           0.17           0.39          5998320   66955780  165883800 959232000
4,-5,6,5    0.28           0.21           0.47          4998500   71959680  170897400 966361780
4,-5,12,8   0.301052385563 0.306264061814 0.753165556069 3998720   77965680  177918120 974512500
"""


def test_all_score_pairs_of_ebi_have_statistics():
    assert set(SCORE_PAIRS) == set(UNGAPPED)


@pytest.mark.parametrize(("pair", "expected"), UNGAPPED.items())
def test_parameters_without_gaps_are_blastns(pair, expected):
    """Also for 2,-3, whose K moves in the fourth digit if its series is summed to the end."""
    found = karlin_altschul(*pair, 40, 40)

    assert (found.lambda_, found.k, found.h) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("row", GOLDEN.strip().splitlines())
def test_parameters_and_search_spaces_are_blastns(row):
    scores, lambda_, k, h, *spaces = row.split()
    found = karlin_altschul(*map(int, scores.split(",")))

    expected = float(lambda_), float(k), float(h)
    assert (found.lambda_, found.k, found.h) == pytest.approx(expected, rel=1e-9)
    assert [int(space) for space in spaces] == [
        effective_search_space(found, m, 1_000_000, 20) for m in (20, 100, 201, 1000)
    ]


def test_scores_of_a_real_job_at_ebi():
    """Query of 3,923 bases, 32,036,512,383 letters in 297 sequences: E() was 9.7e-178."""
    found = karlin_altschul(1, -3, 5, 2)
    space = effective_search_space(found, 3923, 32_036_512_383, 297)

    assert found.bit_score(178) == pytest.approx(353.352, abs=5e-4)
    score = round((math.log(found.k * space) - math.log(9.7e-178)) / found.lambda_)
    assert found.evalue(score, space) == pytest.approx(9.7e-178, rel=0.01)


def test_an_odd_score_of_2_3_has_the_evalue_of_the_even_one_below():
    found = karlin_altschul(2, -3, 5, 2)

    assert found.evalue(41, 10**9) == found.evalue(40, 10**9) > found.evalue(42, 10**9)
    assert found.bit_score(41) > found.bit_score(40)


@pytest.mark.parametrize("pair", [(1, -3), (2, -3), (5, -4)])
@pytest.mark.parametrize("evalue", [1e-30, 0.01, 10, 1e9])
def test_the_cutoff_is_the_lowest_score_that_is_good_enough(pair, evalue):
    found = karlin_altschul(*pair, 40, 40)
    cutoff = found.cutoff_score(evalue, 10**9)

    assert found.evalue(cutoff, 10**9) <= evalue
    assert cutoff == 1 or found.evalue(cutoff - 1, 10**9) > evalue


def test_the_adjustment_leaves_room_in_short_queries_and_libraries():
    found = karlin_altschul(1, -3, 5, 2)

    assert length_adjustment(found, 5, 10, 1) < 5
    assert effective_search_space(found, 1, 1, 1) == 1
    assert effective_search_space(found, 20, 3_000, 1_000) > 0


def test_scores_without_statistics_are_refused():
    with pytest.raises(ConfigError, match="match scores 3,-7 have no statistics; take one of 1,-4"):
        karlin_altschul(3, -7, 5, 2)
    with pytest.raises(
        ConfigError, match="gap costs 5,2 have no statistics with match scores 5,-4"
    ):
        karlin_altschul(5, -4, 5, 2)


def test_callers_mistakes_are_value_errors():
    found = karlin_altschul(1, -3, 5, 2)

    with pytest.raises(ValueError, match="must have letters"):
        effective_search_space(found, 0, 10, 1)
    with pytest.raises(ValueError, match="above 0"):
        found.cutoff_score(0, 10)
