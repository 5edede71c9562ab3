"""`probe show` of a refused call and of the control call that was placed because of it: each names the other."""

from datetime import UTC, datetime

from probe.call import CallRecord, CallRequest, Ending
from probe.judged import judge_call
from probe.store import open_store


def placed(store, call_id, caller, **more):
    request = CallRequest(
        id=call_id, plan_key=call_id, trunk="carrier-a", caller=caller, callee="+12025550190", consent="ours", **more
    )
    now = datetime.now(UTC)
    store.begin(request, now)
    store.finish(judge_call(CallRecord(request=request, started_at=now, ended_at=now, ending=Ending.NO_RESPONSE)))


def test_both_calls_carry_the_link(probe):
    store = open_store(probe.environment["PROBE_STORE"])
    placed(store, "refused-call", "+12025550102")
    placed(store, "control-call", "+12025550100", control_of="refused-call")
    store.close()
    assert "control-call" == probe("show", "refused-call", "--json").json["control"]
    assert "refused-call" == probe("show", "control-call", "--json").json["control_of"]
    assert "control-call" in probe("show", "refused-call").out
