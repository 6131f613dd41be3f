"""Qubus from Python, round trip included. usage: client.py ENDPOINT"""
from __future__ import annotations

import sys

import qubus
from case import Case
from stopwatch import serve


class Sessions:
    """One open session, kept from task to task of a case."""

    def __init__(self, endpoint: str):
        self._client = qubus.Client(endpoint)
        self._folder, self._session, self._case = "", None, None

    def prepare(self, folder: str, task: str):
        if folder != self._folder:
            if self._session is not None:
                self._session.close()
            self._folder, self._case = folder, Case.read(folder)
            self._session = self._client.session(self._case.program, observables=self._case.terms)
        session = self._session
        both = session.objective(gradient=True)
        return (session.step if task == "energy" else both, list(self._case.parameters), both)


if __name__ == "__main__":
    serve(Sessions(sys.argv[1]).prepare)
