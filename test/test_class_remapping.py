"""Rules that make other classes of a network's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuffleseg_core import ClassRemapping, LabelMap, UserError

CAMVID = LabelMap.named("camvid")
COLORS = dict(zip(CAMVID.names, CAMVID.colors))


def ids(*names):
    return [CAMVID.names.index(name) for name in names]


def test_classes_for_a_costmap():
    remapping = ClassRemapping(
        CAMVID, ["free space = road , pavement", "vehicle=car,bicyclist", "other=*"]
    )
    assert remapping.label_map.names == ("free space", "vehicle", "other")
    assert remapping.label_map.colors == (COLORS["road"], COLORS["car"], COLORS["sky"])
    table = remapping.table
    assert table.dtype == np.uint8 and table.shape == (256,)
    assert set(table[ids("road", "pavement")]) == {0}
    assert set(table[ids("car", "bicyclist")]) == {1}
    assert (table[:11] == 2).sum() == 7
    assert (table[11:] == 255).all()


def test_some_of_the_classes():
    remapping = ClassRemapping(CAMVID, ["road", "car"])
    assert remapping.label_map.names == ("road", "car")
    assert remapping.label_map.colors == (COLORS["road"], COLORS["car"])
    assert remapping.table[ids("road", "car")].tolist() == [0, 1]
    assert (remapping.table == 255).sum() == 254


def test_the_rest_and_some_that_are_named():
    remapping = ClassRemapping(CAMVID, ["road", "other=car,*"])
    assert remapping.label_map.colors[1] == COLORS["car"]
    assert (remapping.table[:11] == 1).sum() == 10


@pytest.mark.parametrize("rules", [[], [""], ()])
def test_no_rules(rules):
    assert ClassRemapping.of(CAMVID, rules) is None


def test_names_may_contain_spaces():
    voc_like = LabelMap(("stop sign", "parking meter"), ((1, 2, 3), (4, 5, 6)))
    remapping = ClassRemapping.of(voc_like, ["parking meter", " no  stop=stop sign "])
    assert remapping.label_map.names == ("parking meter", "no  stop")
    assert remapping.table[:2].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (["raod"], "'raod'.*did you mean 'road'.*known are sky, building"),
        (["free=road,zebra"], "free=road,zebra.*'zebra'.*known are"),
        (["a=road", "b=car,road"], "b=car,road.*'road' is in 'a=road'"),
        (["a=road,road"], "'road' is in"),
        (["a=road", "a=car"], "a=car.*another rule.*'a'"),
        (["road", "road=car"], "another rule.*'road'"),
        (["a=*", "b=*"], r"b=\*.*'\*' is in 'a=\*'"),
        ([*CAMVID.names, "other=*"], r"other=\*.*no class"),
        (["road", ""], "remap ''.*new=old"),
        (["road", "  "], "new=old"),
        (["a="], "new=old"),
        (["=road"], "new=old"),
        (["a=road,,car"], "new=old"),
        (["road,car"], "new=old"),
        (["*"], "new=old"),
    ],
)
def test_mistakes(rules, message):
    with pytest.raises(UserError, match=message) as error:
        ClassRemapping.of(CAMVID, rules)
    assert "\n" not in str(error.value)


def test_as_many_classes_as_leave_an_id_for_the_others():
    many = LabelMap.anonymous(256)
    kept = ClassRemapping(many, many.names[1:])
    assert kept.table[0] == 255 and kept.table[255] == 254
    with pytest.raises(UserError, match="256 rules; give 1 to 255"):
        ClassRemapping(many, many.names)


@given(data=st.data())
def test_every_class_goes_where_its_rule_says(data):
    label_map = LabelMap.anonymous(data.draw(st.integers(1, 40)))
    # Which new class each old one becomes: 0 none, 5 the rest.
    group = data.draw(st.lists(st.integers(0, 5), min_size=len(label_map), max_size=len(label_map)))
    space = data.draw(st.sampled_from(["", " ", "  "]))
    order = data.draw(st.permutations(sorted(set(group) - {0})))
    rules = []
    for number in order:
        olds = [label_map.names[i] for i, g in enumerate(group) if g == number]
        text = f"{space},{space}".join(olds) if number < 5 or 0 in group else "*"
        rules.append(f"{space}new {number}{space}={space}{text}{space}")
    if not rules:
        assert ClassRemapping.of(label_map, rules) is None
        return
    remapping = ClassRemapping.of(label_map, rules)
    assert remapping.label_map.names == tuple(f"new {number}" for number in order)
    expected = np.full(256, 255)
    for old_id, number in enumerate(group):
        if number:
            expected[old_id] = order.index(number)
    np.testing.assert_array_equal(remapping.table, expected)
    for new_id, color in enumerate(remapping.label_map.colors):
        assert color == label_map.colors[group.index(order[new_id])]
    labels = np.random.default_rng(0).integers(0, 256, (7, 9), np.uint8)
    new = remapping.apply(labels)
    np.testing.assert_array_equal(new, expected[labels])
    assert remapping.apply(labels, out=labels) is labels
    np.testing.assert_array_equal(labels, new)


@given(st.lists(st.text(max_size=12), max_size=4))
def test_whatever_is_written_is_a_remapping_or_a_users_mistake(rules):
    try:
        remapping = ClassRemapping.of(CAMVID, rules)
    except UserError as error:
        assert str(error).startswith("remap")
    else:
        assert remapping is None or len(remapping.label_map) == len(rules)


@pytest.mark.parametrize("out", [np.empty((3, 4)), np.empty((4, 3), np.uint8)])
def test_where_nothing_can_be_written(out):
    with pytest.raises(ValueError, match="out is"):
        ClassRemapping(CAMVID, ["road"]).apply(np.zeros((3, 4), np.uint8), out)
