"""A protocol survives being stored with its incident."""

import json
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.agreement import Protocol
from alerts.protocol_json import protocol_from_json, protocol_to_json

names = st.lists(st.text(min_size=1, max_size=8), max_size=3).map(tuple)
spans = st.timedeltas(timedelta(), timedelta(days=30))


@given(
    st.builds(
        Protocol,
        st.booleans(),
        names,
        spans,
        names,
        st.none() | spans,
        names,
        names,
        spans,
        draft_before=st.none() | spans,
    )
)
def test_a_stored_protocol_comes_back_equal(protocol):
    assert protocol_from_json(json.loads(json.dumps(protocol_to_json(protocol)))) == protocol
