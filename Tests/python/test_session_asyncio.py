"""Sessions of the asyncio client over the scripted server."""
import asyncio
import math
import threading

import numpy
import pytest

import qubus
from test_session import ENERGY, EVERYTHING, TWO_TURNS, energy


def run(scripted, body, **options):
    async def main():
        async with await qubus.connect(scripted.endpoint) as client:
            async with await client.session(TWO_TURNS, observables=ENERGY, **options) as session:
                return await body(client, session)

    return asyncio.run(main())


def test_steps_gradients_batches(scripted):
    async def body(client, session):
        at = numpy.array([0.3, 0.7])
        assert await session.step(at) == pytest.approx(energy(0.3, 0.7))
        value, slope = await session.step(at, gradient=True)
        assert type(value) is float and slope[0] == pytest.approx(-math.sin(0.3))
        numpy.testing.assert_array_equal(await session.gradient(at), slope)
        assert (await session.batch([at, at], gradient=True))[1].shape == (2, 2)
        assert (await session.evaluate(at)).sequence == 5
        assert sum((await session.counts(at, shots=9)).values()) == 9
        assert (await session.statevector(at)).shape == (4,)
        assert (await session.info()).steps == session.last_sequence == 7
        assert [s.session_id for s in await client.sessions()] == [session.id]

    run(scripted, body, outputs=EVERYTHING)


def test_steps_started_together_are_answered_in_order(scripted):
    async def body(client, session):
        before = threading.active_count()
        tasks = [asyncio.ensure_future(session.step([n / 50, 0.0])) for n in range(50)]
        await asyncio.sleep(0)
        assert threading.active_count() == before
        return await asyncio.gather(*tasks)

    values = run(scripted, body)
    numpy.testing.assert_allclose(values, energy(numpy.arange(50) / 50, 0.0), atol=1e-14)
    assert [sequence for _, sequence in scripted.evaluations] == list(range(1, 51))


def test_errors_and_time_outs(scripted):
    async def body(client, session):
        with pytest.raises(qubus.ValidationError):
            await session.step([0.1])
        with pytest.raises(TimeoutError) as caught:
            await session.step([0.1, 0.2], timeout=0.1)
        assert caught.value.name == "deadline_exceeded"
        pending = asyncio.ensure_future(session.step([0.1, 0.2]))
        await asyncio.sleep(0)  # it was sent
        await client.health()   # and came
        scripted.release_steps()
        scripted.release_steps()
        assert await pending == pytest.approx(energy(0.1, 0.2))

    run(scripted, body, name="hold")


def test_resume_and_detach(scripted):
    async def body(client, session):
        await session.step([0.1, 0.2])
        async with await qubus.connect(scripted.endpoint) as other:
            again = await other.resume_session(
                session.id, session.secret, last_sequence=session.last_sequence)
            assert await again.step([0.3, 0.4]) == pytest.approx(energy(0.3, 0.4))
            again.detach()
            with pytest.raises(qubus.ConflictError):
                await session.step([0.1, 0.2])

    run(scripted, body)


def test_optimizations(scripted):
    async def body(client, session):
        optimization = await session.minimize(
            initial=[2.0, 2.5], options={"learning_rate": 0.2}, max_iterations=25)
        numbers = [iteration.number async for iteration in optimization]
        assert numbers == list(range(1, 26))
        assert (await optimization.result(timeout=10)).iterations == 25
        again = await session.optimization(optimization.id, after=20)
        assert [i.number async for i in again] == [21, 22, 23, 24, 25]
        unread = await session.minimize(initial=[2.0, 2.5], max_iterations=25)
        assert (await unread.result(timeout=10)).ending == "max_iterations"
        running = await session.minimize(initial=[2.0, 2.5], max_iterations=1000)
        with pytest.raises(TimeoutError):
            await running.result(timeout=0.1)
        assert await running.cancel() is True
        assert (await running.result(timeout=10)).ending == "canceled"
        refused = await session.minimize("refused", initial=[0, 0])
        with pytest.raises(qubus.ValidationError):
            await refused.result(timeout=10)

    run(scripted, body)
