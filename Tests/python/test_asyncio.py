"""Every call as a coroutine, against a scripted server."""
import asyncio
import threading
import time

import pytest

import qubus

PROGRAM = "OPENQASM 3;\n"


def run(scripted, body):
    """Runs `body(client)` in a fresh event loop with a connected client."""
    async def main():
        async with await qubus.connect(scripted.endpoint) as client:
            return await body(client)

    return asyncio.run(asyncio.wait_for(main(), 30))


def test_submit_events_and_result(scripted):
    async def body(client):
        job = await client.submit(PROGRAM, shots=1024, seed=7)
        events = [event async for event in job.events(after=2)]
        result = await job.result(timeout=10)
        return job, events, result, await job.wait(), await job.status(), await job.info()

    job, events, result, waited, status, info = run(scripted, body)
    assert [event.sequence for event in events] == [3, 4, 5, 6]
    assert result.counts == {"00": 509, "11": 515} and info.job_id == job.id
    assert waited == status == "succeeded"


def test_the_rest_of_the_surface(scripted):
    async def body(client):
        job = await client.submit(PROGRAM)
        assert (await client.health()).state == "serving"
        assert (await client.version()).client_version == qubus.__version__
        assert (await client.devices())[0].name == "sim.statevector"
        assert (await client.errors())[0].number == 1015
        assert (await client.plan(PROGRAM)).device == "sim.statevector"
        assert float(await client.estimate(PROGRAM, observables="ZZ")) == 1.0
        assert (await job.annotate(a=1)).annotations[0].key == "a"
        assert (await job.cancel()).outcome == "too_late"
        assert (await job.replay(timeout=10)).outcome == "identical"
        assert [listed.id async for listed in client.jobs(page_size=1)][-1] == job.id
        assert (await client.job(job.id).result()).job_id == job.id
        batch = await client.submit_batch([PROGRAM, "wrong"], return_exceptions=True)
        assert batch[0].id and isinstance(batch[1], qubus.ProgramError)

    run(scripted, body)


def test_errors_are_raised_where_they_are_awaited(scripted):
    async def body(client):
        with pytest.raises(qubus.ProgramError) as caught:
            await client.submit("wrong")
        assert caught.value.column == 5
        with pytest.raises(qubus.JobNotFoundError):
            await client.job("0199-99999999").result()
        failed = await client.submit(PROGRAM, name="fail")
        with pytest.raises(qubus.ExecutionError):
            await failed.result()
        assert await failed.wait() == "failed"

    run(scripted, body)


def test_a_hundred_waits_share_one_loop_and_no_thread_of_python(scripted):
    async def body(client):
        jobs = await asyncio.gather(*(client.submit(PROGRAM, seed=n) for n in range(100)))
        before = threading.active_count()
        pending = [asyncio.ensure_future(job.result(timeout=20)) for job in jobs]
        await asyncio.sleep(0)
        assert threading.active_count() == before
        return [result.seed for result in await asyncio.gather(*pending)]

    assert run(scripted, body) == list(range(100))


def test_the_loop_runs_on_while_a_job_is_awaited(scripted):
    async def body(client):
        job = await client.submit(PROGRAM, name="hold")
        waiting = asyncio.ensure_future(job.result(timeout=20))
        for _ in range(20):
            await client.health()
        assert not waiting.done()
        scripted.release(job.id)
        return (await waiting).counts

    assert run(scripted, body) == {"00": 509, "11": 515}


def test_events_arrive_as_they_happen(scripted):
    async def body(client):
        job = await client.submit(PROGRAM, name="hold")
        seen = []
        async for event in job.events(timeout=20):
            seen.append(event.sequence)
            if event.sequence == 2:
                scripted.release(job.id)
        return seen

    assert run(scripted, body) == [1, 2, 3, 4, 5, 6]


def test_time_outs(scripted):
    async def body(client):
        job = await client.submit(PROGRAM, name="hold")
        with pytest.raises(TimeoutError) as caught:
            await job.result(timeout=0.1)
        assert caught.value.name == "deadline_exceeded"
        with pytest.raises(qubus.ResultNotReadyError):
            await job.result(timeout=0)
        with pytest.raises(TimeoutError):
            async for _ in job.events(timeout=0.1):
                pass
        assert await job.status() == "queued"

    run(scripted, body)


def test_canceling_a_task_ends_its_call_at_the_server(scripted):
    async def body(client):
        job = await client.submit(PROGRAM, name="hold")
        waiting = asyncio.ensure_future(job.result())
        await client.health()  # the server has seen GetResult by now
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await client.health()
        assert len(scripted.canceled_calls) == 1
        assert not client._futures
        assert await job.status() == "queued"

    run(scripted, body)


def test_closing_wakes_who_waits(scripted):
    async def body(client):
        job = await client.submit(PROGRAM, name="hold")
        waiting = asyncio.ensure_future(job.result())
        watching = asyncio.ensure_future(anext(job.events(after=2)))
        await client.health()
        await client.close()
        for task in (waiting, watching):
            with pytest.raises(qubus.ClientError) as caught:
                await task
            assert caught.value.name == "client_closed"
        with pytest.raises(qubus.ClientError):
            await client.health()

    run(scripted, body)


def test_connecting_to_nobody_does_not_hold_the_loop(tmp_path):
    async def main():
        ticks = 0
        attempt = asyncio.ensure_future(
            qubus.connect(f"ipc://{tmp_path}/none.sock", connect_timeout=0.3))
        started = time.monotonic()
        while not attempt.done() and time.monotonic() - started < 10:
            ticks += 1
            await asyncio.sleep(0.01)
        with pytest.raises(qubus.ConnectionFailedError):
            await attempt
        return ticks

    assert asyncio.run(main()) > 5
