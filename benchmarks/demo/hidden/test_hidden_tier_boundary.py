from stockroom.pricing import discount_percent


def test_exactly_fifty_units_reach_the_middle_tier():
    assert discount_percent(50) == 8


def test_other_tiers_start_at_their_threshold_too():
    assert discount_percent(3, tiers=((3, 1), (6, 2))) == 1
    assert discount_percent(2, tiers=((3, 1), (6, 2))) == 0
